/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <limits.h>
#include <sys/stat.h>

#include "cli/events.h"

#define LINE(event, rest) "{\"ts\":\"2026-01-31T12:00:00.123456Z\",\"session\":\"s\"," \
	"\"event\":\"" event "\"" rest "}"

static void one_line_each(void **state)
{
	static const struct {
		const char *event, *want;
	} rows[] = {
		{ LINE("dns.query", ",\"name\":\"a.example\",\"type\":\"A\",\"verdict\":\"allow\","
		       "\"reason\":\"allowed\",\"rule\":\"r\",\"answer\":\"28.0.0.16\""),
		  "dns.query     allow a.example A is 28.0.0.16  allowed by r" },
		{ LINE("conn.open", ",\"host\":\"2001:db8::1\",\"port\":22,\"proto\":\"ssh\","
		       "\"verdict\":\"deny\",\"reason\":\"ip_literal\",\"rule\":null,"
		       "\"layer\":null"),
		  "conn.open     deny  [2001:db8::1]:22 ssh  ip_literal" },
		{ LINE("conn.close", ",\"host\":\"h\",\"port\":443,\"bytes_out\":999,"
		       "\"bytes_in\":1500000,\"duration_ms\":61000,\"end\":\"client\""),
		  "conn.close          h:443  999 B out, 1.5 MB in, 1 m 1 s, ended by client" },
		{ LINE("http", ",\"host\":\"h\",\"port\":80,\"method\":\"GET\",\"path\":\"/a\","
		       "\"status\":403,\"verdict\":\"deny\",\"reason\":\"path\",\"rule\":\"r\""),
		  "http          deny  GET h:80/a 403  path by r" },
		{ LINE("packet.drop", ",\"proto\":\"udp\",\"ip\":\"8.8.8.8\",\"port\":443,"
		       "\"count\":3"), "packet.drop   deny  8.8.8.8:443 udp  3 packets" },
		{ LINE("denials", ",\"reason\":\"no_rule\",\"count\":20,\"distinct\":2,"
		       "\"sample\":[\"a\",\"b\"]"),
		  "denials       deny  20 more to 2 hosts: a, b  no_rule" },
		{ LINE("session.start", ",\"command\":\"npm\",\"mode\":\"filtered\","
		       "\"key_id\":\"01\""),
		  "session.start       npm, mode filtered, session s, key 01" },
		{ LINE("session.end", ",\"exit_code\":-3,\"totals\":{\"connections\":1,"
		       "\"denied\":2}"),
		  "session.end         exit code -3, 1 connections, 2 denied, 0 B out, 0 B in" },
		{ LINE("checkpoint", ",\"key_id\":\"01\""),
		  "checkpoint          signed with key 01" },
		/* of another version, or of nobody's */
		{ LINE("new.event", ""), "new.event           " },
		{ LINE("dns.query", ",\"name\":\"\\u001b[2J\\u202e\",\"type\":7,"
		       "\"verdict\":[]"), "dns.query           \\x1b[2J\\xe2\\x80\\xae" },
		{ LINE("conn.close", ",\"port\":-1,\"bytes_in\":\"x\""),
		  "conn.close            0 B out, 0 B in, 0 ms, ended by " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_t *event = json_loads(rows[i].event, 0, NULL);
		AUTO_FREE char *text = NULL;
		char want[256];
		size_t size;
		FILE *to = open_memstream(&text, &size);

		assert_non_null(to);
		events_print(to, event);
		fclose(to);
		snprintf(want, sizeof(want), "2026-01-31 12:00:00.123  %s\n", rows[i].want);
		assert_string_equal(text, want);
		json_decref(event);
	}
}

static void quantities(void **state)
{
	char text[DURATION_TEXT_MAX], bytes[BYTES_TEXT_MAX];

	(void)state;
	assert_string_equal(bytes_text(0, bytes), "0 B");
	assert_string_equal(bytes_text(999, bytes), "999 B");
	assert_string_equal(bytes_text(1000, bytes), "1.0 kB");
	assert_string_equal(bytes_text(999600, bytes), "1.0 MB");
	assert_string_equal(bytes_text(12345678, bytes), "12 MB");
	assert_string_equal(bytes_text(UINT64_MAX, bytes), "18 EB");
	assert_string_equal(duration_text(999, text), "999 ms");
	assert_string_equal(duration_text(1500, text), "1.5 s");
	assert_string_equal(duration_text(200000, text), "3 m 20 s");
	assert_string_equal(duration_text(7500000, text), "2 h 5 m");
	assert_true(strlen(duration_text(UINT64_MAX, text)) < DURATION_TEXT_MAX - 1);
}

static void touch(const char *folder, const char *name, time_t when)
{
	struct timespec times[2] = { { when, 0 }, { when, 0 } };
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/sluice/audit/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(futimens(fileno(f), times), 0);
	fclose(f);
}

static void the_newest_log_is_found(void **state)
{
	char folder[] = "/tmp/sluice-events-XXXXXX", command[128], found[PATH_MAX], want[256];
	struct err err = { "" };

	(void)state;
	assert_non_null(mkdtemp(folder));
	setenv("XDG_STATE_HOME", folder, 1);
	assert_false(events_newest(found, &err));
	assert_non_null(strstr(err.text, "there is none"));
	snprintf(command, sizeof(command), "mkdir -p %s/sluice/audit/z.jsonl", folder);
	assert_int_equal(system(command), 0);
	touch(folder, "b.jsonl", 2000);
	touch(folder, "a.jsonl", 3000);
	touch(folder, "c.txt", 4000);
	err.text[0] = '\0';
	assert_true(events_newest(found, &err));
	snprintf(want, sizeof(want), "%s/sluice/audit/a.jsonl", folder);
	assert_string_equal(found, want);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_each),
		cmocka_unit_test(quantities),
		cmocka_unit_test(the_newest_log_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

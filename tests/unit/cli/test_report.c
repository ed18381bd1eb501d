/* SPDX-License-Identifier: Apache-2.0 */
#include "log_unit.h"

#include <jansson.h>

#include "cli/commands.h"
#include "cli/tally.h"

#define EVENT(second, event) "{" TS(second) ",\"event\":\"" event "\","

static const char whole[] =
	EVENT("01", "session.start") "\"command\":\"x\"}\n"
	EVENT("02", "dns.query") "\"name\":\"a.example\",\"verdict\":\"allow\"}\n"
	EVENT("02", "dns.query") "\"name\":\"evil.example\",\"verdict\":\"deny\","
		"\"reason\":\"no_rule\"}\n"
	EVENT("02", "dns.query") "\"name\":\"evil.example\",\"verdict\":\"deny\","
		"\"reason\":\"no_rule\",\"pid\":3,\"exe\":\"/bin/<i>\\u001b\"}\n"
	EVENT("03", "conn.open") "\"conn\":1,\"host\":\"a.example\",\"ips\":[],\"port\":443,"
		"\"proto\":\"tls\",\"verdict\":\"allow\"}\n"
	EVENT("03", "conn.open") "\"conn\":2,\"host\":\"b<i>|`.example\",\"port\":443,"
		"\"proto\":\"tls\",\"verdict\":\"allow\"}\n"
	EVENT("03", "conn.open") "\"conn\":3,\"host\":\"c.example\",\"ips\":[\"10.0.0.9\"],"
		"\"port\":443,\"proto\":\"tcp\",\"verdict\":\"deny\","
		"\"reason\":\"special_address\"}\n"
	EVENT("03", "conn.open") "\"conn\":4,\"host\":\"x.example\",\"port\":9,\"proto\":\"tcp\","
		"\"verdict\":\"deny\",\"reason\":\"of another version\"}\n"
	EVENT("04", "denials") "\"reason\":\"port\",\"count\":7,\"distinct\":1,\"sample\":[]}\n"
	EVENT("04", "packet.drop") "\"ip\":\"8.8.8.8\",\"count\":5}\n"
	EVENT("04", "alert") "\"kind\":\"dns_entropy\",\"value\":4.5,\"threshold\":4,"
		"\"message\":\"m\"}\n"
	"no event\n"
	EVENT("05", "conn.close") "\"conn\":1,\"host\":\"a.example\",\"bytes_out\":10,"
		"\"bytes_in\":20}\n"
	EVENT("06", "conn.close") "\"conn\":2,\"host\":\"b<i>|`.example\",\"bytes_out\":1000,"
		"\"bytes_in\":2000}\n"
	EVENT("07", "session.end") "\"exit_code\":0,\"totals\":{\"connections\":4,\"denied\":11,"
		"\"dns\":3,\"bytes_out\":1010,\"bytes_in\":2020,\"alerts\":1}}\n";

static char *print(const char *path, const char *format)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	assert_int_equal(report_print(path, format, to), 0);
	fclose(to);
	return text;
}

static void in_words(void **state)
{
	char *path = log_file(whole);
	AUTO_FREE char *text = print(path, "text");

	(void)state;
	assert_string_equal(text,
		"sluice report\n"
		"  sessions      1\n"
		"  time          2026-01-31T12:00:01.123456Z to 2026-01-31T12:00:07.123456Z "
		"(6.0 s)\n"
		"  connections   4\n"
		"  denied        11\n"
		"  dns queries   3 (2 denied)\n"
		"  bytes         1.0 kB out, 2.0 kB in\n"
		"  alerts        1\n"
		"  dropped       5 packets\n"
		"  unreadable    1 lines (see sluice log verify)\n"
		"\nTimeline, by 1 s\n"
		"  FROM                  CONNECTIONS    DENIED     BYTES\n"
		"  2026-01-31T12:00:02Z            0         2       0 B\n"
		"  2026-01-31T12:00:03Z            2         2       0 B\n"
		"  2026-01-31T12:00:04Z            0         7       0 B\n"
		"  2026-01-31T12:00:05Z            0         0      30 B\n"
		"  2026-01-31T12:00:06Z            0         0    3.0 kB\n"
		"\nHosts reached, most bytes first\n"
		"  HOST                                      CONNECTIONS       OUT        IN\n"
		"  b<i>|`.example                                      1    1.0 kB    2.0 kB\n"
		"  a.example                                           1      10 B      20 B\n"
		"\nDenied, most often first\n"
		"  TIMES  DENIED                              REASON            TO ALLOW IT\n"
		"      2  evil.example                        no_rule           "
		"--allow evil.example\n"
		"      1  c.example:443                       special_address   "
		"--private-network c.example=10.0.0.0/8\n"
		"  1 more of other kinds\n"
		"  7 more (port), folded in a flood\n"
		"\nWhich programs, most often denied first\n"
		"  DENIED  PROGRAM\n"
		"       1  /bin/<i>\\x1b\n"
		"  3 more denials of programs that are not known\n"
		"  of what was allowed the log names no program (log: {process: true} would)\n"
		"\nAlerts\n"
		"  TIME                         KIND                   VALUE   THRESHOLD  MESSAGE\n"
		"  2026-01-31T12:00:04.123456Z  dns_entropy              4.5           4  m\n");
	unlink(path);
}

static void as_json(void **state)
{
	char *path = log_file(whole);
	AUTO_FREE char *text = print(path, "json");
	json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *denials, *hosts;

	(void)state;
	assert_non_null(report);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(report, "totals"),
							    "denied")), 11);
	assert_int_equal(json_integer_value(json_object_get(report, "duration_ms")), 6000);
	hosts = json_object_get(report, "hosts");
	assert_int_equal(json_array_size(hosts), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(hosts, 0), "host")),
			    "b<i>|`.example");
	denials = json_object_get(report, "denials");
	assert_int_equal(json_array_size(denials), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(denials, 0),
							      "suggest")),
			    "--allow evil.example");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(report,
				"denials_folded"), "port")), 7);
	assert_int_equal(json_array_size(json_object_get(report, "alerts")), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(report,
				"programs"), 0), "exe")), "/bin/<i>\\x1b");
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(report, "programs"), 0),
						 "allowed")));
	assert_int_equal(json_integer_value(json_object_get(report, "programs_unknown")), 3);
	json_decref(report);
	unlink(path);
}

/* log: {process: true} */
static void programs_of_what_was_allowed(void **state)
{
	char *path = log_file(EVENT("02", "conn.open") "\"host\":\"a.example\",\"port\":443,"
		"\"verdict\":\"allow\",\"reason\":\"allowed\",\"pid\":3,\"exe\":\"/usr/bin/git\"}\n"
		EVENT("02", "conn.open") "\"host\":\"a.example\",\"port\":443,"
		"\"verdict\":\"allow\",\"reason\":\"allowed\"}\n"
		EVENT("02", "conn.open") "\"host\":\"b.example\",\"port\":443,"
		"\"verdict\":\"deny\",\"reason\":\"no_rule\",\"pid\":3,\"exe\":\"/usr/bin/curl\"}\n"
		EVENT("02", "conn.open") "\"host\":\"a.example\",\"port\":443,"
		"\"verdict\":\"allow\",\"reason\":\"allowed\",\"pid\":4,\"exe\":\"/usr/bin/curl\"}\n");
	AUTO_FREE char *text = print(path, "text"), *json = print(path, "json");

	(void)state;
	assert_non_null(strstr(text, "\nWhich programs, most often denied first\n"
			       "  DENIED  ALLOWED  PROGRAM\n"
			       "       1        1  /usr/bin/curl\n"
			       "       0        1  /usr/bin/git\n"));
	assert_null(strstr(text, "names no program"));
	assert_non_null(strstr(json, "\"programs\":[{\"exe\":\"/usr/bin/curl\",\"denied\":1,\"allowed\":1},"
			       "{\"exe\":\"/usr/bin/git\",\"denied\":0,\"allowed\":1}]"));
	unlink(path);
}

static void markup_obeys_no_stranger(void **state)
{
	char *path = log_file(whole);
	AUTO_FREE char *markdown = print(path, "markdown"), *html = print(path, "html");

	(void)state;
	assert_non_null(strstr(markdown, "| b\\<i\\>\\|\\`.example | 1 | 1.0 kB | 2.0 kB |\n"));
	assert_non_null(strstr(html, "<td>b&lt;i&gt;|`.example</td>"));
	assert_null(strstr(html, "<i>"));
	unlink(path);
}

/* A session that has no end counts by its events, and the next one anew */
static void sessions_without_an_end(void **state)
{
	char *path = log_file(
		EVENT("01", "session.start") "\"command\":\"x\"}\n"
		EVENT("03", "conn.open") "\"conn\":1,\"host\":\"a\",\"verdict\":\"allow\"}\n"
		EVENT("10", "session.start") "\"command\":\"x\"}\n"
		EVENT("11", "conn.open") "\"conn\":1,\"host\":\"a\",\"verdict\":\"allow\"}\n");
	AUTO_FREE char *text = print(path, "text");

	(void)state;
	assert_non_null(strstr(text, "sessions      2 (one or more without an end)\n"));
	assert_non_null(strstr(text, "connections   2\n"));
	assert_non_null(strstr(text, "(3.0 s)"));
	unlink(path);
}

/* No table grows for ever, and each says what it left out */
static void beyond_the_bounds(void **state)
{
	char *path = log_file("");
	AUTO_FREE char *text = NULL, *json = NULL;
	FILE *f = fopen(path, "w");
	char want[80];

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < TALLY_HOSTS_MAX + 5; i++)
		fprintf(f, EVENT("01", "conn.open") "\"host\":\"h%d\",\"verdict\":\"allow\"}\n", i);
	for (int i = 0; i < TALLY_PROGRAMS_MAX + 7; i++)
		fprintf(f, EVENT("02", "conn.open") "\"host\":\"d%d\",\"port\":1,\"verdict\":\"deny\","
			"\"reason\":\"no_rule\",\"exe\":\"/bin/p%d\"}\n", i, i);
	for (int i = 0; i < TALLY_ALERTS_MAX + 9; i++)
		fprintf(f, EVENT("03", "alert") "\"kind\":\"error_rate\",\"value\":%d}\n", i);
	fclose(f);
	text = print(path, "text");
	json = print(path, "json");
	assert_non_null(strstr(text, "connections   11012\n"));
	snprintf(want, sizeof(want), "  %-40s  %11d  ", "all others", 9995);
	assert_non_null(strstr(text, want));
	assert_non_null(strstr(text, "     997  (others)\n"));
	assert_non_null(strstr(text, "\n  9 more (the log has them)\n"));
	assert_non_null(strstr(json, "\"hosts_others\":{\"connections\":5,\"bytes_out\":0,\"bytes_in\":0}"));
	assert_non_null(strstr(json, "\"programs_others\":7,"));
	assert_non_null(strstr(json, "\"alerts_others\":9}"));
	unlink(path);
}

static void what_is_no_log(void **state)
{
	AUTO_FREE char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(report_print("/nonexistent", "text", to), EXIT_SLUICE);
	assert_int_equal(report_print("/dev/null", "pdf", to), EXIT_SLUICE);
	assert_int_equal(report_print("/dev/null", "text", to), 0);
	fclose(to);
	assert_true(!strncmp(text, "sluice report\n  sessions      0\n", 31));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_words),
		cmocka_unit_test(as_json),
		cmocka_unit_test(programs_of_what_was_allowed),
		cmocka_unit_test(markup_obeys_no_stranger),
		cmocka_unit_test(sessions_without_an_end),
		cmocka_unit_test(beyond_the_bounds),
		cmocka_unit_test(what_is_no_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

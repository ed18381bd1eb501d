/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/replay.h"

#include "event.h"

#include "policy/load.h"

static const char policy_text[] =
	"version: 1\n"
	"allow:\n"
	"  - {host: a.test, ports: [443, 80, 5432]}\n"
	"  - {host: api.test, ports: [80], methods: [GET], paths: [/v1/*]}\n"
	"  - {host: in.test, methods: [GET]}\n"
	"  - {ip: 192.0.9.0/24, ports: [22]}\n"
	"  - {host: time.test, ports: [123/udp]}\n"
	"deny:\n"
	"  - {host: bad.test}\n";

static struct policy *policy;
static struct replay replay;

static int setup(void **state)
{
	struct policy_file file = { LAYER_POLICY, "p", span_str(policy_text), false, false };
	struct policy_input in = { .files = &file, .file_count = 1 };
	struct err err = { "" };

	(void)state;
	policy = policy_load(&in, &err);
	assert_non_null(policy);
	assert_true(replay_init(&replay, policy, &(struct seed){ { 1, 2 } }));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	replay_done(&replay);
	policy_free(policy);
	return 0;
}

static void event(const char *fmt, ...) PRINTF(1, 2);

static void event(const char *fmt, ...)
{
	json_t *e;
	va_list ap;

	va_start(ap, fmt);
	e = event_of(fmt, ap);
	va_end(ap);
	replay_event(&replay, e);
	json_decref(e);
}

static void conn(const char *host, unsigned port, const char *proto, const char *verdict,
		 const char *reason)
{
	event("{\"event\":\"conn.open\",\"host\":\"%s\",\"ips\":[\"192.0.9.9\"],\"port\":%u,"
	      "\"proto\":\"%s\",\"verdict\":\"%s\",\"reason\":\"%s\"}", host, port, proto, verdict, reason);
}

static void request(const char *host, unsigned port, const char *method, const char *path)
{
	event("{\"event\":\"http\",\"host\":\"%s\",\"port\":%u,\"method\":\"%s\",\"path\":\"%s\","
	      "\"status\":200,\"verdict\":\"allow\",\"reason\":\"allowed\"}", host, port, method, path);
}

static void late(unsigned number, const char *host, unsigned port)
{
	event("{\"event\":\"conn.open\",\"conn\":%u,\"host\":\"%s\",\"port\":%u,\"proto\":\"tcp\","
	      "\"verdict\":\"allow\",\"reason\":\"allowed_monitor\"}", number, host, port);
}

static const struct replay_row *row(const char *target)
{
	for (size_t i = 0; i < replay.count; i++)
		if (!strcmp(replay.rows[i].target, target))
			return &replay.rows[i];
	return NULL;
}

static void check(const char *target, enum replayed now, enum reason reason, uint64_t count)
{
	const struct replay_row *r = row(target);

	if (!r)
		fail_msg("%s is no change", target);
	assert_int_equal(r->now, now);
	assert_int_equal(r->reason, reason);
	assert_int_equal(r->count, count);
}

static void what_stays_is_no_row(void **state)
{
	(void)state;
	conn("a.test", 443, "tls", "allow", "allowed_monitor");
	conn("a.test", 443, "tcp", "allow", "allowed_monitor");
	conn("a.test", 5432, "tcp", "allow", "allowed");
	conn("192.0.9.1", 22, "ssh", "allow", "allowed");
	conn("time.test", 123, "udp", "allow", "allowed");
	conn("bad.test", 443, "tls", "deny", "deny_rule");
	request("api.test", 80, "GET", "/v1/x?y=z");
	request("in.test", 443, "GET", "/");
	event("{\"event\":\"dns.query\",\"name\":\"a.test\",\"type\":\"AAAA\",\"verdict\":\"allow\","
	      "\"reason\":\"allowed\"}");
	replay_end(&replay);
	assert_int_equal(replay.asked, 9);
	assert_int_equal(replay.changed, 0);
	assert_int_equal(replay.count, 0);
}

static void what_changes_is_told_once_with_its_count(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		conn("new.test", 443, "tls", "allow", "allowed_monitor");
	conn("bad.test", 443, "tls", "allow", "allowed");
	conn("a.test", 22, "ssh", "allow", "allowed");
	conn("a.test", 443, "tls", "deny", "no_rule");
	conn("9.9.9.9", 443, "tls", "allow", "allowed");
	conn("2600::1", 443, "tls", "allow", "allowed");
	request("api.test", 80, "POST", "/v1/x");
	request("api.test", 80, "GET", "/v2");
	event("{\"event\":\"dns.query\",\"name\":\"new.test\",\"type\":\"A\",\"verdict\":\"allow\","
	      "\"reason\":\"allowed\"}");
	replay_end(&replay);
	check("new.test:443", REPLAYED_DENY, REASON_NO_RULE, 3);
	check("bad.test:443", REPLAYED_DENY, REASON_DENY_RULE, 1);
	check("a.test:22", REPLAYED_DENY, REASON_PORT, 1);
	check("a.test:443", REPLAYED_ALLOW, REASON_ALLOWED, 1);
	check("9.9.9.9:443", REPLAYED_DENY, REASON_IP_LITERAL, 1);
	check("[2600::1]:443", REPLAYED_DENY, REASON_IP_LITERAL, 1);
	check("POST http://api.test/v1/x", REPLAYED_DENY, REASON_METHOD, 1);
	check("GET http://api.test/v2", REPLAYED_DENY, REASON_PATH, 1);
	check("dns:new.test/A", REPLAYED_DENY, REASON_NO_RULE, 1);
	assert_int_equal(replay.changed, 11);
	assert_int_equal(replay.now_denied, 10);
	assert_int_equal(replay.now_allowed, 1);
	/* what is denied now stands first */
	assert_int_equal(replay.rows[0].now, REPLAYED_DENY);
	assert_int_equal(replay.rows[replay.count - 1].now, REPLAYED_ALLOW);
}

/* What was let pass before its client spoke is what its end, or a request, says */
static void what_spoke_late(void **state)
{
	(void)state;
	late(1, "in.test", 443);
	late(2, "a.test", 443);
	late(3, "api.test", 80);
	late(4, "a.test", 80);
	late(5 + REPLAY_OPEN_MAX, "a.test", 5432);
	assert_int_equal(replay.asked, 0);
	event("{\"event\":\"conn.close\",\"conn\":1,\"bytes_out\":9,\"proto\":\"tls\"}");
	event("{\"event\":\"conn.close\",\"conn\":2,\"bytes_out\":9,\"bytes_in\":9}");
	event("{\"event\":\"http\",\"conn\":3,\"host\":\"api.test\",\"port\":80,\"method\":\"GET\","
	      "\"path\":\"/v1/x\",\"verdict\":\"allow\",\"reason\":\"allowed\"}");
	event("{\"event\":\"conn.close\",\"conn\":3,\"bytes_out\":9}");
	assert_int_equal(replay.asked, 4);
	/* another with its slot, and a new session: their ends were not written */
	late(5, "a.test", 443);
	assert_int_equal(replay.asked, 5);
	event("{\"event\":\"session.start\"}");
	assert_int_equal(replay.asked, 7);
	check("a.test:443", REPLAYED_DENY, REASON_PROTOCOL, 1);
	assert_int_equal(replay.changed, 1);
}

static void addresses_are_judged_as_well(void **state)
{
	(void)state;
	event("{\"event\":\"conn.open\",\"host\":\"a.test\",\"ips\":[\"10.0.0.1\"],\"port\":443,\"proto\":\"tls\","
	      "\"verdict\":\"allow\",\"reason\":\"allowed\"}");
	event("{\"event\":\"conn.open\",\"host\":\"a.test\",\"ips\":[\"10.0.0.1\",\"192.0.9.9\"],\"port\":80,"
	      "\"proto\":\"http\",\"verdict\":\"allow\",\"reason\":\"allowed\"}");
	check("a.test:443", REPLAYED_DENY, REASON_SPECIAL_ADDRESS, 1);
	assert_null(row("a.test:80"));
}

static void what_cannot_be_asked_is_counted(void **state)
{
	(void)state;
	event("{\"event\":\"denials\",\"reason\":\"no_rule\",\"count\":700}");
	conn("a.test", 443, "tls", "deny", "sni_mismatch");
	conn("a.test", 443, "tls", "deny", "no such reason");
	conn("a b", 443, "tls", "allow", "allowed");
	conn("a.test", 0, "tls", "allow", "allowed");
	conn("/run/x", 0, "unix", "allow", "allowed");
	conn("a.test", 443, "tls", "maybe", "allowed");
	request("api.test", 80, "GET", "***");
	request("api.test", 80, "GET", "/v1/***");
	request("in.test", 80, "GET", "/x...");
	conn("in.test", 443, "tls", "allow", "allowed");
	assert_int_equal(replay.folded, 700);
	assert_int_equal(replay.beyond, 2);
	assert_int_equal(replay.unknown, 4);
	assert_int_equal(replay.pathless, 1);
	assert_int_equal(replay.redacted, 2);
	assert_int_equal(replay.inside, 1);
	assert_int_equal(replay.asked, 3);
	assert_int_equal(replay.changed, 0);
}

static void a_denied_connection_with_a_request_counts_as_that(void **state)
{
	(void)state;
	conn("api.test", 80, "http", "deny", "path");
	event("{\"event\":\"http\",\"host\":\"api.test\",\"port\":80,\"method\":\"GET\",\"path\":\"/v2\","
	      "\"verdict\":\"deny\",\"reason\":\"path\"}");
	assert_int_equal(replay.asked, 1);
	assert_int_equal(replay.changed, 0);
}

static void all_rows_if_they_are_wanted(void **state)
{
	(void)state;
	replay.all = true;
	conn("a.test", 443, "tls", "allow", "allowed");
	check("a.test:443", REPLAYED_ALLOW, REASON_ALLOWED, 1);
	assert_int_equal(replay.changed, 0);
}

static void memory_has_a_bound(void **state)
{
	char host[64];

	(void)state;
	for (unsigned i = 0; i < REPLAY_ROWS_MAX + 10; i++) {
		snprintf(host, sizeof(host), "n%u.test", i);
		conn(host, 443, "tls", "allow", "allowed");
	}
	assert_int_equal(replay.count, REPLAY_ROWS_MAX);
	assert_int_equal(replay.others, 10);
	assert_int_equal(replay.now_denied, REPLAY_ROWS_MAX + 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_stays_is_no_row),
		TEST(what_changes_is_told_once_with_its_count),
		TEST(what_spoke_late),
		TEST(addresses_are_judged_as_well),
		TEST(what_cannot_be_asked_is_counted),
		TEST(a_denied_connection_with_a_request_counts_as_that),
		TEST(all_rows_if_they_are_wanted),
		TEST(memory_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

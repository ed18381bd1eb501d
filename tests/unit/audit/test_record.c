/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <jansson.h>

#include "audit/record.h"

#define T0 INT64_C(1767225599000007)	/* 2025-12-31T23:59:59.000007Z */
#define FRONT "{\"v\":1,\"seq\":0,\"ts\":\"2025-12-31T23:59:59.000007Z\"," \
	"\"session\":\"s1\",\"event\":"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define BACK ",\"prev\":\"" ZEROS "\"}\n"

static void check_line(struct record *r, const char *want)
{
	assert_false(r->out.full);
	buf_add(&r->out, "", 1);
	assert_string_equal((const char *)r->out.at, want);
	record_done(r);
}

static struct record begin(void)
{
	struct record r;

	assert_true(record_init(&r, "s1"));
	return r;
}

static void session_start(void **state)
{
	struct audit_label labels[] = { { "team", "a\"b" }, { "n", "" } };
	struct audit_start start = { .mode = MODE_FILTERED, .command = "npm", .labels = labels,
		.label_count = 2, .policy_sha256 = "ab12", .version = "0.1.0" };
	struct record r = begin();

	(void)state;
	record_session_start(&r, T0, &(struct record_start){ &start, "0011", "2233" });
	check_line(&r, FRONT "\"session.start\",\"mode\":\"filtered\",\"command\":\"npm\","
		   "\"labels\":{\"team\":\"a\\\"b\",\"n\":\"\"},\"policy_sha256\":\"ab12\","
		   "\"version\":\"0.1.0\",\"key_id\":\"0011\",\"key\":\"2233\"" BACK);
}

static void dns_query(void **state)
{
	struct addr answer = addr_v4(0x1c000010);
	struct record r = begin();

	(void)state;
	record_dns_query(&r, T0, &(struct audit_dns){ .name = SPAN("pypi.org"), .type = 28,
		.verdict = ANSWER_ALLOW, .reason = REASON_ALLOWED,
		.rule = { "preset:pypi[0]", "flag" }, .answer = &answer });
	check_line(&r, FRONT "\"dns.query\",\"name\":\"pypi.org\",\"type\":\"AAAA\","
		   "\"verdict\":\"allow\",\"reason\":\"allowed\",\"rule\":\"preset:pypi[0]\","
		   "\"answer\":\"28.0.0.16\"" BACK);
	r = begin();
	record_dns_query(&r, T0, &(struct audit_dns){ .name = SPAN("x\n\xff"), .type = 65280,
		.verdict = ANSWER_DENY, .reason = REASON_DNS_TYPE });
	check_line(&r, FRONT "\"dns.query\",\"name\":\"x\\n\\ufffd\",\"type\":\"TYPE65280\","
		   "\"verdict\":\"deny\",\"reason\":\"dns_type\",\"rule\":null,"
		   "\"answer\":null" BACK);
}

/* The agent chooses its program's name: any bytes */
static void processes_are_escaped(void **state)
{
	struct audit_process p = { 41, SPAN("/tmp/a\n\x1b[31m\"\xff") };
	struct record r = begin();

	(void)state;
	record_dns_query(&r, T0, &(struct audit_dns){ .name = SPAN("x"), .type = 1,
		.verdict = ANSWER_DENY, .reason = REASON_NO_RULE, .process = p });
	check_line(&r, FRONT "\"dns.query\",\"name\":\"x\",\"type\":\"A\",\"verdict\":\"deny\","
		   "\"reason\":\"no_rule\",\"rule\":null,\"answer\":null,\"pid\":41,"
		   "\"exe\":\"/tmp/a\\n\\u001b[31m\\\"\\ufffd\"" BACK);
	r = begin();
	p.exe = (struct span){ 0 };
	record_conn_open(&r, T0, &(struct audit_conn){ .conn = 8, .host = SPAN("h"), .port = 22,
		.proto = "tcp", .verdict = ANSWER_DENY, .reason = REASON_NO_RULE, .process = p,
		.has_sni = true });
	check_line(&r, FRONT "\"conn.open\",\"conn\":8,\"host\":\"h\",\"ips\":[],"
		   "\"port\":22,\"proto\":\"tcp\",\"verdict\":\"deny\",\"reason\":\"no_rule\","
		   "\"rule\":null,\"layer\":null,\"pid\":41,\"sni\":\"\"" BACK);
}

static void conn_open(void **state)
{
	struct addr ips[2] = { addr_v4(0xcb007107), { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } } };
	struct record r = begin();

	(void)state;
	record_conn_open(&r, T0, &(struct audit_conn){ .conn = 7, .host = SPAN("api.example"),
		.ips = ips, .ip_count = 2, .port = 443, .proto = "tls", .verdict = ANSWER_ALLOW,
		.reason = REASON_ALLOWED, .rule = { "openai", "user" }, .has_sni = true,
		.sni = SPAN("API.example"), .alpn = SPAN("h2") });
	check_line(&r, FRONT "\"conn.open\",\"conn\":7,\"host\":\"api.example\","
		   "\"ips\":[\"203.0.113.7\",\"2001:db8::1\"],\"port\":443,\"proto\":\"tls\","
		   "\"verdict\":\"allow\",\"reason\":\"allowed\",\"rule\":\"openai\","
		   "\"layer\":\"user\",\"sni\":\"API.example\",\"alpn\":\"h2\"" BACK);
	r = begin();
	record_conn_open(&r, T0, &(struct audit_conn){ .conn = 8, .literal = addr_v4(0x7f000001),
		.port = 22, .proto = "ssh", .verdict = ANSWER_DENY,
		.reason = REASON_SPECIAL_ADDRESS });
	check_line(&r, FRONT "\"conn.open\",\"conn\":8,\"host\":\"127.0.0.1\",\"ips\":[],"
		   "\"port\":22,\"proto\":\"ssh\",\"verdict\":\"deny\","
		   "\"reason\":\"special_address\",\"rule\":null,\"layer\":null" BACK);
}

static void conn_close(void **state)
{
	struct addr ip = addr_v4(0xcb007107);
	struct record r = begin();

	(void)state;
	record_conn_close(&r, T0, &(struct audit_close){ .conn = 7, .host = SPAN("api.example"),
		.ip = &ip, .port = 443, .bytes_out = 10, .bytes_in = UINT64_MAX,
		.duration_ms = 12, .end = "client" });
	check_line(&r, FRONT "\"conn.close\",\"conn\":7,\"host\":\"api.example\","
		   "\"ip\":\"203.0.113.7\",\"port\":443,\"bytes_out\":10,"
		   "\"bytes_in\":9223372036854775807,\"duration_ms\":12,\"end\":\"client\"" BACK);
	r = begin();
	record_conn_close(&r, T0, &(struct audit_close){ .conn = 7, .host = SPAN("h"), .port = 1,
		.end = "killed", .reason = REASON_QUOTA });
	check_line(&r, FRONT "\"conn.close\",\"conn\":7,\"host\":\"h\",\"ip\":null,\"port\":1,"
		   "\"bytes_out\":0,\"bytes_in\":0,\"duration_ms\":0,\"end\":\"killed\","
		   "\"reason\":\"quota\"" BACK);
}

/* The host is the agent's, the rest is ours; what nobody decided has no `by` */
static void approval(void **state)
{
	struct record r = begin();

	(void)state;
	record_approval(&r, T0, &(struct audit_approval){ .host = SPAN("a.example"), .port = 443,
		.decision = "approved", .by = "terminal", .scope = "timed", .waited_ms = 1234 });
	check_line(&r, FRONT "\"approval\",\"host\":\"a.example\",\"port\":443,"
		   "\"decision\":\"approved\",\"by\":\"terminal\",\"scope\":\"timed\","
		   "\"waited_ms\":1234" BACK);
	r = begin();
	record_approval(&r, T0, &(struct audit_approval){ .host = SPAN("a\"\n\xff\x1b"), .port = 65535,
		.decision = "timeout", .scope = "once", .waited_ms = UINT64_MAX });
	check_line(&r, FRONT "\"approval\",\"host\":\"a\\\"\\n\\ufffd\\u001b\",\"port\":65535,"
		   "\"decision\":\"timeout\",\"by\":null,\"scope\":\"once\","
		   "\"waited_ms\":9223372036854775807" BACK);
}

static void http(void **state)
{
	struct record r = begin();

	(void)state;
	record_http(&r, T0, &(struct audit_http){ .conn = 3, .host = SPAN("h"),
		.method = SPAN("GET"), .path = SPAN("/a/token/x?q=secret"), .port = 80,
		.status = 403, .verdict = ANSWER_DENY, .reason = REASON_PATH, .rule = { "r", "x" },
		.bytes_out = 1, .bytes_in = 2 });
	check_line(&r, FRONT "\"http\",\"conn\":3,\"host\":\"h\",\"port\":80,\"method\":\"GET\","
		   "\"path\":\"/a/token/***\",\"status\":403,\"verdict\":\"deny\","
		   "\"reason\":\"path\",\"rule\":\"r\",\"bytes_out\":1,\"bytes_in\":2" BACK);
}

static void packet_drop_and_denials(void **state)
{
	struct span sample[2] = { SPAN("a.example"), SPAN("b.example") };
	struct record r = begin();

	(void)state;
	record_packet_drop(&r, T0, &(struct audit_drop){ "udp", addr_v4(0x08080808), 443, 9 });
	check_line(&r, FRONT "\"packet.drop\",\"proto\":\"udp\",\"ip\":\"8.8.8.8\",\"port\":443,"
		   "\"count\":9" BACK);
	r = begin();
	record_alert(&r, T0, &(struct audit_alert){ "upload_total", 1000001, 1000000, SPAN("a \"b\"") });
	check_line(&r, FRONT "\"alert\",\"kind\":\"upload_total\",\"value\":1000001,"
		   "\"threshold\":1000000,\"message\":\"a \\\"b\\\"\"" BACK);
	r = begin();
	record_denials(&r, T0, &(struct record_denials){ REASON_NO_RULE, 120, 2, sample, 2 });
	check_line(&r, FRONT "\"denials\",\"reason\":\"no_rule\",\"count\":120,\"distinct\":2,"
		   "\"sample\":[\"a.example\",\"b.example\"]" BACK);
}

static void policy_reload(void **state)
{
	struct record r = begin();

	(void)state;
	record_policy_reload(&r, T0, ZEROS, true, NULL);
	check_line(&r, FRONT "\"policy.reload\",\"policy_sha256\":\"" ZEROS "\",\"changed\":true" BACK);
	r = begin();
	record_policy_reload(&r, T0, ZEROS, false, "p.yaml:1:1: a\nb");
	check_line(&r, FRONT "\"policy.reload\",\"policy_sha256\":\"" ZEROS "\",\"changed\":false,"
		   "\"error\":\"p.yaml:1:1: a\\nb\"" BACK);
}

static void session_end_and_checkpoint(void **state)
{
	struct audit_totals totals = { 1, 2, 3, 4, 5, 6 };
	char sig[SIG_HEX];
	struct record r = begin();

	(void)state;
	record_session_end(&r, T0, -1, &totals);
	check_line(&r, FRONT "\"session.end\",\"exit_code\":-1,\"totals\":{\"connections\":1,"
		   "\"denied\":2,\"dns\":3,\"bytes_out\":4,\"bytes_in\":5,\"alerts\":6}" BACK);
	r = begin();
	memset(sig, 'e', sizeof(sig));
	memcpy(r.chain.ts, "2025-12-31T23:59:59.000007Z", TIME_TEXT);
	record_checkpoint(&r, "0123456789abcdef", sig);
	check_line(&r, FRONT "\"checkpoint\",\"key_id\":\"0123456789abcdef\",\"sig\":\""
		   "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
		   "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\"" BACK);
}

/* Each line is hashed as it stands, without its newline, into the next */
static void lines_are_chained(void **state)
{
	struct audit_drop drop = { "tcp", addr_v4(1), 2, 3 };
	struct span first, second;
	uint8_t hash[32];
	char hex[HASH_HEX], want[HASH_HEX + 16];
	struct record r = begin();

	(void)state;
	record_packet_drop(&r, T0, &drop);
	record_packet_drop(&r, T0 + 999999, &drop);
	first = span_head(buf_span(&r.out), (size_t)span_find(buf_span(&r.out), '\n'));
	second = span_skip(buf_span(&r.out), first.len + 1);
	assert_true(EVP_Digest(first.at, first.len, hash, NULL, EVP_sha256(), NULL));
	hex_encode(hash, sizeof(hash), hex);
	snprintf(want, sizeof(want), "\"prev\":\"%.64s\"}\n", hex);
	assert_true(span_ends(second, span_str(want)));
	/* the second changes, and with it the year */
	assert_true(span_starts(second, SPAN("{\"v\":1,\"seq\":1,\"ts\":"
					     "\"2026-01-01T00:00:00.000006Z\"")));
	record_done(&r);
}

static void times_are_right(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ 951782400123456, "2000-02-29T00:00:00.123456Z" },
		{ 4107542399999999, "2100-02-28T23:59:59.999999Z" },
		{ 4107542400000000, "2100-03-01T00:00:00.000000Z" },
	};
	struct audit_drop drop = { "tcp", addr_v4(1), 2, 3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct record r = begin();

		record_packet_drop(&r, cases[i].us, &drop);
		assert_memory_equal(r.chain.ts, cases[i].text, TIME_TEXT);
		record_done(&r);
	}
}

/* After going back the date must be worked out again though the second is cached */
static void resuming_forgets_the_second(void **state)
{
	struct audit_drop drop = { "tcp", addr_v4(1), 2, 3 };
	struct record r = begin();
	struct chain early;

	(void)state;
	record_packet_drop(&r, 5000000, &drop);
	early = r.chain;
	record_packet_drop(&r, T0, &drop);
	record_resume(&r, &early);
	assert_int_equal(r.out.len, 0);
	record_packet_drop(&r, T0, &drop);
	assert_memory_equal(r.chain.ts, "2025-12-31T23:59:59.000007Z", TIME_TEXT);
	assert_int_equal(r.chain.seq, 2);
	record_done(&r);
}

/* The worst that the wire can send stays one line of valid JSON within the bound */
static void hostile_text_is_bounded(void **state)
{
	static uint8_t junk[300000];
	struct span s = { junk, sizeof(junk) };
	struct record r;

	(void)state;
	assert_true(record_init(&r, "s\n\"1"));
	for (size_t fill = 0; fill < 256; fill++) {
		json_t *json;

		memset(junk, (int)fill, sizeof(junk));
		buf_clear(&r.out);
		record_conn_open(&r, T0, &(struct audit_conn){ .conn = UINT64_MAX, .host = s,
			.port = 65535, .proto = "tcp", .verdict = ANSWER_DENY,
			.reason = REASON_INSPECTION_REQUIRED, .has_sni = true, .sni = s,
			.alpn = s });
		record_http(&r, T0, &(struct audit_http){ .host = s, .method = s, .path = s,
			.verdict = ANSWER_DENY, .reason = REASON_NO_RULE });
		assert_false(r.out.full);
		assert_true(r.out.len < RECORD_LINE_MAX);
		for (int line = 0; line < 2; line++) {
			ptrdiff_t end = span_find(buf_span(&r.out), '\n');

			json = json_loadb((const char *)r.out.at, (size_t)end,
					  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
			assert_true(json_is_object(json));
			json_decref(json);
			buf_consume(&r.out, (size_t)end + 1);
		}
		assert_int_equal(r.out.len, 0);
	}
	record_done(&r);
}

static void cut_text_says_so(void **state)
{
	static uint8_t junk[RECORD_TEXT_MAX + 1];
	struct record r = begin();

	(void)state;
	memset(junk, 'a', sizeof(junk));
	record_dns_query(&r, T0, &(struct audit_dns){ .name = { junk, sizeof(junk) }, .type = 1,
		.verdict = ANSWER_DENY, .reason = REASON_NO_RULE });
	buf_add(&r.out, "", 1);
	assert_non_null(strstr((const char *)r.out.at, "aaaa...\",\"type\""));
	record_done(&r);
}

/* Only labels can make a line too long: then nothing of it is left, and the chain is broken */
static void a_line_beyond_the_bound_is_no_line(void **state)
{
	struct audit_label labels[100];
	static char value[1000];
	struct audit_start start = { .labels = labels, .label_count = 100, .command = "c",
		.policy_sha256 = "", .version = "" };
	struct record r = begin();

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	for (size_t i = 0; i < 100; i++)
		labels[i] = (struct audit_label){ "k", value };
	record_session_start(&r, T0, &(struct record_start){ &start, "00", "00" });
	assert_true(r.out.full);
	assert_int_equal(r.out.len, 0);
	assert_int_equal(r.chain.seq, 0);
	record_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_start),
		cmocka_unit_test(dns_query),
		cmocka_unit_test(processes_are_escaped),
		cmocka_unit_test(conn_open),
		cmocka_unit_test(conn_close),
		cmocka_unit_test(approval), cmocka_unit_test(http),
		cmocka_unit_test(packet_drop_and_denials),
		cmocka_unit_test(policy_reload),
		cmocka_unit_test(session_end_and_checkpoint),
		cmocka_unit_test(lines_are_chained),
		cmocka_unit_test(times_are_right),
		cmocka_unit_test(resuming_forgets_the_second),
		cmocka_unit_test(hostile_text_is_bounded),
		cmocka_unit_test(cut_text_says_so),
		cmocka_unit_test(a_line_beyond_the_bound_is_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

static void check_message(const struct policy *p, const char *words, const char *message,
			  const char *fixable)
{
	struct question q = ask(words);
	struct verdict v = policy_decide(p, &q);
	struct buf b = buf_new(1024);

	explain_message(&b, p, &q, &v);
	buf_add(&b, "", 1);
	assert_string_equal((const char *)b.at, message);
	assert_string_equal(explain_fixable(p, &v), fixable);
	buf_done(&b);
}

static void a_verdict_has_words(void **state)
{
	struct policy *p = make("allow: [{host: a.example, id: a}, {host: .b.example}]\n"
				"deny:\n- {host: x.b.example, reason: leaks}\n- host: y.b.example");

	(void)state;
	check_message(p, "evil.com", "No rule matches evil.com (default deny)", "user");
	check_message(p, "[8.8.8.8]:443", "No ip rule names the address 8.8.8.8", "user");
	check_message(p, "[10.0.0.1]:443", "10.0.0.1 is or resolves to a special-purpose address",
		      "user");
	check_message(p, "a.example:22", "Rule a allows a.example, but not port 22", "user");
	check_message(p, "a.example:443/udp", "Rule a allows a.example, but not port 443/udp", "user");
	check_message(p, "a.example:443 other",
		      "Rule a allows a.example, but not this protocol on port 443", "user");
	check_message(p, "a.example:443 tls=evil\x1b.com",
		      "The TLS client asked a.example for another name", "nobody");
	check_message(p, "x.b.example", "Rule p.yaml:deny[0] denies x.b.example: leaks", "user");
	check_message(p, "y.b.example", "Rule p.yaml:deny[1] denies y.b.example", "user");
	check_message(p, "a.example", "Rule a allows a.example", "nobody");
	policy_free(p);
}

static void what_narrows_has_words(void **state)
{
	struct policy *p = make(
		"allow:\n- {host: m.example, methods: [POST, GET], id: m}\n"
		"- {host: p.example, paths: [/a, /b, /c, /d, /e, /f], id: p}\n"
		"- {host: old.example, expires: 2027-01-14, id: old}\n"
		"- {host: k.example, max_request: 1kB, id: k}\n- {host: d.example, id: d}\n"
		"deny: [{host: d.example, methods: [PUT], id: no-put, reason: read only}]");

	(void)state;
	check_message(p, "m.example:80 http=m.example PUT /",
		      "Rule m allows m.example, but not this method (it allows GET, POST)", "user");
	check_message(p, "p.example:80 http=p.example PUT /",
		      "Rule p allows p.example, but not this path (it allows /a, /b, /c, /d, /e ...)",
		      "user");
	check_message(p, "old.example",
		      "Rule old for old.example has expired at 2027-01-15T00:00:00Z", "user");
	check_message(p, "k.example:80 http=k.example PUT / 1001",
		      "The request to k.example is too large for rule k", "user");
	check_message(p, "m.example:443 tls=m.example",
		      "Rule m needs to see the requests to m.example, and they cannot be seen",
		      "user");
	check_message(p, "d.example:80 http=d.example PUT /", "Rule no-put denies d.example: read only",
		      "user");
	check_message(p, "d.example:80 http=d.example GET /..",
		      "What the client sent to d.example can be read in two ways", "nobody");
	policy_free(p);
}

static void what_cannot_be_seen_says_what_would_show_it(void **state)
{
	struct policy *p = make("allow:\n- {host: m.example, methods: [GET], inspect: never, id: m}\n"
				"- {host: o.example, methods: [GET], id: o}");
	struct policy_input in = { .inspect = INSPECT_NEVER };
	struct policy_file file = { LAYER_POLICY, "p.yaml",
				    SPAN("version: 1\nallow: [{host: a.example, methods: [GET], id: a}]") };
	struct err err = { "" };

	(void)state;
	check_message(p, "m.example:443 tls=m.example",
		      "Rule m needs to see the requests to m.example, and they cannot be seen "
		      "(without inspect: never they can)", "user");
	policy_free(p);
	in.files = &file;
	in.file_count = 1;
	p = policy_load(&in, &err);
	assert_non_null(p);
	check_message(p, "a.example:443 tls=a.example",
		      "Rule a needs to see the requests to a.example, and they cannot be seen "
		      "(without --no-inspect they can)", "user");
	check_message(p, "a.example:443 other", "Rule a allows a.example, but not this protocol on "
		      "port 443", "user");
	policy_free(p);
}

static void a_push_has_words(void **state)
{
	struct policy *p = make("allow: [{host: a.example, methods: [GET], id: a}]");
	struct question q = ask("a.example:80 http=a.example GET /info/refs");
	struct buf b = buf_new(1024);
	struct verdict v;

	(void)state;
	q.pushes = true;
	v = policy_decide(p, &q);
	explain_message(&b, p, &q, &v);
	assert_true(span_eq(buf_span(&b), SPAN("Rule a allows a.example, but not a push")));
	buf_done(&b);
	policy_free(p);
}

static void modes_and_ceilings_have_words(void **state)
{
	struct err err = { "" };
	struct policy *p = make("mode: internal\npeers: [172.28.1.0/24]");

	(void)state;
	check_message(p, "a.example", "Mode internal allows nothing but its peers, by address", "user");
	policy_free(p);
	p = make("mode: monitor");
	check_message(p, "a.example", "a.example passes and is logged (mode monitor)", "nobody");
	policy_free(p);
	p = make_layer(LAYER_SYSTEM, "version: 1\nceiling: [{host: a.example}]", &err);
	assert_non_null(p);
	check_message(p, "b.example", "b.example is outside the ceiling of the system's policy",
		      "admin");
	policy_free(p);
}

static void what_the_system_denies_an_admin_can_fix(void **state)
{
	struct err err = { "" };
	struct policy *p = make_layer(LAYER_SYSTEM, "version: 1\ndeny: [{host: a.example}]", &err);

	(void)state;
	assert_non_null(p);
	check_message(p, "a.example", "Rule p.yaml:deny[0] denies a.example", "admin");
	policy_free(p);
	p = make_layer(LAYER_SYSTEM, "version: 1\nmode: isolated", &err);
	assert_non_null(p);
	check_message(p, "a.example", "Mode isolated allows no network", "admin");
	policy_free(p);
	p = make("mode: isolated");
	check_message(p, "a.example", "Mode isolated allows no network", "user");
	policy_free(p);
}

static void every_reason_has_words(void **state)
{
	struct policy *p = make("");
	struct question q = ask("a.example:443");

	(void)state;
	for (enum reason r = 0; r < REASON_NUM; r++) {
		struct verdict v = { .reason = r, .rule = RULE_NONE };
		struct buf b = buf_new(1024);

		explain_message(&b, p, &q, &v);
		assert_true(b.len > 10);
		assert_int_equal(span_find(buf_span(&b), '{'), -1);
		assert_non_null(explain_fixable(p, &v));
		buf_done(&b);
	}
	policy_free(p);
}

static void a_suggestion_is_what_would_allow_it(void **state)
{
	static const struct {
		enum reason reason;
		const char *host, *addr;
		uint16_t port;
		enum transport transport;
		const char *want;	/* NULL: none */
	} rows[] = {
		{ REASON_NO_RULE, "evil.com", NULL, 0, TRANSPORT_TCP, "--allow evil.com" },
		{ REASON_NO_RULE, "evil.com", NULL, 443, TRANSPORT_TCP, "--allow evil.com" },
		{ REASON_NO_RULE, "db.example", NULL, 5432, TRANSPORT_TCP, "--allow db.example:5432" },
		{ REASON_NO_RULE, "evil.com", NULL, 443, TRANSPORT_UDP, "--allow evil.com:443/udp" },
		{ REASON_PORT, "a.example", NULL, 443, TRANSPORT_TCP, "--allow a.example:443" },
		{ REASON_NO_RULE, "localhost", NULL, 80, TRANSPORT_TCP, NULL },
		{ REASON_NO_RULE, "a.example", NULL, 53, TRANSPORT_UDP, NULL },
		{ REASON_PROTOCOL, "a.example", NULL, 443, TRANSPORT_TCP,
		  "allow: [{host: a.example, ports: [443], protocol: tcp}]" },
		{ REASON_SPECIAL_ADDRESS, "h", "10.1.2.3", 443, TRANSPORT_TCP,
		  "--private-network h=10.0.0.0/8" },
		{ REASON_SPECIAL_ADDRESS, "h", "fd00::1", 443, TRANSPORT_TCP,
		  "--private-network h=fc00::/7" },
		{ REASON_SPECIAL_ADDRESS, "h", "8.8.8.8", 443, TRANSPORT_TCP,
		  "--private-network h=8.8.8.8/32" },
		{ REASON_SPECIAL_ADDRESS, "h", "127.0.0.1", 443, TRANSPORT_TCP, NULL },
		{ REASON_SPECIAL_ADDRESS, "h", "169.254.169.254", 80, TRANSPORT_TCP, NULL },
		{ REASON_SPECIAL_ADDRESS, "h", NULL, 80, TRANSPORT_TCP, NULL },
		{ REASON_SPECIAL_ADDRESS, "", "10.1.2.3", 22, TRANSPORT_TCP, "--allow 10.1.2.3:22" },
		{ REASON_IP_LITERAL, "", "8.8.8.8", 123, TRANSPORT_UDP, "--allow 8.8.8.8:123/udp" },
		{ REASON_IP_LITERAL, "", "2606:4700::1", 22, TRANSPORT_TCP, "--allow [2606:4700::1]:22" },
		{ REASON_EXPIRED, "a.example", NULL, 443, TRANSPORT_TCP, "--allow a.example" },
		{ REASON_METHOD, "a.example", NULL, 80, TRANSPORT_TCP, NULL },
		{ REASON_CEILING, "a.example", NULL, 80, TRANSPORT_TCP, NULL },
		{ REASON_DENY_RULE, "a.example", NULL, 443, TRANSPORT_TCP, NULL },
		{ REASON_MODE, "a.example", NULL, 443, TRANSPORT_TCP, NULL },
		{ REASON_SNI_MISMATCH, "a.example", NULL, 443, TRANSPORT_TCP, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf b = buf_new(1024);
		struct addr a;
		bool ok;

		if (rows[i].addr)
			assert_true(addr_parse(span_str(rows[i].addr), &a));
		ok = explain_suggest(&b, rows[i].reason, SPAN(""), span_str(rows[i].host),
				     rows[i].addr ? &a : NULL, rows[i].port, rows[i].transport);
		assert_int_equal(ok, rows[i].want != NULL);
		assert_int_equal(ok, b.len > 0);
		buf_add(&b, "", 1);
		assert_string_equal((const char *)b.at, ok ? rows[i].want : "");
		buf_done(&b);
	}
}

static void a_preset_has_a_name_for_what_it_does_not_read(void **state)
{
	static const struct {
		const char *rule, *preset;
	} ids[] = {
		{ "preset:npm[2]", "npm" }, { "preset:npm:configured[0]", "npm" },
		{ "preset:a-b_1:write[10]", "a-b_1" }, { "p.yaml:allow[0]", "" }, { "", "" },
		{ "preset:", "" }, { "preset:npm", "" }, { "preset:[0]", "" }, { "preset:NPM[0]", "" },
		{ "preset:npm --allow evil.com[0]", "" }, { "preset:npm/x[0]", "" },
	};
	static const enum reason yes[] = { REASON_METHOD, REASON_PATH, REASON_INSPECTION_REQUIRED };
	static const enum reason no[] = { REASON_CREDENTIAL, REASON_MALFORMED, REASON_DENY_RULE,
					  REASON_CEILING, REASON_PROTOCOL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_true(span_eq(explain_preset(span_str(ids[i].rule)), span_str(ids[i].preset)));
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		struct buf b = buf_new(100);

		assert_true(explain_suggest(&b, yes[i], SPAN("npm"), SPAN("a.test"), NULL, 443,
					    TRANSPORT_TCP));
		assert_true(span_eq(buf_span(&b), SPAN("--preset npm:write")));
		buf_clear(&b);
		assert_false(explain_suggest(&b, yes[i], SPAN(""), SPAN("a.test"), NULL, 443,
					     TRANSPORT_TCP));
		buf_done(&b);
	}
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		struct buf b = buf_new(100);

		explain_suggest(&b, no[i], SPAN("npm"), SPAN("a.test"), NULL, 443, TRANSPORT_TCP);
		assert_int_equal(memmem(b.at, b.len, "preset", 6) != NULL, false);
		buf_done(&b);
	}
}

/* What is suggested is accepted, and allows what was denied */
static void a_suggestion_works(void **state)
{
	static const char *const denied[] = {
		"evil.com", "evil.com:8443", "evil.com:443/udp", "[8.8.8.8]:22", "[2606:4700::1]:22",
		"[10.0.0.1]:5432",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
		struct policy *p = make("");
		struct question q = ask(denied[i]);
		struct verdict v = policy_decide(p, &q);
		struct buf b = buf_new(1024);
		struct err err = { "" };

		assert_true(explain_suggest(&b, v.reason, SPAN(""), q.host, &q.addr, q.port,
					    q.transport));
		policy_free(p);
		buf_add(&b, "", 1);
		char *const allows[] = { (char *)b.at + strlen("--allow "), NULL };
		p = policy_load(&(struct policy_input){ .allows = allows }, &err);
		if (!p)
			fail_msg("%s", err.text);
		v = policy_decide(p, &q);
		assert_int_equal(v.answer, ANSWER_ALLOW);
		policy_free(p);
		buf_done(&b);
	}
}

static void a_type_is_suggested_beside_those_that_are_allowed(void **state)
{
	struct policy *p = make("allow: [{host: a.example}]\ndns: {types: [TXT, A]}");
	struct question q = ask("a.example");
	struct buf b = buf_new(1000);
	struct verdict v;

	(void)state;
	assert_true(explain_suggest_type(&b, p, 15));
	assert_true(span_eq(buf_span(&b), SPAN("dns: {types: [A, MX, TXT]}")));
	buf_clear(&b);
	assert_false(explain_suggest_type(&b, p, 16));	/* has it */
	assert_false(explain_suggest_type(&b, p, 65));	/* HTTPS: never */
	assert_false(explain_suggest_type(&b, p, 65280));
	assert_int_equal(b.len, 0);
	q.dns_type = 65;
	v = policy_decide(p, &q);
	explain_message(&b, p, &q, &v);
	assert_true(span_eq(buf_span(&b), SPAN("Rule p.yaml:allow[0] allows a.example, but dns.types "
					       "does not have HTTPS")));
	buf_done(&b);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verdict_has_words),
		cmocka_unit_test(what_narrows_has_words),
		cmocka_unit_test(what_cannot_be_seen_says_what_would_show_it),
		cmocka_unit_test(a_push_has_words),
		cmocka_unit_test(a_preset_has_a_name_for_what_it_does_not_read),
		cmocka_unit_test(modes_and_ceilings_have_words),
		cmocka_unit_test(what_the_system_denies_an_admin_can_fix),
		cmocka_unit_test(every_reason_has_words),
		cmocka_unit_test(a_suggestion_is_what_would_allow_it),
		cmocka_unit_test(a_suggestion_works),
		cmocka_unit_test(a_type_is_suggested_beside_those_that_are_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

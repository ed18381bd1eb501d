/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

static const char rules[] =
	"allow:\n"
	"- {host: plain.example, id: plain}\n"
	"- {host: read.example, methods: [GET], id: read}\n"
	"- {host: odd.example, ports: [8443], paths: [/a], id: odd}\n"
	"- {host: rate.example, rate: 5/s, id: rate}\n"
	"- {host: always.example, inspect: always, id: always}\n"
	"- {host: socket.example, websocket: true, id: socket}\n"
	"- {host: closed.example, inspect: never, id: closed}\n"
	"- {host: both.example, methods: [GET], inspect: never, id: both}\n"
	"- {host: ech.example, ech: allow, id: ech}\n"
	"- {host: raw.example, protocol: tcp, ports: [443], methods: [GET], id: raw}\n"
	"- {host: shut.example, id: shut}\n"
	"deny:\n"
	"- {host: shut.example, methods: [PUT], id: put}\n";

static struct policy *make_with(enum inspect inspect, const char *mode)
{
	char text[2048];
	struct policy_file file = { LAYER_POLICY, "p.yaml", { 0 } };
	struct policy_input in = { .files = &file, .file_count = 1, .inspect = inspect };
	struct err err = { "" };
	struct policy *p;

	snprintf(text, sizeof(text), "version: 1\nmode: %s\n%s", mode, rules);
	file.text = span_str(text);
	p = policy_load(&in, &err);
	if (!p)
		fail_msg("%s", err.text);
	return p;
}

/* "inspect RULE", "pass RULE", or the reason */
static const char *answer(const struct policy *p, const char *words)
{
	static char text[80];
	struct question q = ask(words);
	struct verdict v = policy_decide(p, &q);
	bool inspects = policy_inspects(p, &q, &v);

	assert_true(!inspects || v.answer == ANSWER_ALLOW);
	assert_int_equal(v.depends, 0);
	if (v.answer != ANSWER_ALLOW)
		return reason_name(v.reason);
	snprintf(text, sizeof(text), "%s %s", inspects ? "inspect" : "pass",
		 v.rule == RULE_NONE ? "-" : policy_rule(p, v.rule).id);
	return text;
}

struct row {
	const char *words, *plain, *always, *never;	/* of the modes of inspect */
};

static void what_is_opened(void **state)
{
	static const struct row rows[] = {
		{ "plain.example:443 tls=plain.example", "pass plain", "inspect plain", "pass plain" },
		{ "read.example:443 tls=read.example", "inspect read", "inspect read",
		  "inspection_required" },
		{ "odd.example:8443 tls=odd.example", "inspect odd", "inspect odd",
		  "inspection_required" },
		{ "rate.example:443 tls=rate.example", "inspect rate", "inspect rate",
		  "inspection_required" },
		{ "always.example:443 tls=always.example", "inspect always", "inspect always",
		  "inspection_required" },
		{ "socket.example:443 tls=socket.example", "inspect socket", "inspect socket",
		  "pass socket" },
		{ "closed.example:443 tls=closed.example", "pass closed", "pass closed", "pass closed" },
		{ "both.example:443 tls=both.example", "inspection_required", "inspection_required",
		  "inspection_required" },
		/* a name that is hidden shows inside */
		{ "plain.example:443 ech=plain.example", "inspect plain", "inspect plain", "ech" },
		{ "read.example:443 ech=read.example", "inspect read", "inspect read", "ech" },
		{ "closed.example:443 ech=closed.example", "ech", "ech", "ech" },
		{ "ech.example:443 ech=ech.example", "pass ech", "inspect ech", "pass ech" },
		/* what is not looked at stays closed */
		{ "raw.example:443 tls=raw.example", "inspection_required", "inspection_required",
		  "inspection_required" },
		{ "shut.example:443 tls=shut.example", "inspect shut", "inspect shut",
		  "inspection_required" },
		/* other denials stay what they are */
		{ "read.example:443 tls", "sni_missing", "sni_missing", "sni_missing" },
		{ "read.example:443 tls=other.example", "sni_mismatch", "sni_mismatch",
		  "sni_mismatch" },
		{ "plain.example:443 ech=other.example", "ech", "ech", "ech" },
		{ "none.example:443 tls=none.example", "no_rule", "no_rule", "no_rule" },
		/* nor is anything but TLS opened */
		{ "plain.example:80 http=plain.example GET /", "pass plain", "pass plain",
		  "pass plain" },
	};
	struct policy *plain = make_with(INSPECT_AUTO, "filtered");
	struct policy *always = make_with(INSPECT_ALWAYS, "filtered");
	struct policy *never = make_with(INSPECT_NEVER, "filtered");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];

		print_message("%s\n", r->words);
		assert_string_equal(answer(plain, r->words), r->plain);
		assert_string_equal(answer(always, r->words), r->always);
		assert_string_equal(answer(never, r->words), r->never);
	}
	policy_free(plain);
	policy_free(always);
	policy_free(never);
}

static void each_request_is_judged(void **state)
{
	struct policy *p = make_with(INSPECT_AUTO, "filtered");

	(void)state;
	assert_string_equal(answer(p, "read.example:443 https=read.example GET /"), "pass read");
	assert_string_equal(answer(p, "read.example:443 https=read.example PUT /"), "method");
	assert_string_equal(answer(p, "read.example:443 https=plain.example GET /"),
			    "host_mismatch");
	assert_string_equal(answer(p, "shut.example:443 https=shut.example PUT /"), "deny_rule");
	assert_string_equal(answer(p, "shut.example:443 https=shut.example GET /"), "pass shut");
	policy_free(p);
}

static void monitor_opens_all_if_it_is_told_to(void **state)
{
	struct policy *all = make_with(INSPECT_ALWAYS, "monitor");
	struct policy *some = make_with(INSPECT_AUTO, "monitor");

	(void)state;
	assert_string_equal(answer(all, "any.example:443 tls=any.example"), "inspect -");
	assert_string_equal(answer(some, "any.example:443 tls=any.example"), "pass -");
	assert_string_equal(answer(some, "any.example:443 ech=any.example"), "inspect -");
	policy_free(all);
	policy_free(some);
}

static void whether_a_ca_is_needed(void **state)
{
	static const struct {
		const char	*rules;
		bool		 may;
	} rows[] = {
		{ "allow: [{host: a.example}]", true },
		{ "allow: [{host: a.example, inspect: never}]", false },
		{ "allow: [{host: a.example, protocol: http}]", false },
		{ "allow: [{host: a.example, protocol: tcp}]", false },
		{ "allow: [{host: a.example, ports: [53000/udp]}]", false },
		{ "allow: [{host: a.example, protocol: tls, inspect: always}]", true },
		{ "deny: [{host: a.example}]", false },
		{ "mode: isolated\nallow: [{host: a.example}]", false },
		{ "mode: monitor", true },
		{ "", false },
	};
	struct policy *p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("%s\n", rows[i].rules);
		p = make(rows[i].rules);
		assert_int_equal(policy_may_inspect(p), rows[i].may);
		policy_free(p);
	}
	p = make_with(INSPECT_NEVER, "monitor");
	assert_false(policy_may_inspect(p));
	policy_free(p);
}

static void the_flags_are_part_of_the_hash(void **state)
{
	struct policy *a = make_with(INSPECT_AUTO, "filtered");
	struct policy *b = make_with(INSPECT_ALWAYS, "filtered");
	struct policy *c = make_with(INSPECT_NEVER, "filtered");

	(void)state;
	assert_string_not_equal(policy_sha256(a), policy_sha256(b));
	assert_string_not_equal(policy_sha256(a), policy_sha256(c));
	assert_string_not_equal(policy_sha256(b), policy_sha256(c));
	policy_free(a);
	policy_free(b);
	policy_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_opened),
		cmocka_unit_test(each_request_is_judged),
		cmocka_unit_test(monitor_opens_all_if_it_is_told_to),
		cmocka_unit_test(whether_a_ca_is_needed),
		cmocka_unit_test(the_flags_are_part_of_the_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

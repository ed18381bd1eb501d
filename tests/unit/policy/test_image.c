/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/image.h"

#define RULES "allow:\n- {host: a.example, ports: [443, 22, 8000-8010, 8005-8020]}\n" \
	"- {host: '*.b.example', private: true}\n- {ip: 203.0.113.0/24, ports: [22]}\n" \
	"deny:\n- host: .c.example\n- ip: 203.0.113.7\n"

/* Somewhere else, the image judges the same */
static void an_image_may_be_moved(void **state)
{
	static const char *const questions[] = {
		"a.example:22", "a.example:8015", "a.example:8021", "x.b.example:443", "c.example",
		"[203.0.113.1]:22", "[203.0.113.7]:22", "[203.0.114.1]:22", "b.example",
	};
	struct policy *p = make(RULES);
	struct span image = policy_image(p);
	AUTO_FREE uint8_t *copy = malloc(image.len);
	const struct policy *moved;

	(void)state;
	memcpy(copy, image.at, image.len);
	moved = policy_attach(span_of(copy, image.len));
	assert_ptr_equal(moved, copy);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct question q = ask(questions[i]);
		struct verdict a = policy_decide(p, &q), b = policy_decide(moved, &q);

		assert_string_equal(verdict_word(&a), verdict_word(&b));
		assert_int_equal(a.rule, b.rule);
	}
	policy_free(p);
	assert_string_equal(policy_rule(moved, 0).host, "a.example");
}

static void what_is_no_image_is_refused(void **state)
{
	struct policy *p = make(RULES);
	struct span image = policy_image(p);
	AUTO_FREE uint8_t *copy = malloc(image.len);

	(void)state;
	assert_null(policy_attach((struct span){ 0 }));
	assert_null(policy_attach(span_of(p, sizeof(*p) - 1)));
	assert_null(policy_attach(span_of(p, image.len - 1)));
	memcpy(copy, image.at, image.len);
	copy[0] ^= 1;
	assert_null(policy_attach(span_of(copy, image.len)));
	memcpy(copy, image.at, image.len);
	((struct policy *)(void *)copy)->rules.count = UINT32_MAX / 48;
	assert_null(policy_attach(span_of(copy, image.len)));
	policy_free(p);
}

static void the_same_rules_have_the_same_hash(void **state)
{
	static const struct {
		const char *rules;
		bool same;
	} rows[] = {
		{ RULES, true },
		{ "deny:\n- ip: 203.0.113.7/32\n- {host: .C.Example., reason: x, id: y}\n"
		  "allow:\n- {ip: 203.0.113.0/24, ports: [22]}\n- {host: '*.b.example', private: true}\n"
		  "- {host: A.example, ports: [8000-8020, 22/tcp, 443]}\n"
		  "- {host: A.example, ports: [22, 8000-8020, 443]}\n", true },
		{ RULES "- host: d.example", false }, { RULES "mode: isolated", false },
		{ RULES "private_networks: [10.0.0.0/8]", false }, { RULES "publish: [1]", false },
		{ RULES "host_ports: [1]", false }, { RULES "dns: {synthetic: [29.0.0.0/12]}", false },
		{ RULES "dns: {types: [AAAA, a]}", true }, { RULES "dns: {types: [A]}", false },
		{ RULES "dns: {upstream: [system]}", true },
		{ RULES "dns: {upstream: [system, 9.9.9.9]}", false },
		{ RULES "dns: {upstream: ['tls://9.9.9.9#a.b']}", false },
		{ "", false },
	};
	struct policy *want = make(RULES);

	(void)state;
	assert_int_equal(strlen(policy_sha256(want)), 64);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *p = make(rows[i].rules);

		if (!strcmp(policy_sha256(p), policy_sha256(want)) != rows[i].same)
			fail_msg("%s", rows[i].rules);
		policy_free(p);
	}
	policy_free(want);
}

static void the_deepest_name_is_matched(void **state)
{
	struct policy *p = make("allow: [{host: .a, unsafe_wildcard: true}]");
	char host[HOST_MAX + 1];
	struct question q = { .host = { (uint8_t *)host, HOST_MAX } };
	struct verdict v;

	(void)state;
	for (size_t i = 0; i < HOST_MAX; i++)
		host[i] = i % 2 ? '.' : 'a';
	v = policy_decide(p, &q);
	assert_int_equal(v.answer, ANSWER_ALLOW);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_may_be_moved),
		cmocka_unit_test(what_is_no_image_is_refused),
		cmocka_unit_test(the_same_rules_have_the_same_hash),
		cmocka_unit_test(the_deepest_name_is_matched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

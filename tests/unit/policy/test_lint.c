/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/lint.h"

#define TOLD_MAX 8192

static const char *shared(void *known, const char *name)
{
	return strcmp(name, known) ? NULL : "anyone";
}

static const char *leaks(void *known, const char *name)
{
	(void)known;
	return strcmp(name, "leak.test") ? NULL : "it takes all";
}

static const char *fronts(void *known, const char *name)
{
	(void)known;
	return strcmp(name, "cdn.test") ? NULL : "a CDN";
}

struct telling {
	const struct policy *policy;
	char text[TOLD_MAX];
};

static void tell(void *arg, uint32_t rule, const char *text)
{
	struct telling *t = arg;
	size_t len = strlen(t->text);

	snprintf(t->text + len, TOLD_MAX - len, "%s: %s\n", policy_rule(t->policy, rule).id, text);
}

struct warned {
	const char	*rules, *want;	/* want: a part; "" for no warning at all */
};

static void check_warned(const struct warned *row)
{
	struct policy *p = make(row->rules);
	struct telling t = {.policy = p};
	char known[] = "host.test";
	const struct lint l = {
		.policy = p, .stranger = "stranger", .now_s = 3 * 86400, .shared = shared,
		.leaks = leaks, .fronts = fronts, .known = known, .tell = tell, .arg = &t,
	};

	policy_lint(&l);
	if (*row->want ? !strstr(t.text, row->want) : *t.text)
		fail_msg("%s gave\n%s", row->rules, t.text);
	/* one warning, where one is due */
	if (*row->want && strchr(t.text, '\n')[1])
		fail_msg("%s gave\n%s", row->rules, t.text);
	policy_free(p);
}

static void rules_have_these_warnings(void **state)
{
	static const struct warned rows[] = {
		{"", ""},
		{"allow: [{host: a.test}, {host: '*.b.test'}]\ndeny: [{host: c.test}]", ""},
		{"allow: [{host: '*.host.test'}]", "strangers can have names below host.test: anyone"},
		{"allow: [{host: host.test}]", ""},
		{"allow: [{host: '*.github.io', unsafe_wildcard: true}]", "a public suffix"},
		{"allow: [{host: '*', unsafe_wildcard: true}]", "every public host: data can go anywhere"},
		{"allow: [{host: leak.test}]", "data can be left with leak.test: it takes all"},
		{"allow: [{host: leak.test, methods: [GET]}]", ""},
		{"allow: [{host: cdn.test}]", "answer for other names"},
		{"allow: [{host: cdn.test, inspect: always}]", ""},
		{"allow: [{host: cdn.test, paths: [/a]}, {host: cdn.test, methods: [GET]}]", ""},
		{"allow: [{ip: 8.0.0.0/15, ports: [22]}]", "a wide network"},
		{"allow: [{ip: 8.8.0.0/16, ports: [22]}, {ip: '2a00:1::/48', ports: [22]}]", ""},
		{"allow: [{ip: '2a00::/32', ports: [22]}]", "a wide network"},
		{"allow: [{host: a.test, ports: [22], protocol: tcp}]", "protocol tcp"},
		{"allow: [{host: a.test, ech: allow}]", "ech: allow"},
		{"allow: [{host: a.test, expires: 1970-01-01}]", "never matches: it has expired"},
		{"allow: [{host: a.test, expires: 1971-01-01}]", ""},
		{"deny: [{host: a.test, expires: 1970-01-01}]", "denies nothing any more"},
		{"allow: [{host: a.test}]\ndeny: [{host: .test}]",
		 "p.yaml:allow[0]: never matches: it is denied by p.yaml:deny[0]"},
		{"allow: [{host: '*.a.test'}]\ndeny: [{host: '*.a.test'}]", "never matches"},
		{"allow: [{host: '*.a.test'}]\ndeny: [{host: b.a.test}]", ""},
		{"allow: [{host: a.test}]\ndeny: [{host: a.test, ports: [80]}]", "on some ports only"},
		{"allow: [{ip: 8.8.8.0/24, ports: [22]}]\ndeny: [{ip: 8.8.0.0/16}]", "never matches"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_warned(&rows[i]);
}

/* Another rule allows the same, in hosts, ports and requests */
static void what_is_allowed_already_is_told_of(void **state)
{
	static const struct warned rows[] = {
		{"allow: [{host: '*.a.test'}, {host: b.a.test}]",
		 "p.yaml:allow[1]: rule p.yaml:allow[0] allows all of this already"},
		{"allow: [{host: '*.a.test', ports: [443]}, {host: b.a.test}]", ""},
		{"allow: [{host: '*.a.test'}, {host: b.a.test, rate: 1/s}]", ""},
		{"allow: [{host: '*.a.test', methods: [GET]}, {host: b.a.test}]", ""},
		{"allow: [{host: a.test, methods: [GET]}, {host: a.test, paths: [/a]}]", ""},
		{"allow: [{host: a.test, methods: [GET, PUT]}, {host: a.test, methods: [PUT], "
		 "paths: [/a]}]", "p.yaml:allow[1]: rule p.yaml:allow[0] allows all of this already"},
		{"allow: [{host: a.test, methods: [PUT], paths: [/a, /b]}, {host: a.test}]",
		 "p.yaml:allow[0]: rule p.yaml:allow[1] allows all of this already"},
		{"allow: [{host: a.test, paths: [/a, /b]}, {host: a.test, paths: [/b, /a]}]",
		 "p.yaml:allow[1]: rule p.yaml:allow[0] allows all of this already"},
		{"allow: [{host: a.test, paths: [/a, /b]}, {host: a.test, paths: [/b, /c]}]", ""},
		{"allow: [{host: '*.a.test'}, {host: .a.test}]", "p.yaml:allow[0]: rule p.yaml:allow[1]"},
		{"allow: [{host: a.test}, {host: a.test}]", "p.yaml:allow[1]: rule p.yaml:allow[0]"},
		{"allow: [{host: a.test}, {host: '*.a.test'}]", ""},
		{"allow: [{ip: 11.0.0.0/16, ports: [22]}, {ip: 11.0.0.5, ports: [22]}]", "p.yaml:allow[1]: rule p.yaml:allow[0]"},
		/* a wider network opens no special one */
		{"allow: [{ip: 8.0.0.0/6, ports: [22]}, {ip: 10.0.0.5, ports: [22]}]", "p.yaml:allow[0]: a wide network"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_warned(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_have_these_warnings),
		cmocka_unit_test(what_is_allowed_already_is_told_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/compare.h"

#define TOLD_MAX 8192

/* "+ words\n" and "- words\n" */
static void tell(void *arg, enum change change, const char *words)
{
	char *told = arg;
	size_t len = strlen(told);

	snprintf(told + len, TOLD_MAX - len, "%c %s\n", change == CHANGE_OPENS ? '+' : '-', words);
}

static const char *compared(const char *before, const char *after)
{
	static char told[TOLD_MAX];
	struct policy *a = make(before), *b = make(after);

	told[0] = '\0';
	assert_true(policy_compare(a, b, "stranger", 1000, tell, told));
	policy_free(a);
	policy_free(b);
	return told;
}

static const struct {
	const char *before, *after, *want;
} rows[] = {
	{"", "", ""},
	{"allow: [{host: a.test}]", "allow: [{host: a.test}]", ""},
	{"", "allow: [{host: a.test}]", "+ a.test:80,443\n"},
	{"allow: [{host: a.test}]", "", "- a.test:80,443\n"},
	{"", "allow: [{host: .a.test}]", "+ .a.test:80,443\n"},
	{"", "allow: [{host: '*.a.test'}]", "+ *.a.test:80,443\n"},
	{"allow: [{host: '*.a.test'}]", "allow: [{host: .a.test}]", "+ a.test:80,443\n"},
	/* one that is opened already opens nothing */
	{"allow: [{host: .a.test}]", "allow: [{host: .a.test}, {host: b.a.test}]", ""},
	{"allow: [{host: .a.test}]",
	 "allow: [{host: .a.test}, {host: b.a.test, ports: [22]}]", "+ b.a.test:22\n"},
	/* what the wider line tells is told once */
	{"", "allow: [{host: .a.test}, {host: b.a.test}]", "+ .a.test:80,443\n"},
	{"allow: [{host: b.a.test}]", "allow: [{host: '*.a.test'}]", "+ *.a.test:80,443\n"},
	/* denials */
	{"allow: [{host: .a.test}]", "allow: [{host: .a.test}]\ndeny: [{host: b.a.test}]",
	 "- b.a.test:80,443\n"},
	{"allow: [{host: .a.test}]\ndeny: [{host: '*.b.a.test', ports: [443]}]",
	 "allow: [{host: .a.test}]", "+ *.b.a.test:443\n"},
	{"deny: [{host: b.test}]", "", ""},
	/* ports */
	{"allow: [{host: a.test, ports: ['8000-8010']}]",
	 "allow: [{host: a.test, ports: ['8005-8020', 123/udp]}]",
	 "- a.test:8000-8004\n+ a.test:8011-8020,123/udp\n"},
	{"allow: [{host: a.test, ports: [79-82]}]",
	 "allow: [{host: a.test, ports: [79-82]}]\ndeny: [{host: a.test, ports: [81]}]",
	 "- a.test:81\n"},
	/* protocols: the client says what the rule wants to see */
	{"allow: [{host: a.test, ports: [443], protocol: tls}]",
	 "allow: [{host: a.test, ports: [443], protocol: auto}]", ""},
	/* networks */
	{"", "allow: [{ip: 203.0.113.0/24, ports: [22]}]", "+ 203.0.113.0/24:22\n"},
	{"allow: [{ip: 8.8.8.0/24, ports: [22]}]",
	 "allow: [{ip: 8.8.8.0/24, ports: [22]}]\ndeny: [{ip: 8.8.8.8}]", "- 8.8.8.8/32:22\n"},
	/* the base alone is shut: the network is told all the same */
	{"", "allow: [{ip: 8.8.8.0/24, ports: [22]}]\ndeny: [{ip: 8.8.8.0}]",
	 "+ 8.8.8.0/24:22\n"},
	{"", "allow: [{ip: '2001:db8::/32', ports: [22]}]", "+ 2001:db8::/32:22\n"},
	/* requests */
	{"", "allow: [{host: a.test, ports: [80], methods: [GET]}]", "+ GET on a.test:80\n"},
	{"allow: [{host: a.test, ports: [80], methods: [GET]}]",
	 "allow: [{host: a.test, ports: [80], methods: [GET, PUT]}]", "+ PUT on a.test:80\n"},
	{"allow: [{host: a.test, ports: [80], methods: [GET]}]",
	 "allow: [{host: a.test, ports: [80]}]",
	 "+ any other method on a.test:80\n"},
	{"allow: [{host: a.test, ports: [80], methods: [GET], paths: ['/v1/*']}]",
	 "allow: [{host: a.test, ports: [80], methods: [GET], paths: ['/v1/**']}]",
	 "+ GET /v1/** on a.test:80\n"},
	{"allow: [{host: a.test, ports: [80]}]",
	 "allow: [{host: a.test, ports: [80]}]\ndeny: [{host: a.test, methods: [DELETE]}]",
	 "- DELETE on a.test:80\n"},
	{"", "allow: [{host: a.test, ports: [443], methods: [GET], paths: [/x]}]",
	 "+ GET /x on a.test:443 (only where requests can be seen)\n"},
	{"allow: [{host: a.test, ports: [443], methods: [GET]}]",
	 "allow: [{host: a.test, ports: [443]}]", "+ a.test:443\n"},
	/* two stars reach deeper than any that are named one by one */
	{"allow: [{host: a.test, ports: [80], paths: ['/v1/*', '/v1/*/*']}]",
	 "allow: [{host: a.test, ports: [80], paths: ['/v1/*', '/v1/*/*', '/v1/**']}]",
	 "+ any other method /v1/** on a.test:80\n"},
	/* lists: an address that none holds stands for a network */
	{"deny: [{ip_list: nets}]",
	 "allow: [{ip: 198.51.100.0/24, ports: [22]}]\ndeny: [{ip_list: nets}]",
	 "+ 198.51.100.0/24:22\n"},
	{"", "allow: [{ip: 198.51.100.0/28, ports: [22]}]\ndeny: [{ip_list: nets}]", ""},
	{"", "allow: [{ip: '64:ff9b::a00:0/104', ports: [22]}]\ndeny: [{ip_list: nets}]", ""},
	{"", "allow: [{ip: '64:ff9b::a00:0/103', ports: [22]}]\ndeny: [{ip_list: nets}]",
	 "+ 64:ff9b::a00:0/103:22\n"},
	/* time */
	{"", "allow: [{host: a.test, expires: 1970-01-01}]", "+ a.test:80,443\n"},
	{"", "allow: [{host: a.test, expires: '1970-01-01T00:00:01Z'}]", ""},
	/* private addresses */
	{"allow: [{host: a.test}]", "allow: [{host: a.test, private: true}]",
	 "+ a.test:80,443 (at private addresses too)\n"},
	/* modes */
	{"allow: [{host: a.test}]", "mode: isolated\nallow: [{host: a.test}]",
	 "- a.test:80,443\n"},
};


static void differences_have_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *told = compared(rows[i].before, rows[i].after);

		if (strcmp(told, rows[i].want))
			fail_msg("%s\n=>\n%s\ngave\n%swanted\n%s", rows[i].before, rows[i].after, told,
				 rows[i].want);
	}
}

/* Whoever names the stranger hides what he opens: so it must not be guessed */
static void the_stranger_stands_for_all_names(void **state)
{
	(void)state;
	assert_string_equal(
		compared("", "allow: [{host: '*.a.test'}]\ndeny: [{host: .stranger.a.test}]"), "");
	assert_string_equal(
		compared("", "allow: [{host: '*.a.test'}]\ndeny: [{host: .any.a.test}]"),
		"+ *.a.test:80,443\n");
}

/* A pattern of many stars stands for short paths too */
static void many_stars(void **state)
{
	struct buf text = buf_new(8192);

	(void)state;
	buf_add_str(&text, "allow: [{host: a.test, ports: [80], paths: ['/x/");
	for (size_t i = 0; i < 300; i++)
		buf_add_str(&text, "**/");
	buf_add_str(&text, "*']}]");
	buf_add(&text, "", 1);
	assert_true(span_starts(span_str(compared("", (const char *)text.at)), SPAN("+ any other method /x/**/")));
	buf_done(&text);
}

/* Names so long that no stranger fits below them have none */
static void long_names(void **state)
{
	char label[64], text[700];

	(void)state;
	memset(label, 'x', sizeof(label) - 1);
	label[63] = '\0';
	snprintf(text, sizeof(text), "allow: [{host: %s.%s.%s.%.60s}]", label, label, label, label);
	assert_true(strlen(compared("", text)) > 240);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_have_words),
		cmocka_unit_test(the_stranger_stands_for_all_names),
		cmocka_unit_test(many_stars),
		cmocka_unit_test(long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/host.h"

#define L60 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"

static void a_name_has_one_form(void **state)
{
	static const struct {
		const char *text, *want;	/* want NULL: refused */
	} rows[] = {
		{ "example.com", "example.com" }, { "EXAMPLE.Com", "example.com" },
		{ "example.com.", "example.com" }, { "example.com..", NULL }, { ".", NULL },
		{ "", NULL }, { ".com", NULL }, { "a..b", NULL }, { "localhost", "localhost" },
		{ "_dmarc.example.com", "_dmarc.example.com" }, { "a_b.example", "a_b.example" },
		{ "-a.example", NULL }, { "a-.example", NULL }, { "r3---sn.example", "r3---sn.example" },
		{ "a b.example", NULL }, { "a/b.example", NULL }, { "a:80", NULL }, { "a%.b", NULL },
		{ "*.example.com", NULL }, { "[::1]", NULL }, { "::1", NULL }, { "fe80::1", NULL },
		{ "a@b.example", NULL }, { "a\n.example", NULL }, { "a\x7f.example", NULL },
		/* longest label, and one more */
		{ L60 "abc.example", L60 "abc.example" }, { L60 "abcd.example", NULL },
		/* 253 octets, with a final dot, and one more */
		{ L60 "." L60 "." L60 "." L60 ".abcdefghi", L60 "." L60 "." L60 "." L60 ".abcdefghi" },
		{ L60 "." L60 "." L60 "." L60 ".abcdefghi.", L60 "." L60 "." L60 "." L60 ".abcdefghi" },
		{ L60 "." L60 "." L60 "." L60 ".abcdefghij", NULL },
		/* addresses in every notation of inet_aton, and what could be read as one */
		{ "127.0.0.1", NULL }, { "127.1", NULL }, { "127.0.1", NULL }, { "2130706433", NULL },
		{ "0x7f000001", NULL }, { "0X7F000001", NULL }, { "0x7f.1", NULL }, { "0177.0.0.1", NULL },
		{ "127.0.0.1.", NULL }, { "1.2.3.4.5", NULL }, { "256.256.256.256", NULL },
		{ "example.123", NULL }, { "example.0x1f", NULL }, { "example.0x", NULL }, { "1", NULL },
		{ "1.example", "1.example" }, { "1e100.net", "1e100.net" }, { "0x1g", "0x1g" },
		{ "127.0.0.1.nip.io", "127.0.0.1.nip.io" }, { "deadbeef", "deadbeef" },
		/* IDNA: U-labels and A-labels are one name */
		{ "b\xc3\xbc" "cher.example", "xn--bcher-kva.example" },
		{ "B\xc3\x9c" "CHER.example", "xn--bcher-kva.example" },
		{ "bu\xcc\x88" "cher.example", "xn--bcher-kva.example" },
		{ "XN--BCHER-KVA.example", "xn--bcher-kva.example" },
		{ "fa\xc3\x9f.example", "xn--fa-hia.example" },	/* non-transitional: not "fass" */
		{ "\xcf\x83\xcf\x82.example", "xn--3xab.example" },
		{ "example\xe3\x80\x82" "com", "example.com" },	/* ideographic full stop */
		{ "\xef\xbd\x85xample.com", "example.com" },	/* full-width e */
		{ "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", NULL },	/* full-width 127 */
		{ "127\xe3\x80\x82" "0.0.1", NULL },
		{ "a\xe2\x84\x80.example", NULL },		/* account of: maps to a/c */
		{ "\xff.example", NULL }, { "\xc3", NULL }, { "\xe2\x80\xae.example", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char host[HOST_MAX + 1] = "untouched";
		bool ok = host_normal(span_str(rows[i].text), host);

		if (ok != (rows[i].want != NULL) ||
		    strcmp(host, rows[i].want ? rows[i].want : "untouched"))
			fail_msg("%s: %s", rows[i].text, ok ? host : "refused");
		/* the form of the form is itself */
		if (ok) {
			assert_true(host_normal(span_str(rows[i].want), host));
			assert_string_equal(host, rows[i].want);
		}
	}
}

static void a_nul_ends_no_name(void **state)
{
	char host[HOST_MAX + 1];

	(void)state;
	assert_false(host_normal(SPAN("good.example\0.evil.example"), host));
	assert_false(host_normal(SPAN("b\xc3\xbc" "cher.example\0.evil.example"), host));
	assert_false(host_normal((struct span){ 0 }, host));
}

static void patterns_have_three_forms(void **state)
{
	static const struct {
		const char *text, *name;
		enum form form;
	} rows[] = {
		{ "example.com", "example.com", FORM_EXACT },
		{ "*.Example.com.", "example.com", FORM_BELOW },
		{ ".example.com", "example.com", FORM_BOTH },
		{ "*", NULL, 0 }, { "*.", NULL, 0 }, { ".", NULL, 0 }, { "", NULL, 0 },
		{ "*.*.com", NULL, 0 }, { "..com", NULL, 0 }, { "*example.com", NULL, 0 },
		{ "a.*.com", NULL, 0 }, { "*.127.0.0.1", NULL, 0 }, { ".1", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[HOST_MAX + 1];
		enum form form;
		bool ok = host_pattern(span_str(rows[i].text), &form, name);

		assert_int_equal(ok, rows[i].name != NULL);
		if (ok) {
			assert_string_equal(name, rows[i].name);
			assert_int_equal(form, rows[i].form);
		}
	}
}

static void public_suffixes_are_known(void **state)
{
	static const struct {
		const char *name;
		bool suffix;
	} rows[] = {
		{ "com", true }, { "co.uk", true }, { "github.io", true }, { "example.com", false },
		{ "me.github.io", false }, { "nosuchtld", true }, { "xn--p1ai", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(host_is_suffix(rows[i].name), rows[i].suffix);
}

static void a_name_on_the_wire_is_ascii(void **state)
{
	(void)state;
	assert_true(host_same(SPAN("Example.COM."), SPAN("example.com")));
	assert_false(host_same(SPAN("example.com.."), SPAN("example.com")));
	assert_false(host_same(SPAN("b\xc3\xbc" "cher.example"), SPAN("xn--bcher-kva.example")));
	assert_false(host_same((struct span){ 0 }, SPAN("example.com")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_one_form),
		cmocka_unit_test(a_nul_ends_no_name),
		cmocka_unit_test(patterns_have_three_forms),
		cmocka_unit_test(public_suffixes_are_known),
		cmocka_unit_test(a_name_on_the_wire_is_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/http_target.h"

static void authorities(void **state)
{
	static const struct {
		const char *text, *host;	/* host NULL: bad */
		unsigned port;
	} rows[] = {
		{ "a.test", "a.test", 0 }, { "A-b_c.test.:80", "A-b_c.test.", 80 },
		{ "1.2.3.4:65535", "1.2.3.4", 65535 }, { "[::1]", "::1", 0 },
		{ "[2001:db8::1]:8080", "2001:db8::1", 8080 },
		{ "", NULL, 0 }, { ":80", NULL, 0 }, { "a:", NULL, 0 }, { "a:0", NULL, 0 },
		{ "a:080", NULL, 0 }, { "a:65536", NULL, 0 }, { "a:+80", NULL, 0 },
		{ "a:80:80", NULL, 0 }, { "a: 80", NULL, 0 }, { "u@a", NULL, 0 },
		{ "u:80@a", NULL, 0 }, { "a%2e", NULL, 0 }, { "a,b", NULL, 0 }, { "a b", NULL, 0 },
		{ "a/", NULL, 0 }, { "a?", NULL, 0 }, { "\303\244.test", NULL, 0 },
		{ "[]", NULL, 0 }, { "[", NULL, 0 }, { "[::1", NULL, 0 }, { "::1", NULL, 0 },
		{ "[1.2.3.4]", NULL, 0 }, { "[a]", NULL, 0 }, { "[fe80::1%25lo]", NULL, 0 },
		{ "[v1.x]", NULL, 0 }, { "[::1]80", NULL, 0 }, { "[::1]:", NULL, 0 },
		{ "[::1].a", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_authority a = { .port = 7 };
		bool good = http_authority_parse(span_str(rows[i].text), &a);

		if (good != (rows[i].host != NULL))
			fail_msg("%s", rows[i].text);
		assert_int_equal(a.port, good ? rows[i].port : 7);
		if (good)
			assert_true(span_eq(a.host, span_str(rows[i].host)));
	}
}

static void targets(void **state)
{
	static const struct {
		const char *method, *text;
		int form;			/* -1: bad */
		const char *path, *host;
	} rows[] = {
		{ "GET", "/", HTTP_ORIGIN, "/", "" },
		{ "GET", "/a/b?c=/d?e", HTTP_ORIGIN, "/a/b", "" },
		{ "GET", "//b.test/x", HTTP_ORIGIN, "//b.test/x", "" },
		{ "GET", "/%2F[]{}|\"<>^`", HTTP_ORIGIN, "/%2F[]{}|\"<>^`", "" },
		{ "GET", "http://a.test/x?y", HTTP_ABSOLUTE, "/x", "a.test" },
		{ "GET", "HTTPS://a.test:444/", HTTP_ABSOLUTE, "/", "a.test" },
		{ "GET", "http://a.test", HTTP_ABSOLUTE, "/", "a.test" },
		{ "OPTIONS", "http://a.test", HTTP_ABSOLUTE, "*", "a.test" },
		{ "OPTIONS", "http://a.test/", HTTP_ABSOLUTE, "/", "a.test" },
		{ "OPTIONS", "*", HTTP_ASTERISK, "*", "" },
		{ "CONNECT", "a.test:443", HTTP_AUTHORITY, "", "a.test" },
		{ "CONNECT", "[::1]:443", HTTP_AUTHORITY, "", "::1" },
		{ "GET", "", -1, "", "" }, { "GET", "*", -1, "", "" },
		{ "OPTIONS", "**", -1, "", "" }, { "OPTIONS", "*/x", -1, "", "" },
		{ "GET", "x", -1, "", "" }, { "GET", "?x", -1, "", "" },
		{ "GET", "a.test:443", -1, "", "" }, { "connect", "a.test:443", -1, "", "" },
		{ "CONNECT", "a.test", -1, "", "" }, { "CONNECT", "/", -1, "", "" },
		{ "CONNECT", "http://a.test/", -1, "", "" }, { "CONNECT", "a:443/", -1, "", "" },
		{ "CONNECT", "u@a:443", -1, "", "" }, { "CONNECT", "*", -1, "", "" },
		{ "GET", "/#a", -1, "", "" }, { "GET", "/\\a", -1, "", "" },
		{ "GET", "/\303\244", -1, "", "" }, { "GET", "/\177", -1, "", "" },
		{ "GET", "/\t", -1, "", "" },
		{ "GET", "ftp://a.test/", -1, "", "" }, { "GET", "http:/a", -1, "", "" },
		{ "GET", "http://", -1, "", "" }, { "GET", "http:///x", -1, "", "" },
		{ "GET", "http://u@a.test/", -1, "", "" }, { "GET", "http://a.test?x", -1, "", "" },
		{ "GET", "http://a.test:/", -1, "", "" }, { "GET", "httpx://a.test/", -1, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_target t = { .default_port = 7 };
		bool good = http_target_parse(span_str(rows[i].text), span_str(rows[i].method), &t);

		if (good != (rows[i].form >= 0))
			fail_msg("%s %s", rows[i].method, rows[i].text);
		if (!good) {
			assert_int_equal(t.default_port, 7);
			continue;
		}
		assert_int_equal(t.form, rows[i].form);
		assert_true(span_eq(t.path, span_str(rows[i].path)));
		assert_true(span_eq(t.authority.host, span_str(rows[i].host)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(authorities),
		cmocka_unit_test(targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

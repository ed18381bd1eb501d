/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/local_web.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

struct asked {
	struct http_request r;
	struct span	 head;
};

static char text[1024];

static struct asked ask(const char *target, const char *host, const char *more)
{
	struct asked a;

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", target, host, more);
	a.head = span_str(text);
	assert_int_equal(http_request_parse(a.head, &a.r), PARSE_OK);
	return a;
}

static void host_is_loopback_with_the_port(void **state)
{
	static const char *const good[] = { "127.0.0.1:99", "localhost:99", "LocalHost:99", "127.9.9.9:99",
					    "[::1]:99" };
	static const char *const bad[] = { "evil.example:99", "localhost.evil.example:99", "127.0.0.1:98",
					   "127.0.0.1", "10.0.0.1:99", "[::2]:99", "0.0.0.0:99", "localhost.:99",
					   "[::ffff:10.0.0.1]:99", "127.0.0.1.evil.example:99" };
	struct asked a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		a = ask("/", good[i], "");
		assert_true(local_web_host(&a.r, 99));
		assert_true(local_web_host(&a.r, 0));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		a = ask("/", bad[i], "");
		if (local_web_host(&a.r, 99))
			fail_msg("%s", bad[i]);
	}
	a = ask("/", "127.0.0.1", "");
	assert_true(local_web_host(&a.r, 80));
	a = ask("http://127.0.0.1:99/", "127.0.0.1:99", "");
	assert_false(local_web_host(&a.r, 99));
}

static void another_origin_is_told_apart(void **state)
{
	static const struct { const char *more; bool reads, changes; } rows[] = {
		{ "", true, false },
		{ "Origin: http://127.0.0.1:99\r\n", true, true },
		{ "Origin: http://127.0.0.1:99\r\nSec-Fetch-Site: same-origin\r\n", true, true },
		{ "Origin: http://127.0.0.1:98\r\n", false, false },
		{ "Origin: http://localhost:99\r\n", false, false },
		{ "Origin: https://127.0.0.1:99\r\n", false, false },
		{ "Origin: http://127.0.0.1:99.evil.example\r\n", false, false },
		{ "Origin: null\r\n", false, false }, { "Origin: \r\n", false, false },
		{ "Origin: http://127.0.0.1:99\r\nOrigin: http://127.0.0.1:99\r\n", false, false },
		{ "Origin: http://127.0.0.1:99\r\nSec-Fetch-Site: cross-site\r\n", false, false },
		{ "Sec-Fetch-Site: same-site\r\n", false, false }, { "Sec-Fetch-Site: none\r\n", false, false },
		{ "Origin: http://127.0.0.1:99\r\nX-HTTP-Method-Override: GET\r\n", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct asked a = ask("/", "127.0.0.1:99", rows[i].more);

		if (local_web_origin(&a.r, a.head, false) != rows[i].reads ||
		    local_web_origin(&a.r, a.head, true) != rows[i].changes)
			fail_msg("row %zu", i);
	}
}

static void the_token_and_no_other(void **state)
{
	static const char *const bad[] = {
		"", "Authorization: " TOKEN "\r\n", "Authorization: Bearer\r\n",
		"Authorization: Bearer " TOKEN "0\r\n", "Authorization: bearer " TOKEN "\r\n",
		"Authorization: Basic " TOKEN "\r\n", "Cookie: Bearer " TOKEN "\r\n",
		"Authorization: Bearer " TOKEN "\r\nAuthorization: Bearer " TOKEN "\r\n",
	};
	char line[] = "Authorization: Bearer " TOKEN "\r\n";
	struct asked a = ask("/", "localhost", line);

	(void)state;
	assert_true(local_web_token(a.head, SPAN(TOKEN)));
	assert_false(local_web_token(a.head, SPAN("")));
	for (size_t i = strlen("Authorization: Bearer "); i < sizeof(line) - 3; i++) {
		line[i] ^= 1;
		a = ask("/", "localhost", line);
		assert_false(local_web_token(a.head, SPAN(TOKEN)));
		line[i] ^= 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		a = ask("/", "localhost", bad[i]);
		if (local_web_token(a.head, SPAN(TOKEN)))
			fail_msg("%s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_is_loopback_with_the_port),
		cmocka_unit_test(another_origin_is_told_apart),
		cmocka_unit_test(the_token_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

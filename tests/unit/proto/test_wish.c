/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/wish.h"

#define LONG_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *body, *host;
	uint16_t port;
	const char *reason;
} good[] = {
	{ "{\"host\":\"a.example\"}", "a.example", 443, "" },
	{ " {\n\t\"port\" : 80 , \"host\" : \"a.example\" }\r\n", "a.example", 80, "" },
	{ "{\"reason\":\"the \\\"build\\\"\\n\\u00e9\\/\\\\\",\"host\":\"A.example\",\"port\":65535}",
	  "A.example", 65535, "the \"build\"\n\xc3\xa9/\\" },
	{ "{\"host\":\"b\xc3\xbc" "cher.example\",\"reason\":\"\"}", "b\xc3\xbc" "cher.example", 443, "" },
	{ "{\"host\":\"x\",\"reason\":\"\\u001b]0;\\u20ac\"}", "x", 443, "\033]0;\xe2\x82\xac" },
};

static const char *const bad[] = {
	"", "{}", "[]", "null", "\"host\"", "{\"host\":\"a\"", "{\"host\":\"a\"}x", "{\"host\":\"a\"}{}",
	"{\"host\":\"\"}", "{\"host\":1}", "{\"host\":null}", "{\"port\":443}", "{\"host\":\"a b\"}",
	"{\"host\":\"a\\u0041\"}", "{\"host\":\"a\",\"host\":\"b\"}", "{\"host\":\"a\",\"port\":0}",
	"{\"host\":\"a\",\"port\":65536}", "{\"host\":\"a\",\"port\":\"443\"}", "{\"host\":\"a\",\"port\":-1}",
	"{\"host\":\"a\",\"port\":4.5}", "{\"host\":\"a\",\"port\":1e3}", "{\"host\":\"a\",\"port\":080}",
	"{\"host\":\"a\",\"more\":1}", "{\"host\":\"a\",}", "{,\"host\":\"a\"}", "{\"host\" \"a\"}",
	"{\"host\":\"a\",\"reason\":\"\\x\"}", "{\"host\":\"a\",\"reason\":\"\\u12\"}",
	"{\"host\":\"a\",\"reason\":\"\\u0000\"}", "{\"host\":\"a\",\"reason\":\"a\nb\"}",
	"{\"host\":\"a\",\"reason\":[\"a\"]}", "{\"ho\\u0073t\":\"a\"}", "{'host':'a'}",
};

static void what_is_right_is_read(void **state)
{
	struct wish w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (!wish_parse(span_str(good[i].body), &w))
			fail_msg("row %zu", i);
		assert_true(span_eq(w.host, span_str(good[i].host)));
		assert_int_equal(w.port, good[i].port);
		assert_int_equal(w.reason_len, strlen(good[i].reason));
		assert_memory_equal(w.reason, good[i].reason, w.reason_len);
	}
}

static void everything_else_is_not(void **state)
{
	struct wish w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (wish_parse(span_str(bad[i]), &w))
			fail_msg("row %zu: %s", i, bad[i]);
}

/* A body that is cut short anywhere is none */
static void cut_at_every_byte(void **state)
{
	struct wish w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct span body = span_str(good[i].body);

		while (body.len && body.at[body.len - 1] != '}')
			body.len--;
		for (size_t len = 0; len < body.len; len++)
			if (wish_parse(span_head(body, len), &w))
				fail_msg("row %zu cut to %zu", i, len);
	}
}

static void long_texts_are_cut_or_refused(void **state)
{
	char body[WISH_BYTES_MAX + 64];
	struct wish w;

	(void)state;
	snprintf(body, sizeof(body), "{\"host\":\"a\",\"reason\":\"%s%s%s%s%s\"}", LONG_A, LONG_A, LONG_A,
		 LONG_A, LONG_A);
	assert_true(wish_parse(span_str(body), &w));
	assert_int_equal(w.reason_len, WISH_REASON_MAX);
	snprintf(body, sizeof(body), "{\"host\":\"%s%s%s%s\"}", LONG_A, LONG_A, LONG_A, LONG_A);
	assert_false(wish_parse(span_str(body), &w));
	memset(body, ' ', sizeof(body));
	memcpy(body, "{\"host\":\"a\"}", 12);
	assert_true(wish_parse(span_of(body, WISH_BYTES_MAX), &w));
	assert_false(wish_parse(span_of(body, WISH_BYTES_MAX + 1), &w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_right_is_read),
		cmocka_unit_test(everything_else_is_not),
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(long_texts_are_cut_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

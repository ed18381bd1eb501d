/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "audit/redact.h"

static void rule_by_rule(void **state)
{
	static const struct {
		const char *path, *want;
	} cases[] = {
		{ "", "" },
		{ "/", "/" },
		{ "/a/b?key=1", "/a/b" },
		{ "/a#frag?x", "/a" },
		{ "*", "*" },
		{ "/v1/Token/abc/d", "/v1/Token/***/d" },
		{ "/key//x", "/key//x" },
		{ "/keys/", "/keys/" },
		{ "/bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11/sendMessage",
		  "/***/sendMessage" },
		{ "/a1bcdefghijklmnopqr/x", "/a1bcdefghijklmnopqr/x" },		/* 19 */
		{ "/a1bcdefghijklmnopqrs/x", "/***/x" },			/* 20 */
		{ "/words-joined-by-dashes-only/x", "/words-joined-by-dashes-only/x" },
		{ "/lodash/-/some-long-package-name-4.17.21.tgz",
		  "/lodash/-/some-long-package-name-4.17.21.tgz" },
		{ "/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "/***" },
		{ "/eyJshort.1", "/eyJshort.1" },
		{ "/d290f1ee-6c54-4b01-90e6-d701748f0851", "/***" },
		{ "abc/secret/\x01", "abc/secret/***" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b = buf_new(256);

		redact_path(&b, span_str(cases[i].path));
		buf_add(&b, "", 1);
		assert_string_equal((const char *)b.at, cases[i].want);
		buf_done(&b);
	}
}

static void nul_is_no_token_character(void **state)
{
	struct buf b = buf_new(256);

	(void)state;
	redact_path(&b, SPAN("/aaaaaaaaaa\0aaaaaaaaaa1"));
	assert_true(span_eq(buf_span(&b), SPAN("/aaaaaaaaaa\0aaaaaaaaaa1")));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_by_rule),
		cmocka_unit_test(nul_is_no_token_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

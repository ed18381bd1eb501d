/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/json.h"

static void check_text(struct span in, const char *want)
{
	struct buf b = buf_new(4096);

	json_span(&b, in);
	buf_add(&b, "", 1);
	assert_string_equal((const char *)b.at, want);
	buf_done(&b);
}

static void hostile_text_stays_one_line_of_utf8(void **state)
{
	(void)state;
	check_text(SPAN("plain"), "\"plain\"");
	check_text(SPAN("a\"b\\c\nd\te\x01\x7f"), "\"a\\\"b\\\\c\\nd\\te\\u0001\\u007f\"");
	check_text(SPAN("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
	check_text(SPAN("\xff\xc3"), "\"\\ufffd\\ufffd\"");
	check_text(SPAN("\xc0\xaf"), "\"\\ufffd\\ufffd\"");		/* overlong */
	check_text(SPAN("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");	/* surrogate */
	check_text(SPAN("\xe2\x80\xa8"), "\"\\u2028\"");
	check_text(SPAN("\xc2\x85"), "\"\\u0085\"");
	check_text(SPAN("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"");
	check_text(SPAN("a\0b"), "\"a\\u0000b\"");
}

static void commas_are_the_writers_business(void **state)
{
	struct buf b = buf_new(4096);

	(void)state;
	json_open(&b, '{');
	json_key(&b, "a");
	json_uint(&b, 0);
	json_key(&b, "b");
	json_open(&b, '[');
	json_str(&b, "x,");
	json_str(&b, NULL);
	json_bool(&b, true);
	json_close(&b, ']');
	json_key(&b, "c");
	json_int(&b, -5);
	json_key(&b, "d");
	json_uint(&b, UINT64_MAX);
	json_close(&b, '}');
	assert_true(span_eq(buf_span(&b),
		SPAN("{\"a\":0,\"b\":[\"x,\",null,true],\"c\":-5,\"d\":18446744073709551615}")));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_text_stays_one_line_of_utf8),
		cmocka_unit_test(commas_are_the_writers_business),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

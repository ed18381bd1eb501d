/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

static void numbers_are_strict(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} rows[] = {
		{ "0", true, 0 }, { "65535", true, 65535 }, { "65536", false, 0 },
		{ "", false, 0 }, { "+1", false, 0 }, { " 1", false, 0 }, { "1x", false, 0 },
		{ "00012", true, 12 }, { "99999999999999999999999", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 77;

		assert_int_equal(span_u64(span_str(rows[i].text), 65535, &value), rows[i].ok);
		assert_int_equal(value, rows[i].ok ? rows[i].value : 77);
	}
}

static void fold_is_ascii_only(void **state)
{
	(void)state;
	assert_true(span_eq_fold(SPAN("ExAmple"), SPAN("eXaMPLE")));
	assert_false(span_eq_fold(SPAN("@"), SPAN("`")));
	assert_false(span_eq_fold(SPAN("a"), SPAN("ab")));
}

static void copy_refuses_what_a_c_string_cannot_hold(void **state)
{
	char dst[4];

	(void)state;
	assert_true(span_copy(SPAN("abc"), dst, sizeof(dst)));
	assert_string_equal(dst, "abc");
	assert_false(span_copy(SPAN("abcd"), dst, sizeof(dst)));
	assert_string_equal(dst, "");
	assert_false(span_copy(SPAN("a\0b"), dst, sizeof(dst)));
}

static void trim_and_cut(void **state)
{
	(void)state;
	assert_true(span_eq(span_trim(SPAN(" \t a b \t")), SPAN("a b")));
	assert_int_equal(span_trim(SPAN("  ")).len, 0);
	assert_int_equal(span_find(SPAN("a:b"), ':'), 1);
	assert_int_equal(span_find(SPAN("ab"), ':'), -1);
	assert_true(span_eq(span_skip(SPAN("abc"), 1), SPAN("bc")));
	assert_int_equal(span_skip(SPAN("abc"), 9).len, 0);
	assert_true(span_ends(SPAN("a.b"), SPAN(".b")));
	assert_false(span_ends(SPAN("b"), SPAN(".b")));
	/* the empty span, which has no address, begins and ends everything */
	assert_true(span_starts((struct span){ 0 }, (struct span){ 0 }));
	assert_true(span_ends((struct span){ 0 }, (struct span){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(fold_is_ascii_only),
		cmocka_unit_test(copy_refuses_what_a_c_string_cannot_hold),
		cmocka_unit_test(trim_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

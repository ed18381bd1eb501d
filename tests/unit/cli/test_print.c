/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "cli/print.h"

static void nothing_that_a_terminal_obeys_gets_through(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"plain \"text\" \\", "plain \"text\" \\"},
		{"b\303\274cher", "b\303\274cher"},
		{"\033[31m", "\\x1b[31m"},
		{"a\nb\tc\r", "a\\x0ab\\x09c\\x0d"},
		{"\177", "\\x7f"},
		{"\302\233"
		 "31m",
		 "\\xc2\\x9b31m"},
		{"\302\240", "\302\240"},
		{"\303", "\\xc3"},
		{"\300\257", "\\xc0\\xaf"},
		{"\355\240\200", "\\xed\\xa0\\x80"},
		{"\342\200\256evil", "\\xe2\\x80\\xaeevil"},
		{"\342\201\246", "\\xe2\\x81\\xa6"},
		{"\342\200\257", "\342\200\257"},
		{"\360\237\230\200", "\360\237\230\200"},
		{"\364\220\200\200", "\\xf4\\x90\\x80\\x80"},
		{"\360\200\200\200", "\\xf0\\x80\\x80\\x80"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *text = NULL;
		size_t size;
		FILE *to = open_memstream(&text, &size);

		assert_non_null(to);
		print_safe(to, span_str(rows[i].text));
		fclose(to);
		assert_string_equal(text, rows[i].want);
	}
}

static void what_is_no_terminal_has_no_colours(void **state)
{
	AUTO_FCLOSE FILE *to = tmpfile();

	(void)state;
	assert_non_null(to);
	for (enum colour c = 0; c < COLOUR_NUM; c++)
		assert_string_equal(print_colour(to, c), "");
	print_afresh(to);
	assert_int_equal(ftell(to), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_that_a_terminal_obeys_gets_through),
		cmocka_unit_test(what_is_no_terminal_has_no_colours),
	};

	return cmocka_run_group_tests_name("print", tests, NULL, NULL);
}

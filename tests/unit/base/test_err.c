/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>

#include "base/err.h"

static void the_first_cause_stays(void **state)
{
	struct err e = { "" };

	(void)state;
	assert_false(err_set(&e, "%s: %d", "a", 1));
	assert_false(err_set(&e, "b"));
	assert_false(err_sys(&e, ENOENT, "c"));
	assert_string_equal(e.text, "a: 1");
	assert_false(err_set(NULL, "nobody asks"));
	assert_false(err_sys(NULL, ENOENT, "nobody asks"));
}

static void the_system_says_why(void **state)
{
	struct err e = { "" };

	(void)state;
	assert_false(err_sys(&e, ENOENT, "open %s", "x"));
	assert_string_equal(e.text, "open x: No such file or directory");
}

static void long_texts_are_cut(void **state)
{
	char longer[2 * ERR_TEXT_MAX];
	struct err e = { "" };

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_false(err_sys(&e, ENOENT, "%s", longer));
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
}

static void others_words_move_no_cursor(void **state)
{
	struct err e = { "" };

	(void)state;
	assert_false(err_set(&e, "%s", "a\nb\x1b[31mc\x7f\xc2\x9b" "d\xc3\xa9"));
	assert_string_equal(e.text, "a?b?[31mc???d\xc3\xa9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_cause_stays),
		cmocka_unit_test(the_system_says_why),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(others_words_move_no_cursor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

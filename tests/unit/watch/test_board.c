/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "watch/board.h"

static struct board board;

static void begin(void)
{
	memset(&board, 0xff, sizeof(board));
	board_begin(&board, "mark=1");
}

static void of_another_build_it_is_empty(void **state)
{
	size_t count;
	AUTO_FREE struct board_copy *copies = NULL;

	(void)state;
	memset(&board, 0xff, sizeof(board));
	assert_false(board_is_ours(&board, "mark=1"));
	begin();
	assert_true(board_is_ours(&board, "mark=1"));
	assert_false(board_is_ours(&board, "mark=2"));
	copies = board_read(&board, &count);
	assert_non_null(copies);
	assert_int_equal(count, 0);
}

static void a_place_is_of_one(void **state)
{
	struct counters c = { .bytes_in = 7 };
	AUTO_FREE struct board_copy *copies = NULL, *after = NULL;
	size_t a, b, count;

	(void)state;
	begin();
	a = board_take(&board, "one");
	b = board_take(&board, "another");
	assert_int_not_equal(a, b);
	assert_int_equal(board_take(&board, "one"), a);
	assert_int_equal(board_end(&board), 2);		/* nobody looks further: what is not used has no memory */
	assert_int_equal(board_find(&board, "another"), b);
	assert_int_equal(board_find(&board, "on"), BOARD_NONE);
	shared_write(&board.place[b].shared, &c);
	copies = board_read(&board, &count);
	assert_int_equal(count, 2);
	assert_string_equal(copies[0].session, "one");
	assert_int_equal(copies[0].counters.bytes_in, 0);
	assert_string_equal(copies[1].session, "another");
	assert_int_equal(copies[1].counters.bytes_in, 7);
	board_drop(&board, "another");
	assert_int_equal(board_find(&board, "another"), BOARD_NONE);
	/* the next one begins at zero */
	assert_int_equal(board_take(&board, "x"), b);
	after = board_read(&board, &count);
	assert_int_equal(count, 2);
	assert_string_equal(after[1].session, "x");
	assert_int_equal(after[1].counters.bytes_in, 0);
}

/* What one that is stopped has half written is no other session's matter */
static void one_in_the_midst_is_left_out(void **state)
{
	AUTO_FREE struct board_copy *copies = NULL;
	size_t count;

	(void)state;
	begin();
	board.place[board_take(&board, "stopped")].shared.turn |= 1;
	board_take(&board, "good");
	copies = board_read(&board, &count);
	assert_int_equal(count, 1);
	assert_string_equal(copies[0].session, "good");
}

static void it_has_an_end(void **state)
{
	char name[BOARD_NAME_MAX + 2];

	(void)state;
	begin();
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(board_take(&board, name), BOARD_NONE);
	assert_int_equal(board_take(&board, ""), BOARD_NONE);
	name[BOARD_NAME_MAX] = '\0';
	assert_int_not_equal(board_take(&board, name), BOARD_NONE);
	for (unsigned i = 1; i < BOARD_PLACES; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		assert_int_not_equal(board_take(&board, name), BOARD_NONE);
	}
	assert_int_equal(board_take(&board, "more"), BOARD_NONE);
	board_drop(&board, "s5");
	assert_int_not_equal(board_take(&board, "more"), BOARD_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_another_build_it_is_empty),
		cmocka_unit_test(a_place_is_of_one),
		cmocka_unit_test(one_in_the_midst_is_left_out),
		cmocka_unit_test(it_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/escape.h"

/* B: a byte of its own; .: part; E: the end of a sequence */
static void read_as(const char *bytes, size_t len, bool says, const char *want)
{
	struct escape e = { .says = says };

	assert_int_equal(strlen(want), len);
	for (size_t i = 0; i < len; i++) {
		enum escape_is is = escape_next(&e, (uint8_t)bytes[i]);

		assert_int_equal("B.E"[is], want[i]);
	}
}

#define READ(says, bytes, want) read_as(bytes, sizeof(bytes) - 1, says, want)

static void sequences_end_where_they_end(void **state)
{
	(void)state;
	READ(false, "ab", "BB");
	READ(false, "\r\n\177\303\244", "BBBBB");
	READ(false, "a\033[31mb", "B....EB");
	READ(false, "\033cb", ".EB");
	READ(false, "\033(Bb", "..EB");
	READ(false, "\033[?2004$pb", "........EB");
	READ(false, "\033]2;yes\007n", "........B");
	READ(false, "\033P1$r0m\033\\n", "........EB");
	READ(false, "\033_x\033[mn", ".....EB");
	READ(false, "\033Xy\303\234y\033\\n", ".......EB");
}

static void what_is_broken_ends_with_a_control_character(void **state)
{
	(void)state;
	READ(false, "\033[3\nm", "....B");
	READ(false, "\033\003y", "..B");
	READ(false, "\033]2;y\030y", "......B");
	READ(false, "\033P\ry", "...B");
	READ(false, "\033[3\303y", "....B");
	READ(false, "\033[\033[my", "....EB");
	READ(false, "\033\033y", "..E");
}

static void a_terminal_says_more_by_itself(void **state)
{
	(void)state;
	READ(true, "\033OAn", "..EB");
	READ(true, "\033O5Pn", "...EB");
	READ(false, "\033OAn", ".EBB");		/* SS2 and SS3: what follows is text */
	READ(true, "\033[M nvn", "..E...B");
	READ(true, "\033[M\033nyn", "..E...B");
	READ(false, "\033[Mnv", "..EBB");	/* lines are deleted */
	READ(true, "\033[<0;5;5Mn", "........EB");
	READ(true, "\033[200~n", ".....EB");
	READ(true, "\033yn", ".EB");
}

static void parameters_are_numbers(void **state)
{
	static const char text[] = "\033[?1;;65536;99999999999999999999$p";
	struct escape e = { .says = false };
	enum escape_is is = ESCAPE_PART;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		is = escape_next(&e, (uint8_t)text[i]);
	assert_int_equal(is, ESCAPE_END);
	assert_int_equal(e.kind, ESCAPE_CONTROL);
	assert_int_equal(e.marker, '?');
	assert_int_equal(e.between, '$');
	assert_int_equal(e.final, 'p');
	assert_int_equal(e.count, 4);
	assert_int_equal(e.param[0], 1);
	assert_int_equal(e.param[1], 0);
	assert_int_equal(e.param[2], ESCAPE_PARAM_MAX);
	assert_int_equal(e.param[3], ESCAPE_PARAM_MAX);
}

static void too_many_parameters_are_forgotten(void **state)
{
	struct escape e = { .says = false };

	(void)state;
	escape_next(&e, 0x1b);
	escape_next(&e, '[');
	for (int i = 0; i < 1000; i++) {
		escape_next(&e, '7');
		escape_next(&e, ';');
	}
	assert_int_equal(escape_next(&e, 'h'), ESCAPE_END);
	assert_int_equal(e.count, ESCAPE_PARAMS_MAX);
	assert_int_equal(e.param[ESCAPE_PARAMS_MAX - 1], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences_end_where_they_end),
		cmocka_unit_test(what_is_broken_ends_with_a_control_character),
		cmocka_unit_test(a_terminal_says_more_by_itself),
		cmocka_unit_test(parameters_are_numbers),
		cmocka_unit_test(too_many_parameters_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/screen.h"

static char *text_of(const struct screen *s, void (*text)(const struct screen *s, struct buf *to))
{
	struct buf to = buf_new(SCREEN_TEXT_MAX);

	text(s, &to);
	assert_false(to.full);
	buf_add(&to, "", 1);
	return (char *)to.at;
}

/* After @wrote, whole and cut at every byte, screen_return() is @want */
static void returns(const char *wrote, const char *want)
{
	struct span all = span_str(wrote);

	for (size_t cut = 0; cut <= all.len; cut++) {
		struct screen s = { .changed = 0 };
		AUTO_FREE char *text = NULL;

		screen_follow(&s, span_head(all, cut));
		screen_follow(&s, span_skip(all, cut));
		text = text_of(&s, screen_return);
		assert_string_equal(text, want);
	}
}

static void what_was_changed_is_changed_again(void **state)
{
	(void)state;
	returns("", "");
	returns("plain \033[31mred\033[0m\r\n", "");
	returns("\033[?25l", "\033[?25l");
	returns("\033[?25l\033[?25h", "");
	returns("\033[?1;2004h\033=", "\033[?1h\033[?66h\033[?2004h");
	returns("\033[?1;2004h\033=\033>\033[?2004l", "\033[?1h");
	returns("\033[?1003h\033[?1006h", "\033[?1003h\033[?1006h");
	returns("\033[?7l\033[?1004h\033[!p", "\033[?1004h");
	returns("\033[?7l\033[?1004h\033[?1049h\033[>4;2m\033[>1u\033c", "");
	returns("\033[4h\033[1049h\033[?1049$p", "");
}

static void other_screen_is_the_last(void **state)
{
	(void)state;
	returns("\033[?1049h\033[?25l\033[2J", "\033[?25l\033[?1049h");
	returns("\033[?1;1049h", "\033[?1h\033[?1049h");
	returns("\033[?47h", "\033[?47h");
	returns("\033[?1049h\033[?1049l", "");
	returns("\033[?1049h\033[?47l", "");
}

static void keyboards(void **state)
{
	(void)state;
	returns("\033[>4;2m", "\033[>4;2m");
	returns("\033[>4;2m\033[>4;m", "");
	returns("\033[>4;2m\033[>4m", "");
	returns("\033[>1u", "\033[<u");
	returns("\033[=5;1u", "\033[<u");
	returns("\033[?u\033[u", "");
}

static void what_is_in_a_string_is_not_obeyed(void **state)
{
	(void)state;
	returns("\033]2;[?25l\007", "");
	returns("\033P[?25l\033\\", "");
	returns("\033P[?25l\030\033[?1h", "\033[?1h");
}

static size_t at(const char *text, const char *part)
{
	const char *found = strstr(text, part);

	assert_non_null(found);
	return (size_t)(found - text);
}

static void whatever_was_seen_all_is_undone(void **state)
{
	struct screen s = { .changed = 0 };
	AUTO_FREE char *blind = text_of(&s, screen_leave), *seen = NULL;

	(void)state;
	assert_int_equal(at(blind, "\033\003"), 0);		/* the Tektronix first, then strings */
	assert_int_equal(at(blind, "\030\033\\"), 2);
	assert_true(at(blind, "\0337") < at(blind, "\033[?69l"));
	assert_true(at(blind, "\033[?69l") < at(blind, "\033[r"));
	assert_true(at(blind, "\033[r") < at(blind, "\0338"));
	assert_true(at(blind, "\0338") < at(blind, "\033[!p"));
	assert_true(at(blind, "\033[!p") < at(blind, "\033[?7h"));	/* DECSTR may turn it off */
	at(blind, "\033[?1003l");
	at(blind, "\033[?1004l");
	at(blind, "\033[?2004l");
	at(blind, "\033[?2026l");
	at(blind, "\033[4l");
	assert_int_equal(at(blind, "\033(B\017\033[0m\r\n\033[J") + 13, strlen(blind));
	assert_null(strstr(blind, "1049"));
	assert_null(strstr(blind, "\033[>"));
	screen_follow(&s, SPAN("\033[>4;1m\033[>1u\033[?1049h"));
	seen = text_of(&s, screen_leave);
	assert_true(at(seen, "\033[?1049l") < at(seen, "\0337"));
	at(seen, "\033[>4m");
	at(seen, "\033[>0u");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_changed_is_changed_again),
		cmocka_unit_test(other_screen_is_the_last),
		cmocka_unit_test(keyboards),
		cmocka_unit_test(what_is_in_a_string_is_not_obeyed),
		cmocka_unit_test(whatever_was_seen_all_is_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

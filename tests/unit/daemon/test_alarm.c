/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <fcntl.h>

#include "base/err.h"
#include "daemon/alarm.h"

static int pipe_fds[2], saved;

static int begin(void **state)
{
	(void)state;
	saved = dup(STDERR_FILENO);
	return pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) || dup2(pipe_fds[1], STDERR_FILENO) < 0;
}

static int end(void **state)
{
	(void)state;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* What was told since the last call; nothing is "" */
static const char *told(void)
{
	static char text[4096];
	ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void a_line_a_second(void **state)
{
	struct alarm a = { .told_ms = 0 };

	(void)state;
	alarm_tell(&a, SPAN("one"), 5000);
	assert_string_equal(told(), "sluice: alert: one\n");
	alarm_tell(&a, SPAN("two"), 5000);
	alarm_tell(&a, SPAN("three"), 5999);
	assert_string_equal(told(), "");
	alarm_tell(&a, SPAN("four"), 6000);
	assert_string_equal(told(), "sluice: alert: four (and 2 more before it)\n");
	alarm_tell(&a, SPAN("five"), 7000);
	assert_string_equal(told(), "sluice: alert: five\n");
	alarm_end(&a);
	assert_string_equal(told(), "");
}

static void what_was_not_told_is_counted_at_the_end(void **state)
{
	struct alarm a = { .told_ms = 0 };

	(void)state;
	for (int64_t ms = 1; ms < 1000; ms++)
		alarm_tell(&a, SPAN("x"), ms);
	told();
	alarm_end(&a);
	assert_string_equal(told(), "sluice: alert: 998 more (sluice report shows all)\n");
	alarm_end(&a);
	assert_string_equal(told(), "");
}

static void a_line_is_short_and_whole(void **state)
{
	struct alarm a = { .plan = { .begin = "\033[33m", .end = "\033[0m" } };
	char long_one[3000];
	const char *line;

	(void)state;
	memset(long_one, 'x', sizeof(long_one));
	a.untold = 4000000000u;
	alarm_tell(&a, span_of(long_one, sizeof(long_one)), 1);
	line = told();
	assert_true(strlen(line) < ERR_TEXT_MAX / 2);
	assert_true(strlen(line) > 150);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_non_null(strstr(line, "xxx (and 4000000000 more before it)\033[0m\n"));
}

static void colour_is_the_plans(void **state)
{
	struct alarm plain = { .told_ms = 0 };
	struct alarm bright = { .plan = { .begin = "<", .end = ">" } };

	(void)state;
	alarm_tell(&plain, SPAN("x"), 1);
	assert_null(strchr(told(), '\033'));
	alarm_tell(&bright, SPAN("x"), 1);
	assert_string_equal(told(), "<sluice: alert: x>\n");
}

static void quiet_tells_nothing(void **state)
{
	struct alarm a = { .plan = { .quiet = true } };

	(void)state;
	for (int64_t ms = 1; ms < 5000; ms += 100)
		alarm_tell(&a, SPAN("x"), ms);
	alarm_end(&a);
	assert_string_equal(told(), "");
}

/* A stderr that nobody reads keeps nobody, and ends nobody */
static void nobody_reads_it(void **state)
{
	struct alarm a = { .told_ms = 0 };
	char fill[4096] = { 0 };

	(void)state;
	while (write(pipe_fds[1], fill, sizeof(fill)) > 0)
		;
	alarm_tell(&a, SPAN("x"), 1);
	assert_int_equal(a.told_ms, 1);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(a_line_a_second), WITH(what_was_not_told_is_counted_at_the_end),
		WITH(a_line_is_short_and_whole), WITH(colour_is_the_plans),
		WITH(quiet_tells_nothing), WITH(nobody_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

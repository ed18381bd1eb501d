/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>

#include "audit/lines.h"

/* Gives at most @step bytes a call, and an error at the end if @error is set */
struct source {
	struct span	left;
	size_t		step;
	int		error;
};

static ssize_t source_read(void *arg, void *dst, size_t len)
{
	struct source *s = arg;
	struct span head = span_head(s->left, len < s->step ? len : s->step);

	if (!head.len)
		return s->error;
	memcpy(dst, head.at, head.len);
	s->left = span_skip(s->left, head.len);
	return (ssize_t)head.len;
}

static int setup(void **state)
{
	*state = malloc(sizeof(struct lines));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void any_chunking_gives_the_same_lines(void **state)
{
	struct lines *l = *state;
	struct span line;
	int error;

	for (size_t step = 1; step < 12; step++) {
		struct source s = { SPAN("one\n\nthree\nto"), step, 0 };

		lines_init(l, source_read, &s);
		assert_int_equal(lines_next(l, &line, &error), LINES_ONE);
		assert_true(span_eq(line, SPAN("one")));
		assert_int_equal(l->offset, 4);
		assert_int_equal(lines_next(l, &line, &error), LINES_ONE);
		assert_int_equal(line.len, 0);
		assert_int_equal(lines_next(l, &line, &error), LINES_ONE);
		assert_true(span_eq(line, SPAN("three")));
		assert_int_equal(lines_next(l, &line, &error), LINES_TORN);
		assert_true(span_eq(line, SPAN("to")));
		assert_int_equal(l->offset, 11);
		/* the file grows */
		s.left = SPAN("rn\n");
		assert_int_equal(lines_next(l, &line, &error), LINES_ONE);
		assert_true(span_eq(line, SPAN("torn")));
		assert_int_equal(lines_next(l, &line, &error), LINES_END);
	}
}

static void many_lines_pass_through_the_buffer(void **state)
{
	struct buf b = buf_new(4 << 20);
	struct lines *l = *state;
	struct source s = { .step = 9973 };
	struct span line;
	int error;

	for (int i = 0; i < 3000; i++) {
		for (int k = 0; k < i % 997; k++)
			buf_add(&b, "x", 1);
		buf_add(&b, "\n", 1);
	}
	s.left = buf_span(&b);
	lines_init(l, source_read, &s);
	for (size_t i = 0; i < 3000; i++) {
		assert_int_equal(lines_next(l, &line, &error), LINES_ONE);
		assert_int_equal(line.len, i % 997);
	}
	assert_int_equal(lines_next(l, &line, &error), LINES_END);
	assert_int_equal(l->offset, b.len);
	buf_done(&b);
}

static void check_length(struct lines *l, size_t len, enum lines_next want)
{
	AUTO_FREE uint8_t *text = malloc(len + 1);
	struct source s = { { text, len + 1 }, 5000, 0 };
	struct span line;
	int error;

	assert_non_null(text);
	memset(text, 'x', len);
	text[len] = '\n';
	lines_init(l, source_read, &s);
	assert_int_equal(lines_next(l, &line, &error), want);
	assert_int_equal(line.len, len < RECORD_LINE_MAX ? len : RECORD_LINE_MAX);
}

static void a_line_is_bounded(void **state)
{
	check_length(*state, RECORD_LINE_MAX - 1, LINES_ONE);
	check_length(*state, RECORD_LINE_MAX, LINES_LONG);
	check_length(*state, 10 * RECORD_LINE_MAX, LINES_LONG);
}

static void a_read_error_is_told(void **state)
{
	struct source s = { SPAN("one\ntw"), 100, -EIO };
	struct lines *l = *state;
	struct span line;
	int error = 0;

	lines_init(l, source_read, &s);
	assert_int_equal(lines_next(l, &line, &error), LINES_ONE);
	assert_int_equal(lines_next(l, &line, &error), LINES_FAILED);
	assert_int_equal(error, -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_chunking_gives_the_same_lines),
		cmocka_unit_test(many_lines_pass_through_the_buffer),
		cmocka_unit_test(a_line_is_bounded),
		cmocka_unit_test(a_read_error_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "audit/tail.h"

static int file_of(const char *text)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static uint64_t reads(int fd, uint64_t from, const char *expected)
{
	struct buf b = buf_new(2 * TAIL_READ_MAX);
	uint64_t next = tail_read(fd, from, &b);

	assert_true(span_eq(buf_span(&b), span_str(expected)));
	buf_done(&b);
	return next;
}

static void lines_that_are_whole_come_once(void **state)
{
	int fd = file_of("{\"a\":1}\n{\"b\":2}\n{\"c\"");
	uint64_t next;

	(void)state;
	next = reads(fd, 0, "{\"a\":1},{\"b\":2}");
	assert_int_equal(next, 16);
	assert_int_equal(reads(fd, next, ""), 16);
	assert_int_equal(write(fd, ":3}\n", 4), 4);
	assert_int_equal(reads(fd, next, "{\"c\":3}"), 24);
	assert_int_equal(reads(fd, 24, ""), 24);
	close(fd);
}

static void it_begins_where_a_line_begins(void **state)
{
	int fd = file_of("{\"a\":1}\n{\"b\":2}\n");

	(void)state;
	for (uint64_t from = 1; from <= 8; from++)
		assert_int_equal(reads(fd, from, "{\"b\":2}"), 16);
	for (uint64_t from = 9; from <= 16; from++)
		assert_int_equal(reads(fd, from, ""), 16);
	/* a new file of the name */
	assert_int_equal(reads(fd, 17, "{\"a\":1},{\"b\":2}"), 16);
	assert_int_equal(reads(fd, UINT64_MAX, "{\"a\":1},{\"b\":2}"), 16);
	close(fd);
}

static void of_much_the_end_is_read(void **state)
{
	static char text[3 * TAIL_READ_MAX];
	struct buf b = buf_new(2 * TAIL_READ_MAX);
	size_t len = 0;
	int fd;

	(void)state;
	while (len < 2 * TAIL_READ_MAX)
		len += (size_t)snprintf(text + len, 32, "{\"at\":%zu}\n", len);
	fd = file_of(text);
	assert_int_equal(tail_read(fd, 5, &b), len);
	assert_true(b.len > TAIL_READ_MAX - 64 && b.len <= TAIL_READ_MAX);
	assert_true(span_starts(buf_span(&b), SPAN("{\"at\":")));
	assert_int_equal(b.at[b.len - 1], '}');
	buf_done(&b);
	close(fd);
}

static void what_is_no_file_has_none(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(reads(ends[0], 7, ""), 0);
	assert_int_equal(reads(-1, 7, ""), 0);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_are_whole_come_once),
		cmocka_unit_test(it_begins_where_a_line_begins),
		cmocka_unit_test(of_much_the_end_is_read),
		cmocka_unit_test(what_is_no_file_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

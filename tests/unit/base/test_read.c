/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/read.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static char folder[] = "/tmp/sluice-test-read.XXXXXX";
static char path[64];

static void write_file(size_t len)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(write(fd, &(uint8_t){ (uint8_t)(i % 251) }, 1), 1);
}

static void assert_pattern(const struct buf *b, size_t len)
{
	assert_int_equal(b->len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(b->at[i], i % 251);
}

static void a_file_is_read_to_its_end(void **state)
{
	static const size_t lens[] = { 0, 1, 65535, 65536, 65537 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct buf b = buf_new(1 << 20);

		write_file(lens[i]);
		assert_true(read_regular(path, &b));
		assert_pattern(&b, lens[i]);
		assert_true(read_regular(path, &b));
		assert_int_equal(b.len, 2 * lens[i]);
		buf_done(&b);
	}
}

static void one_that_fits_exactly_fits_and_a_byte_more_does_not(void **state)
{
	struct buf b = buf_new(70000);

	(void)state;
	write_file(70000);
	assert_true(read_regular(path, &b));
	assert_pattern(&b, 70000);
	assert_false(b.full);
	buf_done(&b);

	b = buf_new(69999);
	assert_false(read_regular(path, &b));
	assert_int_equal(errno, EFBIG);
	assert_true(b.full);
	assert_pattern(&b, 69999);
	buf_done(&b);
}

static void what_is_no_regular_file_is_not_waited_for(void **state)
{
	struct buf b = buf_new(100);

	(void)state;
	assert_int_equal(unlink(path), 0);
	assert_false(read_regular(path, &b));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(read_regular(path, &b));
	assert_int_equal(errno, EINVAL);
	assert_false(read_regular("/dev/zero", &b));
	assert_int_equal(errno, EINVAL);
	assert_false(read_regular(folder, &b));
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/file", mkdtemp(folder));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_to_its_end),
		cmocka_unit_test(one_that_fits_exactly_fits_and_a_byte_more_does_not),
		cmocka_unit_test(what_is_no_regular_file_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

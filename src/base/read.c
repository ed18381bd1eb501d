/* SPDX-License-Identifier: Apache-2.0 */
#include "base/read.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define STEP 65536		/* bytes asked for in one read */

static ssize_t read_some(int fd, void *to, size_t len)
{
	ssize_t n;

	do {
		n = read(fd, to, len);
	} while (n < 0 && errno == EINTR);
	return n;
}

static bool too_long(struct buf *b)
{
	b->full = true;
	errno = EFBIG;
	return false;
}

bool read_all(int fd, struct buf *b)
{
	uint8_t beyond;
	ssize_t n = 1;

	while (n > 0 && b->len < b->max) {
		size_t room = b->max - b->len;

		if (!buf_reserve(b, room < STEP ? room : STEP))
			return too_long(b);
		n = read_some(fd, b->at + b->len, room < STEP ? room : STEP);
		b->len += n > 0 ? (size_t)n : 0;
	}
	if (n > 0)
		n = read_some(fd, &beyond, 1);
	if (n > 0)
		return too_long(b);
	return n == 0;
}

bool read_regular(const char *path, struct buf *b)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return false;
	}
	return read_all(fd, b);
}

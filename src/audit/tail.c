/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/tail.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whole lines of @bytes.  Return: how many bytes they were */
static size_t add_lines(struct buf *b, struct span bytes)
{
	size_t used = 0;
	ptrdiff_t end;

	while ((end = span_find(span_skip(bytes, used), '\n')) >= 0) {
		if (used && end)
			buf_add_str(b, ",");
		buf_add_span(b, span_head(span_skip(bytes, used), (size_t)end));
		used += (size_t)end + 1;
	}
	return used;
}

uint64_t tail_read(int fd, uint64_t from, struct buf *b)
{
	uint8_t *bytes = NULL;
	uint64_t size, at;
	struct stat st;
	struct span s;
	bool inside;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	size = (uint64_t)st.st_size;
	at = from > size ? 0 : from;
	if (size - at > TAIL_READ_MAX)
		at = size - TAIL_READ_MAX;
	/* the byte before tells whether a line begins here */
	inside = at > 0;
	at -= inside;
	bytes = malloc(TAIL_READ_MAX + 1);
	n = bytes ? pread(fd, bytes, TAIL_READ_MAX + 1, (off_t)at) : -1;
	s = span_of(bytes, n > 0 ? (size_t)n : 0);
	if (inside) {
		ptrdiff_t first = span_find(s, '\n');
		size_t skip = first < 0 ? s.len : (size_t)first + 1;

		at += skip;
		s = span_skip(s, skip);
	}
	at += add_lines(b, s);
	free(bytes);
	return at;
}

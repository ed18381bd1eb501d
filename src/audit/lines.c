/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/lines.h"

#include <errno.h>

void lines_init(struct lines *l, lines_read *read, void *arg)
{
	l->read = read;
	l->arg = arg;
	l->from = l->to = 0;
	l->offset = 0;
}

ssize_t lines_read_fd(void *fd, void *dst, size_t len)
{
	ssize_t got;

	do
		got = read(*(int *)fd, dst, len);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* Read on behind what is left, moved to the front if there is little room */
static ssize_t read_more(struct lines *l)
{
	ssize_t got;

	if (sizeof(l->bytes) - l->to < RECORD_LINE_MAX) {
		memmove(l->bytes, l->bytes + l->from, l->to - l->from);
		l->to -= l->from;
		l->from = 0;
	}
	got = l->read(l->arg, l->bytes + l->to, sizeof(l->bytes) - l->to);
	if (got > 0)
		l->to += (size_t)got;
	return got;
}

enum lines_next lines_next(struct lines *l, struct span *ret_line, int *ret_error)
{
	size_t seen = 0;
	ssize_t got;

	for (;;) {
		struct span left = span_of(l->bytes + l->from, l->to - l->from);
		ptrdiff_t end = span_find(span_skip(left, seen), '\n');

		if (end >= 0 && seen + (size_t)end < RECORD_LINE_MAX) {
			*ret_line = span_head(left, seen + (size_t)end);
			l->from += ret_line->len + 1;
			l->offset += ret_line->len + 1;
			return LINES_ONE;
		}
		if (left.len >= RECORD_LINE_MAX) {
			*ret_line = span_head(left, RECORD_LINE_MAX);
			return LINES_LONG;
		}
		seen = left.len;
		got = read_more(l);
		if (got < 0) {
			*ret_error = (int)got;
			return LINES_FAILED;
		}
		if (got == 0) {
			*ret_line = span_of(l->bytes + l->from, l->to - l->from);
			return left.len ? LINES_TORN : LINES_END;
		}
	}
}

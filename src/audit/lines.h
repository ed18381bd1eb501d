/* SPDX-License-Identifier: Apache-2.0 */
/* lines.h - the lines of a log, one at a time, in bounded memory */
#ifndef SLUICE_AUDIT_LINES_H
#define SLUICE_AUDIT_LINES_H

#include <sys/types.h>

#include "audit/record.h"

/* As read(2): bytes read, 0 at the end, or negative errno */
typedef ssize_t lines_read(void *arg, void *dst, size_t len);

struct lines {
	lines_read *read;
	void	*arg;
	size_t	 from, to;	/* what of @bytes is not handed out yet */
	uint64_t offset;	/* in the input, of what comes next: behind the last whole line */
	uint8_t	 bytes[2 * RECORD_LINE_MAX];
};

enum lines_next {
	LINES_ONE,		/* a whole line, without its newline */
	LINES_TORN,		/* the input ends in a line without newline: what there is of it */
	LINES_LONG,		/* a line of RECORD_LINE_MAX bytes or more: its first bytes */
	LINES_END,
	LINES_FAILED,		/* reading failed: *ret_error */
};

void lines_init(struct lines *l, lines_read *read, void *arg);

/*
 * lines_next() - the next line
 * @ret_line:	borrowed until the next call
 *
 * After LINES_TORN and LINES_END it may be called again: if the input has
 * grown, the line comes whole.  LINES_LONG and LINES_FAILED are final.
 */
enum lines_next lines_next(struct lines *l, struct span *ret_line, int *ret_error);

/* A lines_read for a descriptor; @arg points to it */
ssize_t lines_read_fd(void *fd, void *dst, size_t len);

#endif

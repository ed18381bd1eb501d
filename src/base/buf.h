/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h - a byte buffer that cannot be made without a maximum
 *
 * It grows by doubling up to its maximum; what would go beyond marks it full
 * and is not added, and it stays full until cleared.  The owner checks once,
 * at the end.
 */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include "base/auto.h"
#include "base/span.h"

struct buf {
	uint8_t	*at;		/* owned */
	size_t	 len;		/* bytes in use */
	size_t	 size;		/* bytes allocated */
	size_t	 max;		/* never more than this */
	bool	 full;		/* an addition did not fit or memory ran out */
};

static inline struct buf buf_new(size_t max_bytes)
{
	return (struct buf){ .max = max_bytes };
}

void buf_done(struct buf *b);		/* frees; the buffer is as new */
void buf_clear(struct buf *b);		/* empty, keeps its memory */

/* Room for @len more bytes at b->at + b->len, or false (then b is full) */
bool buf_reserve(struct buf *b, size_t len);
bool buf_add(struct buf *b, const void *bytes, size_t len);
bool buf_add_str(struct buf *b, const char *s);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);

/* Remove the first @len bytes (@len <= b->len) */
void buf_consume(struct buf *b, size_t len);

static inline bool buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.at, s.len);
}

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->at, b->len };
}

#endif

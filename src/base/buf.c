/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>

#define BUF_FIRST 256	/* bytes of the first allocation */

void buf_done(struct buf *b)
{
	free(b->at);
	*b = buf_new(b->max);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->full = false;
}

bool buf_reserve(struct buf *b, size_t len)
{
	size_t size = b->size ? b->size : BUF_FIRST;
	uint8_t *at;

	if (b->full || len > b->max - b->len) {
		b->full = true;
		return false;
	}
	if (len <= b->size - b->len)
		return true;
	while (size < b->len + len)
		size *= 2;
	if (size > b->max)
		size = b->max;
	at = realloc(b->at, size);
	if (!at) {
		b->full = true;
		return false;
	}
	b->at = at;
	b->size = size;
	return true;
}

bool buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (!buf_reserve(b, len))
		return false;
	if (len)
		memcpy(b->at + b->len, bytes, len);
	b->len += len;
	return true;
}

bool buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(len >= 0);
	if (buf_reserve(b, (size_t)len + 1)) {
		vsnprintf((char *)b->at + b->len, (size_t)len + 1, fmt, again);
		b->len += (size_t)len;
	}
	va_end(again);
	return !b->full;
}

void buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (len < b->len)
		memmove(b->at, b->at + len, b->len - len);
	b->len -= len;
}

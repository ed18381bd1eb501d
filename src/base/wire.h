/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h - read and write big-endian fields without checking each step
 *
 * A reader that has once been asked for more than it holds is spent: it keeps
 * that fact, and every later read returns zero or an empty span.  A parser
 * therefore reads a whole structure as if it were there and asks once, at the
 * end, whether it was.  A writer that has run out of room is full in the same
 * way.
 */
#ifndef SLUICE_BASE_WIRE_H
#define SLUICE_BASE_WIRE_H

#include "base/span.h"

struct wire {
	struct span	 left;	/* not read yet; borrowed from the caller */
	bool		 spent;	/* a read went past the end; never cleared */
};

static inline struct wire wire_over(struct span s)
{
	return (struct wire){ .left = s };
}

/*
 * wire_take() - take the next bytes
 *
 * Return: exactly @len bytes, borrowed from the reader's input; empty once the
 *         reader is spent.
 */
static inline struct span wire_take(struct wire *w, size_t len)
{
	struct span got = { 0 };

	if (w->spent || len > w->left.len) {
		w->spent = true;
	} else if (len > 0) {
		got = (struct span){ w->left.at, len };
		w->left.at += len;
		w->left.len -= len;
	}
	return got;
}

/* The next @len bytes as one big-endian number, @len from 1 to 4; 0 if spent */
static inline uint32_t wire_uint(struct wire *w, size_t len)
{
	struct span s = wire_take(w, len);
	uint32_t value = 0;

	for (size_t i = 0; i < s.len; i++)
		value = value << 8 | s.at[i];
	return value;
}

static inline uint8_t wire_u8(struct wire *w)
{
	return (uint8_t)wire_uint(w, 1);
}

static inline uint16_t wire_u16(struct wire *w)
{
	return (uint16_t)wire_uint(w, 2);
}

static inline uint32_t wire_u24(struct wire *w)
{
	return wire_uint(w, 3);
}

static inline uint32_t wire_u32(struct wire *w)
{
	return wire_uint(w, 4);
}

/* A nested reader over the next @len bytes: a length prefix in one call */
static inline struct wire wire_sub(struct wire *w, size_t len)
{
	struct span got = wire_take(w, len);

	return (struct wire){ .left = got, .spent = w->spent };
}

/* Writer over a caller's buffer; @len counts what was written */
struct wire_out {
	uint8_t	*at;
	size_t	 len;		/* bytes written so far */
	size_t	 size;		/* room in all */
	bool	 full;		/* a write did not fit; never cleared */
};

static inline void wire_put(struct wire_out *w, const void *bytes, size_t len)
{
	if (w->full || len > w->size - w->len) {
		w->full = true;
	} else if (len) {
		memcpy(w->at + w->len, bytes, len);
		w->len += len;
	}
}

static inline void wire_put_u8(struct wire_out *w, uint8_t v)
{
	wire_put(w, &v, 1);
}

static inline void wire_put_u16(struct wire_out *w, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	wire_put(w, b, sizeof(b));
}

static inline void wire_put_u32(struct wire_out *w, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
			 (uint8_t)(v >> 8), (uint8_t)v };

	wire_put(w, b, sizeof(b));
}

#endif

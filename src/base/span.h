/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span.h - a pointer and a length, borrowed
 *
 * A span never owns what it points to; whoever hands it out says how long it
 * lives.  C strings appear only at the edges: spans have no terminator.  The
 * empty span may have a NULL pointer.
 */
#ifndef SLUICE_BASE_SPAN_H
#define SLUICE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t	*at;
	size_t		 len;	/* bytes */
};

/* A span over a string literal, for initialisers */
#define SPAN(lit) ((struct span){ (const uint8_t *)(lit), sizeof(lit) - 1 })

/* For printf("%.*s"): only for bytes that were checked to be printable */
#define SPAN_FMT "%.*s"
#define SPAN_ARG(s) (int)(s).len, (const char *)(s).at

static inline struct span span_of(const void *at, size_t len)
{
	return (struct span){ at, len };
}

/* A span over a C string; NULL gives the empty span */
static inline struct span span_str(const char *s)
{
	return (struct span){ (const uint8_t *)s, s ? strlen(s) : 0 };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.at, b.at, a.len));
}

static inline uint8_t ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Equal but for the case of ASCII letters */
static inline bool span_eq_fold(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
			return false;
	return true;
}

static inline bool span_starts(struct span s, struct span head)
{
	return s.len >= head.len && (!head.len || !memcmp(s.at, head.at, head.len));
}

static inline bool span_ends(struct span s, struct span tail)
{
	return s.len >= tail.len &&
	       (!tail.len || !memcmp(s.at + (s.len - tail.len), tail.at, tail.len));
}

/* The first @len bytes, or all if there are fewer */
static inline struct span span_head(struct span s, size_t len)
{
	return (struct span){ s.at, len < s.len ? len : s.len };
}

/* What follows the first @len bytes; empty if there are fewer */
static inline struct span span_skip(struct span s, size_t len)
{
	if (len >= s.len)
		return (struct span){ 0 };
	return (struct span){ s.at + len, s.len - len };
}

/* Index of the first @c, or -1 */
static inline ptrdiff_t span_find(struct span s, uint8_t c)
{
	const uint8_t *p = s.len ? memchr(s.at, c, s.len) : NULL;

	return p ? p - s.at : -1;
}

/* Without leading and trailing spaces and tabs (OWS of RFC 9110, 5.6.3) */
struct span span_trim(struct span s);

/*
 * span_u64() - a decimal number, digits only, no sign, no blanks
 * @s:		all of it must be the number
 * @max:	largest value accepted
 * @ret_value:	untouched on failure
 */
bool span_u64(struct span s, uint64_t max, uint64_t *ret_value);

/*
 * span_copy() - copy to a C string
 *
 * Return: false if it does not fit with its NUL, or holds a NUL; @dst is then
 *         the empty string.
 */
bool span_copy(struct span s, char *dst, size_t size);

#endif

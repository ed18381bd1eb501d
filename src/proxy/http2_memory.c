/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_memory.c - what a bridge holds, counted against what all of them may hold together
 *
 * Everything counts: streams with their heads and the bytes that wait, and all that
 * libnghttp2 allocates, which is handed our allocator.  What costs least when it is refused is
 * refused first:
 *	1. Streams share three quarters of the whole, and none may bring its bridge beyond half of
 *	   what is free of them still: one bridge alone may have a third of them, and the more hold
 *	   much, the less another may have.  But a bridge that holds little, a 512th of the
 *	   whole, may have that from an eighth that the others do not reach.
 *	2. Bridges may be as many as half of the whole is enough for, as long as a sixteenth is free.
 *	3. libnghttp2, for which a refusal is the end of its connection, may have all.
 */
#include <malloc.h>

#include "proxy/http2_bridge.h"

#define BRIDGE_BYTES (64u << 10)	/* a bridge without streams holds less */

static bool fits(const struct http2 *b, size_t bytes, size_t most)
{
	return b->shared->used <= most && bytes <= most - b->shared->used;
}

bool http2_has_room(const struct http2_limits *l)
{
	return !l->shared || (l->shared->bridges < l->memory / 2 / BRIDGE_BYTES &&
			      l->shared->used <= l->memory / 16 * 15);
}

bool memory_for_stream(const struct http2 *b, size_t bytes)
{
	size_t max = b->limits.memory;
	size_t most = max / 4 * 3;

	if (b->used + bytes <= max / 512)
		return fits(b, bytes, max / 8 * 7);
	return fits(b, bytes, most) && b->used + bytes <= (most - b->shared->used - bytes) / 2;
}

static void count(struct http2 *b, size_t bytes)
{
	b->shared->used += bytes;
	b->used += bytes;
}

bool memory_take(struct http2 *b, size_t bytes)
{
	if (!fits(b, bytes, b->limits.memory))
		return false;
	count(b, bytes);
	return true;
}

void memory_give(struct http2 *b, size_t bytes)
{
	assert(bytes <= b->used && bytes <= b->shared->used);
	b->shared->used -= bytes;
	b->used -= bytes;
}

bool memory_begin(struct http2 *b)
{
	b->shared->bridges++;
	return memory_take(b, sizeof(*b));
}

void memory_end(struct http2 *b)
{
	assert(!b->used || b->used == sizeof(*b));	/* 0: it was not made */
	memory_give(b, b->used);
	b->shared->bridges--;
}

/* ---- of libnghttp2 ---- */

/* What it really got is known afterwards, and may be some bytes more */
static void *counted(struct http2 *b, void *at)
{
	count(b, malloc_usable_size(at));
	return at;
}

static void *of_library(size_t bytes, void *arg)
{
	return fits(arg, bytes, ((struct http2 *)arg)->limits.memory) ? counted(arg, malloc(bytes)) :
									NULL;
}

static void *zeroed(size_t n, size_t size, void *arg)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) ||
	    !fits(arg, bytes, ((struct http2 *)arg)->limits.memory))
		return NULL;
	return counted(arg, calloc(n, size));
}

static void freed(void *at, void *arg)
{
	memory_give(arg, malloc_usable_size(at));
	free(at);
}

static void *resized(void *at, size_t bytes, void *arg)
{
	struct http2 *b = arg;
	size_t old = malloc_usable_size(at);
	void *moved;

	if (bytes > old && !fits(b, bytes - old, b->limits.memory))
		return NULL;
	moved = realloc(at, bytes);
	if (!moved)
		return NULL;
	memory_give(b, old);
	return counted(b, moved);
}

nghttp2_mem memory_of_library(struct http2 *b)
{
	return (nghttp2_mem){ b, of_library, freed, zeroed, resized };
}

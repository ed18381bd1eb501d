/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/arena.h"

#include "base/auto.h"

#define CHUNK_BYTES (64u << 10)	/* what is asked of malloc at a time; larger pieces stand alone */
#define CHUNK_ALIGN _Alignof(max_align_t)

struct chunk {
	struct chunk	*next;
	size_t		 used, size;
	_Alignas(max_align_t) uint8_t bytes[];
};

void arena_done(struct arena *a)
{
	struct chunk *next;

	for (struct chunk *c = a->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	*a = (struct arena){ 0 };
}

static struct chunk *chunk_new(struct arena *a, size_t len)
{
	size_t size = len > CHUNK_BYTES ? len : CHUNK_BYTES;
	struct chunk *c = calloc(1, sizeof(*c) + size);

	if (!c)
		return NULL;
	c->size = size;
	c->next = a->chunks;
	a->chunks = c;
	return c;
}

void *arena_take(struct arena *a, size_t len)
{
	struct chunk *c = a->chunks;
	void *at;

	if (len > a->left)
		return NULL;
	a->left -= len;
	len = (len + CHUNK_ALIGN - 1) & ~(CHUNK_ALIGN - 1);
	if (!c || len > c->size - c->used)
		c = chunk_new(a, len);
	if (!c)
		return NULL;
	at = c->bytes + c->used;
	c->used += len;
	return at;
}

struct span arena_copy(struct arena *a, struct span s)
{
	uint8_t *at = arena_take(a, s.len + 1);

	if (!at)
		return (struct span){ 0 };
	if (s.len)
		memcpy(at, s.at, s.len);
	return (struct span){ at, s.len };
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - memory that is taken piece by piece and given back at once
 *
 * What is taken never moves, so that a tree may hold pointers into it.  Like a
 * buf, an arena cannot be made without a maximum.
 */
#ifndef SLUICE_POLICY_ARENA_H
#define SLUICE_POLICY_ARENA_H

#include "base/span.h"

struct arena {
	struct chunk	*chunks;	/* newest first */
	size_t		 left;		/* bytes that may still be taken */
};

static inline struct arena arena_new(size_t max_bytes)
{
	return (struct arena){ .left = max_bytes };
}

void arena_done(struct arena *a);

/*
 * arena_take() - zeroed memory, aligned for any object
 *
 * Return: NULL at the maximum or if memory is out.
 */
void *arena_take(struct arena *a, size_t len);

/* A copy of @s with a NUL behind it that does not count; at NULL if there is no room */
struct span arena_copy(struct arena *a, struct span s);

#endif

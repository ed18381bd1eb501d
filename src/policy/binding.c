/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index is an offset into both pools, so address and index are one
 * subtraction apart and no table is keyed by address.  Names are found through
 * an open-addressing hash of indexes, never more than half full, keyed with the
 * seed: the agent chooses the names.  A name's text is never moved, so spans
 * that were handed out hold as long as the session.
 */
#include "policy/binding.h"

#include <assert.h>
#include <stdlib.h>

#include "base/auto.h"

#define RESERVED_LAST 16	/* addresses at the upper end: broadcast-like ones are no host's */
#define SLOTS_FIRST 64		/* slots of the first table; a power of two */
#define NAMES_FIRST 32		/* names; what SLOTS_FIRST can find */

struct bindings {
	struct net	 pool4, pool6;
	struct seed	 seed;
	uint32_t	 end;		/* the first index that is never given */
	struct span	*names;		/* of index RESERVED_FIRST + i; texts owned */
	uint32_t	 count;
	uint32_t	*slots;		/* an index, or 0: free (0 is no name's) */
	uint32_t	 slot_count;	/* a power of two, at least 2 * count */
};

/* Addresses in a pool, as far as an index can count */
static uint32_t pool_size(const struct net *pool)
{
	unsigned free_bits = 128u - pool->bits;

	return free_bits >= 32 ? UINT32_MAX : BIT(free_bits);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

struct bindings *bindings_new(const struct net *pool4, const struct net *pool6,
			      const struct seed *seed)
{
	uint32_t size = least(pool_size(pool4), pool_size(pool6));
	struct bindings *b = calloc(1, sizeof(*b));

	assert(addr_is_v4(&pool4->base) && !addr_is_v4(&pool6->base));
	assert(pool4->bits >= 96 && pool6->bits >= 64);
	assert(size > RESERVED_FIRST + RESERVED_LAST);
	if (!b)
		return NULL;
	*b = (struct bindings){
		.pool4 = *pool4, .pool6 = *pool6, .seed = *seed,
		.end = least(size - RESERVED_LAST, RESERVED_FIRST + BINDING_MAX),
		.slot_count = SLOTS_FIRST,
		.slots = calloc(SLOTS_FIRST, sizeof(*b->slots)),
		.names = calloc(NAMES_FIRST, sizeof(*b->names)),
	};
	if (!b->slots || !b->names) {
		bindings_free(b);
		return NULL;
	}
	return b;
}

void bindings_free(struct bindings *b)
{
	if (!b)
		return;
	for (uint32_t i = 0; i < b->count; i++)
		free((void *)(uintptr_t)b->names[i].at);
	free(b->names);
	free(b->slots);
	free(b);
}

/* The slot that holds @host, or the free one where it belongs */
static uint32_t *slot_of(const struct bindings *b, struct span host)
{
	uint32_t mask = b->slot_count - 1;
	uint32_t at = (uint32_t)hash_span(&b->seed, host) & mask;

	while (b->slots[at] && !span_eq(binding_host(b, b->slots[at]), host))
		at = (at + 1) & mask;
	return &b->slots[at];
}

/* Twice the room.  Return: false, and all as it was, if memory is out. */
static bool grow(struct bindings *b)
{
	uint32_t *slots = calloc(b->slot_count * 2, sizeof(*slots));
	struct span *names;

	if (!slots)
		return false;
	names = realloc(b->names, b->slot_count * sizeof(*names));
	if (!names) {
		free(slots);
		return false;
	}
	free(b->slots);
	b->names = names;
	b->slots = slots;
	b->slot_count *= 2;
	for (uint32_t i = 0; i < b->count; i++)
		*slot_of(b, names[i]) = RESERVED_FIRST + i;
	return true;
}

uint32_t binding_learn(struct bindings *b, struct span host)
{
	uint32_t index = binding_of_host(b, host);
	uint8_t *text;

	assert(host.len > 0 && host.len <= HOST_MAX);
	if (index != BINDING_NONE)
		return index;
	index = RESERVED_FIRST + b->count;
	if (index >= b->end)
		return BINDING_NONE;
	if (b->count == b->slot_count / 2 && !grow(b))
		return BINDING_NONE;
	text = malloc(host.len);
	if (!text)
		return BINDING_NONE;
	memcpy(text, host.at, host.len);
	*slot_of(b, host) = index;
	b->names[b->count++] = span_of(text, host.len);
	return index;
}

uint32_t binding_of_host(const struct bindings *b, struct span host)
{
	uint32_t index = *slot_of(b, host);

	return index ? index : BINDING_NONE;
}

/* The low 64 bits of an address; a pool's base has none of them within its size */
static uint64_t low_bits(const struct addr *a)
{
	uint64_t low = 0;

	for (size_t i = 8; i < sizeof(a->b); i++)
		low = low << 8 | a->b[i];
	return low;
}

uint32_t binding_of_addr(const struct bindings *b, const struct addr *a)
{
	const struct net *pool = addr_is_v4(a) ? &b->pool4 : &b->pool6;
	uint64_t offset;

	if (!net_has(pool, a))
		return BINDING_NONE;
	offset = low_bits(a) - low_bits(&pool->base);
	if (offset < RESERVED_FIRST || offset - RESERVED_FIRST >= b->count)
		return BINDING_NONE;
	return (uint32_t)offset;
}

uint32_t binding_end(const struct bindings *b)
{
	return RESERVED_FIRST + b->count;
}

bool binding_in_pool(const struct bindings *b, const struct addr *a)
{
	return net_has(&b->pool4, a) || net_has(&b->pool6, a);
}

struct span binding_host(const struct bindings *b, uint32_t index)
{
	assert(index >= RESERVED_FIRST && index - RESERVED_FIRST < b->count);
	return b->names[index - RESERVED_FIRST];
}

static struct addr pool_addr(const struct net *pool, uint32_t offset)
{
	struct addr a = pool->base;

	assert(offset < pool_size(pool));
	for (size_t i = 0; i < sizeof(offset); i++)
		a.b[15 - i] = (uint8_t)(a.b[15 - i] | offset >> 8 * i);
	return a;
}

struct addr binding_addr4(const struct bindings *b, uint32_t index)
{
	assert(index >= RESERVED_FIRST && index - RESERVED_FIRST < b->count);
	return pool_addr(&b->pool4, index);
}

struct addr binding_addr6(const struct bindings *b, uint32_t index)
{
	assert(index >= RESERVED_FIRST && index - RESERVED_FIRST < b->count);
	return pool_addr(&b->pool6, index);
}

struct addr reserved_addr(const struct net *pool, enum reserved offset)
{
	return pool_addr(pool, offset);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binding.h - which name a synthetic address stands for, in one session
 *
 * A name that is allowed and exists gets the next index of the session; its
 * IPv4 and IPv6 synthetic addresses are the pool's base plus that index.
 * Bindings never expire and are never reused while the session lives: a client
 * may keep an address for as long as it likes.  The table has a bound; at the
 * bound a new name is refused (REASON_LIMIT).
 *
 * The ends of the pools are reserved: see RESERVED_*.
 */
#ifndef SLUICE_POLICY_BINDING_H
#define SLUICE_POLICY_BINDING_H

#include "base/addr.h"
#include "base/hash.h"
#include "policy/policy.h"

#define BINDING_MAX 65536	/* names in a session; about 10 MB at most */
#define BINDING_NONE UINT32_MAX

/* Offsets into both pools that no name ever gets */
enum reserved {
	RESERVED_JAIL = 1,	/* the jail's own address on lo */
	RESERVED_DNS = 2,	/* what resolv.conf names */
	RESERVED_GATE = 3,	/* what TPROXY sends to; the gate's sockets are bound here */
	RESERVED_PROBE = 4,	/* the start-up probe */
	RESERVED_NOTICE = 5,	/* sluice.internal */
	RESERVED_FIRST = 16,	/* the first that names get */
};

struct bindings;

/* Return: NULL if memory is out.  The pools are as in policy_settings. */
struct bindings *bindings_new(const struct net *pool4, const struct net *pool6,
			      const struct seed *seed);
void bindings_free(struct bindings *b);

/*
 * binding_learn() - the index of @host (normal form), given one if it is new
 *
 * Return: the index, or BINDING_NONE at the bound or out of memory.
 */
uint32_t binding_learn(struct bindings *b, struct span host);

/* Index of a name that is bound already, or BINDING_NONE */
uint32_t binding_of_host(const struct bindings *b, struct span host);

/* Index of a synthetic address that is bound, or BINDING_NONE */
uint32_t binding_of_addr(const struct bindings *b, const struct addr *a);

/* One more than the last index; the first is RESERVED_FIRST */
uint32_t binding_end(const struct bindings *b);

/* Is it in one of the pools at all, bound or not? */
bool binding_in_pool(const struct bindings *b, const struct addr *a);

struct span binding_host(const struct bindings *b, uint32_t index);
struct addr binding_addr4(const struct bindings *b, uint32_t index);
struct addr binding_addr6(const struct bindings *b, uint32_t index);

/* A reserved address: @pool's base plus @offset */
struct addr reserved_addr(const struct net *pool, enum reserved offset);

#endif

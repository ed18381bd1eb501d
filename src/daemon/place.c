/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/place.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>

#define PLACE_NETS_FIRST 32	/* room to begin with; most machines need no more */

/* What always means this machine: connecting to the unspecified address reaches it too */
static const struct net always_own[] = {
	{ { { [10] = 0xff, [11] = 0xff, [12] = 127 } }, 104 },
	{ { { [10] = 0xff, [11] = 0xff } }, 128 },
	{ { { [15] = 1 } }, 128 },
	{ { { 0 } }, 128 },
};

struct net_list {
	struct net	*at;		/* owned */
	size_t		 count, size;
};

static int list_add(struct net_list *l, const struct net *n)
{
	if (l->count == l->size) {
		size_t size = l->size ? 2 * l->size : PLACE_NETS_FIRST;
		struct net *at;

		if (size > PLACE_NETS_MAX)
			return -ENOBUFS;
		at = realloc(l->at, size * sizeof(*at));
		if (!at)
			return -ENOMEM;
		l->at = at;
		l->size = size;
	}
	l->at[l->count++] = *n;
	return 0;
}

static bool addr_of(const struct sockaddr *sa, struct addr *ret_addr)
{
	uint16_t port;

	return sa && addr_from_sockaddr(sa, sizeof(struct sockaddr_in6), ret_addr, &port);
}

/* Leading one bits of a netmask, as the length of a prefix in our form */
static uint8_t mask_bits(const struct sockaddr *mask, bool v4)
{
	const uint8_t *b;
	unsigned bits = 0, max = v4 ? 32 : 128;

	if (!mask)
		return 128;
	b = v4 ? (const uint8_t *)&((const struct sockaddr_in *)(const void *)mask)->sin_addr
	       : (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr;
	while (bits < max && b[bits / 8] & 0x80u >> bits % 8)
		bits++;
	return (uint8_t)(v4 ? 96 + bits : bits);
}

static struct net net_around(const struct addr *a, uint8_t bits)
{
	struct net n = { *a, bits };

	for (unsigned i = bits; i < 128; i++)
		n.base.b[i / 8] &= (uint8_t)~(0x80u >> i % 8);
	return n;
}

/*
 * One address of an interface.  The far end and the broadcast address share a
 * field, and the interface's flags do not tell which it is for a far end on a
 * link that can also broadcast.  They need not be told apart: a broadcast
 * address lies in the address's own network.
 */
static int take_address(const struct ifaddrs *i, struct net_list *own, struct net_list *connected)
{
	struct addr a, far;
	struct net n;
	uint8_t bits;
	int r;

	if (!addr_of(i->ifa_addr, &a))
		return 0;
	bits = mask_bits(i->ifa_netmask, addr_is_v4(&a));
	n = (struct net){ a, 128 };
	r = list_add(own, &n);
	if (r < 0 || bits == (addr_is_v4(&a) ? 96 : 0))
		return r;	/* a prefix of length 0 says nothing of what is near */
	n = net_around(&a, bits);
	r = list_add(connected, &n);
	if (r < 0 || !addr_of(i->ifa_dstaddr, &far) || net_has(&n, &far))
		return r;
	if (addr_is_v4(&far) != addr_is_v4(&a))
		return 0;
	n = net_around(&far, bits);
	return list_add(connected, &n);
}

static int take_all(const struct ifaddrs *first, struct net_list *own, struct net_list *connected)
{
	int r = 0;

	for (size_t k = 0; k < ARRAY_SIZE(always_own) && r == 0; k++)
		r = list_add(own, &always_own[k]);
	for (const struct ifaddrs *i = first; i && r == 0; i = i->ifa_next)
		r = take_address(i, own, connected);
	return r;
}

bool place_read(struct place_store *store, struct err *err)
{
	struct net_list own = { 0 }, connected = { 0 };
	struct ifaddrs *first;
	int r;

	place_done(store);
	if (getifaddrs(&first))
		return err_sys(err, errno, "this machine's addresses");
	r = take_all(first, &own, &connected);
	freeifaddrs(first);
	if (r < 0) {
		free(own.at);
		free(connected.at);
		return err_sys(err, -r, "this machine's addresses");
	}
	store->own = own.at;
	store->connected = connected.at;
	store->place = (struct place){ own.at, own.count, connected.at, connected.count };
	store->known = true;
	return true;
}

const struct place *place_now(struct place_store *store, int64_t now_ms)
{
	struct err unread = { "" };

	if (!store->known || now_ms - store->read_ms >= PLACE_FRESH_MS) {
		if (!place_read(store, &unread))
			return NULL;
		store->read_ms = now_ms;
	}
	return &store->place;
}

void place_done(struct place_store *store)
{
	free(store->own);
	free(store->connected);
	*store = (struct place_store){ 0 };
}

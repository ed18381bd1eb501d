/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_open.c - let a named address through to the gate, while the jail runs
 *
 * Theory
 *
 * The sets live in the jail's namespace; the keeper, outside, holds a netlink
 * socket that was made there and is the owner of the namespace's user
 * namespace, which is the right that the kernel asks for.  A change is one
 * batch: if it fails, the name must not be answered.
 */
#include <netinet/in.h>		/* before linux/netfilter.h, which has the same types else */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "jail/batch.h"
#include "jail/link.h"

#define ELEMENT_BYTES 48	/* nest, key, data and an IPv6 key of 24 */
#define BATCH_BYTES (4 * LINK_ELEMENTS_MAX * ELEMENT_BYTES + 1024)

/* A key of type address . inet_proto . inet_service: each part padded to four bytes */
struct key {
	uint8_t	b[24];
	size_t	len;
};

static struct key key_of(const struct addr *a, const struct port_range *r, unsigned port)
{
	bool v4 = addr_is_v4(a);
	struct key k = { .len = v4 ? 4 : 16 };

	memcpy(k.b, v4 ? a->b + 12 : a->b, k.len);
	if (!r)
		return k;
	k.b[k.len] = r->transport == TRANSPORT_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	k.b[k.len + 4] = (uint8_t)(port >> 8);
	k.b[k.len + 5] = (uint8_t)port;
	k.len += 8;
	return k;
}

static void put_key(struct nlmsghdr *h, const struct key *k)
{
	struct nlattr *element = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	struct nlattr *key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);

	mnl_attr_put(h, NFTA_DATA_VALUE, k->len, k->b);
	mnl_attr_nest_end(h, key);
	mnl_attr_nest_end(h, element);
}

/* Elements of one set that come or go: @ranges, or the address alone */
static void put_set(struct batch *b, int what, const char *set, const struct addr *a,
		      const struct port_range *ranges, size_t count)
{
	uint16_t create = what == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0;
	struct nlmsghdr *h = batch_add(b, what, create);
	struct nlattr *list;
	struct key k;

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, "sluice");
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	if (!ranges) {
		k = key_of(a, NULL, 0);
		put_key(h, &k);
	}
	for (size_t i = 0; ranges && i < count; i++) {
		for (unsigned port = ranges[i].first; port <= ranges[i].last; port++) {
			k = key_of(a, &ranges[i], port);
			put_key(h, &k);
		}
	}
	mnl_attr_nest_end(h, list);
	batch_added(b, h);
}

/* Would one element a port be too many? */
static bool is_whole(const struct link_batch *l)
{
	size_t elements = 0;

	for (size_t i = 0; i < l->range_count && !l->all_ports; i++) {
		size_t wide = (size_t)l->ranges[i].last - l->ranges[i].first + 1;

		if (l->ranges[i].last < l->ranges[i].first || wide > LINK_PORTS_MAX)
			return true;
		elements += wide;
	}
	return l->all_ports || elements > LINK_ELEMENTS_MAX;
}

/* What one name has in the sets */
static void put_name(struct batch *b, int what, const struct link_batch *l)
{
	bool whole = is_whole(l);
	const struct port_range *ranges = whole ? NULL : l->ranges;

	if (!whole && l->range_count == 0)
		return;
	put_set(b, what, whole ? "any4" : "open4", &l->addr4, ranges, l->range_count);
	put_set(b, what, whole ? "any6" : "open6", &l->addr6, ranges, l->range_count);
}

int link_change(int nft_fd, const struct link_batch *before, const struct link_batch *after)
{
	char bytes[BATCH_BYTES] __attribute__((aligned(8)));
	struct batch b;

	batch_begin(&b, bytes, sizeof(bytes), NFPROTO_INET);
	if (before)
		put_name(&b, NFT_MSG_DELSETELEM, before);
	put_name(&b, NFT_MSG_NEWSETELEM, after);
	return batch_send(&b, nft_fd);
}

int link_open(int nft_fd, const struct link_batch *l)
{
	return link_change(nft_fd, NULL, l);
}

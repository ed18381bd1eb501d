/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ranges.h - what kind of address it is: the IANA special-purpose registries,
 * multicast, and the metadata services of clouds
 */
#ifndef SLUICE_POLICY_RANGES_H
#define SLUICE_POLICY_RANGES_H

#include "base/addr.h"

#define ADDR_INSIDE_MAX 2	/* IPv4 addresses that one IPv6 address may carry */

enum range_kind {
	RANGE_PUBLIC,		/* globally reachable */
	RANGE_SPECIAL,		/* not, or the registry says nothing */
	/* those from here on need an ip rule, always */
	RANGE_LOOPBACK,		/* the unspecified address too: it connects to this host */
	RANGE_MULTICAST,	/* and broadcast */
	RANGE_METADATA,
};

struct range {
	struct net	 net;
	enum range_kind	 kind;
	const char	*name;
	const char	*rfc;	/* "" for metadata services */
};

/* The most specific range that holds @a; there always is one */
const struct range *range_of(const struct addr *a);

/* Does @n reach into anything that is not public? */
bool range_touches_special(const struct net *n);

/*
 * addr_inside() - the IPv4 addresses that an IPv6 address carries
 *
 * NAT64, 6to4, Teredo, IPv4-compatible and IPv4-translated forms.  (A mapped
 * address is the IPv4 address already, see addr.h.)
 * Return: how many.
 */
unsigned addr_inside(const struct addr *a, struct addr ret_inner[ADDR_INSIDE_MAX]);

/* All rows, for tests and for showing */
size_t range_count(void);
const struct range *range_at(size_t i);

#endif

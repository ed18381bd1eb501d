/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - the jail's network: addresses, routes, ruleset */
#ifndef SLUICE_JAIL_LINK_H
#define SLUICE_JAIL_LINK_H

#include "base/buf.h"
#include "jail/jail.h"

#define LINK_RULESET_MAX (8u << 20) /* bytes of the ruleset's text; 100,000 ip rules */
#define LINK_COUNTER_IN "received"	/* names of the counters: as the agent sees it */
#define LINK_COUNTER_OUT "sent"
#define LINK_COUNTER_REFUSED "refused"
#define LINK_COUNTER_FORGED "forged"	/* in the tables of guest.c and uplink.c */
#define LINK_COUNTER_BEYOND "beyond"	/* guest.c */
#define LINK_PORTS_MAX 16	/* ports of a range that become elements one by one */
#define LINK_ELEMENTS_MAX 256	/* of one link_open(); beyond it the address is opened whole */

/* An allowed ip rule; @port_count 0: never (an allow rule has ports) */
struct link_net {
	struct net		 net;
	const struct port_range	*ports;
	size_t			 port_count;
};

/* What the ruleset depends on */
struct link_rules {
	struct net		 pool4, pool6;
	bool			 open_all;	/* refuse nothing before the gate judged it */
	bool			 counts;	/* packets: link_count() */
	bool			 anew;		/* in the place of those that stand, if any do */
	const struct link_net	*nets;
	size_t			 net_count;
	const struct jail_guest	*guest;		/* NULL: lo is the way in */
	const struct port_map	*publish;	/* what of a guest's is reached from the host */
	size_t			 publish_count;
};

/*
 * link_ruleset() - the text for nft -f
 *
 * Pure; see link.c for what it says and why.
 */
void link_ruleset(const struct link_rules *rules, struct buf *to);

/* link_nets() - the text that replaces the allowed networks of a ruleset that stands */
void link_nets(const struct link_rules *rules, struct buf *to);

/*
 * link_up() - the jail's addresses on lo, and every other address made local
 * @pool6:	NULL: no IPv6
 * @behind:	where a more specific route, of another interface, comes first (guest.c)
 *
 * Called in the jail's namespaces, after namespace_wait_lo().
 */
bool link_up(const struct net *pool4, const struct net *pool6, bool behind, struct err *err);

#endif

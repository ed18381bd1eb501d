/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink.h - a container that stays on an engine's internal network, among its peers
 *
 * It has an interface of its own there, the uplink: one end of a veth whose other end, the port, is on a
 * bridge of this machine.  Two walls of rules, see uplink.c: one in the container's namespace, one around
 * the port.
 */
#ifndef SLUICE_JAIL_UPLINK_H
#define SLUICE_JAIL_UPLINK_H

#include <net/if.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "policy/policy.h"

#define UPLINK_MAC_TEXT_MAX 18
#define UPLINK_GATEWAYS_MAX 8		/* addresses of the bridge on one network */
#define UPLINK_DENIED_MAX 64
#define UPLINK_RULES_MAX 65536		/* bytes of either text */

struct jail_uplink {
	char		 link[IFNAMSIZ];	/* its name in the namespace */
	char		 mac[UPLINK_MAC_TEXT_MAX];
	struct addr	 own;			/* IPv4 */
	struct net	 subnet;
	char		 port[IFNAMSIZ], bridge[IFNAMSIZ];	/* on this machine */
	char		 bridge_mac[UPLINK_MAC_TEXT_MAX];
	struct addr	 gateway[UPLINK_GATEWAYS_MAX];	/* the bridge's own, in the subnet */
	size_t		 gateway_count;
	const struct net *peers;		/* the policy's */
	size_t		 peer_count;
	struct net	 denied[UPLINK_DENIED_MAX];	/* of them not these, on whatever port */
	size_t		 denied_count;
	bool		 names;			/* the engine's DNS may be asked for single labels */
	const char	*session;		/* by whose name the port's wall is called */
};

/*
 * uplink_look() - what the namespace @net is connected to
 *
 * It must have one interface but lo: a veth whose other end is on a bridge here, with one IPv4
 * address.  A route out of it proves nothing, Docker makes one on internal networks too.  Return: false and @err: something else, or it can't be told.
 * *@ret_bare: it has none; then nothing else is set.
 */
bool uplink_look(int net, struct jail_uplink *ret, bool *ret_bare, struct err *err);

/*
 * uplink_judge() - take peers and what is denied of them from a policy; @p must live on.  Pure.
 *
 * Return: false and @err: it is of another mode, says what these rules can't, or the container's own
 * address is none of its peers.
 */
bool uplink_judge(struct jail_uplink *u, const struct policy *p, struct err *err);

/* uplink_shut() - nothing goes in or out of the namespace @net until it is held */
bool uplink_shut(int net, struct err *err);

/* What nft is told in the namespace: pure */
void uplink_rules_inside(const struct jail_uplink *u, struct buf *to);

/* And on this machine, around the port: pure.  @open: else no peer is reached */
void uplink_rules_port(const struct jail_uplink *u, bool open, struct buf *to);

/* uplink_raise() - put up the wall around the port, in the place of one that is there */
bool uplink_raise(const struct jail_uplink *u, struct err *err);

/* uplink_stands() - is there a wall of @session's around a port that is there? */
bool uplink_stands(const char *session);

/* uplink_close() - no peer is reached any more through the port of @session, if there is one */
void uplink_close(const char *session);

/*
 * uplink_remove() - the port itself, if it is still there, and then its wall
 *
 * What lives on at the other end has no network from then on.
 */
void uplink_remove(const char *session);

#endif

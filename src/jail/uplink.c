/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink.c - the walls around a container that stays on an engine's network
 *
 * Theory
 *
 * The bridge of an engine's network leads to everybody on it, to the machine behind its address, and
 * from there on.  The container is to reach its peers there, by address and by the names of the engine's
 * DNS, and nothing else.
 *
 *  - The wall that holds is around the port, the machine's end of the container's veth: at the device's
 *    ingress, before the bridge sees a frame, and out of reach for whatever rights the container has.
 *    From its own MAC and address to a peer's address on the same network, or ARP that says just that; no
 *    frame for the bridge itself, so none for the machine or through it; no IPv6.  At its egress the same
 *    the other way round.  The other ports' own MACs are the machine's too: what is its address, now or
 *    later, is left out by the kernel's own word (fib).
 *  - It is open only while keeper and gate live: the kernel shuts it with their death (deadman.h).
 *  - The rules in the namespace are the ones that tell: what they refuse is refused at once and logged
 *    (nfnetlink_log is of a namespace), as is the first packet to a peer.  Who could change them (CAP_NET_ADMIN)
 *    is not started.
 *  - The engine's DNS at 127.0.0.11 is a socket of the engine's in the namespace.  What is no name of a
 *    container it may forward to the machine's name server, in the machine's network: a way out.  So it
 *    hears only questions for one label: those are its containers' names, and no name of
 *    anybody's zone is one.  The check stands at input, behind the engine's own address translation: all
 *    that reaches the socket passes it, from packet sockets on lo too.  Names with dots are not answered.
 *  - Where the engine would ask the machine's own loopback it is not asked at all (uplink.names).
 */
#include "jail/uplink.h"

#include <assert.h>
#include <string.h>

#include "jail/deadman.h"
#include "jail/link.h"
#include "jail/sockets.h"
#include "policy/talk.h"

#define ENGINE_DNS "127.0.0.11"
#define LABEL_MAX 63

/* What stands at the head of the port's chains: nobody is reached unless keeper and gate live */
#define ALIVE "\t\tmeta mark & 3 != 3 drop\n\t\tmeta mark set 0\n"
static_assert(DEADMAN_ALL == 3, "ALIVE says so");

static void put_set(const struct jail_uplink *u, bool open, struct buf *to)
{
	const char *before = " elements = { ";
	char text[NET_TEXT_MAX];

	buf_add_str(to, "\tset peers { type ipv4_addr; flags interval; auto-merge;");
	for (size_t i = 0; open && i < u->peer_count; i++) {
		if (u->peers[i].bits < 96 || !addr_is_v4(&u->peers[i].base))
			continue;
		buf_printf(to, "%s%s", before, net_text(&u->peers[i], text));
		before = ", ";
	}
	buf_add_str(to, before[0] == ',' ? " }; }\n" : " }\n");
}

/* A deny rule narrows, and says so of every port: stricter than it may be meant, never wider */
static bool take_denied(struct jail_uplink *u, const struct rule_view *r, struct err *err)
{
	if (r->allow || r->ceiling || (!r->is_net && !r->list))
		return true;
	if (r->list && strcmp(r->list, "ip_list") != 0)
		return true;
	if (!r->is_net)
		return err_set(err, "%s: ip_list %s: not on an engine's network (deny networks one by one)",
			       r->id, r->host);
	if (r->net.bits < 96 || !addr_is_v4(&r->net.base))
		return true;
	if (u->denied_count == UPLINK_DENIED_MAX)
		return err_set(err, "more than %d denied networks on an engine's network", UPLINK_DENIED_MAX);
	u->denied[u->denied_count++] = r->net;
	return true;
}

static bool has(const struct net *nets, size_t count, const struct addr *a)
{
	for (size_t i = 0; i < count; i++)
		if (net_has(&nets[i], a))
			return true;
	return false;
}

bool uplink_judge(struct jail_uplink *u, const struct policy *p, struct err *err)
{
	struct policy_settings settings = policy_settings(p);
	char text[ADDR_TEXT_MAX];

	if (policy_mode(p) != MODE_INTERNAL)
		return err_set(err, "mode %s: the container has %s, a way out beside the gate (--network none, or "
			       "a policy of mode internal)", mode_name(policy_mode(p)), u->link);
	u->peers = settings.peers;
	u->peer_count = settings.peer_sure;
	u->denied_count = 0;
	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		struct rule_view r = policy_rule(p, i);

		if (!take_denied(u, &r, err))
			return false;
	}
	return has(u->peers, u->peer_count, &u->own) ||
	       err_set(err, "the container's address %s is none of the policy's peers", addr_text(&u->own, text));
}

/* Its own address, the machine's on the network, and those that mean everybody */
static void put_others(const struct jail_uplink *u, struct buf *to)
{
	uint32_t base = addr_v4_value(&u->subnet.base), size = 1u << (128 - u->subnet.bits);
	struct addr first = addr_v4(base), last = addr_v4(base + size - 1);
	char text[ADDR_TEXT_MAX], net[NET_TEXT_MAX];

	buf_printf(to, "{ %s", addr_text(&u->own, text));
	buf_printf(to, ", %s", addr_text(&first, text));
	if (!addr_eq(&first, &last))
		buf_printf(to, ", %s", addr_text(&last, text));
	for (size_t i = 0; i < u->gateway_count; i++)
		buf_printf(to, ", %s", addr_text(&u->gateway[i], text));
	for (size_t i = 0; i < u->denied_count; i++)
		buf_printf(to, ", %s", net_text(&u->denied[i], net));
	buf_add_str(to, " }");
}

static void put_peer(const struct jail_uplink *u, const char *field, struct buf *to)
{
	char text[NET_TEXT_MAX];

	buf_printf(to, "%s %s %s != ", field, net_text(&u->subnet, text), field);
	put_others(u, to);
	buf_printf(to, " %s @peers", field);
}

/* One question for a name of one label, and no more than that */
static void put_names(const struct jail_uplink *u, struct buf *to)
{
	buf_add_str(to, "\tchain names {\n");
	if (u->names) {
		buf_add_str(to,
			    "\t\tmeta l4proto != udp goto refuse\n"
			    "\t\t@th,80,16 & 0xf800 != 0 goto refuse\n"
			    "\t\t@th,96,16 != 1 goto refuse\n"
			    "\t\t@th,112,32 != 0 goto refuse\n");
		for (unsigned len = 1; len <= LABEL_MAX; len++)
			buf_printf(to, "\t\t@th,160,8 %u @th,%u,8 0 accept\n", len, 168 + 8 * len);
	}
	buf_add_str(to, "\t\tgoto refuse\n\t}\n");
}

void uplink_rules_inside(const struct jail_uplink *u, struct buf *to)
{
	buf_add_str(to, "table inet sluice { }\ndelete table inet sluice\ntable inet sluice {\n");
	put_set(u, true, to);
	buf_printf(to,
		   "\tchain refuse {\n"
		   "\t\tlog group %d prefix \"sluice\"\n"
		   "\t\tmeta l4proto tcp reject with tcp reset\n"
		   "\t\tmeta l4proto { icmp, icmpv6 } reject with icmpx admin-prohibited\n"
		   "\t\treject with icmpx port-unreachable\n"
		   "\t}\n", NFLOG_GROUP);
	put_names(u, to);
	buf_printf(to,
		   "\tchain out {\n"
		   "\t\ttype filter hook output priority mangle; policy drop;\n"
		   "\t\toifname \"lo\" accept\n"
		   "\t\toifname != \"%s\" goto refuse\n\t\t", u->link);
	put_peer(u, "ip daddr", to);
	buf_printf(to, " ct state established,related accept\n\t\t");
	put_peer(u, "ip daddr", to);
	buf_printf(to, " log group %d prefix \"" TALK_PASSED "\" accept\n"
		   "\t\tgoto refuse\n"
		   "\t}\n", NFLOG_GROUP);
	buf_printf(to,
		   "\tchain in {\n"
		   "\t\ttype filter hook input priority mangle; policy drop;\n"
		   "\t\tip daddr " ENGINE_DNS " goto names\n"
		   "\t\tiifname \"lo\" accept\n"
		   "\t\tiifname \"%s\" ", u->link);
	put_peer(u, "ip saddr", to);
	buf_add_str(to, " accept\n\t}\n"
		    "\tchain on {\n"
		    "\t\ttype filter hook forward priority mangle; policy drop;\n"
		    "\t}\n}\n");
}

/* No mark but what the switches set counts: a peer's port has set one too */
static void put_unmarked(const struct jail_uplink *u, const char *way, const char *hook, struct buf *to)
{
	buf_printf(to, "\tchain un%s {\n\t\ttype filter hook %s device \"%s\" priority %d; policy accept;\n"
		   "\t\tmeta mark set 0\n\t}\n", way, hook, u->port, DEADMAN_BEFORE);
}

void uplink_rules_port(const struct jail_uplink *u, bool open, struct buf *to)
{
	char own[ADDR_TEXT_MAX];

	addr_text(&u->own, own);
	buf_printf(to, "table netdev sluice-%s { }\ndelete table netdev sluice-%s\n"
		   "table netdev sluice-%s {\n", u->session, u->session, u->session);
	put_set(u, open, to);
	put_unmarked(u, "from", "ingress", to);
	put_unmarked(u, "to", "egress", to);
	buf_printf(to,
		   "\tcounter " LINK_COUNTER_FORGED " { }\n"
		   "\tchain forged {\n"
		   "\t\tcounter name " LINK_COUNTER_FORGED " drop\n"
		   "\t}\n"
		   "\tchain from {\n"
		   "\t\ttype filter hook ingress device \"%s\" priority -500; policy drop;\n"
		   ALIVE
		   "\t\tether saddr != %s goto forged\n"
		   "\t\tether type arp arp htype 1 arp ptype ip arp plen 4 arp hlen 6 "
		   "arp saddr ether %s arp saddr ip %s ", u->port, u->mac, u->mac, own);
	put_peer(u, "arp daddr ip", to);
	buf_printf(to, " accept\n"
		   "\t\tether daddr %s goto forged\n"
		   "\t\tether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 goto forged\n"
		   "\t\tfib daddr type != unicast goto forged\n"
		   "\t\tether type ip ip saddr %s ", u->bridge_mac, own);
	put_peer(u, "ip daddr", to);
	buf_printf(to, " accept\n"
		   "\t\tgoto forged\n"
		   "\t}\n"
		   "\tchain to {\n"
		   "\t\ttype filter hook egress device \"%s\" priority -500; policy drop;\n"
		   ALIVE
		   "\t\tether type arp ", u->port);
	put_peer(u, "arp saddr ip", to);
	buf_printf(to, " accept\n"
		   "\t\tether type ip ip daddr %s ", own);
	put_peer(u, "ip saddr", to);
	buf_add_str(to, " accept\n\t}\n}\n");
}

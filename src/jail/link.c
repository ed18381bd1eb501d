/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.c - a network with one interface, where every address is local
 *
 * Theory
 *
 * `local default dev lo` makes the kernel take every address for its own, so a
 * packet to anywhere comes in again through lo's prerouting hook.  There TPROXY
 * gives it to the gate's socket: getsockname() of an accepted connection is the
 * address that the jail asked for.  No conntrack, no NAT, no policy routing.
 *
 *  - The routes name a source address of ours.  Without it IPv4 takes the
 *    destination as the source, and a client whose port happens to be the one
 *    it connects to meets itself.
 *  - What (address, port) may not be reached is refused at the SYN, by sets:
 *    the gate accepts only what it may have to judge, and port scanners, Happy
 *    Eyeballs and `nc -z` see the truth.
 *  - The rejects stand after TPROXY too.  `tproxy` doesn't match when the gate's
 *    socket is gone, so a dead gate looks like a closed port and not like a
 *    hang.
 *  - In prerouting, since a reject in output is EPERM for UDP.
 *  - What the gate sends has the mark, and the rest that is for no address inside is what the
 *    agent sends: two counters stand there, if somebody wants to know (--metrics).
 *  - The mark is a hint, not an authority (root of a container can forge it): a marked packet
 *    still reaches only sockets of this namespace.
 */
#include "jail/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include "jail/guest.h"
#include "jail/routing.h"
#include "jail/sockets.h"
#include "policy/host.h"

static void rules_ports(const struct link_net *n, enum transport t, struct buf *to)
{
	const char *comma = "";

	for (size_t i = 0; i < n->port_count; i++) {
		const struct port_range *r = &n->ports[i];

		if (r->transport != t)
			continue;
		if (r->first == r->last)
			buf_printf(to, "%s%u", comma, r->first);
		else
			buf_printf(to, "%s%u-%u", comma, r->first, r->last);
		comma = ", ";
	}
}

/* nft's text of a network; a mapped one is IPv4 */
static void rules_net(const struct link_net *n, struct buf *to)
{
	static const char *const protocols[] = { [TRANSPORT_TCP] = "tcp", [TRANSPORT_UDP] = "udp" };
	bool v4 = n->net.bits >= 96 && addr_is_v4(&n->net.base);
	char text[NET_TEXT_MAX];

	for (enum transport t = TRANSPORT_TCP; t <= TRANSPORT_UDP; t++) {
		struct buf ports = buf_new(to->max);

		rules_ports(n, t, &ports);
		if (ports.full)
			to->full = true;
		else if (ports.len)
			buf_printf(to, "\t\t%s daddr %s %s dport { " SPAN_FMT " } goto gate\n",
				   v4 ? "ip" : "ip6", net_text(&n->net, text), protocols[t],
				   SPAN_ARG(buf_span(&ports)));
		buf_done(&ports);
	}
}

static void rules_sets(const struct link_rules *r, struct buf *to)
{
	struct addr probe4 = reserved_addr(&r->pool4, RESERVED_PROBE);
	struct addr probe6 = reserved_addr(&r->pool6, RESERVED_PROBE);
	struct addr notice4 = reserved_addr(&r->pool4, RESERVED_NOTICE);
	struct addr notice6 = reserved_addr(&r->pool6, RESERVED_NOTICE);
	char text[ADDR_TEXT_MAX], notice[ADDR_TEXT_MAX];

	buf_add_str(to,
		    "table inet sluice {\n"
		    "\t# what has been named and allowed; the keeper adds to these\n"
		    "\tset any4 { type ipv4_addr; }\n"
		    "\tset any6 { type ipv6_addr; }\n");
	buf_printf(to, "\tset open4 { type ipv4_addr . inet_proto . inet_service; "
		   "elements = { %s . tcp . %d, %s . tcp . %d }; }\n", addr_text(&probe4, text),
		   GATE_PORT, addr_text(&notice4, notice), NOTICE_PORT);
	buf_printf(to, "\tset open6 { type ipv6_addr . inet_proto . inet_service; "
		   "elements = { %s . tcp . %d, %s . tcp . %d }; }\n", addr_text(&probe6, text),
		   GATE_PORT, addr_text(&notice6, notice), NOTICE_PORT);
}

static void rules_gate(const struct link_rules *r, struct buf *to)
{
	struct addr gate4 = reserved_addr(&r->pool4, RESERVED_GATE);
	struct addr gate6 = reserved_addr(&r->pool6, RESERVED_GATE);
	static const char *const protocols[] = { "tcp", "udp" };
	char text4[ADDR_TEXT_MAX], text6[ADDR_TEXT_MAX];

	addr_text(&gate4, text4);
	addr_text(&gate6, text6);
	buf_add_str(to, "\tchain gate {\n");
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		buf_printf(to, "\t\tmeta nfproto ipv4 meta l4proto %s tproxy ip to %s:%d accept\n",
			   protocols[i], text4, GATE_PORT);
		buf_printf(to, "\t\tmeta nfproto ipv6 meta l4proto %s "
			   "tproxy ip6 to [%s]:%d accept\n", protocols[i], text6, GATE_PORT);
	}
	buf_add_str(to, "\t\tgoto refuse\n\t}\n");
}

/* The allowed networks: a chain of their own, since they change when the policy does */
static void rules_nets(const struct link_rules *r, struct buf *to)
{
	buf_add_str(to, "\tchain nets {\n");
	for (size_t i = 0; i < r->net_count; i++)
		rules_net(&r->nets[i], to);
	buf_add_str(to, "\t}\n");
}

void link_nets(const struct link_rules *rules, struct buf *to)
{
	buf_add_str(to, "flush chain inet sluice nets\ntable inet sluice {\n");
	rules_nets(rules, to);
	buf_add_str(to, "}\n");
}

/* What may come in at all */
static void rules_entry(const struct link_rules *r, struct buf *to)
{
	buf_add_str(to, "\tchain pre {\n"
		    "\t\ttype filter hook prerouting priority mangle; policy drop;\n");
	if (r->guest)
		buf_printf(to, "\t\tiifname != { \"lo\", \"%s\" } drop\n"
			   "\t\tiifname \"%s\" jump guest\n", r->guest->link, r->guest->link);
	else
		buf_add_str(to, "\t\tiifname != \"lo\" drop\n");
}

void link_ruleset(const struct link_rules *rules, struct buf *to)
{
	struct addr jail4 = reserved_addr(&rules->pool4, RESERVED_JAIL);
	struct addr jail6 = reserved_addr(&rules->pool6, RESERVED_JAIL);
	char text[ADDR_TEXT_MAX];

	const char *from = rules->guest ? "iifname \"lo\" " : "";

	/* One transaction: nft wants to see it to delete it */
	if (rules->anew)
		buf_add_str(to, "table inet sluice { }\ndelete table inet sluice\n");
	rules_sets(rules, to);
	buf_printf(to,
		   "%s\tchain refuse {\n"
		   "%s\t\tlog group %d prefix \"sluice\"\n"
		   "\t\tmeta l4proto tcp reject with tcp reset\n"
		   "\t\tmeta l4proto { icmp, icmpv6 } reject with icmpx admin-prohibited\n"
		   "\t\treject with icmpx port-unreachable\n"
		   "\t}\n", rules->counts ? "\tcounter " LINK_COUNTER_REFUSED " { }\n" : "",
		   rules->counts ? "\t\tcounter name " LINK_COUNTER_REFUSED "\n" : "", NFLOG_GROUP);
	rules_gate(rules, to);
	rules_nets(rules, to);
	if (rules->counts)
		buf_add_str(to, "\tcounter " LINK_COUNTER_IN " { }\n"
				"\tcounter " LINK_COUNTER_OUT " { }\n");
	if (rules->guest)
		guest_chains(rules, to);
	rules_entry(rules, to);
	buf_printf(to, "\t\t%smeta mark %#x %saccept\n", from, GATE_MARK,
		   rules->counts ? "counter name " LINK_COUNTER_IN " " : "");
	buf_printf(to, "\t\t%sip daddr { 127.0.0.0/8, %s } accept\n", from, addr_text(&jail4, text));
	buf_printf(to, "\t\t%sip6 daddr { ::1, %s } accept\n", from, addr_text(&jail6, text));
	if (rules->counts)
		buf_add_str(to, "\t\tcounter name " LINK_COUNTER_OUT "\n");
	buf_add_str(to,
		    "\t\tmeta l4proto { tcp, udp } th dport 53 goto gate\n"
		    "\t\tip daddr . meta l4proto . th dport @open4 goto gate\n"
		    "\t\tip6 daddr . meta l4proto . th dport @open6 goto gate\n"
		    "\t\tip daddr @any4 goto gate\n"
		    "\t\tip6 daddr @any6 goto gate\n");
	buf_add_str(to, "\t\tjump nets\n");
	buf_printf(to, "\t\tgoto %s\n\t}\n}\n", rules->open_all ? "gate" : "refuse");
	if (rules->guest)
		guest_rules(rules->guest, rules->anew, to);
}

static void routing_family(struct routing *r, const struct addr *own, unsigned lo, bool behind)
{
	bool v4 = addr_is_v4(own);
	struct ifaddrmsg *ifa;
	struct rtmsg *rtm;
	struct nlmsghdr *h = routing_add(r, RTM_NEWADDR, (void **)&ifa, sizeof(*ifa));

	ifa->ifa_family = v4 ? AF_INET : AF_INET6;
	ifa->ifa_prefixlen = v4 ? 32 : 128;
	ifa->ifa_flags = v4 ? 0 : IFA_F_NODAD;
	ifa->ifa_index = lo;
	routing_put_addr(h, IFA_LOCAL, own);
	routing_put_addr(h, IFA_ADDRESS, own);
	routing_end(r, h);

	h = routing_add(r, RTM_NEWROUTE, (void **)&rtm, sizeof(*rtm));
	rtm->rtm_family = v4 ? AF_INET : AF_INET6;
	rtm->rtm_table = behind ? RT_TABLE_MAIN : RT_TABLE_LOCAL;
	rtm->rtm_type = RTN_LOCAL;
	rtm->rtm_scope = RT_SCOPE_HOST;
	rtm->rtm_protocol = RTPROT_STATIC;
	mnl_attr_put_u32(h, RTA_OIF, lo);
	routing_put_addr(h, RTA_PREFSRC, own);
	routing_end(r, h);
}

bool link_up(const struct net *pool4, const struct net *pool6, bool behind, struct err *err)
{
	struct routing r = { .len = 0 };
	unsigned lo = if_nametoindex("lo");
	struct addr own;

	own = reserved_addr(pool4, RESERVED_JAIL);
	routing_family(&r, &own, lo, behind);
	if (pool6) {
		own = reserved_addr(pool6, RESERVED_JAIL);
		routing_family(&r, &own, lo, behind);
	}
	return routing_send(&r, "routes in the jail", err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest.c - the guest's interface takes the place of lo
 *
 * Theory
 *
 * QEMU holds the other end of the tap, so whatever comes out of the tap is the guest's: who it
 * is needs no proof.  The tap stands in a namespace that has nothing else, on no bridge: there is no
 * other guest, no service of the host and no way on.  Every address is local there as in any jail, by
 * a route in table main: in table local it would hide the guest's own network, which is more specific.
 *
 *  - Who it says it is must be true all the same, or the record would tell of somebody else: at the
 *    device's ingress, before anything else sees a frame, what is not from its MAC and address is
 *    dropped and logged.  Only a client that has no address yet may ask DHCP without one.
 *  - IPv6 is off on the link, and dropped: what names are answered with leads there by IPv4 as well.
 *  - The guest's MAC is a permanent neighbour.  It can be told its address before it has it, and
 *    no ARP of its changes where an answer goes.
 *  - Of its own network the guest reaches the gate's DHCP and DNS.  To the rest of that,
 *    and to what is local to the namespace otherwise, it is refused.
 *  - A bound of bandwidth holds for all that the guest says and hears, whatever it is: out of it what
 *    is beyond is dropped first, before anybody looks at it, and into it the kernel's tbf paces.
 *  - What is published begins at the gateway's address, by the porter.  The guest's answers come
 *    from that port and are no first SYN: they meet a socket of the porter's or nobody.
 */
#include "jail/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <inttypes.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "jail/link.h"
#include "jail/routing.h"
#include "jail/sockets.h"
#include "policy/guest.h"

#define MAC_BYTES 6
#define BOUND_MAX (100ull << 30)	/* bytes a second; more is none */
#define BURST_MIN (256u << 10)		/* bytes; QEMU and the kernel hand over 64 kB in one packet.  Out of the
					 * guest nft's limit lets a second's worth pass besides */
#define QUEUE_S 4			/* the queue into the guest holds 1/QUEUE_S seconds, or a burst */

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool mac_bytes(struct span text, uint8_t ret[MAC_BYTES])
{
	if (text.len != GUEST_MAC_TEXT_MAX - 1)
		return false;
	for (size_t i = 0; i < MAC_BYTES; i++) {
		int high = hex(text.at[3 * i]), low = hex(text.at[3 * i + 1]);

		if (high < 0 || low < 0 || (i + 1 < MAC_BYTES && text.at[3 * i + 2] != ':'))
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* As the kernel names them, but for what would mean something to nft */
static bool link_is_valid(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.at[i];

		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
		      c == '_' || c == '.'))
			return false;
	}
	return name.len && name.at[0] != '.' && name.at[0] != '-' && !span_eq(name, SPAN("lo"));
}

/* ",down=BYTES" and ",up=BYTES", each at most once */
static bool bounds_parse(struct span text, struct jail_guest *ret)
{
	while (text.len) {
		struct span word = span_skip(text, 1);
		ssize_t comma = span_find(word, ',');
		uint64_t *bound = NULL;
		size_t key = 0;

		word = span_head(word, comma < 0 ? word.len : (size_t)comma);
		if (span_starts(word, SPAN("down="))) {
			bound = &ret->down;
			key = 5;
		} else if (span_starts(word, SPAN("up="))) {
			bound = &ret->up;
			key = 3;
		}
		if (text.at[0] != ',' || !bound || *bound ||
		    !span_u64(span_skip(word, key), BOUND_MAX, bound) || !*bound)
			return false;
		text = span_skip(text, 1 + word.len);
	}
	return true;
}

bool guest_parse(struct span text, struct jail_guest *ret)
{
	ssize_t eq = span_find(text, '=');
	struct span link = span_head(text, eq < 0 ? 0 : (size_t)eq);
	struct span rest = span_skip(text, eq < 0 ? text.len : (size_t)eq + 1);
	size_t mac = rest.len < GUEST_MAC_TEXT_MAX ? rest.len : GUEST_MAC_TEXT_MAX - 1;
	uint8_t b[MAC_BYTES];

	*ret = (struct jail_guest){ .down = 0 };
	if (eq < 0 || !link_is_valid(link) || !span_copy(link, ret->link, sizeof(ret->link)) ||
	    !mac_bytes(span_head(rest, mac), b) || b[0] & 1 || !bounds_parse(span_skip(rest, mac), ret))
		return false;
	snprintf(ret->mac, sizeof(ret->mac), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
		 b[4], b[5]);
	return true;
}

void guest_rules(const struct jail_guest *g, bool anew, struct buf *to)
{
	if (anew)
		buf_add_str(to, "table netdev sluice { }\ndelete table netdev sluice\n");
	buf_printf(to,
		   "table netdev sluice {\n"
		   "\tcounter " LINK_COUNTER_FORGED " { }\n"
		   "\tcounter " LINK_COUNTER_BEYOND " { }\n"
		   "\tchain forged {\n"
		   "\t\tcounter name " LINK_COUNTER_FORGED "\n"
		   "\t\tlog group %d prefix \"sluice\" drop\n"
		   "\t}\n"
		   "\tchain guest {\n"
		   "\t\ttype filter hook ingress device \"%s\" priority -500; policy drop;\n",
		   NFLOG_GROUP, g->link);
	if (g->up)
		buf_printf(to, "\t\tlimit rate over %" PRIu64 " bytes/second burst %" PRIu64 " bytes "
			   "counter name " LINK_COUNTER_BEYOND " drop\n", g->up, (uint64_t)BURST_MIN);
	buf_printf(to,
		   "\t\tether saddr != %s goto forged\n"
		   "\t\tether type arp arp htype 1 arp ptype ip arp saddr ether %s "
		   "arp saddr ip { " GUEST_ADDRESS ", 0.0.0.0 } accept\n"
		   "\t\tether type ip ip saddr " GUEST_ADDRESS " accept\n"
		   "\t\tether type ip ip saddr 0.0.0.0 ip daddr 255.255.255.255 "
		   "udp sport 68 udp dport 67 accept\n"
		   "\t\tgoto forged\n"
		   "\t}\n}\n", g->mac, g->mac);
}

void guest_chains(const struct link_rules *rules, struct buf *to)
{
	buf_add_str(to,
		    "\tchain guest {\n"
		    "\t\tip daddr { 255.255.255.255, " GUEST_GATEWAY " } udp sport 68 udp dport 67 goto gate\n"
		    "\t\tmeta l4proto { tcp, udp } th dport 53 goto gate\n");
	for (size_t i = 0; i < rules->publish_count; i++)
		buf_printf(to, "\t\tip daddr " GUEST_GATEWAY " tcp sport %u "
			   "tcp flags & (syn | ack) != syn accept\n", rules->publish[i].inside);
	buf_add_str(to,
		    "\t\tip daddr { 127.0.0.0/8, " GUEST_NET ", 224.0.0.0/4, 255.255.255.255 } "
		    "goto refuse\n"
		    "\t}\n");
	if (rules->counts)
		buf_printf(to, "\tchain post {\n"
			   "\t\ttype filter hook postrouting priority mangle;\n"
			   "\t\toifname \"%s\" counter name " LINK_COUNTER_IN "\n"
			   "\t}\n", rules->guest->link);
}

/* ---- the interface ---- */

static bool ipv6_off(const char *link, struct err *err)
{
	char path[96];
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", link);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return true;		/* a kernel without it */
	return (fd >= 0 && write(fd, "1", 1) == 1) || err_sys(err, errno, "%s", path);
}

static void add_link_up(struct routing *r, int index)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *h = routing_add(r, RTM_NEWLINK, (void **)&ifi, sizeof(*ifi));

	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	ifi->ifi_index = index;
	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	routing_end(r, h);
}

static void add_address(struct routing *r, int index)
{
	struct addr gateway;
	struct ifaddrmsg *ifa;
	struct nlmsghdr *h = routing_add(r, RTM_NEWADDR, (void **)&ifa, sizeof(*ifa));

	addr_parse(SPAN(GUEST_GATEWAY), &gateway);
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = GUEST_NET_BITS;
	ifa->ifa_index = (uint32_t)index;
	routing_put_addr(h, IFA_LOCAL, &gateway);
	routing_put_addr(h, IFA_ADDRESS, &gateway);
	routing_end(r, h);
}

/* Or an answer to a client without an address would be for ourselves */
static void add_broadcast(struct routing *r, int index)
{
	struct addr everybody = addr_v4(UINT32_MAX);
	struct rtmsg *rtm;
	struct nlmsghdr *h = routing_add(r, RTM_NEWROUTE, (void **)&rtm, sizeof(*rtm));

	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = 32;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_type = RTN_BROADCAST;
	rtm->rtm_scope = RT_SCOPE_LINK;
	rtm->rtm_protocol = RTPROT_STATIC;
	routing_put_addr(h, RTA_DST, &everybody);
	mnl_attr_put_u32(h, RTA_OIF, (uint32_t)index);
	routing_end(r, h);
}

static void add_neighbour(struct routing *r, int index, const char *mac)
{
	struct addr guest;
	uint8_t bytes[MAC_BYTES] = { 0 };
	struct ndmsg *nd;
	struct nlmsghdr *h = routing_add(r, RTM_NEWNEIGH, (void **)&nd, sizeof(*nd));

	addr_parse(SPAN(GUEST_ADDRESS), &guest);
	mac_bytes(span_str(mac), bytes);
	nd->ndm_family = AF_INET;
	nd->ndm_ifindex = index;
	nd->ndm_state = NUD_PERMANENT;
	routing_put_addr(h, NDA_DST, &guest);
	mnl_attr_put(h, NDA_LLADDR, sizeof(bytes), bytes);
	routing_end(r, h);
}

/* tc-tbf(8), by its netlink form */
static void add_pace(struct routing *r, int index, uint64_t rate)
{
	uint64_t room = rate / QUEUE_S > BURST_MIN ? rate / QUEUE_S : BURST_MIN;
	struct tc_tbf_qopt o = {
		.rate = { .rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate,
			  .linklayer = TC_LINKLAYER_ETHERNET },
		.limit = room > UINT32_MAX ? UINT32_MAX : (uint32_t)room,
	};
	struct nlattr *options;
	struct tcmsg *tc;
	struct nlmsghdr *h = routing_add(r, RTM_NEWQDISC, (void **)&tc, sizeof(*tc));

	tc->tcm_ifindex = index;
	tc->tcm_parent = TC_H_ROOT;
	tc->tcm_handle = 1u << 16;
	mnl_attr_put_strz(h, TCA_KIND, "tbf");
	options = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put(h, TCA_TBF_PARMS, sizeof(o), &o);
	mnl_attr_put_u32(h, TCA_TBF_BURST, BURST_MIN / 4);
	if (rate > UINT32_MAX)
		mnl_attr_put_u64(h, TCA_TBF_RATE64, rate);
	mnl_attr_nest_end(h, options);
	routing_end(r, h);
}

bool guest_pace(const char *link, uint64_t rate, struct err *err)
{
	struct routing r = { .len = 0 };

	add_pace(&r, (int)if_nametoindex(link), rate);
	return routing_send(&r, link, err);
}

bool guest_up(const struct jail_guest *g, struct err *err)
{
	int index = (int)if_nametoindex(g->link);
	struct routing r = { .len = 0 };

	if (!index)
		return err_sys(err, errno, "%s", g->link);
	if (!ipv6_off(g->link, err))
		return false;
	add_link_up(&r, index);
	add_address(&r, index);
	add_broadcast(&r, index);
	add_neighbour(&r, index, g->mac);
	if (g->down)
		add_pace(&r, index, g->down);
	return routing_send(&r, g->link, err);
}

bool guest_move(const char *link, int net, struct err *err)
{
	int index = (int)if_nametoindex(link);
	struct routing r = { .len = 0 };
	struct ifinfomsg *ifi;
	struct nlmsghdr *h;

	if (!index)
		return err_sys(err, errno, "%s", link);
	h = routing_add(&r, RTM_NEWLINK, (void **)&ifi, sizeof(*ifi));
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	ifi->ifi_index = index;
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)net);
	routing_end(&r, h);
	return routing_send(&r, link, err);
}

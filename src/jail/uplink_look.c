/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uplink_look.c - find the port of a container's interface, by the kernel's word; raise and remove walls
 *
 * The namespace is looked at by a process of its own that enters it.  That both ends of a veth name each
 * other's number is what proves which port is the container's: names prove nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "jail/acks.h"
#include "jail/interfaces.h"
#include "jail/namespace.h"
#include "jail/nft.h"
#include "jail/routing.h"
#include "jail/spawn.h"
#include "jail/uplink.h"

#define ANSWER_BYTES 32768

/* An interface, as RTM_GETLINK tells */
struct device {
	int	index, pair, master;	/* 0: none */
	char	name[IFNAMSIZ], kind[32], mac[UPLINK_MAC_TEXT_MAX];
	bool	elsewhere;		/* its pair is in another namespace */
};

static int take_kind(const struct nlattr *a, void *arg)
{
	struct device *d = arg;

	if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
		snprintf(d->kind, sizeof(d->kind), "%.*s", mnl_attr_get_payload_len(a), mnl_attr_get_str(a));
	return MNL_CB_OK;
}

static int take_attribute(const struct nlattr *a, void *arg)
{
	const uint8_t *b = mnl_attr_get_payload(a);
	struct device *d = arg;

	switch (mnl_attr_get_type(a)) {
	case IFLA_IFNAME:
		snprintf(d->name, sizeof(d->name), "%.*s", mnl_attr_get_payload_len(a), mnl_attr_get_str(a));
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(a) == 6)
			snprintf(d->mac, sizeof(d->mac), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2],
				 b[3], b[4], b[5]);
		break;
	case IFLA_LINK:
		d->pair = (int)mnl_attr_get_u32(a);
		break;
	case IFLA_MASTER:
		d->master = (int)mnl_attr_get_u32(a);
		break;
	case IFLA_LINK_NETNSID:
		d->elsewhere = true;
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(a, take_kind, d);
	default:
		break;
	}
	return MNL_CB_OK;
}

struct devices {
	struct device	at[2];		/* that lead out: one, and one too many */
	size_t		count;
};

static int take_link(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	struct devices *all = arg;
	struct device d = { 0 };
	char name[IFNAMSIZ];

	if (interface_read(h, name) < INTERFACE_NOWHERE)
		return MNL_CB_OK;
	if (h->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(h) < sizeof(*ifi) ||
	    mnl_attr_parse(h, sizeof(*ifi), take_attribute, &d) < 0)
		return MNL_CB_ERROR;
	d.index = ifi->ifi_index;
	if (all->count < ARRAY_SIZE(all->at))
		all->at[all->count++] = d;
	return MNL_CB_OK;
}

/* All of them, or that of the number @index.  Return: 0 or negative errno */
static int links(int index, struct devices *ret)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const struct timeval limit = { .tv_sec = ACK_LIMIT_MS / 1000 };
	char bytes[ANSWER_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct ifinfomsg *ifi;
	int r = MNL_CB_OK;

	ret->count = 0;
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (index ? 0 : NLM_F_DUMP));
	h->nlmsg_seq = 1;
	ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = index;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	do {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n < 0)
			return -errno;
		r = mnl_cb_run(bytes, (size_t)n, 1, 0, take_link, ret);
	} while (r == MNL_CB_OK && !index);
	return r < 0 ? -errno : 0;
}

/* ---- in the namespace ---- */

/* Up to the first; a second one of the interface is refused */
static bool take_address(struct jail_uplink *u, struct err *err)
{
	struct ifaddrs *all, *i;
	size_t count = 0;
	uint16_t port;

	if (getifaddrs(&all))
		return err_sys(err, errno, "addresses of the namespace");
	for (i = all; i; i = i->ifa_next) {
		const struct sockaddr_in *mask = (const void *)i->ifa_netmask;

		if (strcmp(i->ifa_name, u->link) != 0 || !i->ifa_addr || i->ifa_addr->sa_family != AF_INET ||
		    !mask)
			continue;
		count++;
		addr_from_sockaddr(i->ifa_addr, sizeof(struct sockaddr_in), &u->own, &port);
		u->subnet.bits = (uint8_t)(96 + __builtin_popcount(mask->sin_addr.s_addr));
		u->subnet.base = addr_v4(addr_v4_value(&u->own) & ntohl(mask->sin_addr.s_addr));
	}
	freeifaddrs(all);
	return count == 1 || err_set(err, "%s of the container has %s IPv4 address (one network, one address)",
				     u->link, count ? "more than one" : "no");
}

/* What the process in there finds */
struct inside {
	bool			ok, bare;
	struct err		err;
	struct device		device;
	struct jail_uplink	uplink;
};

static bool see(int net, struct inside *s)
{
	struct devices all;
	const struct device *d = all.at;
	int r;

	if (!namespace_enter(net, &s->err))
		return false;
	r = links(0, &all);
	if (r < 0)
		return err_sys(&s->err, -r, "interfaces of the namespace");
	if (all.count > 1)
		return err_set(&s->err, "the container has %s and %s (one network)", d->name, all.at[1].name);
	s->bare = !all.count;
	if (s->bare)
		return true;
	s->device = *d;
	memcpy(s->uplink.link, d->name, IFNAMSIZ);
	memcpy(s->uplink.mac, d->mac, sizeof(d->mac));
	if (strcmp(d->kind, "veth") != 0 || !d->elsewhere || !d->mac[0])
		return err_set(&s->err, "%s of the container is no veth of a bridge", d->name);
	return take_address(&s->uplink, &s->err);
}

/* @work is done by a process of its own, which enters the namespace @net */
static bool inside(int net, bool (*work)(int net, struct inside *s), struct inside *ret, struct err *err)
{
	int p[2];
	ssize_t n = -1;
	pid_t pid;

	*ret = (struct inside){ .ok = false };
	if (pipe2(p, O_CLOEXEC))
		return err_sys(err, errno, "pipe");
	pid = fork();
	if (pid == 0) {
		ret->ok = work(net, ret);
		_exit(write(p[1], ret, sizeof(*ret)) != sizeof(*ret));
	}
	close(p[1]);
	if (pid > 0) {
		n = read(p[0], ret, sizeof(*ret));	/* less than PIPE_BUF: whole */
		waitpid(pid, NULL, 0);
	}
	close(p[0]);
	if (n != sizeof(*ret))
		return err_set(err, "the namespace: its process has died");
	return ret->ok || err_set(err, "%s", ret->err.text);
}

/* ---- on this machine ---- */

static bool take_gateways(struct jail_uplink *u, struct err *err)
{
	struct ifaddrs *all, *i;
	struct addr a;
	uint16_t port;

	if (getifaddrs(&all))
		return err_sys(err, errno, "addresses of the machine");
	for (i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET ||
		    !addr_from_sockaddr(i->ifa_addr, sizeof(struct sockaddr_in), &a, &port) ||
		    !net_has(&u->subnet, &a))
			continue;
		if (u->gateway_count == UPLINK_GATEWAYS_MAX) {
			freeifaddrs(all);
			return err_set(err, "%s: more than %d addresses", u->bridge, UPLINK_GATEWAYS_MAX);
		}
		u->gateway[u->gateway_count++] = a;
	}
	freeifaddrs(all);
	return true;
}

bool uplink_look(int net, struct jail_uplink *ret, bool *ret_bare, struct err *err)
{
	struct devices port, bridge;
	struct inside seen;

	if (!inside(net, see, &seen, err))
		return false;
	*ret_bare = seen.bare;
	if (seen.bare)
		return true;
	*ret = seen.uplink;
	if (links(seen.device.pair, &port) || port.count != 1 || port.at[0].pair != seen.device.index ||
	    strcmp(port.at[0].kind, "veth") != 0 || !port.at[0].elsewhere)
		return err_set(err, "%s of the container leads to no interface of this machine", ret->link);
	memcpy(ret->port, port.at[0].name, IFNAMSIZ);
	if (!port.at[0].master || links(port.at[0].master, &bridge) || bridge.count != 1 ||
	    strcmp(bridge.at[0].kind, "bridge") != 0 || !bridge.at[0].mac[0])
		return err_set(err, "%s is on no bridge (an engine's network of driver bridge)", ret->port);
	memcpy(ret->bridge, bridge.at[0].name, IFNAMSIZ);
	memcpy(ret->bridge_mac, bridge.at[0].mac, sizeof(ret->bridge_mac));
	return take_gateways(ret, err);
}

/* ---- the wall around the port ---- */

static bool load(struct span text, struct err *err)
{
	AUTO_CLOSE int fd = spawn_memfd("port", text.at, text.len);
	struct nft nft = { .says = -1 };

	if (fd < 0 || !nft_find())
		return err_set(err, "nft: cannot be run (install nftables)");
	return nft_start(nft_find(), fd, false, &nft, err) && nft_wait(&nft, err);
}

static bool shut(int net, struct inside *s)
{
	static const char text[] = "table inet sluice {\n"
		"\tchain shut_in { type filter hook prerouting priority -500; policy drop; }\n"
		"\tchain shut_out { type filter hook output priority -500; policy drop; }\n}\n";

	return namespace_enter(net, &s->err) && load(SPAN(text), &s->err);
}

bool uplink_shut(int net, struct err *err)
{
	struct err why = { "" };
	struct inside s;

	return inside(net, shut, &s, &why) || err_set(err, "the namespace cannot be shut: %s", why.text);
}

bool uplink_raise(const struct jail_uplink *u, struct err *err)
{
	struct buf text = buf_new(UPLINK_RULES_MAX);
	struct err why = { "" };
	bool ok;

	uplink_rules_port(u, true, &text);
	ok = text.full ? err_set(&why, "too many peers") : load(buf_span(&text), &why);
	buf_done(&text);
	return ok || err_set(err, "the wall around %s: %s", u->port, why.text);
}

/* Tell nft @script; what it says, to @ret_says */
static bool tell(const struct buf *script, struct buf *ret_says)
{
	AUTO_CLOSE int fd = script->full ? -1 : spawn_memfd("port", script->at, script->len);
	AUTO_CLOSE int says = -1;
	struct nft nft = { .says = -1 };
	struct err err = { "" };
	char bytes[1024];
	off_t at = 0;
	ssize_t n;

	if (fd < 0 || !nft_find() || !nft_start(nft_find(), fd, false, &nft, &err))
		return false;
	says = fcntl(nft.says, F_DUPFD_CLOEXEC, 3);
	if (!nft_wait(&nft, &err) || says < 0)
		return false;
	while ((n = pread(says, bytes, sizeof(bytes), at)) > 0 && buf_add(ret_says, bytes, (size_t)n))
		at += n;
	return !ret_says->full;
}

static bool tell_of(const char *format, const char *session, struct buf *ret_says)
{
	struct buf script = buf_new(1024);
	bool ok;

	buf_printf(&script, "%s sluice-%s%s\n", format, session, strstr(format, "flush") ? " peers" : "");
	ok = tell(&script, ret_says);
	buf_done(&script);
	return ok;
}

/* The device that the wall stands around, if it is there: nft names no other */
static bool port_of(struct span says, char ret[IFNAMSIZ])
{
	static const char before[] = "device \"";
	const char *at = memmem(says.at, says.len, before, strlen(before));
	struct span rest;
	ssize_t end;

	if (!at)
		return false;
	at += strlen(before);
	rest = span_of(at, (size_t)((const char *)says.at + says.len - at));
	end = span_find(rest, '"');
	return end > 0 && span_copy(span_head(rest, (size_t)end), ret, IFNAMSIZ);
}

bool uplink_stands(const char *session)
{
	struct buf says = buf_new(UPLINK_RULES_MAX);
	char port[IFNAMSIZ];
	bool ok = tell_of("list table netdev", session, &says) && port_of(buf_span(&says), port);

	buf_done(&says);
	return ok;
}

void uplink_close(const char *session)
{
	struct buf says = buf_new(UPLINK_RULES_MAX);

	tell_of("flush set netdev", session, &says);
	buf_done(&says);
}

static void delete_device(const char *name)
{
	struct routing r = { .len = 0 };
	struct err err = { "" };
	struct ifinfomsg *ifi;
	struct nlmsghdr *h;

	h = routing_add(&r, RTM_DELLINK, (void **)&ifi, sizeof(*ifi));
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	ifi->ifi_index = (int)if_nametoindex(name);
	routing_end(&r, h);
	if (ifi->ifi_index)
		routing_send(&r, name, &err);
}

void uplink_remove(const char *session)
{
	struct buf says = buf_new(UPLINK_RULES_MAX), nothing = buf_new(UPLINK_RULES_MAX);
	char port[IFNAMSIZ];

	if (tell_of("list table netdev", session, &says)) {
		if (port_of(buf_span(&says), port))
			delete_device(port);
		tell_of("delete table netdev", session, &nothing);
	}
	buf_done(&says);
	buf_done(&nothing);
}

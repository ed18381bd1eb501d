/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interfaces.c - is there a way out of a network namespace but by its loopback?
 *
 * Names prove nothing: root of the namespace gives its interfaces whatever names it likes.  What
 * counts is what the kernel says an interface is (rtnetlink(7), RTM_GETLINK): loopback is one by its type.  A
 * tunnel carries its packets through the namespace that it was made in; if that is this one
 * they come back by the loopback.  The kernel's modules put one of each kind into every namespace.  One
 * whose other end is elsewhere has IFLA_LINK_NETNSID.
 */
#include "jail/interfaces.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/auto.h"
#include "jail/acks.h"
#include "jail/namespace.h"

#define ANSWER_BYTES 32768	/* of one read: rtnetlink's own buffer */

struct interface {
	char	name[IFNAMSIZ];
	char	kind[32];	/* "": hardware, or loopback */
	bool	elsewhere;
};

struct looking {
	const char	*but;
	bool		 has_lo;
	char		 other[IFNAMSIZ];	/* a way out, or "" */
};

static int take_info(const struct nlattr *a, void *arg)
{
	struct interface *i = arg;

	if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
		snprintf(i->kind, sizeof(i->kind), "%.*s", mnl_attr_get_payload_len(a),
			 mnl_attr_get_str(a));
	return MNL_CB_OK;
}

static int take_attribute(const struct nlattr *a, void *arg)
{
	struct interface *i = arg;

	switch (mnl_attr_get_type(a)) {
	case IFLA_IFNAME:
		snprintf(i->name, sizeof(i->name), "%.*s", mnl_attr_get_payload_len(a),
			 mnl_attr_get_str(a));
		break;
	case IFLA_LINK_NETNSID:
		i->elsewhere = true;
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(a, take_info, i);
	default:
		break;
	}
	return MNL_CB_OK;
}

/* A tunnel over this namespace's own network */
static bool is_own_tunnel(const struct interface *i)
{
	static const char *const kinds[] = {
		"ipip", "sit", "gre", "gretap", "erspan", "vti", "vti6", "ip6tnl", "ip6gre",
		"ip6gretap", "ip6erspan",
	};

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		if (!strcmp(i->kind, kinds[k]))
			return !i->elsewhere;
	return false;
}

/* What root of the namespace makes for himself.  He may do so; it leads nowhere by itself. */
static bool is_own_toy(const struct interface *i)
{
	static const char *const kinds[] = { "dummy", "veth", "bridge" };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		if (!strcmp(i->kind, kinds[k]))
			return !i->elsewhere;
	return false;
}

enum interface_is interface_read(const struct nlmsghdr *h, char ret_name[IFNAMSIZ])
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	struct interface i = { "" };

	snprintf(ret_name, IFNAMSIZ, "?");
	if (h->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(h) < sizeof(*ifi) ||
	    mnl_attr_parse(h, sizeof(*ifi), take_attribute, &i) < 0 || !i.name[0])
		return INTERFACE_WAY_OUT;
	memcpy(ret_name, i.name, IFNAMSIZ);
	if (ifi->ifi_type == ARPHRD_LOOPBACK && !strcmp(i.name, "lo"))
		return INTERFACE_LO;
	if (is_own_toy(&i))
		return INTERFACE_NOWHERE;
	return is_own_tunnel(&i) ? INTERFACE_INSIDE : INTERFACE_WAY_OUT;
}

static int look_at(const struct nlmsghdr *h, void *arg)
{
	struct looking *l = arg;
	char name[IFNAMSIZ];
	enum interface_is is = interface_read(h, name);

	l->has_lo = l->has_lo || is == INTERFACE_LO;
	if (is >= INTERFACE_NOWHERE && (!l->but || strcmp(name, l->but) != 0))
		memcpy(l->other, name, sizeof(l->other));
	return MNL_CB_OK;
}

/* Return: 0 or negative errno */
static int look(struct looking *l)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const struct timeval limit = { .tv_usec = ACK_LIMIT_MS * 1000 % 1000000, .tv_sec = ACK_LIMIT_MS / 1000 };
	char bytes[ANSWER_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct ifinfomsg *ifi;
	int r = MNL_CB_OK;

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	while (r == MNL_CB_OK) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n < 0)
			return -errno;
		r = mnl_cb_run(bytes, (size_t)n, 1, 0, look_at, l);
	}
	return r == MNL_CB_STOP ? 0 : -errno;
}

bool namespace_is_bare(const char *but, struct err *err)
{
	struct looking l = { .but = but };
	int r = look(&l);

	if (r < 0)
		return err_sys(err, -r, "interfaces of the namespace");
	if (l.other[0])
		return err_set(err, "the namespace has %s: a way out beside the gate (make it without "
			       "a network)", l.other);
	return l.has_lo || err_set(err, "the namespace has no loopback interface called lo");
}

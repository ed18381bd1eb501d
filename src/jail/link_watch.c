/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_watch.c - interfaces that come into a jail's network while it runs
 *
 * Only root of the machine puts one there that leads out; by mistake, mostly.  The rules drop what
 * comes in by it, and routes send nothing to it, but who may write frames would not need routes.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "jail/acks.h"
#include "jail/interfaces.h"

#define TURNS_MAX 16		/* of a list that changes while it is read */
#define ANSWER_BYTES 32768	/* of one read: rtnetlink's own buffer */
#define CUT_SEQ (1u << 31)	/* above: numbers of lists that are for cutting */

struct listing {
	struct interface_kept *but;
	char		*name;		/* of a way out */
	int		 index;		/* of it: names change */
	uint32_t	 seq;
	bool		 found, done, stirred;
};

static bool is_kept(struct interface_kept *k, const char *name, int index)
{
	if (!k->index && k->name && !strcmp(name, k->name))
		k->index = index;
	return k->index && k->index == index;
}

static void take(struct listing *l, const struct nlmsghdr *h)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	char name[IFNAMSIZ];

	if (h->nlmsg_seq != l->seq) {
		l->stirred = true;	/* said of a change: the list may be old already */
	} else if (h->nlmsg_type == NLMSG_DONE) {
		l->done = true;
	} else if (interface_read(h, name) == INTERFACE_WAY_OUT &&
		   !is_kept(l->but, name, ifi->ifi_index)) {
		memcpy(l->name, name, IFNAMSIZ);
		l->index = ifi->ifi_index;
		l->found = true;
	}
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		l->stirred = true;
}

/* Return: false: the kernel does not tell */
static bool hear(int fd, struct listing *l)
{
	static char bytes[ANSWER_BYTES] __attribute__((aligned(8)));
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (!l->done && poll(&p, 1, ACK_LIMIT_MS) > 0) {
		int left = (int)recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		l->stirred = l->stirred || (left < 0 && errno == ENOBUFS);
		for (const struct nlmsghdr *h = (const void *)bytes; left > 0 && mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left))
			take(l, h);
	}
	return l->done;
}

static bool ask(int fd, uint32_t seq)
{
	char bytes[64] __attribute__((aligned(8)));
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct ifinfomsg *ifi;

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = seq;
	ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	return send(fd, h, h->nlmsg_len, 0) == (ssize_t)h->nlmsg_len;
}

bool interfaces_changed(int fd, struct interface_kept *but, char ret_name[IFNAMSIZ])
{
	static uint32_t seq;

	snprintf(ret_name, IFNAMSIZ, "?");
	for (int turn = 0; turn < TURNS_MAX; turn++) {
		struct listing l = { .but = but, .name = ret_name };

		l.seq = ++seq;
		if (!ask(fd, l.seq) || !hear(fd, &l) || l.found)
			return true;
		if (!l.stirred)
			return false;
	}
	return true;
}

static void cut(int fd, int index)
{
	static const uint16_t types[] = { RTM_NEWLINK, RTM_DELLINK };	/* down, and away */
	char bytes[128] __attribute__((aligned(8)));
	struct nlmsghdr *h;
	struct ifinfomsg *ifi;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		h = mnl_nlmsg_put_header(bytes);
		h->nlmsg_type = types[i];
		h->nlmsg_flags = NLM_F_REQUEST;
		ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
		ifi->ifi_index = index;
		ifi->ifi_change = types[i] == RTM_NEWLINK ? IFF_UP : 0;
		send(fd, h, h->nlmsg_len, 0);
	}
}

/* Whoever puts it there gives it its name only then, and sets it up: until it is gone */
bool interfaces_cut(int fd, struct interface_kept *but)
{
	char name[IFNAMSIZ];

	for (uint32_t turn = 1; turn <= TURNS_MAX; turn++) {
		struct listing l = { .but = but, .name = name, .seq = CUT_SEQ + turn };

		if (!ask(fd, l.seq) || !hear(fd, &l))
			return false;
		if (l.found)
			cut(fd, l.index);
		else if (!l.stirred)
			return true;
	}
	return false;
}

bool namespace_cut(const char *but)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd >= 0 && interfaces_cut(fd, &(struct interface_kept){ .name = but });
}

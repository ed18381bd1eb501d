/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_count.c - read the ruleset's counters, while the jail runs
 *
 * By the same socket as link_open.c, with the same right.  Each counter is asked for by its
 * name; the kernel answers within the call.
 */
#include <netinet/in.h>		/* before linux/netfilter.h, which has the same types else */

#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "jail/link.h"

#define ANSWER_LIMIT_MS 1000	/* the kernel answers within the call; this bounds a broken one */

/* A named counter of a table */
struct counter {
	uint8_t		 family;
	const char	*table, *name;
};

static int ask(int fd, const struct counter *c, uint32_t seq)
{
	char bytes[256] __attribute__((aligned(8)));
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct nfgenmsg *g;

	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETOBJ;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = c->family;
	g->version = NFNETLINK_V0;
	mnl_attr_put_strz(h, NFTA_OBJ_TABLE, c->table);
	mnl_attr_put_strz(h, NFTA_OBJ_NAME, c->name);
	mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	return send(fd, bytes, h->nlmsg_len, 0) == (ssize_t)h->nlmsg_len ? 0 : -errno;
}

struct found {
	const struct nlattr *packets;
};

static int counter_attr(const struct nlattr *a, void *arg)
{
	struct found *f = arg;

	if (mnl_attr_get_type(a) == NFTA_COUNTER_PACKETS &&
	    mnl_attr_validate(a, MNL_TYPE_U64) == 0)
		f->packets = a;
	return MNL_CB_OK;
}

static int object_attr(const struct nlattr *a, void *arg)
{
	if (mnl_attr_get_type(a) == NFTA_OBJ_DATA)
		mnl_attr_parse_nested(a, counter_attr, arg);
	return MNL_CB_OK;
}

/* The packets in one message of the kernel's.  Return: -EBADMSG if it tells of none */
static int packets_of(const struct nlmsghdr *h, uint64_t *ret)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	struct found found = { NULL };

	if (h->nlmsg_type == NLMSG_ERROR)
		return e->error ? e->error : -EBADMSG;
	mnl_attr_parse(h, sizeof(struct nfgenmsg), object_attr, &found);
	if (!found.packets)
		return -EBADMSG;
	*ret = be64toh(mnl_attr_get_u64(found.packets));
	return 0;
}

static int answer(int fd, uint32_t seq, uint64_t *ret)
{
	char bytes[4096] __attribute__((aligned(8)));
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, ANSWER_LIMIT_MS) > 0) {
		int left = (int)recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (left < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (left <= 0)
			return left ? -errno : -EPIPE;
		for (const struct nlmsghdr *h = (const void *)bytes; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left))
			if (h->nlmsg_seq == seq)
				return packets_of(h, ret);
	}
	return -ETIMEDOUT;
}

static int count(int fd, const struct counter *c, uint64_t *ret)
{
	static uint32_t seq = 1u << 31;		/* not one of a batch's */
	int r = ask(fd, c, ++seq);

	return r < 0 ? r : answer(fd, seq, ret);
}

int link_count(int nft_fd, bool guest, struct link_packets *ret)
{
	uint64_t *const numbers[] = { &ret->in, &ret->out, &ret->refused, &ret->forged,
				      &ret->beyond };
	static const struct counter rows[] = {
		{ NFPROTO_INET, "sluice", LINK_COUNTER_IN }, { NFPROTO_INET, "sluice", LINK_COUNTER_OUT },
		{ NFPROTO_INET, "sluice", LINK_COUNTER_REFUSED },
		{ NFPROTO_NETDEV, "sluice", LINK_COUNTER_FORGED },
		{ NFPROTO_NETDEV, "sluice", LINK_COUNTER_BEYOND },
	};

	*ret = (struct link_packets){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(rows) && (guest || rows[i].family == NFPROTO_INET); i++) {
		int r = count(nft_fd, &rows[i], numbers[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int link_count_forged(int fd, const char *session, uint64_t *ret)
{
	char table[NFT_NAME_MAXLEN];

	snprintf(table, sizeof(table), "sluice-%s", session);
	return count(fd, &(struct counter){ NFPROTO_NETDEV, table, LINK_COUNTER_FORGED }, ret);
}

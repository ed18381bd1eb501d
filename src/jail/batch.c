/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/batch.h"

#include <netinet/in.h>		/* before linux/netfilter.h, which has the same types else */

#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "jail/acks.h"

/* Messages one after the other; libmnl keeps each a multiple of four bytes */
static struct nlmsghdr *next(struct batch *b, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(b->at + b->len);
	struct nfgenmsg *g;

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++b->seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(resource);
	return h;
}

static void mark(struct batch *b, uint16_t type)
{
	batch_added(b, next(b, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

void batch_begin(struct batch *b, void *at, size_t size, uint8_t family)
{
	*b = (struct batch){ .at = at, .size = size, .family = family };
	mark(b, NFNL_MSG_BATCH_BEGIN);
}

struct nlmsghdr *batch_add(struct batch *b, int message, uint16_t flags)
{
	b->acks++;
	return next(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message), flags | NLM_F_ACK, b->family, 0);
}

void batch_added(struct batch *b, const struct nlmsghdr *h)
{
	b->len += h->nlmsg_len;
	assert(b->len <= b->size);
}

int batch_send(struct batch *b, int fd)
{
	if (!b->acks)
		return 0;
	mark(b, NFNL_MSG_BATCH_END);
	if (send(fd, b->at, b->len, 0) != (ssize_t)b->len)
		return errno ? -errno : -EIO;
	return acks_wait(fd, b->acks);
}

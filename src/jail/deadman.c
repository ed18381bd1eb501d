/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/deadman.h"

#include <netinet/in.h>		/* before linux/netfilter.h, which has the same types else */

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "jail/batch.h"

#define BATCH_BYTES 4096

static const struct {
	const char	*chain;
	uint32_t	 hook;
} ways[] = { { "from", NF_NETDEV_INGRESS }, { "to", NF_NETDEV_EGRESS } };

static void put_table(struct batch *b, const char *table)
{
	struct nlmsghdr *h = batch_add(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, table);
	mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	batch_added(b, h);
}

static void put_chain(struct batch *b, const char *table, const char *chain, uint32_t hook, const char *port)
{
	struct nlmsghdr *h = batch_add(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *at;

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, chain);
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	at = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(hook));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)DEADMAN_PRIORITY));
	mnl_attr_put_strz(h, NFTA_HOOK_DEV, port);
	mnl_attr_nest_end(h, at);
	batch_added(b, h);
}

/* ---- the one rule: meta mark set meta mark | BIT ---- */

struct expression {
	struct nlattr	*element, *data;
};

static struct expression expression_start(struct nlmsghdr *h, const char *name)
{
	struct expression e = { .element = mnl_attr_nest_start(h, NFTA_LIST_ELEM) };

	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	return e;
}

static void expression_end(struct nlmsghdr *h, struct expression e)
{
	mnl_attr_nest_end(h, e.data);
	mnl_attr_nest_end(h, e.element);
}

/* @way: of the register, NFTA_META_DREG or NFTA_META_SREG */
static void put_mark(struct nlmsghdr *h, uint16_t way)
{
	struct expression e = expression_start(h, "meta");

	mnl_attr_put_u32(h, NFTA_META_KEY, htonl(NFT_META_MARK));
	mnl_attr_put_u32(h, way, htonl(NFT_REG_1));
	expression_end(h, e);
}

static void put_value(struct nlmsghdr *h, uint16_t type, uint32_t value)
{
	struct nlattr *at = mnl_attr_nest_start(h, type);

	mnl_attr_put_u32(h, NFTA_DATA_VALUE, value);	/* a mark is in the machine's order */
	mnl_attr_nest_end(h, at);
}

/* mark & ~BIT ^ BIT */
static void put_or(struct nlmsghdr *h, uint32_t bit)
{
	struct expression e = expression_start(h, "bitwise");

	mnl_attr_put_u32(h, NFTA_BITWISE_SREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(h, NFTA_BITWISE_DREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(h, NFTA_BITWISE_LEN, htonl(sizeof(bit)));
	put_value(h, NFTA_BITWISE_MASK, ~bit);
	put_value(h, NFTA_BITWISE_XOR, bit);
	expression_end(h, e);
}

static void put_rule(struct batch *b, const char *table, const char *chain, uint32_t bit)
{
	struct nlmsghdr *h = batch_add(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	struct nlattr *list;

	mnl_attr_put_strz(h, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, chain);
	list = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	put_mark(h, NFTA_META_DREG);
	put_or(h, bit);
	put_mark(h, NFTA_META_SREG);
	mnl_attr_nest_end(h, list);
	batch_added(b, h);
}

int deadman_hold(enum deadman who, const char *session, const char *port)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	char bytes[BATCH_BYTES] __attribute__((aligned(8)));
	char table[NFT_NAME_MAXLEN];
	struct batch b;
	int r;

	if (fd < 0)
		return -errno;
	/* No wall's name, which is sluice-SESSION */
	snprintf(table, sizeof(table), "sluice_%s-%s", who == DEADMAN_KEEPER ? "keeper" : "gate", session);
	batch_begin(&b, bytes, sizeof(bytes), NFPROTO_NETDEV);
	put_table(&b, table);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		put_chain(&b, table, ways[i].chain, ways[i].hook, port);
		put_rule(&b, table, ways[i].chain, who);
	}
	r = batch_send(&b, fd);
	return r < 0 ? r : TAKE_FD(fd);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>

#include "jail/interfaces.h"

/* What the kernel would say; NULL and -1: it does not say that */
struct told {
	const char	*name, *kind;
	unsigned short	 type;
	int		 netns_id;
};

static const struct nlmsghdr *message(const struct told *t)
{
	static char bytes[1024] __attribute__((aligned(8)));
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct ifinfomsg *ifi;

	h->nlmsg_type = RTM_NEWLINK;
	ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_type = t->type;
	if (t->name)
		mnl_attr_put_strz(h, IFLA_IFNAME, t->name);
	if (t->kind) {
		struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);

		mnl_attr_put_str(h, IFLA_INFO_KIND, t->kind);
		mnl_attr_nest_end(h, info);
	}
	if (t->netns_id >= 0)
		mnl_attr_put_u32(h, IFLA_LINK_NETNSID, (uint32_t)t->netns_id);
	return h;
}

static const struct {
	struct told	  told;
	enum interface_is is;
} rows[] = {
	{ { "lo", NULL, ARPHRD_LOOPBACK, -1 }, INTERFACE_LO },
	{ { "sit0", "sit", ARPHRD_SIT, -1 }, INTERFACE_INSIDE },
	{ { "gretap0", "gretap", ARPHRD_ETHER, -1 }, INTERFACE_INSIDE },
	{ { "anything", "ip6tnl", ARPHRD_TUNNEL6, -1 }, INTERFACE_INSIDE },
	/* names that lie */
	{ { "lo", "veth", ARPHRD_ETHER, 0 }, INTERFACE_WAY_OUT },
	{ { "sit0", "veth", ARPHRD_ETHER, 0 }, INTERFACE_WAY_OUT },
	{ { "tunl0", "veth", ARPHRD_ETHER, -1 }, INTERFACE_NOWHERE },
	{ { "gre0", NULL, ARPHRD_ETHER, -1 }, INTERFACE_WAY_OUT },
	{ { "other", NULL, ARPHRD_LOOPBACK, -1 }, INTERFACE_WAY_OUT },
	/* tunnels that carry elsewhere */
	{ { "sit0", "sit", ARPHRD_SIT, 0 }, INTERFACE_WAY_OUT },
	{ { "t", "gre", ARPHRD_IPGRE, 3 }, INTERFACE_WAY_OUT },
	/* what its root makes; with an end elsewhere it is a way out */
	{ { "d0", "dummy", ARPHRD_ETHER, -1 }, INTERFACE_NOWHERE },
	{ { "br0", "bridge", ARPHRD_ETHER, -1 }, INTERFACE_NOWHERE },
	{ { "v0", "veth", ARPHRD_ETHER, 2 }, INTERFACE_WAY_OUT },
	{ { "tap0", "tun", ARPHRD_ETHER, -1 }, INTERFACE_WAY_OUT },
	{ { "m0", "macvlan", ARPHRD_ETHER, -1 }, INTERFACE_WAY_OUT },
	{ { "i0", "ipvlan", ARPHRD_ETHER, -1 }, INTERFACE_WAY_OUT },
	/* what else there is */
	{ { "eth0", NULL, ARPHRD_ETHER, -1 }, INTERFACE_WAY_OUT },
	{ { "w", "wireguard", ARPHRD_NONE, -1 }, INTERFACE_WAY_OUT },
	{ { "x", "sitting", ARPHRD_SIT, -1 }, INTERFACE_WAY_OUT },
	{ { "x", "", ARPHRD_SIT, -1 }, INTERFACE_WAY_OUT },
	{ { NULL, "sit", ARPHRD_SIT, -1 }, INTERFACE_WAY_OUT },
	{ { "", "sit", ARPHRD_SIT, -1 }, INTERFACE_WAY_OUT },
};

static void what_counts_is_not_the_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[IFNAMSIZ];

		if (interface_read(message(&rows[i].told), name) != rows[i].is)
			fail_msg("row %zu", i);
		if (rows[i].told.name && rows[i].told.name[0])
			assert_string_equal(name, rows[i].told.name);
	}
}

/* A message of another kind, or one that ends too soon, is none to trust */
static void what_cannot_be_read_is_a_way_out(void **state)
{
	char copy[1024] __attribute__((aligned(8))), name[IFNAMSIZ];
	const struct nlmsghdr *whole = message(&rows[1].told);
	struct nlmsghdr *h = (void *)copy;

	(void)state;
	memcpy(copy, whole, whole->nlmsg_len);
	h->nlmsg_type = RTM_NEWADDR;
	assert_int_equal(interface_read(h, name), INTERFACE_WAY_OUT);
	memcpy(copy, whole, whole->nlmsg_len);
	for (uint32_t len = sizeof(*h); len < whole->nlmsg_len; len++) {
		h->nlmsg_len = len;
		assert_int_not_equal(interface_read(h, name), INTERFACE_LO);
	}
	h->nlmsg_len = sizeof(*h);
	assert_int_equal(interface_read(h, name), INTERFACE_WAY_OUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_counts_is_not_the_name),
		cmocka_unit_test(what_cannot_be_read_is_a_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

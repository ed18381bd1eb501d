/* SPDX-License-Identifier: Apache-2.0 */
/* link_traffic.c - an interface's own counters, by rtnetlink(7): the other end is the guest's */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "jail/acks.h"
#include "jail/jail.h"

static int take_stats(const struct nlattr *a, void *arg)
{
	struct rtnl_link_stats64 *s = arg;
	size_t size = mnl_attr_get_payload_len(a);

	if (mnl_attr_get_type(a) == IFLA_STATS64)
		memcpy(s, mnl_attr_get_payload(a), size < sizeof(*s) ? size : sizeof(*s));
	return MNL_CB_OK;
}

static int take(const struct nlmsghdr *h, struct link_traffic *ret)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	struct rtnl_link_stats64 s = { 0 };

	if (h->nlmsg_type == NLMSG_ERROR)
		return e->error ? e->error : -EBADMSG;
	if (h->nlmsg_type != RTM_NEWLINK ||
	    mnl_attr_parse(h, sizeof(struct ifinfomsg), take_stats, &s) < 0)
		return -EBADMSG;
	*ret = (struct link_traffic){ s.tx_bytes, s.rx_bytes, s.tx_packets, s.rx_packets, s.tx_dropped,
				      s.rx_dropped };
	return 0;
}

int link_traffic(int stats_fd, const char *link, struct link_traffic *ret)
{
	static uint32_t seq;
	char bytes[8192] __attribute__((aligned(8)));
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct pollfd p = { .fd = stats_fd, .events = POLLIN };
	int left;

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = ++seq;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, link);
	if (send(stats_fd, h, h->nlmsg_len, 0) != (ssize_t)h->nlmsg_len)
		return -errno;
	while (poll(&p, 1, ACK_LIMIT_MS) > 0) {
		left = (int)recv(stats_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (left < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		h = (void *)bytes;
		if (left > 0 && mnl_nlmsg_ok(h, left) && h->nlmsg_seq == seq)
			return take(h, ret);
	}
	return -ETIMEDOUT;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/routing.h"

#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "jail/acks.h"

struct nlmsghdr *routing_add(struct routing *r, uint16_t type, void **ret_head, size_t head)
{
	struct nlmsghdr *h;

	assert(r->len + 256 <= sizeof(r->bytes));	/* more than any of ours */
	h = mnl_nlmsg_put_header(r->bytes + r->len);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
	h->nlmsg_seq = ++r->count;
	*ret_head = mnl_nlmsg_put_extra_header(h, head);
	return h;
}

void routing_end(struct routing *r, const struct nlmsghdr *h)
{
	r->len += h->nlmsg_len;
}

void routing_put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *a)
{
	if (addr_is_v4(a))
		mnl_attr_put(h, type, 4, a->b + 12);
	else
		mnl_attr_put(h, type, 16, a->b);
}

bool routing_send(const struct routing *r, const char *what, struct err *err)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int result;

	if (fd < 0 || send(fd, r->bytes, r->len, 0) != (ssize_t)r->len)
		return err_sys(err, errno, "rtnetlink");
	result = acks_wait(fd, r->count);
	return result < 0 ? err_sys(err, -result, "%s", what) : true;
}

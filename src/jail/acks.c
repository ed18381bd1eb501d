/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/acks.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>

#define ANSWER_BYTES 8192	/* a refusal quotes our message */

/* Those in one answer.  Return: a refusal, or 0 */
static int acks_read(const char *answer, int left, uint32_t *count)
{
	for (const struct nlmsghdr *h = (const void *)answer; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

		if (h->nlmsg_type != NLMSG_ERROR)
			continue;
		if (e->error)
			return e->error;
		if (*count)
			--*count;
	}
	return 0;
}

int acks_wait(int fd, uint32_t count)
{
	char answer[ANSWER_BYTES] __attribute__((aligned(8)));

	while (count > 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int r = poll(&p, 1, ACK_LIMIT_MS);
		ssize_t n;

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r ? -errno : -ETIMEDOUT;
		n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		r = acks_read(answer, (int)n, &count);
		if (r)
			return r;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diag.c - ask the kernel for one socket of the jail's network (sock_diag(7))
 *
 * An exact question: no list is made, so its cost does not depend on what the
 * jail does.  The kernel answers within send(2); the answer then lies in the
 * socket, which is non-blocking.
 */
#include "jail/process.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWERS_MAX 8	/* that may lie there from a question before: none should */

struct diag_question {
	struct nlmsghdr		head;
	struct inet_diag_req_v2	about;
};

static void put_end(void *to, const struct addr *a)
{
	if (addr_is_v4(a))
		memcpy(to, a->b + 12, 4);
	else
		memcpy(to, a->b, 16);
}

/* For UDP the kernel takes source and destination as a packet to the socket would have them */
static void put_ends(struct inet_diag_sockid *id, const struct socket_key *k)
{
	bool swap = k->transport == TRANSPORT_UDP;

	put_end(&id->idiag_src, swap ? &k->server : &k->client);
	put_end(&id->idiag_dst, swap ? &k->client : &k->server);
	id->idiag_sport = htons(swap ? k->server_port : k->client_port);
	id->idiag_dport = htons(swap ? k->client_port : k->server_port);
	id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

/* Is it the client's, and not a listener that happens to have its port? */
static uint32_t inode_of(const struct inet_diag_msg *m, const struct socket_key *k)
{
	bool connected = m->id.idiag_dport == htons(k->server_port);

	if (m->id.idiag_sport != htons(k->client_port) ||
	    !(connected || (k->transport == TRANSPORT_UDP && !m->id.idiag_dport)))
		return 0;
	return m->idiag_inode;
}

static bool ask(int fd, const struct socket_key *k, uint32_t seq)
{
	struct diag_question q = {
		.head = { .nlmsg_len = sizeof(q), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = seq },
		.about = { .sdiag_family = addr_is_v4(&k->server) ? AF_INET : AF_INET6,
			   .sdiag_protocol = k->transport == TRANSPORT_UDP ? IPPROTO_UDP
									   : IPPROTO_TCP,
			   .idiag_states = UINT32_MAX },
	};

	put_ends(&q.about.id, k);
	return send(fd, &q, sizeof(q), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(q);
}

uint32_t diag_inode(int diag_fd, const struct socket_key *k)
{
	static uint32_t seq;
	union {
		struct nlmsghdr	head;
		char		bytes[1024];
	} a;

	if (diag_fd < 0 || !k->client_port || addr_is_v4(&k->client) != addr_is_v4(&k->server) ||
	    !ask(diag_fd, k, ++seq))
		return 0;
	for (int i = 0; i < ANSWERS_MAX; i++) {
		ssize_t n = recv(diag_fd, &a, sizeof(a), MSG_DONTWAIT);

		if (n < (ssize_t)sizeof(a.head))
			return 0;
		if (a.head.nlmsg_seq != seq)
			continue;
		if (a.head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		    n < (ssize_t)(NLMSG_HDRLEN + sizeof(struct inet_diag_msg)))
			return 0;
		return inode_of(NLMSG_DATA(&a), k);
	}
	return 0;
}

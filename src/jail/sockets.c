/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/sockets.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

#define BACKLOG 4096		/* connections; somaxconn's default.  A full one drops SYNs */
#define NFLOG_COPY_BYTES 128	/* of a refused packet: both headers with options */
#define NFLOG_BUFFER_BYTES 512	/* of one message: a packet's copy and its attributes */
#define NFLOG_RECEIVE_BYTES (1 << 20) /* waiting messages; what is lost shows in the sequence */

static int option_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

struct option_row {
	int level, name, value;
};

static int options_set(int fd, const struct option_row *rows, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = option_set(fd, rows[i].level, rows[i].name, rows[i].value);
	return r;
}

static const struct option_row gate4[] = {
	{ SOL_IP, IP_TRANSPARENT, 1 },
	{ SOL_IP, IP_RECVORIGDSTADDR, 1 },
	{ SOL_SOCKET, SO_MARK, GATE_MARK },
};
static const struct option_row gate6[] = {
	{ SOL_IPV6, IPV6_V6ONLY, 1 },
	{ SOL_IPV6, IPV6_TRANSPARENT, 1 },
	{ SOL_IPV6, IPV6_RECVORIGDSTADDR, 1 },
	{ SOL_SOCKET, SO_MARK, GATE_MARK },
};

/*
 * What TCP listeners hand on to the sockets that they accept.  When a gate dies, its
 * clients shall see a reset, not a clean end that would make a cut transfer look
 * whole.  The wire is memory: the plainest congestion control will do, where BBR
 * would pace it with timers.
 */
static int inherited_set(int fd)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) ? -errno : 0;
}

/*
 * The gate's TCP listener or UDP socket.  No SO_REUSEADDR or SO_REUSEPORT:
 * nobody shall be able to stand beside it.
 */
static int gate_socket(const struct addr *at, int type)
{
	bool v4 = addr_is_v4(at);
	AUTO_CLOSE int fd = socket(v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(at, GATE_PORT, &sa);
	int r;

	if (fd < 0)
		return -errno;
	r = v4 ? options_set(fd, gate4, ARRAY_SIZE(gate4))
	       : options_set(fd, gate6, ARRAY_SIZE(gate6));
	if (r == 0 && type == SOCK_STREAM)
		r = inherited_set(fd);
	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&sa, len))
		return -errno;
	if (type == SOCK_STREAM && listen(fd, BACKLOG))
		return -errno;
	return TAKE_FD(fd);
}

/* Without the mark an answer to a client with an odd source address would come back to the gate */
static int raw_socket(int family)
{
	AUTO_CLOSE int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	int r;

	if (fd < 0)
		return -errno;
	r = option_set(fd, SOL_SOCKET, SO_MARK, GATE_MARK);
	if (r == 0 && family == AF_INET6)
		r = option_set(fd, SOL_IPV6, IPV6_HDRINCL, 1);
	if (r == 0 && family == AF_INET)	/* to a guest that has no address yet */
		r = option_set(fd, SOL_SOCKET, SO_BROADCAST, 1);
	return r < 0 ? r : TAKE_FD(fd);
}

static int netlink_socket(int protocol, uint32_t groups)
{
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	struct sockaddr_nl any = { .nl_family = AF_NETLINK, .nl_groups = groups };

	/* The port is taken now: it belongs to this namespace */
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)))
		return -errno;
	return TAKE_FD(fd);
}

static struct nlmsghdr *nflog_message(void *at)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(at);
	struct nfgenmsg *g;

	h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(NFLOG_GROUP);
	return h;
}

static int netlink_ack(int fd, const struct nlmsghdr *h)
{
	char answer[1024];
	const struct nlmsghdr *a = (const void *)answer;
	const struct nlmsgerr *e;
	ssize_t n;

	if (send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, answer, sizeof(answer), 0);
	if (n < 0)
		return -errno;
	if (!mnl_nlmsg_ok(a, (int)n) || a->nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	e = mnl_nlmsg_get_payload(a);
	return e->error;
}

/* Every refused packet, at once, numbered.  One message: after the bind, packets
 * could come before the answer to a second one. */
static int nflog_configure(int fd)
{
	char bytes[512];
	struct nfulnl_msg_config_cmd bind_cmd = { .command = NFULNL_CFG_CMD_BIND };
	struct nfulnl_msg_config_mode mode = { .copy_range = htonl(NFLOG_COPY_BYTES),
					       .copy_mode = NFULNL_COPY_PACKET };
	struct nlmsghdr *h;

	h = nflog_message(bytes);
	mnl_attr_put(h, NFULA_CFG_CMD, sizeof(bind_cmd), &bind_cmd);
	mnl_attr_put(h, NFULA_CFG_MODE, sizeof(mode), &mode);
	mnl_attr_put_u32(h, NFULA_CFG_NLBUFSIZ, htonl(NFLOG_BUFFER_BYTES));
	mnl_attr_put_u32(h, NFULA_CFG_QTHRESH, htonl(1));
	mnl_attr_put_u16(h, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
	return netlink_ack(fd, h);
}

static int nflog_socket(void)
{
	AUTO_CLOSE int fd = netlink_socket(NETLINK_NETFILTER, 0);
	int r;

	if (fd < 0)
		return TAKE_FD(fd);
	r = nflog_configure(fd);
	if (r < 0)
		return r;
	/* More room is better, not needed; overflow is told by the sequence, not by ENOBUFS */
	if (option_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, NFLOG_RECEIVE_BYTES) < 0)
		option_set(fd, SOL_SOCKET, SO_RCVBUF, NFLOG_RECEIVE_BYTES);
	r = option_set(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
	return r < 0 ? r : TAKE_FD(fd);
}

bool sockets_make(const struct net *pool4, const struct net *pool6, bool ipv6,
		  int ret_fd[JAIL_FD_NUM], struct err *err)
{
	static const char *const names[] = {
		[JAIL_TCP4] = "TCP listener", [JAIL_TCP6] = "TCP listener (IPv6)",
		[JAIL_UDP4] = "UDP socket", [JAIL_UDP6] = "UDP socket (IPv6)",
		[JAIL_RAW4] = "raw socket", [JAIL_RAW6] = "raw socket (IPv6)",
		[JAIL_NFT] = "nfnetlink socket", [JAIL_NFLOG] = "nfnetlink_log socket",
		[JAIL_DIAG] = "sock_diag socket", [JAIL_LINKS] = "rtnetlink socket",
		[JAIL_STATS] = "rtnetlink socket",
	};
	struct addr at4 = reserved_addr(pool4, RESERVED_GATE);
	struct addr at6 = reserved_addr(pool6, RESERVED_GATE);

	for (size_t i = 0; i < JAIL_FD_NUM; i++)
		ret_fd[i] = -1;
	ret_fd[JAIL_TCP4] = gate_socket(&at4, SOCK_STREAM);
	ret_fd[JAIL_UDP4] = gate_socket(&at4, SOCK_DGRAM);
	ret_fd[JAIL_RAW4] = raw_socket(AF_INET);
	ret_fd[JAIL_NFT] = netlink_socket(NETLINK_NETFILTER, 0);
	ret_fd[JAIL_DIAG] = netlink_socket(NETLINK_SOCK_DIAG, 0);
	ret_fd[JAIL_STATS] = netlink_socket(NETLINK_ROUTE, 0);
	ret_fd[JAIL_LINKS] = netlink_socket(NETLINK_ROUTE, RTMGRP_LINK);
	ret_fd[JAIL_NFLOG] = nflog_socket();
	if (ipv6) {
		ret_fd[JAIL_TCP6] = gate_socket(&at6, SOCK_STREAM);
		ret_fd[JAIL_UDP6] = gate_socket(&at6, SOCK_DGRAM);
		ret_fd[JAIL_RAW6] = raw_socket(AF_INET6);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool six = i == JAIL_TCP6 || i == JAIL_UDP6 || i == JAIL_RAW6;

		if (ret_fd[i] < 0 && (ipv6 || !six))
			return err_sys(err, -ret_fd[i], "%s in the jail", names[i]);
	}
	return true;
}

bool sockets_watch(int ret_fd[JAIL_FD_NUM], struct err *err)
{
	static const enum jail_fd slots[] = { JAIL_NFT, JAIL_DIAG, JAIL_LINKS, JAIL_NFLOG };

	ret_fd[JAIL_NFT] = netlink_socket(NETLINK_NETFILTER, 0);
	ret_fd[JAIL_DIAG] = netlink_socket(NETLINK_SOCK_DIAG, 0);
	ret_fd[JAIL_LINKS] = netlink_socket(NETLINK_ROUTE, RTMGRP_LINK);
	ret_fd[JAIL_NFLOG] = nflog_socket();
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		if (ret_fd[slots[i]] < 0)
			return err_sys(err, -ret_fd[slots[i]], "netlink socket in the container");
	return true;
}

int sockets_listen_local(int family, uint16_t port)
{
	AUTO_CLOSE int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int r;

	if (fd < 0)
		return -errno;
	r = family == AF_INET6 ? option_set(fd, SOL_IPV6, IPV6_V6ONLY, 1) : 0;
	/* Held again a namespace has connections of the last keeper's in TIME-WAIT on that port.  Beside
	 * one that listens nobody stands with it either: the kernel refuses him bind or listen. */
	if (r == 0)
		r = option_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0)
		r = inherited_set(fd);
	if (r < 0)
		return r;
	if ((family == AF_INET6 ? bind(fd, (struct sockaddr *)&in6, sizeof(in6))
				: bind(fd, (struct sockaddr *)&in, sizeof(in))) ||
	    listen(fd, BACKLOG))
		return -errno;
	return TAKE_FD(fd);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selftest_net.c - attempts over IP, and what must work beside them
 *
 * Addresses of strangers are never tried outside: in the jail nothing is sent
 * to them unless the jail is broken.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/selftest.h"

#define WAIT_MS 700		/* for an answer of a target on this machine */
#define PORT_HTTP 80
#define PORT_HTTPS 443
#define PORT_DNS 53
#define PORT_DOT 853
#define PORT_NTP 123
#define DENIED_NAME "example.com"	/* exists: without the jail it would resolve */
#define EDE_BLOCKED 15		/* RFC 8914, 4.16 */

struct target_addr {
	struct sockaddr_in6	sa;
	socklen_t		len;
};

static struct target_addr at_addr(const struct addr *addr, uint16_t port)
{
	struct target_addr t;

	t.len = addr_to_sockaddr(addr, port, &t.sa);
	return t;
}

static struct target_addr at_text(const char *text, uint16_t port)
{
	struct addr addr = { { 0 } };

	addr_parse(span_str(text), &addr);
	return at_addr(&addr, port);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, WAIT_MS) == 1 && (p.revents & POLLIN);
}

/* Connect, but no longer than an answer may take */
static int connected(const struct target_addr *to, int type, int protocol)
{
	AUTO_CLOSE int fd = socket(to->sa.sin6_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&to->sa, to->len) == 0)
		return TAKE_FD(fd);
	if (errno != EINPROGRESS || poll(&p, 1, WAIT_MS) != 1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) || error)
		return -1;
	return TAKE_FD(fd);
}

/* Say who we are; did somebody answer? */
static bool talk(int fd, const struct aim *aim)
{
	char text[SELFTEST_MESSAGE];
	size_t len = selftest_message(aim, text);

	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len && readable(fd) &&
	       recv(fd, text, sizeof(text), 0) > 0;
}

static bool reach(const struct target_addr *to, int type, int protocol, const struct aim *aim)
{
	AUTO_CLOSE int fd = connected(to, type, protocol);

	return fd >= 0 && talk(fd, aim);
}

/* For strangers: a completed handshake is too much already */
static bool reach_stranger(const char *text, uint16_t port)
{
	struct target_addr to = at_text(text, port);
	AUTO_CLOSE int fd = connected(&to, SOCK_STREAM, 0);

	return fd >= 0;
}

static bool reach_stranger_udp(const char *text, uint16_t port, const struct aim *aim)
{
	struct target_addr to = at_text(text, port);

	return reach(&to, SOCK_DGRAM, 0, aim);
}

static bool reach_spot(const struct aim *aim, enum spot s, int type)
{
	struct target_addr to = at_addr(&aim->spot[s].addr,
					type == SOCK_STREAM ? aim->spot[s].tcp : aim->spot[s].udp);

	return reach(&to, type, 0, aim);
}

/* ---- the host's own addresses ---- */

static bool has_loop6(const struct aim *aim) { return aim->spot[SPOT_LOOP6].tcp; }
static bool has_lan4(const struct aim *aim) { return aim->spot[SPOT_LAN4].tcp; }
static bool has_lan6(const struct aim *aim) { return aim->spot[SPOT_LAN6].tcp; }

static bool tcp_loop4(const struct aim *aim) { return reach_spot(aim, SPOT_LOOP4, SOCK_STREAM); }
static bool tcp_loop6(const struct aim *aim) { return reach_spot(aim, SPOT_LOOP6, SOCK_STREAM); }
static bool tcp_lan4(const struct aim *aim) { return reach_spot(aim, SPOT_LAN4, SOCK_STREAM); }
static bool tcp_lan6(const struct aim *aim) { return reach_spot(aim, SPOT_LAN6, SOCK_STREAM); }
static bool udp_loop4(const struct aim *aim) { return reach_spot(aim, SPOT_LOOP4, SOCK_DGRAM); }
static bool udp_loop6(const struct aim *aim) { return reach_spot(aim, SPOT_LOOP6, SOCK_DGRAM); }
static bool udp_lan4(const struct aim *aim) { return reach_spot(aim, SPOT_LAN4, SOCK_DGRAM); }
static bool udp_lan6(const struct aim *aim) { return reach_spot(aim, SPOT_LAN6, SOCK_DGRAM); }

/* An IPv4 address through an IPv6 socket */
static bool tcp_mapped(const struct aim *aim)
{
	enum spot s = has_lan4(aim) ? SPOT_LAN4 : SPOT_LOOP4;
	struct target_addr to = { .len = sizeof(to.sa) };

	to.sa.sin6_family = AF_INET6;
	to.sa.sin6_port = htons(aim->spot[s].tcp);
	memcpy(&to.sa.sin6_addr, aim->spot[s].addr.b, sizeof(to.sa.sin6_addr));
	return reach(&to, SOCK_STREAM, 0, aim);
}

static bool udp_unconnected(const struct aim *aim)
{
	struct target_addr to = at_addr(&aim->spot[SPOT_LAN4].addr, aim->spot[SPOT_LAN4].udp);
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[SELFTEST_MESSAGE];
	size_t len = selftest_message(aim, text);

	return sendto(fd, text, len, 0, (struct sockaddr *)&to.sa, to.len) == (ssize_t)len &&
	       readable(fd) && recv(fd, text, sizeof(text), 0) > 0;
}

/* Data in the first packet, and no connect(2) */
static bool tcp_fast_open(const struct aim *aim)
{
	struct target_addr to = at_addr(&aim->spot[SPOT_LOOP4].addr, aim->spot[SPOT_LOOP4].tcp);
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[SELFTEST_MESSAGE];
	size_t len = selftest_message(aim, text);

	return sendto(fd, text, len, MSG_FASTOPEN, (struct sockaddr *)&to.sa, to.len) > 0 &&
	       readable(fd) && recv(fd, text, sizeof(text), 0) > 0;
}

static bool tcp_multipath(const struct aim *aim)
{
	struct target_addr to = at_addr(&aim->spot[SPOT_LOOP4].addr, aim->spot[SPOT_LOOP4].tcp);

	return reach(&to, SOCK_STREAM, IPPROTO_MPTCP, aim);
}

/* ---- strangers ---- */

static bool tcp_metadata(const struct aim *aim)
{
	(void)aim;
	return reach_stranger("169.254.169.254", PORT_HTTP);
}

static bool tcp_literal4(const struct aim *aim)
{
	(void)aim;
	return reach_stranger("1.1.1.1", PORT_HTTPS) || reach_stranger("8.8.8.8", PORT_HTTP);
}

static bool tcp_literal6(const struct aim *aim)
{
	(void)aim;
	return reach_stranger("2606:4700:4700::1111", PORT_HTTPS);
}

static bool tcp_nat64(const struct aim *aim)
{
	(void)aim;
	return reach_stranger("64:ff9b::101:101", PORT_HTTPS);
}

static bool tcp_dot(const struct aim *aim)
{
	(void)aim;
	return reach_stranger("9.9.9.9", PORT_DOT);
}

static bool udp_literal(const struct aim *aim)
{
	return reach_stranger_udp("8.8.8.8", PORT_NTP, aim) ||
	       reach_stranger_udp("2001:4860:4860::8888", PORT_NTP, aim);
}

static bool udp_quic(const struct aim *aim)
{
	return reach_stranger_udp("1.1.1.1", PORT_HTTPS, aim);
}

static bool udp_metadata(const struct aim *aim)
{
	return reach_stranger_udp("169.254.169.254", PORT_NTP, aim);
}

static bool ping(const char *text)
{
	struct target_addr to = at_text(text, 0);
	bool v6 = to.sa.sin6_family == AF_INET6;
	AUTO_CLOSE int fd = socket(to.sa.sin6_family, SOCK_DGRAM | SOCK_CLOEXEC,
				   v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	struct icmphdr echo = { .type = v6 ? 128 : ICMP_ECHO };	/* RFC 4443, 4.1 */

	return sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to.sa, to.len) > 0 &&
	       readable(fd) && recv(fd, &echo, sizeof(echo), 0) > 0;
}

static bool icmp_echo(const struct aim *aim)
{
	(void)aim;
	return ping("8.8.8.8") || ping("2001:4860:4860::8888");
}

/* ---- DNS ---- */

enum dns_answer { DNS_NONE, DNS_REFUSED, DNS_OTHER };

/* One question for DENIED_NAME's addresses, with EDNS.  Return: its length */
static size_t dns_question(uint8_t q[static 64])
{
	static const uint8_t text[] =
		"\x51\x75\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"	/* id, RD, 1 question, OPT */
		"\7example\3com\0\0\1\0\1"
		"\0\0\x29\x04\xd0\0\0\0\0\0\0";

	memcpy(q, text, sizeof(text) - 1);
	return sizeof(text) - 1;
}

/* The gate's refusal is NXDOMAIN that says "blocked"; anything else is another's answer */
static enum dns_answer dns_judge(const uint8_t *a, ssize_t len)
{
	static const uint8_t ede[] = { 0, 15 };	/* the option's code, RFC 8914, 2 */

	if (len < 12)
		return DNS_NONE;
	if ((a[3] & 0xf) != 3)
		return DNS_OTHER;
	for (ssize_t i = 12; i + 6 <= len; i++)
		if (!memcmp(a + i, ede, sizeof(ede)) && !a[i + 4] && a[i + 5] == EDE_BLOCKED)
			return DNS_REFUSED;
	return DNS_OTHER;
}

static enum dns_answer dns_ask(const char *server, int type)
{
	struct target_addr to = at_text(server, PORT_DNS);
	AUTO_CLOSE int fd = connected(&to, type, 0);
	size_t head = type == SOCK_STREAM ? 2 : 0;	/* the length, RFC 1035, 4.2.2 */
	uint8_t bytes[1500] = { 0 };
	size_t len = dns_question(bytes + head);
	ssize_t n;

	if (head)
		bytes[1] = (uint8_t)len;
	if (fd < 0 || send(fd, bytes, head + len, MSG_NOSIGNAL) < 0 || !readable(fd))
		return DNS_NONE;
	n = recv(fd, bytes, sizeof(bytes), 0);
	return n < (ssize_t)head ? DNS_NONE : dns_judge(bytes + head, n - (ssize_t)head);
}

static bool dns_udp(const struct aim *aim)
{
	(void)aim;
	return dns_ask("9.9.9.9", SOCK_DGRAM) == DNS_OTHER ||
	       dns_ask("2620:fe::fe", SOCK_DGRAM) == DNS_OTHER;
}

static bool dns_tcp(const struct aim *aim)
{
	(void)aim;
	return dns_ask("9.9.9.9", SOCK_STREAM) == DNS_OTHER ||
	       dns_ask("2620:fe::fe", SOCK_STREAM) == DNS_OTHER;
}

static bool dns_refused_udp(const struct aim *aim)
{
	(void)aim;
	return dns_ask("9.9.9.9", SOCK_DGRAM) == DNS_REFUSED;
}

static bool dns_refused_tcp(const struct aim *aim)
{
	(void)aim;
	return dns_ask("9.9.9.9", SOCK_STREAM) == DNS_REFUSED;
}

static bool resolves(const char *name)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int failed = getaddrinfo(name, NULL, &hints, &found);

	if (!failed)
		freeaddrinfo(found);
	return !failed;
}

static bool dns_libc(const struct aim *aim)
{
	(void)aim;
	return resolves(DENIED_NAME);
}

static bool dns_localhost(const struct aim *aim)
{
	(void)aim;
	return resolves("localhost") && resolves("selftest.localhost");
}

/* ---- what must work ---- */

static bool host_port(const struct aim *aim)
{
	struct target_addr to = at_text("127.0.0.1", aim->host_port);

	return reach(&to, SOCK_STREAM, 0, aim);
}

static bool own_server(const struct aim *aim)
{
	struct target_addr at = at_text("127.0.0.1", 0);
	AUTO_CLOSE int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	AUTO_CLOSE int client = -1, peer = -1;
	char byte = 0;

	(void)aim;
	if (bind(server, (struct sockaddr *)&at.sa, at.len) || listen(server, 1) ||
	    getsockname(server, (struct sockaddr *)&at.sa, &at.len))
		return false;
	client = connected(&at, SOCK_STREAM, 0);
	peer = client < 0 ? -1 : accept4(server, NULL, NULL, SOCK_CLOEXEC);
	return peer >= 0 && send(peer, "!", 1, 0) == 1 && readable(client) &&
	       recv(client, &byte, 1, 0) == 1 && byte == '!';
}

const struct attempt selftest_net[] = {
	{ "tcp-loopback4", "TCP to a server on the host's 127.0.0.1", CONTROL_MUST, tcp_loop4, NULL },
	{ "tcp-loopback6", "TCP to a server on the host's ::1", CONTROL_MUST, tcp_loop6, has_loop6 },
	{ "tcp-lan4", "TCP to the host's own IPv4 address", CONTROL_MUST, tcp_lan4, has_lan4 },
	{ "tcp-lan6", "TCP to the host's own IPv6 address", CONTROL_MUST, tcp_lan6, has_lan6 },
	{ "tcp-mapped", "TCP to IPv4 through an IPv6 socket", CONTROL_MAY, tcp_mapped, NULL },
	{ "tcp-fast-open", "data in the first packet, without connect(2)", CONTROL_MAY,
	  tcp_fast_open, NULL },
	{ "tcp-multipath", "the same by MPTCP", CONTROL_MAY, tcp_multipath, NULL },
	{ "udp-loopback4", "UDP to a server on the host's 127.0.0.1", CONTROL_MUST, udp_loop4, NULL },
	{ "udp-loopback6", "UDP to a server on the host's ::1", CONTROL_MUST, udp_loop6, has_loop6 },
	{ "udp-lan4", "UDP to the host's own IPv4 address", CONTROL_MUST, udp_lan4, has_lan4 },
	{ "udp-lan6", "UDP to the host's own IPv6 address", CONTROL_MUST, udp_lan6, has_lan6 },
	{ "udp-unconnected", "the same with sendto(2)", CONTROL_MUST, udp_unconnected, has_lan4 },
	{ "tcp-metadata", "TCP to 169.254.169.254 (cloud metadata)", CONTROL_NEVER, tcp_metadata, NULL },
	{ "tcp-literal4", "TCP to public IPv4 addresses", CONTROL_NEVER, tcp_literal4, NULL },
	{ "tcp-literal6", "TCP to a public IPv6 address", CONTROL_NEVER, tcp_literal6, NULL },
	{ "tcp-nat64", "TCP to IPv4 through the NAT64 prefix", CONTROL_NEVER, tcp_nat64, NULL },
	{ "dns-over-tls", "TCP to port 853 of a public resolver", CONTROL_NEVER, tcp_dot, NULL },
	{ "udp-literal", "UDP to public addresses", CONTROL_NEVER, udp_literal, NULL },
	{ "udp-quic", "UDP to port 443 of a public address", CONTROL_NEVER, udp_quic, NULL },
	{ "udp-metadata", "UDP to 169.254.169.254", CONTROL_NEVER, udp_metadata, NULL },
	{ "icmp-echo", "ping public addresses", CONTROL_NEVER, icmp_echo, NULL },
	{ "dns-udp", "ask other resolvers for a denied name over UDP", CONTROL_NEVER, dns_udp, NULL },
	{ "dns-tcp", "the same over TCP", CONTROL_NEVER, dns_tcp, NULL },
	{ "dns-libc", "resolve a denied name with getaddrinfo(3)", CONTROL_NEVER, dns_libc, NULL },
	{ "dns-says-so", "a denied name is NXDOMAIN, blocked (EDE 15), over UDP", CONTROL_ALLOWED,
	  dns_refused_udp, NULL },
	{ "dns-says-so-tcp", "the same over TCP", CONTROL_ALLOWED, dns_refused_tcp, NULL },
	{ "dns-localhost", "localhost and names below it resolve", CONTROL_ALLOWED, dns_localhost, NULL },
	{ "host-port", "the one port of the host that the policy opens", CONTROL_ALLOWED, host_port,
	  NULL },
	{ "own-server", "a server of the jail's own on 127.0.0.1", CONTROL_ALLOWED, own_server, NULL },
	{ NULL, NULL, CONTROL_NEVER, NULL, NULL },
};

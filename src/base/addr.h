/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addr.h - one type for IPv4 and IPv6 addresses, and networks of them
 *
 * An IPv4 address is kept in its v4-mapped form (::ffff:0:0/96, RFC 4291
 * 2.5.5.2), so that comparing and prefix matching need no second case.  A
 * mapped address that came from outside is therefore the IPv4 address inside
 * it, which is also how the kernel treats it.
 */
#ifndef SLUICE_BASE_ADDR_H
#define SLUICE_BASE_ADDR_H

#include <netinet/in.h>

#include "base/span.h"

#define ADDR_TEXT_MAX 46	/* INET6_ADDRSTRLEN: longest text, with NUL */
#define NET_TEXT_MAX 50		/* with "/128" */

struct addr {
	uint8_t b[16];		/* network order */
};

#define NET_V4_BITS 96	/* of ::ffff:0:0/96 */

/* A network: the first @bits bits of @base; the others are zero */
struct net {
	struct addr	base;
	uint8_t		bits;	/* 0 to 128; an IPv4 /n is NET_V4_BITS + n */
};

static inline bool addr_is_v4(const struct addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a->b, mapped, sizeof(mapped));
}

static inline bool addr_eq(const struct addr *a, const struct addr *b)
{
	return !memcmp(a->b, b->b, sizeof(a->b));
}

struct addr addr_v4(uint32_t host_order);
uint32_t addr_v4_value(const struct addr *a);	/* host order; only for IPv4 */
struct addr addr_from_in(const struct in_addr *in);
struct addr addr_from_in6(const struct in6_addr *in6);

/*
 * addr_parse() - dotted quad (four decimal parts, no leading zeros) or RFC 4291
 * text, without brackets, without zone
 */
bool addr_parse(struct span text, struct addr *ret_addr);

/* The canonical text (RFC 5952), NUL-terminated.  Return: @dst */
const char *addr_text(const struct addr *a, char dst[ADDR_TEXT_MAX]);

/*
 * net_parse() - ADDRESS or ADDRESS/BITS
 *
 * Bits set beyond the prefix are an error: 10.0.0.1/8 is more likely a slip
 * than a network.
 */
bool net_parse(struct span text, struct net *ret_net);
const char *net_text(const struct net *n, char dst[NET_TEXT_MAX]);

/* An IPv4 address is in no network of IPv6's, not even in ::/0 */
bool net_has(const struct net *n, const struct addr *a);

/*
 * addr_from_sockaddr() - address and port (host order) of an AF_INET or AF_INET6 sockaddr
 *
 * Return: false for any other family or a length that is too short.
 */
bool addr_from_sockaddr(const void *sa, size_t len, struct addr *ret_addr, uint16_t *ret_port);

/*
 * addr_to_sockaddr() - the sockaddr of an address
 *
 * Return: its length.  @ret_sa has AF_INET for IPv4 and AF_INET6 otherwise.
 */
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_in6 *ret_sa);

#endif

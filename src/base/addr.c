/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

struct addr addr_v4(uint32_t v)
{
	return (struct addr){ { [10] = 0xff, [11] = 0xff,
		[12] = (uint8_t)(v >> 24), [13] = (uint8_t)(v >> 16),
		[14] = (uint8_t)(v >> 8), [15] = (uint8_t)v } };
}

uint32_t addr_v4_value(const struct addr *a)
{
	return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 |
	       (uint32_t)a->b[14] << 8 | a->b[15];
}

struct addr addr_from_in(const struct in_addr *in)
{
	return addr_v4(ntohl(in->s_addr));
}

struct addr addr_from_in6(const struct in6_addr *in6)
{
	struct addr a;

	memcpy(a.b, in6->s6_addr, sizeof(a.b));
	return a;
}

bool addr_parse(struct span text, struct addr *ret_addr)
{
	char s[ADDR_TEXT_MAX];
	struct in6_addr in6;
	struct in_addr in;

	if (!span_copy(text, s, sizeof(s)))
		return false;
	if (inet_pton(AF_INET, s, &in) == 1)
		*ret_addr = addr_from_in(&in);
	else if (inet_pton(AF_INET6, s, &in6) == 1)
		*ret_addr = addr_from_in6(&in6);
	else
		return false;
	return true;
}

/*
 * Text is made by hand: inet_ntop() goes through printf, and every audit record
 * holds a few addresses.  The result is the same for every address.
 */
static char *put_octet(char *p, unsigned v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static char *put_group(char *p, unsigned v)
{
	int shift = v >= 0x1000 ? 12 : v >= 0x100 ? 8 : v >= 0x10 ? 4 : 0;

	for (; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[v >> shift & 15];
	return p;
}

static unsigned group_at(const struct addr *a, size_t i)
{
	return (unsigned)a->b[2 * i] << 8 | a->b[2 * i + 1];
}

/* The first of the longest runs of two or more zero groups (RFC 5952 4.2); len 0: none */
static size_t longest_zeros(const struct addr *a, size_t *ret_len)
{
	size_t best = 8, best_len = 1, len = 0;

	for (size_t i = 0; i < 8; i++) {
		len = group_at(a, i) ? 0 : len + 1;
		if (len > best_len) {
			best_len = len;
			best = i + 1 - len;
		}
	}
	*ret_len = best < 8 ? best_len : 0;
	return best;
}

static void text_v6(const struct addr *a, char *p)
{
	size_t zeros_len, zeros = longest_zeros(a, &zeros_len), i = 0;

	while (i < 8) {
		if (i == zeros) {
			*p++ = ':';
			i += zeros_len;
			if (i == 8)
				*p++ = ':';
			continue;
		}
		if (i)
			*p++ = ':';
		p = put_group(p, group_at(a, i++));
	}
	*p = '\0';
}

const char *addr_text(const struct addr *a, char dst[ADDR_TEXT_MAX])
{
	static const uint8_t zeros[12];
	char *p = dst;

	if (addr_is_v4(a)) {
		for (size_t i = 12; i < 16; i++) {
			p = put_octet(p, a->b[i]);
			*p++ = i < 15 ? '.' : '\0';
		}
		return dst;
	}
	/* "::1", "::192.0.2.1": forms of their own, and rare */
	if (!memcmp(a->b, zeros, sizeof(zeros)))
		return inet_ntop(AF_INET6, a->b, dst, ADDR_TEXT_MAX);
	text_v6(a, dst);
	return dst;
}

/* The address with everything beyond the first @bits bits cleared */
static struct addr addr_masked(const struct addr *a, unsigned bits)
{
	struct addr m = { { 0 } };

	memcpy(m.b, a->b, bits / 8);
	if (bits % 8)
		m.b[bits / 8] = (uint8_t)(a->b[bits / 8] & (0xff00 >> bits % 8));
	return m;
}

bool net_parse(struct span text, struct net *ret_net)
{
	ptrdiff_t slash = span_find(text, '/');
	struct addr base, masked;
	uint64_t bits = 128;
	bool v4;

	if (!addr_parse(slash < 0 ? text : span_head(text, (size_t)slash), &base))
		return false;
	/* "::ffff:1.2.3.4/104" would be two readings of one text */
	v4 = addr_is_v4(&base) && span_find(text, ':') < 0;
	if (slash >= 0 &&
	    !span_u64(span_skip(text, (size_t)slash + 1), v4 ? 32 : 128, &bits))
		return false;
	if (slash >= 0 && v4)
		bits += 96;
	masked = addr_masked(&base, (unsigned)bits);
	if (!addr_eq(&masked, &base))
		return false;
	*ret_net = (struct net){ base, (uint8_t)bits };
	return true;
}

const char *net_text(const struct net *n, char dst[NET_TEXT_MAX])
{
	bool v4 = addr_is_v4(&n->base) && n->bits >= 96;
	char text[ADDR_TEXT_MAX];

	addr_text(&n->base, text);
	snprintf(dst, NET_TEXT_MAX, "%s/%u", text, v4 ? n->bits - 96u : n->bits);
	return dst;
}

bool net_has(const struct net *n, const struct addr *a)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (n->bits < NET_V4_BITS && addr_is_v4(a))
		return false;
	if (memcmp(n->base.b, a->b, whole))
		return false;
	return !rest || !((n->base.b[whole] ^ a->b[whole]) & (0xff00 >> rest) & 0xff);
}

bool addr_from_sockaddr(const void *sa, size_t len, struct addr *ret_addr, uint16_t *ret_port)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	sa_family_t family;

	if (len < sizeof(family))
		return false;
	memcpy(&family, sa, sizeof(family));
	if (family == AF_INET && len >= sizeof(in)) {
		memcpy(&in, sa, sizeof(in));
		*ret_addr = addr_from_in(&in.sin_addr);
		*ret_port = ntohs(in.sin_port);
		return true;
	}
	if (family == AF_INET6 && len >= sizeof(in6)) {
		memcpy(&in6, sa, sizeof(in6));
		*ret_addr = addr_from_in6(&in6.sin6_addr);
		*ret_port = ntohs(in6.sin6_port);
		return true;
	}
	return false;
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_in6 *ret_sa)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	memset(ret_sa, 0, sizeof(*ret_sa));
	if (addr_is_v4(a)) {
		memcpy(&in.sin_addr, a->b + 12, 4);
		memcpy(ret_sa, &in, sizeof(in));
		return sizeof(in);
	}
	ret_sa->sin6_family = AF_INET6;
	ret_sa->sin6_port = htons(port);
	memcpy(&ret_sa->sin6_addr, a->b, sizeof(a->b));
	return sizeof(*ret_sa);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/udp_ip.h"

#include "base/auto.h"
#include "base/wire.h"

#define IP4_HEADER 20		/* without options, RFC 791 3.1 */
#define IP6_HEADER 40		/* RFC 8200 section 3 */
#define UDP_HEADER 8		/* RFC 768 */
#define ICMP_HEADER 8		/* RFC 792, RFC 4443 3.1 */
#define PACKET_MAX 65535	/* bytes; IPv4's total length, IPv6's payload without jumbograms */
#define TTL 64			/* hops, RFC 1700; one is enough */

#define ICMP4_PORT_UNREACHABLE 0x0303	/* type and code, RFC 792 */
#define ICMP6_PORT_UNREACHABLE 0x0104	/* RFC 4443 3.1 */
#define QUIC_ID_MIN 8		/* a client's first destination id, RFC 9000 7.2 */
#define QUIC_ID_MAX 20		/* RFC 9000 17.2 */

enum {
	IP4_DONT_FRAGMENT = 0x4000,
	IP4_OFFSET = 0x1fff,
	IP6_OFFSET = 0xfff8,
};

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
	       protocol == IPPROTO_UDPLITE || protocol == IPPROTO_SCTP;
}

/* All of these have the source port first and the destination port next */
static void ports_read(struct wire *w, struct packet_facts *f)
{
	if (!has_ports(f->protocol))
		return;
	f->sport = wire_u16(w);
	f->dport = wire_u16(w);
}

static struct addr addr4_read(struct wire *w)
{
	return addr_v4(wire_u32(w));
}

static struct addr addr6_read(struct wire *w)
{
	struct span bytes = wire_take(w, 16);
	struct addr a = { { 0 } };

	if (bytes.len)
		memcpy(a.b, bytes.at, sizeof(a.b));
	return a;
}

static bool ip4_read(struct wire *w, struct packet_facts *f)
{
	size_t header = (wire_u8(w) & 0xfu) * 4;
	uint16_t total, fragment;

	wire_u8(w);			/* type of service */
	total = wire_u16(w);
	wire_u16(w);			/* identification */
	fragment = wire_u16(w);
	wire_u8(w);			/* time to live */
	f->protocol = wire_u8(w);
	wire_u16(w);			/* checksum: the kernel looked */
	f->src = addr4_read(w);
	f->dst = addr4_read(w);
	if (w->spent || header < IP4_HEADER || total < header)
		return false;
	wire_take(w, header - IP4_HEADER);
	if (!(fragment & IP4_OFFSET))
		ports_read(w, f);
	return !w->spent;
}

/* Extension headers and the unit in which their second octet counts (RFC 8200 section 4) */
static const struct extension {
	uint8_t type;
	uint8_t unit, more;	/* bytes: unit * length + more */
} extensions[] = {
	{ IPPROTO_HOPOPTS, 8, 8 },
	{ IPPROTO_ROUTING, 8, 8 },
	{ IPPROTO_FRAGMENT, 0, 8 },	/* the octet is reserved */
	{ IPPROTO_DSTOPTS, 8, 8 },
	{ IPPROTO_MH, 8, 8 },		/* RFC 6275 6.1 */
	{ IPPROTO_AH, 4, 8 },		/* RFC 4302 2.2 */
};

static const struct extension *extension_find(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		if (extensions[i].type == type)
			return &extensions[i];
	return NULL;
}

/* Return: false if it is a fragment that is not the first: what follows is payload */
static bool extension_skip(struct wire *w, const struct extension *e, uint8_t *ret_next)
{
	uint8_t next = wire_u8(w), length = wire_u8(w);
	uint16_t offset = wire_u16(w);

	wire_take(w, (size_t)e->unit * length + e->more - 4);
	*ret_next = next;
	return e->type != IPPROTO_FRAGMENT || !(offset & IP6_OFFSET);
}

static bool ip6_read(struct wire *w, struct packet_facts *f)
{
	const struct extension *e;
	bool first = true;

	wire_take(w, 6);		/* version, class, label, payload length */
	f->protocol = wire_u8(w);
	wire_u8(w);			/* hop limit */
	f->src = addr6_read(w);
	f->dst = addr6_read(w);
	for (size_t i = 0; first && (e = extension_find(f->protocol)); i++) {
		if (w->spent || i == PACKET_EXTENSIONS_MAX)
			return false;
		first = extension_skip(w, e, &f->protocol);
	}
	if (first)
		ports_read(w, f);
	return !w->spent;
}

enum parse packet_parse(struct span packet, struct packet_facts *ret_facts)
{
	struct packet_facts f = { 0 };
	struct wire w = wire_over(packet);
	uint8_t version = packet.len ? packet.at[0] >> 4 : 0;
	bool good = (version == 4 && ip4_read(&w, &f)) || (version == 6 && ip6_read(&w, &f));

	if (!good)
		return PARSE_BAD;
	*ret_facts = f;
	return PARSE_OK;
}

/*
 * RFC 1071.  The sum does not mind the byte order in which it is taken if it
 * is put down in the same, so words are added as memory has them.  Only the
 * last of several pieces may be odd.
 */
static uint64_t sum_add(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint32_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, at, len);
	return sum + word;
}

static void sum_store(uint64_t sum, uint8_t *at)
{
	uint16_t check;

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	check = (uint16_t)~sum;
	memcpy(at, &check, sizeof(check));
}

/* The part of an address that is on the wire */
static struct span addr_wire(const struct addr *a)
{
	return addr_is_v4(a) ? span_of(a->b + 12, 4) : span_of(a->b, 16);
}

/*
 * The checksum of UDP and ICMPv6: pseudo header (RFC 768, RFC 8200 8.1; for
 * both families the same sum) and everything from @at on
 */
static void transport_sum(const struct addr *src, const struct addr *dst, uint8_t protocol,
			  const uint8_t *at, size_t len, uint8_t *check)
{
	const uint8_t tail[4] = { 0, protocol, (uint8_t)(len >> 8), (uint8_t)len };
	struct span from = addr_wire(src), to = addr_wire(dst);
	uint64_t sum = sum_add(0, from.at, from.len);

	sum = sum_add(sum, to.at, to.len);
	sum = sum_add(sum, tail, sizeof(tail));
	sum_store(sum_add(sum, at, len), check);
}

/* An IP header of the addresses' family for @len bytes of @protocol behind it */
static void ip_put(struct wire_out *w, const struct addr *src, const struct addr *dst,
		   uint8_t protocol, size_t len)
{
	struct span from = addr_wire(src), to = addr_wire(dst);
	size_t start = w->len;

	if (addr_is_v4(src)) {
		wire_put_u16(w, 0x4500);
		wire_put_u16(w, (uint16_t)(IP4_HEADER + len));
		wire_put_u16(w, 0);	/* identification: none is needed, RFC 6864 */
		wire_put_u16(w, IP4_DONT_FRAGMENT);
		wire_put_u8(w, TTL);
		wire_put_u8(w, protocol);
		wire_put_u16(w, 0);
	} else {
		wire_put_u32(w, 0x60000000);
		wire_put_u16(w, (uint16_t)len);
		wire_put_u8(w, protocol);
		wire_put_u8(w, TTL);
	}
	wire_put(w, from.at, from.len);
	wire_put(w, to.at, to.len);
	if (addr_is_v4(src) && !w->full)
		sum_store(sum_add(0, w->at + start, IP4_HEADER), w->at + start + 10);
}

static void udp_put(struct wire_out *w, uint16_t sport, uint16_t dport, size_t payload_len)
{
	wire_put_u16(w, sport);
	wire_put_u16(w, dport);
	wire_put_u16(w, (uint16_t)(UDP_HEADER + payload_len));
	wire_put_u16(w, 0);
}

/* Can there be such a datagram? */
static bool datagram_is_sane(const struct addr *src, const struct addr *dst, size_t payload_len)
{
	size_t headers = UDP_HEADER + (addr_is_v4(src) ? IP4_HEADER : 0);

	return addr_is_v4(src) == addr_is_v4(dst) && payload_len <= PACKET_MAX - headers;
}

size_t packet_udp_write(const struct addr *src, uint16_t sport, const struct addr *dst,
			uint16_t dport, struct span payload, uint8_t *out, size_t size)
{
	struct wire_out w = { .at = out, .size = size };
	uint8_t *udp, *check;

	if (!datagram_is_sane(src, dst, payload.len))
		return 0;
	ip_put(&w, src, dst, IPPROTO_UDP, UDP_HEADER + payload.len);
	udp = out + w.len;
	udp_put(&w, sport, dport, payload.len);
	wire_put(&w, payload.at, payload.len);
	if (w.full)
		return 0;
	check = udp + 6;
	transport_sum(src, dst, IPPROTO_UDP, udp, UDP_HEADER + payload.len, check);
	if (!check[0] && !check[1])	/* RFC 768: 0 would say that there is none */
		memset(check, 0xff, 2);
	return w.len;
}

size_t packet_unreachable_write(const struct addr *src, uint16_t sport, const struct addr *dst,
				uint16_t dport, size_t payload_len, uint8_t *out, size_t size)
{
	bool v4 = addr_is_v4(src);
	uint8_t protocol = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	size_t len = ICMP_HEADER + (v4 ? IP4_HEADER : IP6_HEADER) + UDP_HEADER;
	struct wire_out w = { .at = out, .size = size };
	uint8_t *icmp;

	if (!datagram_is_sane(src, dst, payload_len))
		return 0;
	ip_put(&w, dst, src, protocol, len);
	icmp = out + w.len;
	wire_put_u16(&w, v4 ? ICMP4_PORT_UNREACHABLE : ICMP6_PORT_UNREACHABLE);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, 0);
	ip_put(&w, src, dst, IPPROTO_UDP, UDP_HEADER + payload_len);
	udp_put(&w, sport, dport, payload_len);
	if (w.full)
		return 0;
	if (v4)
		sum_store(sum_add(0, icmp, len), icmp + 2);
	else
		transport_sum(dst, src, protocol, icmp, len, icmp + 2);
	return w.len;
}

bool quic_likely(struct span datagram)
{
	struct wire w = wire_over(datagram);
	uint8_t first = wire_u8(&w);
	uint32_t version = wire_u32(&w);
	uint8_t to_len = wire_u8(&w), from_len;

	wire_take(&w, to_len);
	from_len = wire_u8(&w);
	wire_take(&w, from_len);
	return !w.spent && (first & 0xc0) == 0xc0 && version && to_len >= QUIC_ID_MIN &&
	       to_len <= QUIC_ID_MAX && from_len <= QUIC_ID_MAX;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "base/wire.h"
#include "proto/udp_ip.h"

/* RFC 1071 as it is written, two octets at a time */
static uint32_t sum(uint32_t sum, struct span s)
{
	for (size_t i = 0; i < s.len; i += 2)
		sum += (uint32_t)s.at[i] << 8 | (i + 1 < s.len ? s.at[i + 1] : 0u);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* All checksums of a packet that we wrote hold */
static void sums_check(struct span packet, uint8_t protocol)
{
	bool v4 = packet.at[0] >> 4 == 4;
	struct span ip = span_head(packet, v4 ? 20 : 40), body = span_skip(packet, ip.len);
	uint32_t pseudo = sum((uint32_t)(body.len + protocol), span_skip(ip, v4 ? 12 : 8));

	assert(!v4 || sum(0, ip) == 0xffff);
	assert(sum(protocol == IPPROTO_ICMP ? 0 : pseudo, body) == 0xffff);
}

static void datagram_check(const struct packet_facts *f, struct span payload)
{
	static uint8_t out[70000];
	bool v4 = addr_is_v4(&f->src);
	struct packet_facts again;
	struct span quoted;
	size_t len = packet_udp_write(&f->src, f->sport, &f->dst, f->dport, payload, out,
				      sizeof(out));

	if (v4 != addr_is_v4(&f->dst)) {
		assert(!len);
		return;
	}
	assert(len == (v4 ? 28 : 48) + payload.len);
	sums_check(span_of(out, len), IPPROTO_UDP);
	assert(packet_parse(span_of(out, len), &again) == PARSE_OK);
	assert(addr_eq(&again.src, &f->src) && addr_eq(&again.dst, &f->dst));
	assert(again.sport == f->sport && again.dport == f->dport);

	len = packet_unreachable_write(&f->src, f->sport, &f->dst, f->dport, payload.len, out,
				       sizeof(out));
	sums_check(span_of(out, len), v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	/* behind the headers of IP and ICMP it quotes the packet */
	quoted = span_skip(span_of(out, len), v4 ? 28 : 48);
	assert(packet_parse(quoted, &again) == PARSE_OK);
	assert(addr_eq(&again.src, &f->src) && again.sport == f->sport);
}

static void fuzz_one(struct span input)
{
	struct packet_facts f;

	if (quic_likely(input))
		assert(input.len >= 15 && input.at[0] >= 0xc0);
	if (packet_parse(input, &f) != PARSE_OK)
		return;
	assert(input.len >= 20);
	datagram_check(&f, span_head(input, 2000));
}

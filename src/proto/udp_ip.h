/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp_ip.h - IP packets as far as a gate without a socket per address needs them
 *
 * Read: what the kernel logged.  Written: answers and refusals to the jail,
 * for raw sockets whose headers are the caller's (IP_HDRINCL), from addresses
 * that no socket is bound to.
 */
#ifndef SLUICE_PROTO_UDP_IP_H
#define SLUICE_PROTO_UDP_IP_H

#include "base/addr.h"
#include "base/parse.h"
#include "base/span.h"

#define PACKET_EXTENSIONS_MAX 8	/* IPv6 extension headers; RFC 8200 4.1 knows seven in a row */

struct packet_facts {
	struct addr	src, dst;
	uint8_t		protocol;	/* IPPROTO_*, behind IPv6 extension headers */
	uint16_t	sport, dport;	/* host order; of TCP, UDP, UDP-Lite, SCTP; else, and in
					 * a fragment that is not the first, 0 */
};

/*
 * packet_parse() - what an IPv4 or IPv6 packet is, from its first bytes
 * @packet:	from the IP header on, as nfnetlink_log delivers it; it may be
 *		cut behind the ports
 *
 * Return: PARSE_OK or PARSE_BAD.
 */
enum parse packet_parse(struct span packet, struct packet_facts *ret_facts);

/*
 * packet_udp_write() - a UDP datagram with its IP header and both checksums
 *
 * Return: bytes written; 0 if the two addresses are not of one family, or it
 *         does not fit into @size or into an IP packet.
 */
size_t packet_udp_write(const struct addr *src, uint16_t sport, const struct addr *dst,
			uint16_t dport, struct span payload, uint8_t *out, size_t size);

/*
 * packet_unreachable_write() - ICMP or ICMPv6 "port unreachable" for a datagram
 * @src...:	of the datagram that is refused, as it was sent; the error goes
 *		from @dst to @src
 * @payload_len: bytes of its UDP payload
 *
 * The datagram's IP and UDP header are made up again from these facts for the
 * quotation; its UDP checksum is not known and quoted as 0.  Receivers find
 * the socket by addresses and ports (RFC 1122 3.2.2.1, RFC 4443 2.4).
 *
 * Return: bytes written, or 0 as above.
 */
size_t packet_unreachable_write(const struct addr *src, uint16_t sport, const struct addr *dst,
				uint16_t dport, size_t payload_len, uint8_t *out, size_t size);

/*
 * quic_likely() - does a client's datagram begin a QUIC connection?
 *
 * Version-independent long header (RFC 8999 5.1) with the fixed bit, a version,
 * and connection ids as long as a first packet has them (RFC 9000 7.2 and 17.2):
 * for the destination 8 to 20 bytes, which tells it from NTP.
 */
bool quic_likely(struct span datagram);

#endif

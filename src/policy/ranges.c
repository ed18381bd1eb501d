/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ranges.c - the address ranges as a table
 *
 * The registries of 2026-07-18, where "N/A" or nothing for "globally reachable"
 * counts as no; a more specific row wins over a wider one.  Three rows of ours
 * make every address have a row: IPv4 and 2000::/3 are public unless another
 * row says otherwise, the rest of IPv6 is not.
 */
#include "policy/ranges.h"

#include "base/auto.h"

#define HI(x) (uint8_t)((x) >> 8)
#define LO(x) (uint8_t)((x) & 0xff)
#define V4(a, b, c, d, n) { { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d } }, 96 + (n) }
#define V6(a, b, c, d, e, f, g, h, n) { { { HI(a), LO(a), HI(b), LO(b), HI(c), LO(c), \
	HI(d), LO(d), HI(e), LO(e), HI(f), LO(f), HI(g), LO(g), HI(h), LO(h) } }, n }

static const struct range ranges[] = {
	{ V4(0, 0, 0, 0, 0), RANGE_PUBLIC, "IPv4", "RFC 791" },
	{ V6(0, 0, 0, 0, 0, 0, 0, 0, 0), RANGE_SPECIAL, "Outside global unicast", "RFC 4291" },
	{ V6(0x2000, 0, 0, 0, 0, 0, 0, 0, 3), RANGE_PUBLIC, "Global unicast", "RFC 4291" },
	{ V4(0, 0, 0, 0, 8), RANGE_SPECIAL, "This network", "RFC 791" },
	{ V4(0, 0, 0, 0, 32), RANGE_LOOPBACK, "This host on this network", "RFC 1122" },
	{ V4(10, 0, 0, 0, 8), RANGE_SPECIAL, "Private use", "RFC 1918" },
	{ V4(100, 64, 0, 0, 10), RANGE_SPECIAL, "Shared address space (carrier NAT)", "RFC 6598" },
	{ V4(127, 0, 0, 0, 8), RANGE_LOOPBACK, "Loopback", "RFC 1122" },
	{ V4(169, 254, 0, 0, 16), RANGE_SPECIAL, "Link local", "RFC 3927" },
	{ V4(172, 16, 0, 0, 12), RANGE_SPECIAL, "Private use", "RFC 1918" },
	{ V4(192, 0, 0, 0, 24), RANGE_SPECIAL, "IETF protocol assignments", "RFC 6890" },
	{ V4(192, 0, 0, 0, 29), RANGE_SPECIAL, "IPv4 service continuity prefix", "RFC 7335" },
	{ V4(192, 0, 0, 8, 32), RANGE_SPECIAL, "IPv4 dummy address", "RFC 7600" },
	{ V4(192, 0, 0, 9, 32), RANGE_PUBLIC, "Port Control Protocol anycast", "RFC 7723" },
	{ V4(192, 0, 0, 10, 32), RANGE_PUBLIC, "TURN anycast", "RFC 8155" },
	{ V4(192, 0, 0, 170, 32), RANGE_SPECIAL, "NAT64/DNS64 discovery", "RFC 8880, RFC 7050" },
	{ V4(192, 0, 0, 171, 32), RANGE_SPECIAL, "NAT64/DNS64 discovery", "RFC 8880, RFC 7050" },
	{ V4(192, 0, 2, 0, 24), RANGE_SPECIAL, "Documentation (TEST-NET-1)", "RFC 5737" },
	{ V4(192, 31, 196, 0, 24), RANGE_PUBLIC, "AS112-v4", "RFC 7535" },
	{ V4(192, 52, 193, 0, 24), RANGE_PUBLIC, "AMT", "RFC 7450" },
	{ V4(192, 88, 99, 0, 24), RANGE_SPECIAL, "6to4 relay anycast (deprecated)", "RFC 7526" },
	{ V4(192, 88, 99, 2, 32), RANGE_SPECIAL, "6a44 relay anycast", "RFC 6751" },
	{ V4(192, 168, 0, 0, 16), RANGE_SPECIAL, "Private use", "RFC 1918" },
	{ V4(192, 175, 48, 0, 24), RANGE_PUBLIC, "AS112 direct delegation", "RFC 7534" },
	{ V4(198, 18, 0, 0, 15), RANGE_SPECIAL, "Benchmarking", "RFC 2544" },
	{ V4(198, 51, 100, 0, 24), RANGE_SPECIAL, "Documentation (TEST-NET-2)", "RFC 5737" },
	{ V4(203, 0, 113, 0, 24), RANGE_SPECIAL, "Documentation (TEST-NET-3)", "RFC 5737" },
	{ V4(240, 0, 0, 0, 4), RANGE_SPECIAL, "Reserved", "RFC 1112" },
	{ V4(255, 255, 255, 255, 32), RANGE_MULTICAST, "Limited broadcast", "RFC 8190, RFC 919" },
	{ V6(0, 0, 0, 0, 0, 0, 0, 0x1, 128), RANGE_LOOPBACK, "Loopback", "RFC 4291" },
	{ V6(0, 0, 0, 0, 0, 0, 0, 0, 128), RANGE_LOOPBACK, "Unspecified", "RFC 4291" },
	{ V6(0x64, 0xff9b, 0, 0, 0, 0, 0, 0, 96), RANGE_PUBLIC,
	  "IPv4-IPv6 translation, well-known prefix", "RFC 6052" },
	{ V6(0x64, 0xff9b, 0x1, 0, 0, 0, 0, 0, 48), RANGE_SPECIAL,
	  "IPv4-IPv6 translation, local use", "RFC 8215" },
	{ V6(0x100, 0, 0, 0, 0, 0, 0, 0, 64), RANGE_SPECIAL, "Discard only", "RFC 6666" },
	{ V6(0x100, 0, 0, 0x1, 0, 0, 0, 0, 64), RANGE_SPECIAL, "Dummy prefix", "RFC 9780" },
	{ V6(0x2001, 0, 0, 0, 0, 0, 0, 0, 23), RANGE_SPECIAL,
	  "IETF protocol assignments", "RFC 2928" },
	{ V6(0x2001, 0, 0, 0, 0, 0, 0, 0, 32), RANGE_SPECIAL, "Teredo", "RFC 4380, RFC 8190" },
	{ V6(0x2001, 0x1, 0, 0, 0, 0, 0, 0x1, 128), RANGE_PUBLIC,
	  "Port Control Protocol anycast", "RFC 7723" },
	{ V6(0x2001, 0x1, 0, 0, 0, 0, 0, 0x2, 128), RANGE_PUBLIC, "TURN anycast", "RFC 8155" },
	{ V6(0x2001, 0x1, 0, 0, 0, 0, 0, 0x3, 128), RANGE_PUBLIC,
	  "DNS-SD SRP anycast", "RFC 9665" },
	{ V6(0x2001, 0x2, 0, 0, 0, 0, 0, 0, 48), RANGE_SPECIAL, "Benchmarking", "RFC 5180" },
	{ V6(0x2001, 0x3, 0, 0, 0, 0, 0, 0, 32), RANGE_PUBLIC, "AMT", "RFC 7450" },
	{ V6(0x2001, 0x4, 0x112, 0, 0, 0, 0, 0, 48), RANGE_PUBLIC, "AS112-v6", "RFC 7535" },
	{ V6(0x2001, 0x10, 0, 0, 0, 0, 0, 0, 28), RANGE_SPECIAL,
	  "ORCHID (deprecated)", "RFC 4843" },
	{ V6(0x2001, 0x20, 0, 0, 0, 0, 0, 0, 28), RANGE_PUBLIC, "ORCHIDv2", "RFC 7343" },
	{ V6(0x2001, 0x30, 0, 0, 0, 0, 0, 0, 28), RANGE_PUBLIC,
	  "Drone remote ID entity tags", "RFC 9374" },
	{ V6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0, 32), RANGE_SPECIAL, "Documentation", "RFC 3849" },
	{ V6(0x2002, 0, 0, 0, 0, 0, 0, 0, 16), RANGE_SPECIAL, "6to4", "RFC 3056" },
	{ V6(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0, 48), RANGE_PUBLIC,
	  "AS112 direct delegation", "RFC 7534" },
	{ V6(0x3fff, 0, 0, 0, 0, 0, 0, 0, 20), RANGE_SPECIAL, "Documentation", "RFC 9637" },
	{ V6(0x5f00, 0, 0, 0, 0, 0, 0, 0, 16), RANGE_SPECIAL,
	  "Segment routing (SRv6) SIDs", "RFC 9602" },
	{ V6(0xfc00, 0, 0, 0, 0, 0, 0, 0, 7), RANGE_SPECIAL, "Unique local", "RFC 4193, RFC 8190" },
	{ V6(0xfe80, 0, 0, 0, 0, 0, 0, 0, 10), RANGE_SPECIAL, "Link-local unicast", "RFC 4291" },
	{ V4(224, 0, 0, 0, 4), RANGE_MULTICAST, "Multicast", "RFC 5771" },
	{ V6(0xff00, 0, 0, 0, 0, 0, 0, 0, 8), RANGE_MULTICAST, "Multicast", "RFC 4291" },
	{ V6(0xfec0, 0, 0, 0, 0, 0, 0, 0, 10), RANGE_SPECIAL,
	  "Site local (deprecated)", "RFC 3879" },
	{ V6(0, 0, 0, 0, 0, 0, 0, 0, 96), RANGE_SPECIAL,
	  "IPv4-compatible (deprecated)", "RFC 4291" },
	{ V6(0, 0, 0, 0, 0xffff, 0, 0, 0, 96), RANGE_SPECIAL, "IPv4-translated", "RFC 2765" },
	{ V4(169, 254, 169, 254, 32), RANGE_METADATA, "Cloud metadata", "" },
	{ V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254, 128), RANGE_METADATA, "AWS EC2", "" },
	{ V4(169, 254, 170, 2, 32), RANGE_METADATA, "AWS ECS task credentials", "" },
	{ V4(169, 254, 170, 23, 32), RANGE_METADATA, "AWS EKS Pod Identity", "" },
	{ V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23, 128), RANGE_METADATA, "AWS EKS Pod Identity", "" },
	{ V4(169, 254, 169, 253, 32), RANGE_METADATA, "AWS VPC DNS and time", "" },
	{ V4(169, 254, 169, 123, 32), RANGE_METADATA, "AWS VPC DNS and time", "" },
	{ V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253, 128), RANGE_METADATA,
	  "AWS VPC DNS and time", "" },
	{ V6(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123, 128), RANGE_METADATA,
	  "AWS VPC DNS and time", "" },
	{ V6(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254, 128), RANGE_METADATA, "Google Cloud", "" },
	{ V4(168, 63, 129, 16, 32), RANGE_METADATA, "Azure WireServer", "" },
	{ V4(100, 100, 100, 200, 32), RANGE_METADATA, "Alibaba Cloud", "" },
	{ V6(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200, 128), RANGE_METADATA, "Alibaba Cloud", "" },
	{ V4(192, 0, 0, 192, 32), RANGE_METADATA, "Oracle Cloud", "" },
	{ V6(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe, 128), RANGE_METADATA, "Oracle Cloud", "" },
	{ V6(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe, 128), RANGE_METADATA, "Cloud metadata", "" },
	{ V4(169, 254, 0, 23, 32), RANGE_METADATA, "Tencent Cloud", "" },
	{ V4(169, 254, 10, 10, 32), RANGE_METADATA, "Tencent Cloud", "" },
	{ V6(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 0x1, 128), RANGE_METADATA, "Akamai (Linode)", "" },
	{ V4(169, 254, 42, 42, 32), RANGE_METADATA, "Scaleway", "" },
	{ V6(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42, 128), RANGE_METADATA, "Scaleway", "" },
	{ V4(169, 254, 169, 250, 32), RANGE_METADATA, "Rancher", "" },
};

size_t range_count(void)
{
	return ARRAY_SIZE(ranges);
}

const struct range *range_at(size_t i)
{
	return &ranges[i];
}

const struct range *range_of(const struct addr *a)
{
	const struct range *best = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (net_has(&ranges[i].net, a) && (!best || ranges[i].net.bits > best->net.bits))
			best = &ranges[i];
	return best;
}

bool range_touches_special(const struct net *n)
{
	if (range_of(&n->base)->kind != RANGE_PUBLIC)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (ranges[i].kind != RANGE_PUBLIC && ranges[i].net.bits >= n->bits &&
		    net_has(n, &ranges[i].net.base))
			return true;
	return false;
}

static struct addr v4_at(const struct addr *a, const unsigned char at[4], uint8_t flip)
{
	struct addr v4 = addr_v4(0);

	for (unsigned i = 0; i < 4; i++)
		v4.b[12 + i] = a->b[at[i]] ^ flip;
	return v4;
}

unsigned addr_inside(const struct addr *a, struct addr ret_inner[ADDR_INSIDE_MAX])
{
	/* where the four octets lie; for the local-use NAT64 prefix both the
	 * /96 and the /48 layout of RFC 6052 2.2, since it does not tell which */
	static const struct {
		struct net	net;
		unsigned char	at[4];
		uint8_t		flip;
		bool		maybe;	/* 0.0.0.0 means: not this layout */
	} forms[] = {
		{ V6(0, 0, 0, 0, 0, 0, 0, 0, 96), { 12, 13, 14, 15 }, 0, false },
		{ V6(0, 0, 0, 0, 0xffff, 0, 0, 0, 96), { 12, 13, 14, 15 }, 0, false },
		{ V6(0x64, 0xff9b, 0, 0, 0, 0, 0, 0, 96), { 12, 13, 14, 15 }, 0, false },
		{ V6(0x64, 0xff9b, 1, 0, 0, 0, 0, 0, 48), { 12, 13, 14, 15 }, 0, true },
		{ V6(0x64, 0xff9b, 1, 0, 0, 0, 0, 0, 48), { 6, 7, 9, 10 }, 0, true },
		{ V6(0x2002, 0, 0, 0, 0, 0, 0, 0, 16), { 2, 3, 4, 5 }, 0, false },
		{ V6(0x2001, 0, 0, 0, 0, 0, 0, 0, 32), { 4, 5, 6, 7 }, 0, false },
		{ V6(0x2001, 0, 0, 0, 0, 0, 0, 0, 32), { 12, 13, 14, 15 }, 0xff, false },
	};
	unsigned count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct addr v4 = v4_at(a, forms[i].at, forms[i].flip);

		if (!net_has(&forms[i].net, a) || (forms[i].maybe && !addr_v4_value(&v4)))
			continue;
		ret_inner[count++] = v4;
	}
	return count;
}

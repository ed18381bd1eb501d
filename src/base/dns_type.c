/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dns_type.h"

#include <assert.h>
#include <stdio.h>

#include "base/auto.h"

struct dns_type {
	const char	*name;
	uint16_t	 type;
};

/* A bit each: new ones go to the end, or sets that were stored change their meaning */
static const struct dns_type open_types[] = {
	{ "A", 1 }, { "AAAA", 28 }, { "CAA", 257 }, { "CNAME", 5 }, { "LOC", 29 }, { "MX", 15 },
	{ "NAPTR", 35 }, { "NS", 2 }, { "OPENPGPKEY", 61 }, { "PTR", 12 }, { "SMIMEA", 53 },
	{ "SOA", 6 }, { "SRV", 33 }, { "SSHFP", 44 }, { "TLSA", 52 }, { "TXT", 16 },
	{ "URI", 256 },
};
static_assert(ARRAY_SIZE(open_types) <= DNS_TYPES_OPEN_MAX, "a bit for each");

static const struct dns_type other_types[] = {
	{ "A6", 38 }, { "AFSDB", 18 }, { "AMTRELAY", 260 }, { "ANY", 255 }, { "APL", 42 },
	{ "AXFR", 252 }, { "CDNSKEY", 60 }, { "CDS", 59 }, { "CERT", 37 }, { "DNAME", 39 },
	{ "DNSKEY", 48 }, { "DS", 43 }, { "EUI48", 108 }, { "EUI64", 109 }, { "HINFO", 13 },
	{ "HIP", 55 }, { "HTTPS", 65 }, { "IPSECKEY", 45 }, { "IXFR", 251 }, { "KEY", 25 },
	{ "KX", 36 }, { "L32", 105 }, { "L64", 106 }, { "MAILA", 254 }, { "MAILB", 253 },
	{ "NSEC", 47 }, { "NSEC3", 50 }, { "NSEC3PARAM", 51 }, { "NULL", 10 }, { "OPT", 41 },
	{ "RP", 17 }, { "RRSIG", 46 }, { "SIG", 24 }, { "SPF", 99 }, { "SVCB", 64 },
	{ "TKEY", 249 }, { "TSIG", 250 }, { "WKS", 11 }, { "ZONEMD", 63 },
};

static const struct dns_type *by_name(const struct dns_type *table, size_t count, struct span name)
{
	for (size_t i = 0; i < count; i++)
		if (span_eq_fold(name, span_str(table[i].name)))
			return &table[i];
	return NULL;
}

bool dns_type_from(struct span name, uint16_t *ret_type)
{
	const struct dns_type *t = by_name(open_types, ARRAY_SIZE(open_types), name);
	uint64_t number;

	if (!t)
		t = by_name(other_types, ARRAY_SIZE(other_types), name);
	if (t) {
		*ret_type = t->type;
		return true;
	}
	if (!span_eq_fold(span_head(name, 4), SPAN("TYPE")) ||
	    !span_u64(span_skip(name, 4), UINT16_MAX, &number) || !number)
		return false;
	*ret_type = (uint16_t)number;
	return true;
}

const char *dns_type_text(uint16_t type, char dst[DNS_TYPE_TEXT_MAX])
{
	const char *name = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(open_types) && !name; i++)
		if (open_types[i].type == type)
			name = open_types[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(other_types) && !name; i++)
		if (other_types[i].type == type)
			name = other_types[i].name;
	if (name)
		snprintf(dst, DNS_TYPE_TEXT_MAX, "%s", name);
	else
		snprintf(dst, DNS_TYPE_TEXT_MAX, "TYPE%u", type);
	return dst;
}

uint32_t dns_type_bit(uint16_t type)
{
	for (unsigned i = 0; i < ARRAY_SIZE(open_types); i++)
		if (open_types[i].type == type)
			return (uint32_t)1 << i;
	return 0;
}

uint16_t dns_type_open(unsigned index)
{
	return index < ARRAY_SIZE(open_types) ? open_types[index].type : 0;
}

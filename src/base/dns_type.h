/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_type.h - types of DNS records by name (RFC 1035 3.2.2 and later, RFC 3597 section 5)
 *
 * Open types are those that a policy may name in dns.types.  The others are known
 * so that messages and records can name them.  Never open are types that bring
 * addresses or keys past the policy (HTTPS, SVCB, APL, IPSECKEY ...), that prove
 * what we rewrite (RRSIG, NSEC ...), and that are no data (ANY, AXFR, OPT, TSIG ...).
 */
#ifndef SLUICE_BASE_DNS_TYPE_H
#define SLUICE_BASE_DNS_TYPE_H

#include "base/span.h"

#define DNS_TYPE_TEXT_MAX 11	/* "OPENPGPKEY", with NUL */

/* What a policy may open, in the order of the table, for messages */
#define DNS_TYPES_OPEN "A, AAAA, CAA, CNAME, LOC, MX, NAPTR, NS, OPENPGPKEY, PTR, SMIMEA, SOA, " \
	"SRV, SSHFP, TLSA, TXT, URI"
#define DNS_TYPES_OPEN_MAX 32	/* open types are bits of a uint32_t */

/* dns_type_from() - by name in any case, or TYPE and a number.  Return: false if unknown */
bool dns_type_from(struct span name, uint16_t *ret_type);

/* dns_type_text() - its name, else TYPE and its number.  Return: @dst */
const char *dns_type_text(uint16_t type, char dst[DNS_TYPE_TEXT_MAX]);

/* dns_type_bit() - which bit stands for the type in a set of open types; 0: it is never open */
uint32_t dns_type_bit(uint16_t type);

/*
 * dns_type_open() - the open types in order
 *
 * Return: the type of bit number @index; 0: there is none
 */
uint16_t dns_type_open(unsigned index);

#endif

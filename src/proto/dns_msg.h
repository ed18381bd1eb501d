/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_msg.h - read a DNS query, write its answer (RFC 1035, 6891, 8914)
 *
 * Only what a stub resolver sends is read: one question, opcode QUERY, an OPT
 * record perhaps.  Everything else is refused with the rcode that says so.
 */
#ifndef SLUICE_PROTO_DNS_MSG_H
#define SLUICE_PROTO_DNS_MSG_H

#include "base/addr.h"
#include "base/parse.h"
#include "base/span.h"

#define DNS_NAME_TEXT_MAX 1009	/* 253 octets, each written \DDD at worst, and NUL */
#define DNS_REPLY_MAX 1232	/* our largest UDP answer (DNS flag day 2020) */

enum dns_type {
	/* those that are treated here; all names are in base/dns_type.h */
	DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_MX = 15,
	DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33, DNS_OPT = 41, DNS_SVCB = 64,
	DNS_HTTPS = 65, DNS_ANY = 255, DNS_CAA = 257,
};
enum dns_class { DNS_IN = 1 };
enum dns_rcode {
	DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4, DNS_REFUSED = 5,
	DNS_BADVERS = 16,		/* needs EDNS: the upper bits are in the OPT record */
};
enum dns_ede { DNS_EDE_NONE = -1, DNS_EDE_BLOCKED = 15, DNS_EDE_NO_REACHABLE = 22 };

struct dns_query {
	uint16_t	id;
	uint8_t		opcode;		/* QUERY, or what was refused: copied to the answer */
	bool		rd;		/* recursion desired: copied to the answer */
	uint16_t	type, class;	/* any class: judging it is the caller's */
	char		name[DNS_NAME_TEXT_MAX]; /* normal form (dns_name.h): lower case,
						  * no trailing dot; the root is "." */
	size_t		name_len;
	bool		plain;		/* labels have letters, digits, '-' and '_' only */
	struct span	question;	/* the question section's bytes, to be echoed; borrowed */
	bool		edns;
	uint16_t	udp_bytes;	/* what the client can take over UDP; 512 without EDNS */
};

/*
 * dns_query_parse() - read one message
 * @msg:	a whole UDP payload, or a TCP message without its length
 * @ret_rcode:	for PARSE_BAD: what to answer, or -1: say nothing (a response,
 *		or no whole header).  When there is something to answer,
 *		@ret_query is filled as far as the message was understood
 *		(question may be empty), enough for dns_reply_write().
 *
 * Return: PARSE_OK or PARSE_BAD.
 */
enum parse dns_query_parse(struct span msg, struct dns_query *ret_query, int *ret_rcode);

/* What to answer */
struct dns_reply {
	enum dns_rcode	rcode;
	enum dns_ede	ede;		/* sent only to clients that sent EDNS */
	const struct addr *addrs;	/* A or AAAA, by the query's type */
	size_t		addr_count;
	struct span	ptr_name;	/* text of a PTR target in normal form; empty: none */
	struct span	records;	/* of the query's type, as a list (dns_answer.h) */
	uint32_t	ttl_s;
};

/*
 * dns_reply_write() - write the whole answer message
 * @out:	at least DNS_REPLY_MAX bytes
 * @udp:	keep to what the client can take; a record that does not fit is
 *		left out with all after it, and TC is set
 *
 * Records are written for NOERROR and class IN only; addresses of the other
 * family, a ptr_name that is no name, and what follows a break in @records are
 * left out.  QR, RA set, AA clear.
 * Return: bytes written, never 0.
 */
size_t dns_reply_write(const struct dns_query *q, const struct dns_reply *r, bool udp,
		       uint8_t *out, size_t size);

/*
 * dns_ptr_addr() - the address that a name under in-addr.arpa or ip6.arpa stands for
 *
 * Return: false if it is no whole reverse name.
 */
bool dns_ptr_addr(struct span name, struct addr *ret_addr);

#endif

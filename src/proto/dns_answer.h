/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_answer.h - write a question for an upstream name server, read its answer
 *
 * An answer is never passed on.  It is taken apart whole, and what is kept are
 * the data of the records of the one type that was asked for, at the end of the
 * one chain of CNAMEs that begins at the name that was asked for.  Names in
 * them are uncompressed; data that do not have the layout of their type make the
 * whole answer BAD.  dns_reply_write() writes them again, under the name that
 * the client asked for.
 *
 * The list of records: of each its length, 16 bits, and its data.
 */
#ifndef SLUICE_PROTO_DNS_ANSWER_H
#define SLUICE_PROTO_DNS_ANSWER_H

#include "base/parse.h"
#include "base/wire.h"
#include "proto/dns_name.h"

#define DNS_RECORDS_MAX 16384	/* bytes of a list; the largest sets in use have some 5000 */
#define DNS_RECORDS_COUNT_MAX 256
/* Our largest answer over TCP: header, question, OPT; of each record what comes before its data */
#define DNS_STREAM_REPLY_MAX (12 + 260 + 17 + DNS_RECORDS_COUNT_MAX * 12 + DNS_RECORDS_MAX)
#define DNS_QUESTION_MAX 512	/* bytes of a message that asks */

enum dns_outcome { DNS_FOUND, DNS_NO_NAME, DNS_NO_DATA, DNS_UPSTREAM_FAILED };

struct dns_found {
	enum dns_outcome outcome;	/* UPSTREAM_FAILED: an rcode that says nothing of the name */
	uint32_t	 ttl_s;		/* the shortest of the chain; without data the SOA's */
	bool		 has_ttl;	/* false: nothing said how long */
	size_t		 count;
	size_t		 len;		/* bytes of @records */
	uint8_t		 records[DNS_RECORDS_MAX];
};

/*
 * dns_question_write() - a query for a recursive server
 * @host:	a name in normal form
 *
 * Recursion desired, EDNS, padded to 128 octets (RFC 8467 4.1).
 * Return: bytes; 0 if @host is no name.
 */
size_t dns_question_write(uint16_t id, struct span host, uint16_t type,
			  uint8_t out[DNS_QUESTION_MAX]);

/*
 * dns_answer_read() - read the answer to a question
 * @msg:	the message; all of it must be one
 * @host:	what was asked, in normal form
 * @type:	what was asked; dns_answer_knows() it
 *
 * BAD: not whole, no answer, truncated (TC), to another question, two records
 * that contradict each other, a loop of CNAMEs, data without the layout of
 * their type, more than the bounds above.  The id is the caller's to compare.
 *
 * Return: PARSE_OK and @ret_found, or PARSE_BAD.
 */
enum parse dns_answer_read(struct span msg, struct span host, uint16_t type,
			   struct dns_found *ret_found);

/* Is the layout of this type's data known here? */
bool dns_answer_knows(uint16_t type);

/*
 * dns_records_next() - take one record's data from a list
 *
 * Return: false at the end, or where the list is broken: @list is empty then
 *         only if it was the end.
 */
bool dns_records_next(struct span *list, struct span *ret_data);

#endif

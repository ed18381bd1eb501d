/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver.h - what keeper and resolver say to each other
 *
 * The keeper asks with a number and a name; the resolver answers with the same
 * number.  The keeper believes an answer's shape only after it has checked it:
 * the resolver reads hostile bytes.
 */
#ifndef SLUICE_DAEMON_RESOLVER_H
#define SLUICE_DAEMON_RESOLVER_H

#include "base/addr.h"

#define RESOLVER_ASKED_MAX 1024	/* questions under way; beyond it: RESOLVED_FAILED */
#define RESOLVER_FD 3		/* where the resolver finds its end of the link */

enum resolver_msg {
	RESOLVE_ASK,		/* to the resolver: a host name in normal form */
	RESOLVE_ANSWER,		/* to the keeper: struct resolver_answer, then its addresses */
	RESOLVE_ASK_RECORDS,	/* to the resolver: struct resolver_ask, then a host name */
	RESOLVE_RECORDS,	/* to the keeper: struct resolver_answer, then a list of records
				 * (proto/dns_answer.h) */
	RESOLVER_MSG_NUM
};

struct resolver_ask {
	uint16_t	type;		/* open (base/dns_type.h), and not A or AAAA */
	uint8_t		zero[2];
};

struct resolver_answer {
	uint32_t	ttl_s;		/* how long the zone's owner lets it be kept */
	uint8_t		status;		/* enum resolved */
	uint8_t		count;		/* struct addr that follow; 1: a list of records */
	uint8_t		zero[2];
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.h - the keeper's side of the resolver: addresses of allowed names
 *
 * Answers are kept for their TTL (at least 1 s, at most 1 h; failures 2 s), in
 * a table with a bound; questions for a name already on its way wait for it.
 */
#ifndef SLUICE_DAEMON_RESOLVE_H
#define SLUICE_DAEMON_RESOLVE_H

#include <event2/event.h>

#include "base/addr.h"
#include "base/err.h"

#define RESOLVE_ADDRS_MAX 32	/* addresses kept of one name */
#define RESOLVE_LIMIT_MS 8000	/* then RESOLVED_FAILED */

enum resolved { RESOLVED_OK, RESOLVED_NO_NAME, RESOLVED_NO_DATA, RESOLVED_FAILED };

struct resolution {
	enum resolved	 status;	/* OK: at least one address, or records */
	size_t		 count;
	struct addr	 addrs[RESOLVE_ADDRS_MAX];	/* IPv6 and IPv4 together, as answered */
	struct span	 records;	/* of resolve_ask_records(): a list as in
					 * proto/dns_answer.h; valid until @done returns */
	uint32_t	 ttl_s;		/* of records: how long they may be kept from now on */
};

struct resolve;
typedef void resolve_done(void *arg, const struct resolution *r);

/*
 * resolve_new() - begin
 * @fd:		our end of the resolver's SEQPACKET socket; owned by the callee in any case
 * @died:	called once, from the loop, when the resolver is gone or talks
 *		nonsense: every question has failed by then, and later ones fail
 *
 * Return: NULL when there is no memory.
 */
struct resolve *resolve_new(struct event_base *loop, int fd, void (*died)(void *arg), void *arg);

/* Who still waits is told RESOLVED_FAILED.  Not from within @done or @died.  NULL is fine. */
void resolve_free(struct resolve *r);

/*
 * resolve_ask() - addresses of @host (normal form), both families
 *
 * Calls @done exactly once, perhaps before it returns (cached, or at a bound).
 * @done may ask again.
 */
void resolve_ask(struct resolve *r, struct span host, resolve_done *done, void *arg);

/*
 * resolve_ask_records() - records of another type
 * @type:	open (base/dns_type.h), and not A or AAAA
 *
 * Otherwise as resolve_ask().  What is in the records makes nothing reachable.
 */
void resolve_ask_records(struct resolve *r, struct span host, uint16_t type, resolve_done *done,
			 void *arg);

/*
 * The role: argv as the keeper's spawn gives it; the socket is descriptor 3.
 * Reads resolv.conf and hosts (--resolv-conf FILE, --hosts FILE), with a server of
 * --upstream TEXT (policy/upstream.h; may repeat; the default is system) that speaks
 * TLS also the trusted certificates (net/trust.h: --cert-file, --cert-dir); confines
 * itself (confine_resolver()), then serves until the socket closes.  Return: exit code.
 */
int resolver_main(int argc, char **argv);

#endif

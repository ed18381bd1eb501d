/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.h - what a session did, in numbers (contract section 6)
 *
 * Fed by counters_see() with every event that is appended to the log, and by nothing else:
 * what is in the log is in the numbers, once.  Pure; fixed size; only uint64_t inside, so
 * that it can be copied word by word (shared.h).  No number wraps: a sum stays at its top.
 *
 * Bytes are those of connections that have ended, as conn.close tells them; a guest's and its packets
 * are those of its interface, frames with their heads, as `virsh domifstat` tells them.  Packets are the
 * kernel's own count in the jail, between the agent and the gate, in both directions: TCP,
 * UDP, ICMP, DNS, also bare acknowledgements and what is refused; not what processes in the
 * jail send to each other, and not the kernel's own answers to what it refuses.
 */
#ifndef SLUICE_WATCH_COUNTERS_H
#define SLUICE_WATCH_COUNTERS_H

#include "audit/audit.h"
#include "policy/alert.h"

#define HISTOGRAM_BOUNDS 12	/* upper bounds of buckets; above them is one more */

struct histogram {
	uint64_t count[HISTOGRAM_BOUNDS + 1];	/* of each bucket alone */
	uint64_t sum_us;
};

enum method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE,
	      METHOD_OPTIONS, METHOD_CONNECT, METHOD_OTHER, METHOD_NUM };

/* Of what is now, and of our own health: the caller sets them */
enum gauge {
	GAUGE_HAS_PACKETS,		/* 1: packets are counted; `proxy` has no kernel that does */
	GAUGE_PACKETS_IN, GAUGE_PACKETS_OUT,	/* into the jail, out of it */
	GAUGE_HAS_LINK,			/* 1: it is a guest's, whose interface counts */
	GAUGE_LINK_BYTES_IN, GAUGE_LINK_BYTES_OUT, GAUGE_LINK_PACKETS_IN, GAUGE_LINK_PACKETS_OUT,
	GAUGE_DROPPED_FORGED, GAUGE_DROPPED_REFUSED, GAUGE_DROPPED_BEYOND,	/* packets of a guest's */
	GAUGE_DROPPED_LOST,
	GAUGE_RECORDS,			/* lines of the log that were written in this session */
	GAUGE_LOG_BYTES, GAUGE_LOG_MAX,
	GAUGE_QUEUE_BYTES,		/* of messages to the gate that wait */
	GAUGE_FAIL_CLOSED,		/* how often everything was denied since something failed */
	GAUGE_NAMES, GAUGE_NAMES_MAX,	/* bound to an address */
	GAUGE_CONNS, GAUGE_CONNS_MAX,	/* that the keeper holds, those under way included */
	GAUGE_FDS, GAUGE_FDS_MAX,	/* the keeper's descriptors */
	GAUGE_WEBHOOK_SENT, GAUGE_WEBHOOK_LOST,	/* alerts that were delivered; given up or dropped */
	GAUGE_NUM
};

/* Indices of a verdict, as the log writes it; ASK is of names alone */
enum passed { PASSED_NO, PASSED_YES, PASSED_ASK, PASSED_NUM };

struct counters {
	uint64_t	 bytes_out, bytes_in;
	uint64_t	 connections[PASSED_NUM];
	uint64_t	 blocked[REASON_NUM];	/* connections, by reason */
	uint64_t	 dns[PASSED_NUM];
	uint64_t	 http[METHOD_NUM][PASSED_NUM];
	uint64_t	 malformed;		/* names, connections and requests denied as that */
	uint64_t	 alerts[ALERT_NUM];
	uint64_t	 dropped;		/* packets, of packet.drop */
	uint64_t	 reloads;
	uint64_t	 active;		/* connections that are allowed and have not ended */
	struct histogram connect, decision;
	uint64_t	 gauge[GAUGE_NUM];
};

/* All zero is a session in which nothing has happened */
void counters_see(struct counters *c, const struct audit_seen *e);

/* The upper bound of a bucket, in microseconds */
uint64_t histogram_bound_us(size_t bucket);
void histogram_add(struct histogram *h, uint64_t us);

const char *method_label(enum method m);	/* "GET" ... "other" */

#endif

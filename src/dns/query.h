/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query.h - the life of a DNS query in the gate
 *
 * A query is read, put to the keeper as (name, type) and answered with what the
 * keeper says; nothing is ever forwarded from here.  Queries that wait for the
 * keeper are slots of a fixed table; when all are taken a query is answered
 * SERVFAIL at once.
 */
#ifndef SLUICE_DNS_QUERY_H
#define SLUICE_DNS_QUERY_H

#include <event2/event.h>

#include "base/buf.h"
#include "policy/talk.h"

#define DNS_SLOTS 4096		/* queries that wait for the keeper */
#define DNS_STREAMS_MAX 256	/* connections to port 53 */

struct dns_stream;

/* Who asked, and so where the answer goes */
struct dns_origin {
	struct addr	 client, server;
	uint16_t	 client_port;
	struct dns_stream *stream;		/* or the connection; NULL: a datagram */
	uint32_t	 stream_id;		/* which life of it */
};

struct dns_host {
	struct event_base *loop;
	uint32_t	 id_bit;	/* set in the message ids of queries */
	/* Put a question to the keeper */
	void		(*tell)(void *arg, uint32_t id, const struct talk_dns_ask *ask,
				struct span name);
	/* Send one answer datagram; @server is what the client asked */
	void		(*datagram)(void *arg, const struct addr *server,
				    const struct addr *client, uint16_t client_port,
				    struct span answer);
	void		*arg;
};

struct dns;

struct dns *dns_new(const struct dns_host *host);
void dns_free(struct dns *d);

/* Take in one message */
void dns_take(struct dns *d, const struct dns_origin *origin, struct span message);

/* The keeper's answer to the query with this message id */
void dns_answer(struct dns *d, uint32_t id, const struct talk_dns_answer *a, struct span tail);

/* stream.c: DNS over TCP (RFC 7766).  Takes @fd. */
void dns_stream_open(struct dns *d, int fd);
void dns_stream_answer(struct dns_stream *s, uint32_t stream_id, struct span answer);
void dns_streams_tick(struct dns *d);	/* once a second: closes what is idle */

struct dns_streams;
struct dns_streams **dns_streams_of(struct dns *d);
const struct dns_host *dns_host_of(const struct dns *d);

#endif

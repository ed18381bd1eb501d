/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dot.h - asks one name server over TLS (RFC 7858)
 *
 * The strict profile of RFC 8310: the server's chain leads to what is trusted and its
 * certificate has the name of the upstream, or nothing is asked.  There is no
 * other way to the server.
 */
#ifndef SLUICE_DAEMON_DOT_H
#define SLUICE_DAEMON_DOT_H

#include <event2/event.h>
#include <openssl/types.h>

#include "policy/upstream.h"
#include "proto/dns_answer.h"

#define DOT_QUERIES_MAX 2048	/* that wait for one server; beyond it: NULL */
#define DOT_OPEN_MS 3000	/* for connecting and the handshake */
#define DOT_QUIET_MS 3000	/* of a server that owes an answer; then the connection is lost */
#define DOT_REST_MS 1000	/* after it could not be opened: everything fails at once */
#define DOT_IDLE_MS 20000	/* then the connection is closed */

struct dot;
struct dot_query;

/* @found: valid during the call; NULL: the server cannot be asked, or what it says is no answer */
typedef void dot_done(void *arg, const struct dns_found *found);

/* @ctx: trust_client()'s; stays the caller's.  Return: NULL without memory */
struct dot *dot_new(struct event_base *loop, SSL_CTX *ctx, const struct upstream *server);

/*
 * dot_ask() - ask for the records of one type
 * @host:	normal form, not longer than HOST_MAX
 *
 * Calls @done once, never from within; then the query is gone.  It may take as long as
 * 2 * (DOT_OPEN_MS + DOT_QUIET_MS): whoever has less time cancels.
 * Return: NULL if it cannot be asked; @done is not called then.
 */
struct dot_query *dot_ask(struct dot *d, const char *host, uint16_t type, dot_done *done, void *arg);

void dot_cancel(struct dot_query *q);	/* @done is not called */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explicit.h - clients that know us as their proxy: `sluice proxy`
 *
 * Theory
 *
 * From the jail a flow comes with its destination: the address stands for a name.  A
 * client that was told to use a proxy says the name instead, with CONNECT, in the
 * absolute form of a request, or by SOCKS5.  In TARGET that is read, and told to the
 * keeper, which judges and looks it up as it does a DNS query of the jail's, and
 * answers with the address that stands for the name.  From then on the flow is as one
 * from the jail: LOOK, ASK and what follows know no difference, so that the name
 * asked for, SNI and Host must agree here too.
 *
 *	CONNECT, SOCKS	the client is told that it may speak once the server is connected;
 *			or before that, if its first bytes must be seen first
 *	absolute form	the head is written anew for the server (proto/http_onward.h) and
 *			handed to http.c, which judges it and follows the answer.  Then the flow
 *			is back in TARGET, with its server: the next request goes on there if it
 *			is for the same authority.  If not, the flow ends and another one takes
 *			over the client.  So a flow is one connection of the log, always.
 *
 * Nothing but the request is taken from the socket; what a client sends behind it lies
 * there for the stage that follows.
 */
#ifndef SLUICE_PROXY_EXPLICIT_H
#define SLUICE_PROXY_EXPLICIT_H

#include "proxy/flow.h"

#define EXPLICIT_IDLE_S 60	/* between requests, and before the first */
#define EXPLICIT_HEAD_S 10	/* for one that has begun to be whole */
#define EXPLICIT_SERVER_S 15	/* that a server's connection waits for the next request */

/* For a new flow whose door is DOOR_HTTP or DOOR_SOCKS.  Return: false if memory is out */
bool explicit_start(struct flow *f);
void explicit_free(struct explicit *e);

/* The keeper has an address for the target */
void explicit_known(struct flow *f, const struct addr *addr);

/* It goes on: tell the client, if it waits for that.  Return: false if it cannot be told */
bool explicit_done(struct flow *f);

/*
 * explicit_refuse() - the refusal in the words of the client's protocol, if it waits for an answer
 *
 * Return: true: it is in @f->refusal.  false: it is to be made as @f->form says.
 */
bool explicit_refuse(struct flow *f, enum reason reason);

void explicit_tick(struct flow *f);	/* once a second, in TARGET */

/* What a flow that is over leaves to the next one; @agent -1: nothing */
struct heir {
	int		 agent;
	struct addr	 client, own;
	uint16_t	 client_port, own_port;
	struct buf	 ahead;		/* sent by the client, and nobody's so far */
};
struct heir explicit_will(struct flow *f);
void explicit_inherit(struct proxy *x, struct heir *h);

#endif

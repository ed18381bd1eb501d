/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow.h - the life of one TCP connection in the gate
 *
 *	TARGET	a client that knows us as its proxy says where it wants to go (explicit.h)
 *	LOOK	see what the client says first, as far as its rule needs
 *	ASK	the facts are with the keeper; it decides, records and dials
 *	CONNECT	it is allowed, by a proxy that has not said yet whether it connects
 *	INSPECT	TLS ends here: the server's handshake, then the client's
 *	RELAY	bytes go both ways; perhaps the client's first are still looked at
 *	HTTP	the same, request by request; a websocket goes on in RELAY
 *	STREAMS	the same in HTTP/2, many requests at once; the keeper is asked from here
 *	CUT	a limit was reached: what may pass is on its way, then comes a reset
 *	DENY	the refusal, or the last answer, is on its way to the client
 *	OVER	everything is closed and reported
 *
 * A step returns what it waits for (WANT_*); only flow_drive() arms the loop.
 */
#ifndef SLUICE_PROXY_FLOW_H
#define SLUICE_PROXY_FLOW_H

#include <sys/queue.h>

#include "net/pump.h"
#include "proxy/proxy.h"

enum flow_state { FLOW_LOOK, FLOW_TARGET, FLOW_ASK, FLOW_CONNECT, FLOW_INSPECT, FLOW_RELAY, FLOW_HTTP,
		  FLOW_STREAMS, FLOW_CUT, FLOW_DENY, FLOW_OVER, FLOW_NUM };

enum want {
	WANT_AGENT_READ = 1, WANT_AGENT_WRITE = 2, WANT_PEER_READ = 4, WANT_PEER_WRITE = 8,
	WANT_AGENT_MORE = 16,	/* readable again, or ended: bytes are there that are too few */
	WANT_PACE_OUT = 64,	/* room for bytes from the agent, or to the agent: proxy/meter.h */
	WANT_PACE_IN = 128,
	WANT_AGAIN = 32,	/* nothing: call the (new) step at once */
};

struct explicit;
struct handshake;
struct http;
struct lane;
struct streams;
struct tls;

/* A direction that waits for bandwidth */
struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct lane	*lane;		/* NULL: it does not wait */
	struct flow	*flow;
	uint8_t		 bit;		/* WANT_* that is ready when its turn comes */
};

struct flow {
	uint32_t	 ref;		/* message id: generation and index */
	uint8_t		 state;		/* enum flow_state; flow_become() writes it */
	uint8_t		 door;		/* enum door */
	uint8_t		 form;		/* enum seen: how a refusal must look */
	uint8_t		 need;		/* enum need of the gate's own look at the policy */
	uint8_t		 ready;		/* WANT_* that the loop has reported since the last step */
	uint8_t		 wants;		/* WANT_* that are armed */
	uint8_t		 end;		/* enum flow_end, for the report */
	uint8_t		 reason;	/* enum reason, for the report */
	bool		 watch;		/* the client's first bytes are still to be looked at */
	bool		 allowed;	/* the keeper has a connection of this number: report its end */
	bool		 again;		/* in ASK: a second question, the peer is there already */
	bool		 ended;		/* `end` is set */
	bool		 metered;	/* its bytes are counted */
	bool		 counted;	/* the request that is next was counted when it was asked about */
	bool		 settle;	/* in DENY: what went to the server must arrive */
	uint8_t		 limited;	/* enum reason: to be told with the next question */
	bool		 requests;	/* in CONNECT: HTTP follows */
	bool		 inspect;	/* what is inside of its TLS is judged */
	bool		 approved;	/* a person has approved it */
	bool		 waits;		/* in ASK: a person is asked; the keeper has the time */
	bool		 half;		/* ... and the client has closed its half, as the keeper knows */
	uint16_t	 port, client_port;
	uint16_t	 looks;		/* times that the first bytes were parsed */
	uint32_t	 host;		/* index in the bindings, or BINDING_NONE: a literal */
	uint32_t	 hello_bytes;	/* of the ClientHello that was asked about last; 0: none */
	uint32_t	 since_s;	/* entered this state, or last moved a byte */
	int		 agent, peer;	/* sockets; -1 */
	struct addr	 dst, client;
	struct pump	 out, in;	/* from and to the agent */
	struct usage	 usage;
	uint32_t	 retry_s;	/* for a refusal: when a rate has room again; 0: unknown */
	struct waiter	 wait[2];	/* of the agent's bytes, of the peer's */
	struct http	*http;		/* in HTTP */
	struct streams	*streams;	/* in STREAMS, and until it is over: proxy/streams.h */
	struct handshake *handshake;	/* in RELAY, until a server that TLS is for has answered */
	struct tls	*tls;		/* from INSPECT on: proxy/tls.h */
	struct explicit	*explicit;	/* of a proxy's client, while that matters: proxy/explicit.h */
	struct buf	 answer;	/* in CONNECT: what was taken of the proxy's */
	struct buf	 refusal;	/* in INSPECT, DENY: what is to be written */
	struct event	 agent_ev, peer_ev;
	struct proxy	*proxy;
};

struct flow_table *flow_table_new(size_t max);
void flow_table_free(struct flow_table *t);

/* A new flow in LOOK for an accepted socket, in TARGET if the client must say where it wants to
 * go; or NULL at the bound (@agent stays the caller's) */
struct flow *flow_new(struct proxy *x, int agent, enum door door, const struct addr *dst,
		      uint16_t port);

/* The flow of a message id, or NULL if it is gone */
struct flow *flow_find(const struct flow_table *t, uint32_t ref);

void flow_become(struct flow *f, enum flow_state next);
void flow_drive(struct flow *f);

/* Why it ends, unless that is known already */
void flow_ends(struct flow *f, enum flow_end end, enum reason reason);

/* Close the server's side, by a reset unless the flow ended well */
void flow_leave_peer(struct flow *f);

/* End one that is open with a reset, whatever it is doing */
void flow_kill(struct flow *f, enum reason reason);

/* After the policy has changed: what stands is looked at and judged by the new one */
void flow_rejudge(struct proxy *x);

/* The policy has other tls_ca: reset what was verified by the old ones */
void flow_distrust(struct proxy *x);

/* Once a second: limits of time, idle pipes */
void flow_tick(struct proxy *x);

/* End every flow: what the keeper asks at the end of a session */
void flow_finish(struct proxy *x);

size_t flow_count(const struct flow_table *t);

/* Steps, one file each */
unsigned explicit_step(struct flow *f);	/* explicit.c */
unsigned look_step(struct flow *f);	/* look.c */
unsigned ask_step(struct flow *f);	/* ask.c */
unsigned connect_step(struct flow *f);	/* connect.c */
unsigned inspect_step(struct flow *f);	/* inspect.c */
unsigned relay_step(struct flow *f);	/* relay.c */
unsigned http_step(struct flow *f);	/* http.c */
unsigned streams_step(struct flow *f);	/* streams.c */
unsigned deny_step(struct flow *f);	/* deny.c */

/* ask.c: the keeper's answers */
void ask_waits(struct flow *f);
void ask_allowed(struct flow *f, const struct talk_allow *a, int peer);
void ask_passed(struct flow *f, const struct talk_pass *p);
void ask_denied(struct flow *f, const struct talk_deny *d, struct span body);

void ask_connected(struct flow *f);	/* the proxy's answer: the flow goes on */

/* connect.c: await the proxy's answer; it refuses, or says nothing (@status 0) */
void connect_start(struct flow *f);
void connect_failed(struct flow *f, unsigned status);

/* inspect.c: end TLS here, both ways; or only with the client, to hand it the refusal that is made */
void inspect_start(struct flow *f);
/* The server's end took too long */
void inspect_late(struct flow *f);

/* For explicit.c, which makes the heads of requests: what the client has sent ahead; @head takes
 * the place of its first @used bytes, and is the next request's.  Return: false if there is no room */
struct buf *http_ahead(struct flow *f);
bool http_hand(struct flow *f, size_t used, struct span head);

void http_free(struct http *h);
bool http_start(struct flow *f);
/* The connection ends: tell of the request that stands, if one does */
void http_over(struct flow *f);
void http_tick(struct flow *f);		/* once a second */
/* May the request that stands go on?  REASON_ALLOWED, or why not. */
enum reason http_rejudge(const struct flow *f);

/* look.c: what the policy says must be seen before a flow in LOOK can be asked about */
void look_need(struct flow *f);

/* deny.c: make the refusal that @f->form asks for and go to DENY */
void deny_start(struct flow *f, enum reason reason, unsigned status, struct span body);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy.h - what the parts of the proxy share: one struct per gate
 *
 * The proxy holds connections; it makes none.  Every socket in it was handed to
 * it: listeners at the start, connected sockets with each verdict.
 */
#ifndef SLUICE_PROXY_PROXY_H
#define SLUICE_PROXY_PROXY_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "net/msg.h"
#include "policy/binding.h"
#include "policy/limits.h"
#include "policy/policy.h"
#include "policy/talk.h"
#include "proxy/http2_memory.h"

struct flow;
struct flow_table;
struct injects;
struct udp_table;
struct lanes;
struct tls_ends;

#define REF_UDP (1u << 31)	/* message ids of UDP flows have it */
#define REF_DNS (1u << 30)	/* ... of DNS queries this one; of TCP flows neither */

/* The DNS side, which the proxy does not know: wired up by daemon/gate */
struct dns_door {
	void	(*stream)(void *arg, int fd);	/* a connection to port 53; takes @fd */
	void	(*datagram)(void *arg, const struct addr *client, uint16_t client_port,
			    const struct addr *server, struct span bytes);
	void	*arg;
};

struct proxy {
	struct event_base	*loop;
	struct msg_link		*keeper;
	const struct policy	*policy;
	struct bindings		*bindings;	/* a copy of the keeper's, in the same order */
	struct flow_table	*flows;
	struct udp_table	*udp;
	struct drops		*drops;		/* NULL: the kernel refuses nothing for us */
	struct limits		*limits;	/* NULL: the policy has none; see proxy/meter.h */
	struct lanes		*lanes;
	struct seed		 seed;
	bool			 kills;		/* limits: on_exceed: kill */
	bool			 killed;	/* a limit was crossed, and the command will be ended */
	struct http2_memory	 http2;		/* of all flows */
	struct injects		*injects;	/* of `policy`; NULL: it injects nothing */
	uint32_t		 misplaced;	/* requests with a placeholder that were not told of */
	uint32_t		 misplaced_until_s;	/* no alert of it before */
	struct tls_ends		*tls;		/* NULL: nothing is inspected; see proxy/tls.h */
	struct dns_door		 dns;
	bool			 leases;	/* datagrams to DHCP's port are for us: the client is a guest */
	int			 raw4, raw6;	/* for datagrams to clients */
	uint32_t		 now_s;		/* seconds since the gate started; one tick a second */
	struct event		 flush;		/* made active when something was put on the link: runs
						 * after the events that are active now */
	struct event		 linger;	/* the same, a moment later */
};

/* The keeper is gone, or cannot be told: the gate ends, and with it the jail's network */
_Noreturn void proxy_fail(const char *why);

/* msg_put() on the keeper's link, or the gate ends */
void proxy_tell(struct proxy *x, enum gate_says what, uint32_t id, const void *head, size_t len,
		struct span tail);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h - put what was seen of a flow to the keeper */
#ifndef SLUICE_PROXY_ASK_H
#define SLUICE_PROXY_ASK_H

#include "proxy/flow.h"
#include "proxy/look.h"

/* The question about a flow of which nothing was seen yet */
struct question ask_question(const struct flow *f);

/*
 * ask_send() - tell the keeper and go to ASK
 * @what:	GATE_ASK, or GATE_ASK_AGAIN for a flow that has its peer
 * @flags:	TALK_EMPTY, TALK_FULL
 *
 * Return: the wants of a step.
 */
unsigned ask_send(struct flow *f, enum gate_says what, const struct facts *facts, unsigned flags);

/* The same about a request among others: the flow stays where it is */
void ask_stream(struct flow *f, const struct facts *facts);

/*
 * ask_target() - tell the keeper where a proxy's client wants to go, and go to ASK
 * @facts:	SEEN_NOT_YET: then @host is the name, or the text of an address; if it is
 *		empty, @addr is meant.  A request: then it names the host.
 * @addr:	the listener's own, if the target is not known by address
 * @flags:	TALK_UNSUPPORTED
 */
unsigned ask_target(struct flow *f, const struct facts *facts, const struct addr *addr,
		    uint16_t port, struct span host, unsigned flags);

/* Tell of a connection that found no room; nothing answers */
void ask_refused(struct proxy *x, const struct addr *dst, uint16_t port);

#endif

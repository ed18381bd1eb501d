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

/* Tell of a connection that found no room; nothing answers */
void ask_refused(struct proxy *x, const struct addr *dst, uint16_t port);

#endif

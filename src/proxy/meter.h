/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter.h - limits on the bytes and requests of flows
 *
 * What was used is in policy/limits.  Here is what a flow does about it: it takes
 * no more from a source than may pass; at the end of a quota it is cut; for
 * bandwidth it waits in the lane of its rule and direction until the bucket has
 * bytes again.  A lane is served in turns: a flow that comes to wait for the first
 * time goes ahead of those that were served, so a small answer does not wait behind
 * big ones.  One timer a lane, about 100 times a second while somebody waits.
 */
#ifndef SLUICE_PROXY_METER_H
#define SLUICE_PROXY_METER_H

#include "proxy/flow.h"

/* Count by a policy, the first or another.  Return: false if memory is out. */
bool meter_policy(struct proxy *x, const struct policy *p);
void meter_done(struct proxy *x);

/* Does the policy limit anything that passes or is asked for? */
static inline bool meter_is_on(const struct proxy *x)
{
	return x->limits != NULL;
}

/* What the flow does from now on is under @rule, or RULE_NONE; @whole: no request is seen in it.
 * Also when another policy was taken: rules have other numbers there. */
void meter_begin(struct flow *f, uint32_t rule, bool whole);

/* Tell the keeper of alerts that wait; of what touches @host */
void meter_tell_alerts(struct proxy *x, struct span host);

/*
 * meter_request() - count a request of the flow, under the rule of meter_begin()
 *
 * Return: REASON_ALLOWED, or why it may not pass; f->retry_s is set then.
 */
enum reason meter_request(struct flow *f, uint64_t body_bytes);

/* The same for datagrams, by text of the host */
enum reason meter_datagrams(struct proxy *x, uint32_t account, struct span host);

/* How a request ended.  What limits themselves refused is no error of anybody's. */
void meter_outcome(struct proxy *x, bool error, enum reason reason);

/* Bytes that may be taken from a direction's source now; UINT64_MAX: no bound */
uint64_t meter_room(struct flow *f, bool outward);

/* Do so many bytes fit into what quotas have left? */
bool meter_fits(const struct flow *f, bool outward, uint64_t bytes);

/* Is it bandwidth alone that leaves no room? */
bool meter_is_paced(struct flow *f, bool outward);

void meter_moved(struct flow *f, bool outward, uint64_t bytes);

/*
 * meter_full() - there are @bytes, more than meter_room() has
 *
 * Return: REASON_ALLOWED: the direction waits in its lane (WANT_PACE_OUT,
 *         WANT_PACE_IN), else why the flow must end.
 */
enum reason meter_full(struct flow *f, bool outward, uint64_t bytes);

bool meter_waits(const struct flow *f, bool outward);

/* Datagrams pass whole or not at all.  Return: REASON_ALLOWED, or why the flow must end;
 * *ret_drop: this one is beyond the bandwidth */
enum reason meter_datagram(struct proxy *x, struct usage *u, enum way way, size_t bytes,
			   bool *ret_drop);

/* A body has grown, or would */
enum reason meter_body(struct proxy *x, uint64_t before, uint64_t after);
uint64_t meter_body_room(const struct proxy *x);

/*
 * A stream of a flow (proxy/streams.h): counted for itself, under the rule that its request is
 * allowed by; all zero at first.  When a direction of it has waited for bandwidth, its flow is
 * driven with WANT_PACE_OUT or WANT_PACE_IN ready.
 */
struct meter_stream {
	struct usage	usage;
	struct waiter	wait[2];	/* of the agent's bytes, of the peer's */
	bool		on;
};

/* Also when another policy was taken */
void meter_stream_begin(struct flow *f, struct meter_stream *m, uint32_t rule);

/* As meter_request(): of a request whose head has so many bytes, which are not taken yet */
enum reason meter_stream_request(struct flow *f, struct meter_stream *m, uint64_t head,
				 uint64_t body);

/* A head, or trailers: they pass whole or not at all, and bandwidth is paid by what follows */
enum reason meter_stream_head(struct flow *f, struct meter_stream *m, bool outward, uint64_t bytes);

/* *ret_pass of @bytes pass; if none do, they wait (REASON_ALLOWED) or the stream must end */
enum reason meter_stream_body(struct flow *f, struct meter_stream *m, bool outward, uint64_t bytes,
			      uint64_t *ret_pass);

bool meter_stream_waits(const struct meter_stream *m, bool outward);
void meter_stream_end(struct meter_stream *m);

/* The bytes that may pass have passed: has the other side acknowledged them? */
bool meter_settled(struct pump *p, int to);

/* Look at the flow again in a moment: meter_settled() has no event */
void meter_look_again(struct flow *f);

/* The flow is over: what it took and nobody got is given back */
void meter_end(struct flow *f);

/* Is it one of the reasons of limits?  Then the end of a connection is END_LIMIT or END_KILLED */
bool meter_is_reason(enum reason r);

/* End the flow for @reason, once what may pass has passed */
void meter_cut(struct flow *f, enum reason reason);
unsigned cut_step(struct flow *f);

#endif

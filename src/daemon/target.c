/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.c - the keeper's side of what a proxy's client asks for
 *
 * It does for a flow what names.c does for the jail before it connects: the target is
 * judged, its name looked up, unusable addresses dropped, and the name bound to the
 * address that stands for it.  The gate's GATE_ASK about that address follows, and is judged
 * and recorded as any other; nothing is permitted here.  What is denied here is recorded
 * as the connection that it would have been.
 *
 * Names are bound after they were found to exist, so that inventing some does not fill the
 * table of bindings.  Whether their addresses may be used is asked here as for a DNS query, of
 * the name alone: what the client says first may decide, and is not known yet.
 */
#include <stdlib.h>
#include <time.h>

#include "daemon/approvals.h"
#include "daemon/clock.h"
#include "daemon/conn.h"

/* A target whose name is being looked up */
struct wanted {
	struct keeper	*keeper;
	uint32_t	 ref;
	struct talk_ask	 ask;
	struct buf	 tail;
	struct told	 told;		/* over @ask and @tail */
	char		 host[HOST_MAX + 1];
};

static void wanted_free(struct wanted *w)
{
	w->keeper->wanted_count--;
	buf_done(&w->tail);
	free(w);
}

/* May the client be told to go on?  What must be seen first is no reason against it. */
static bool passes(const struct verdict *v)
{
	return v->answer == ANSWER_ALLOW || v->answer == ANSWER_NEED || v->answer == ANSWER_ASK;
}

static void deny_for(struct keeper *k, uint32_t ref, const struct told *t,
		     const struct question *q, enum reason reason, uint32_t rule,
		     const struct addr *refused)
{
	struct verdict v = { ANSWER_DENY, reason, rule, 0, false };

	conn_deny(k, ref, t, q, &v, refused);
}

static void tell_target(struct keeper *k, uint32_t ref, const struct addr *addr)
{
	struct talk_target t = { *addr };

	keeper_tell(k, KEEPER_TARGET, ref, &t, sizeof(t), (struct span){ 0 }, -1);
	keeper_stir(k);
}

/* The address that stands for a name.  Return: false at the bound */
static bool bind_name(struct keeper *k, struct span host, struct addr *ret_addr)
{
	uint32_t index = binding_of_host(k->bindings, host);

	if (index == BINDING_NONE) {
		index = binding_learn(k->bindings, host);
		if (index == BINDING_NONE)
			return false;
		keeper_tell(k, KEEPER_BIND, index, NULL, 0, host, -1);
	}
	*ret_addr = binding_addr4(k->bindings, index);
	return true;
}

static struct question question_about(struct wanted *w)
{
	struct question q = conn_question_of(w->keeper, &w->told, BINDING_NONE);

	q.host = span_str(w->host);
	approval_standing(w->keeper, &q);
	return q;
}

static void on_resolved(void *arg, const struct resolution *r)
{
	struct wanted *w = arg;
	struct keeper *k = w->keeper;
	struct question q, name;
	struct verdict v, usable;
	struct permit permit;
	struct addr addr, refused;
	enum reason reason;

	if (k->closed) {
		wanted_free(w);
		return;
	}
	/* by the policy that holds now */
	q = question_about(w);
	v = policy_decide(k->policy, &q);
	name = (struct question){ .about = ABOUT_NAME, .host = q.host, .now_s = q.now_s };
	approval_standing(k, &name);
	usable = policy_decide(k->policy, &name);
	if (!passes(&v))
		conn_deny(k, w->ref, &w->told, &q, &v, NULL);
	else if (!keeper_usable(k, &name, &usable, r, &permit, &reason, &refused))
		deny_for(k, w->ref, &w->told, &q, reason, v.rule,
			 reason == REASON_SPECIAL_ADDRESS ? &refused : NULL);
	else if (!bind_name(k, q.host, &addr))
		deny_for(k, w->ref, &w->told, &q, REASON_LIMIT, RULE_NONE, NULL);
	else
		tell_target(k, w->ref, &addr);
	wanted_free(w);
}

static void look_up(struct keeper *k, uint32_t ref, const struct told *t, const char *host,
		    const struct question *q)
{
	struct wanted *w = k->wanted_count < WANTED_MAX ? calloc(1, sizeof(*w)) : NULL;

	if (!w) {
		deny_for(k, ref, t, q, REASON_LIMIT, RULE_NONE, NULL);
		return;
	}
	*w = (struct wanted){ .keeper = k, .ref = ref, .ask = *t->ask };
	k->wanted_count++;
	memcpy(w->host, host, strlen(host) + 1);
	w->tail = buf_new(conn_told_max());
	conn_told_keep(t, &w->tail);
	if (!conn_told_read(&w->ask, buf_span(&w->tail), &w->told)) {
		wanted_free(w);
		deny_for(k, ref, t, q, REASON_LIMIT, RULE_NONE, NULL);
		return;
	}
	resolve_ask(k->resolve, span_str(w->host), on_resolved, w);
}

/* An address, which needs no name.  May it be connected to?  If something must be seen first
 * that is asked when it was. */
static void go_straight(struct keeper *k, uint32_t ref, const struct told *t,
			const struct question *q, const struct verdict *v)
{
	const struct place *place = place_now(&k->place, clock_ms());
	enum reason reason = REASON_SPECIAL_ADDRESS;

	if (place)
		reason = v->answer == ANSWER_NEED ? REASON_ALLOWED :
			 policy_address(k->policy, q, v, place, &q->addr);
	if (reason == REASON_ALLOWED)
		tell_target(k, ref, &q->addr);
	else
		deny_for(k, ref, t, q, reason, v->rule, NULL);
}

/* Which of the two a client has named is the keeper's to say: never what looks like an address */
static enum reason target_read(const struct told *t, struct question *q, char host[HOST_MAX + 1])
{
	struct addr addr;

	host[0] = '\0';
	if (t->ask->flags & TALK_UNSUPPORTED)
		return REASON_UNSUPPORTED;
	if (t->ask->seen == SEEN_MALFORMED)
		return REASON_MALFORMED;
	if (!t->host.len)
		return REASON_ALLOWED;
	if (addr_parse(t->host, &addr)) {
		q->addr = addr;
		return REASON_ALLOWED;
	}
	if (!host_normal(t->host, host)) {
		q->host = t->host;	/* as it was sent, for the record */
		return REASON_MALFORMED;
	}
	q->host = span_str(host);
	return REASON_ALLOWED;
}

/* A name that a person may be asked about is looked up once he has said yes */
static bool is_asked_about(struct keeper *k, const struct question *q)
{
	struct question name = { .about = ABOUT_NAME, .host = q->host, .now_s = q->now_s };

	approval_standing(k, &name);
	return q->host.len && policy_decide(k->policy, &name).answer == ANSWER_ASK;
}

static void go_unresolved(struct keeper *k, uint32_t ref, const struct told *t,
			  const struct question *q)
{
	struct addr addr;

	if (bind_name(k, q->host, &addr))
		tell_target(k, ref, &addr);
	else
		deny_for(k, ref, t, q, REASON_LIMIT, RULE_NONE, NULL);
}

void target_ask(struct keeper *k, uint32_t ref, const struct talk_ask *ask, struct span tail)
{
	char host[HOST_MAX + 1];
	enum reason reason;
	struct question q;
	struct verdict v;
	struct told t;

	if (!k->cooperative || !conn_told_read(ask, tail, &t) ||
	    (ask->door != DOOR_HTTP && ask->door != DOOR_SOCKS) ||
	    ask->transport != TRANSPORT_TCP || ask->limited != REASON_ALLOWED) {
		keeper_close(k, "the gate asks for a target that cannot be");
		return;
	}
	q = conn_question_of(k, &t, BINDING_NONE);
	reason = target_read(&t, &q, host);
	if (reason != REASON_ALLOWED) {
		deny_for(k, ref, &t, &q, reason, RULE_NONE, NULL);
		return;
	}
	approval_standing(k, &q);
	v = policy_decide(k->policy, &q);
	if (!passes(&v))
		conn_deny(k, ref, &t, &q, &v, NULL);
	else if (is_asked_about(k, &q))
		go_unresolved(k, ref, &t, &q);
	else if (q.host.len)
		look_up(k, ref, &t, host, &q);
	else
		go_straight(k, ref, &t, &q, &v);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rejudge.c - another policy takes the place of the one that stands
 *
 * The order is: the record, the kernel's sets, the keeper's policy, the gate's, the
 * connections that are open.  From the change of the keeper's pointer on every
 * question is judged by the new one, also those that the gate asked before it
 * knew.  What the kernel lets through a moment too long or too short only reaches
 * the gate, or does not; it is no verdict.  The gate judges requests of plain HTTP
 * itself, by its copy: it must say within GATE_LIMIT_MS that it has taken
 * the new one, or it is cut off.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/approvals.h"
#include "daemon/clock.h"
#include "daemon/conn.h"

/* Is what was allowed once allowed still?  Nobody knows the requests to come, which the gate
 * judges one by one, nor the credential any more. */
static enum reason conn_rejudge(struct conn *c)
{
	struct keeper *k = c->keeper;
	struct question q = conn_question(c);
	const struct place *place = place_now(&k->place, clock_ms());
	struct verdict v;

	q.any_credential = true;
	q.any_request = q.seen == SEEN_HTTP;
	/* The rule that it had is a number of the old policy: the gate may still tell of its requests */
	c->verdict.rule = RULE_NONE;
	v = policy_decide(k->policy, &q);
	/* what is not opened already cannot be any more */
	if (c->inspect)
		policy_inspects(k->policy, &q, &v);
	/* it was approved for a time, and that is over */
	if (v.answer == ANSWER_ASK && c->verdict.reason == REASON_ALLOWED_APPROVED)
		return REASON_EXPIRED;
	if (v.answer != ANSWER_ALLOW)
		return v.answer == ANSWER_NEED ? REASON_PROTOCOL : v.reason;
	c->verdict = v;
	/* by a proxy, whose own address is the machine owner's word, a name's is not known */
	if (!c->has_ip || (c->through && q.host.len))
		return REASON_ALLOWED;
	return place ? policy_address(k->policy, &q, &v, place, c->through ? &c->literal : &c->ip)
		     : REASON_SPECIAL_ADDRESS;
}

/* Addresses that were permitted by the old policy, and not connected to yet */
static bool permit_stands(struct conn *c)
{
	struct keeper *k = c->keeper;
	struct question q = conn_question(c);
	const struct place *place = place_now(&k->place, clock_ms());

	if (c->through)		/* the permit is the proxy's */
		return q.host.len || (place && policy_address(k->policy, &q, &c->verdict, place,
							      &c->literal) == REASON_ALLOWED);
	for (size_t i = 0; i < c->permit.count; i++)
		if (!place || policy_address(k->policy, &q, &c->verdict, place,
					     &c->permit.addrs[i]) != REASON_ALLOWED)
			return false;
	return true;
}

static void conn_rejudged(struct conn *c)
{
	struct talk_kill kill = { 0 };
	struct talk_rule rule = { 0 };
	enum reason reason;

	/* These lead where the policy's fixed part says, or nowhere */
	if (c->door == DOOR_HOST_PORT || c->door == DOOR_PUBLISH || c->door == DOOR_NOTICE ||
	    c->empty)
		return;
	if (c->waits) {
		approval_rejudge(c);
		return;
	}
	reason = conn_rejudge(c);
	rule.rule = c->verdict.rule;
	if (c->resolving) {
		if (reason != REASON_ALLOWED)
			conn_refuse(c, reason, NULL);
		return;		/* its addresses are judged when they come */
	}
	if (reason == REASON_ALLOWED && !c->has_ip && !permit_stands(c))
		reason = REASON_SPECIAL_ADDRESS;
	if (reason == REASON_ALLOWED && c->has_ip)
		keeper_tell(c->keeper, KEEPER_RULE, c->ref, &rule, sizeof(rule),
			    (struct span){ 0 }, -1);
	if (reason == REASON_ALLOWED)
		return;
	kill.reason = (uint8_t)reason;
	if (c->has_ip)
		keeper_tell(c->keeper, KEEPER_KILL, c->ref, &kill, sizeof(kill),
			    (struct span){ 0 }, -1);
	else
		conn_abandon(c, "killed", reason);
}

void conn_rejudge_all(struct keeper *k)
{
	for (size_t b = 0; b < CONN_BUCKETS; b++) {
		for (struct conn *c = k->bucket[b], *next; c && !k->closed; c = next) {
			next = c->next;
			conn_rejudged(c);
		}
	}
}

bool keeper_tell_secrets(struct keeper *k, int fd)
{
	struct talk_policy about = { 0 };
	struct stat st;
	int copy;

	if (fd < 0)
		return true;
	copy = fstat(fd, &st) < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return false;
	about.bytes = (uint64_t)st.st_size;
	keeper_tell(k, KEEPER_SECRETS, 0, &about, sizeof(about), (struct span){ 0 }, copy);
	return true;
}

static void gate_take(struct keeper *k, const struct shared_policy *new)
{
	struct talk_policy about = { new->len };
	int fd = keeper_tell_secrets(k, new->secrets) ? fcntl(new->fd, F_DUPFD_CLOEXEC, 3) : -1;

	if (fd < 0) {
		keeper_close(k, "the new policy cannot be handed over");
		return;
	}
	k->generation++;
	k->changed_ms = clock_ms();
	keeper_tell(k, KEEPER_POLICY, k->generation, &about, sizeof(about), (struct span){ 0 }, fd);
}

void keeper_change_policy(struct keeper *k, const struct shared_policy *new)
{
	const struct policy *old = k->policy;

	if (k->closed)
		return;
	audit_policy_reload(k->audit, policy_sha256(new->policy), true, NULL);
	names_change(k, old, new->policy);
	k->policy = new->policy;
	gate_take(k, new);
	conn_rejudge_all(k);
	keeper_stir(k);
}

void keeper_gate_changed(struct keeper *k, uint32_t generation)
{
	if (generation == k->gate_generation || generation - k->gate_generation >
						k->generation - k->gate_generation)
		keeper_close(k, "the gate takes a policy that is none");
	k->gate_generation = generation;
}

void keeper_check_gate(struct keeper *k)
{
	if (k->gate_generation != k->generation && clock_ms() - k->changed_ms > GATE_LIMIT_MS)
		keeper_close(k, "the gate does not take the new policy");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/approvals.h"

#include <time.h>

#include "base/auto.h"
#include "daemon/clock.h"

void approval_standing(const struct keeper *k, struct question *q)
{
	if (k->approvals && q->host.len)
		q->standing = approvals_standing(k->approvals, q->host,
						 q->about == ABOUT_CONN ? q->port : 0,
						 q->transport, clock_ms());
}

void approval_of_conn(const struct conn *c, struct question *q)
{
	if (c->once && q->standing == STANDING_OPEN)
		q->standing = STANDING_APPROVED;
}

static void changed(struct keeper *k)
{
	if (k->on_questions)
		k->on_questions(k->arg);
}

static void say(struct keeper *k, const char *words)
{
	if (k->say)
		k->say(k->arg, words);
}

#define SAY_PAUSED(why) why ": what would be asked is denied for a minute"

/* ---- a connection begins to wait ---- */

/* As far as it fits: it is shown, and nothing hangs on it */
static void keep_text(struct span text, char *dst, size_t size)
{
	span_copy(span_head(text, size - 1), dst, size);
}

static void about_fill(struct keeper *k, const struct told *t, const struct question *q,
		       const struct verdict *v, struct approval_about *ret)
{
	struct audit_process p = keeper_process(k, &t->from, ANSWER_ASK, v->reason);

	*ret = (struct approval_about){ .why = v->reason, .pid = p.pid, .inspected = q->inspected };
	keep_text(t->method, ret->method, sizeof(ret->method));
	keep_text(t->path, ret->path, sizeof(ret->path));
	keep_text(p.exe, ret->exe, sizeof(ret->exe));
}

static void deny_at_once(struct keeper *k, uint32_t ref, const struct told *t,
			 const struct question *q, enum reason reason)
{
	struct verdict v = { ANSWER_DENY, reason, RULE_NONE, 0, false };

	conn_deny(k, ref, t, q, &v, NULL);
}

/* Return: the question's number; 0: it is not asked */
static uint32_t ask(struct keeper *k, const struct told *t, const struct question *q,
		    const struct verdict *v)
{
	struct approval_question *asked;
	struct approval_about about;

	about_fill(k, t, q, v, &about);
	switch (approvals_ask(k->approvals, q->host, q->port, q->transport, &about, true,
			      clock_ms(), &asked)) {
	case ASKED:
	case ASKED_MERGED:
		return asked->number;
	case ASKED_TOO_MANY:
		say(k, SAY_PAUSED("too many approvals wait"));
		break;
	case ASKED_PAUSED:
		break;
	}
	return 0;
}

void approval_wait(struct keeper *k, uint32_t ref, const struct told *t, uint32_t host,
		   const struct question *q, const struct verdict *v)
{
	struct conn *c;
	uint32_t number;

	if (conn_find(k, ref)) {
		keeper_close(k, "the gate uses a number twice");
		return;
	}
	number = k->approvals ? ask(k, t, q, v) : 0;
	if (!number) {
		deny_at_once(k, ref, t, q, k->approvals ? REASON_APPROVAL_DENIED : v->reason);
		return;
	}
	c = conn_new(k, ref, t, host, v);
	if (!c) {
		approvals_leave(k->approvals, number);
		deny_at_once(k, ref, t, q, REASON_LIMIT);
		return;
	}
	c->waits = number;
	keeper_tell(k, KEEPER_WAIT, ref, NULL, 0, (struct span){ 0 }, -1);
	keeper_stir(k);
	changed(k);
}

void approval_use(struct conn *c)
{
	struct question q = conn_question(c);

	if (c->verdict.reason == REASON_ALLOWED_APPROVED && c->verdict.rule == RULE_NONE &&
	    approvals_use(c->keeper->approvals, q.host, q.port, q.transport, clock_ms()))
		c->once = true;
}

enum reason approval_wish(struct keeper *k, struct span host, uint16_t port, struct span said,
			  bool *ret_waits)
{
	struct question q = { .about = ABOUT_CONN, .host = host, .port = port,
			      .seen = SEEN_NOT_YET, .any_request = true, .now_s = time(NULL) };
	struct approval_about about = { .why = REASON_NO_RULE };
	struct approval_question *asked;
	struct verdict v;

	*ret_waits = false;
	approval_standing(k, &q);
	v = policy_decide(k->policy, &q);
	/* what must be seen first is asked about, or allowed, whatever it shows */
	if (v.answer == ANSWER_NEED) {
		q.about = ABOUT_NAME;
		approval_standing(k, &q);
		v = policy_decide(k->policy, &q);
	}
	if (v.answer != ANSWER_ASK || !k->approvals)
		return v.reason;
	about.why = v.reason;
	keep_text(said.len ? said : SPAN("(no reason)"), about.said, sizeof(about.said));
	switch (approvals_ask(k->approvals, host, port, TRANSPORT_TCP, &about, false, clock_ms(),
			      &asked)) {
	case ASKED:
		changed(k);
		*ret_waits = true;
		return REASON_NO_RULE;
	case ASKED_MERGED:
		*ret_waits = true;
		return REASON_NO_RULE;
	case ASKED_TOO_MANY:
		say(k, SAY_PAUSED("too many approvals wait"));
		break;
	case ASKED_PAUSED:
		break;
	}
	return REASON_APPROVAL_DENIED;
}

/* ---- it waits no more ---- */

static void refuse(struct conn *c, enum reason reason)
{
	c->waits = 0;
	c->verdict.rule = RULE_NONE;
	conn_refuse(c, reason, NULL);
}

/* As if it was asked for now */
static void judge_again(struct conn *c)
{
	struct keeper *k = c->keeper;
	struct question q = conn_question(c);
	struct verdict v = policy_decide(k->policy, &q);
	bool inspect = k->inspects && policy_inspects(k->policy, &q, &v);

	limited_judge(&c->ask, &v);
	if (v.answer == ANSWER_ASK)
		return;
	c->waits = 0;
	c->verdict = v;
	c->inspect = inspect;
	if (v.answer == ANSWER_ALLOW)
		conn_allow(c);
	else
		conn_refuse(c, v.answer == ANSWER_NEED ? REASON_PROTOCOL : v.reason, NULL);
}

static void for_each(struct keeper *k, uint32_t number, void (*visit)(struct conn *c, void *arg),
		     void *arg)
{
	for (size_t b = 0; b < CONN_BUCKETS; b++) {
		for (struct conn *c = k->bucket[b], *next; c && !k->closed; c = next) {
			next = c->next;
			if (c->waits && (c->waits == number || !number))
				visit(c, arg);
		}
	}
}

struct said {
	enum decision	decision;
	enum scope	scope;
};

static void release(struct conn *c, void *arg)
{
	const struct said *said = arg;

	c->once = said->decision == DECISION_APPROVED && said->scope == SCOPE_ONCE;
	if (said->decision == DECISION_APPROVED)
		judge_again(c);
	else
		refuse(c, said->decision == DECISION_DENIED ? REASON_APPROVAL_DENIED
							    : REASON_APPROVAL_TIMEOUT);
}

static void record(struct keeper *k, const struct approval_question *q, enum decision decision,
		   enum scope scope, const char *by)
{
	struct audit_approval e = {
		.host = span_str(q->host), .port = q->port, .decision = decision_name(decision),
		.by = by, .scope = scope_name(scope),
		.waited_ms = (uint64_t)(clock_ms() - q->since_ms),
	};

	audit_approval(k->audit, &e);
}

/* It is gone: the record first, then what follows.  Return: false: it cannot be kept */
static bool take(struct keeper *k, struct approval_question q, enum decision decision,
		 enum scope scope, int64_t for_ms, const char *by)
{
	struct said said = { decision, scope };
	int64_t now_ms = clock_ms();
	bool paused;

	if (!approvals_take(k->approvals, q.number, decision, scope, now_ms, now_ms + for_ms,
			    &paused))
		return false;
	record(k, &q, decision, scope, by);
	for_each(k, q.number, release, &said);
	/* a rejection for the session ends what was approved before */
	if (decision == DECISION_DENIED && scope == SCOPE_SESSION)
		conn_rejudge_all(k);
	if (paused)
		say(k, SAY_PAUSED("five approvals in a row were refused"));
	keeper_stir(k);
	changed(k);
	return true;
}

bool approval_decide(struct keeper *k, uint32_t number, const struct approval_answer *a,
		     struct err *err)
{
	struct approval_question *q = approvals_find(k->approvals, number);

	if (!q)
		return err_set(err, "%u: nothing waits by that number", number);
	if (a->scope == SCOPE_ALWAYS && a->decision == DECISION_APPROVED &&
	    !(k->keep_always ? k->keep_always(k->arg, q, err) :
	      err_set(err, "this session keeps no approvals (approve it for the session)")))
		return false;
	return take(k, *q, a->decision, a->scope, a->for_ms, a->by) ||
	       err_set(err, "%u: too many approvals are kept (approve it once)", number);
}

void approval_left(struct keeper *k, uint32_t ref)
{
	struct conn *c = conn_find(k, ref);
	struct approval_question *q;
	uint32_t number;

	/* an answer may be on its way to the gate; and a socket that is held is still read from */
	if (!c || !c->waits || process_of_socket(k->processes, &c->from, &k->process))
		return;
	number = c->waits;
	refuse(c, REASON_APPROVAL_TIMEOUT);
	q = approvals_find(k->approvals, number);
	if (q && approvals_leave(k->approvals, number))
		take(k, *q, DECISION_LEFT, SCOPE_ONCE, 0, NULL);
}

static void rejudge_left(struct keeper *k, uint32_t number)
{
	struct approval_question *q = approvals_find(k->approvals, number);

	if (q && approvals_leave(k->approvals, number))
		take(k, *q, DECISION_LEFT, SCOPE_ONCE, 0, NULL);
}

void approval_rejudge(struct conn *c)
{
	struct keeper *k = c->keeper;
	uint32_t ref = c->ref, number = c->waits;
	struct conn *still;

	judge_again(c);
	still = conn_find(k, ref);
	if (!still || still->waits != number)
		rejudge_left(k, number);
}

void approvals_tick(struct keeper *k)
{
	int64_t now_ms = clock_ms();
	struct approval_question *q;

	while (!k->closed && (q = approvals_find(k->approvals, approvals_late(k->approvals, now_ms))))
		take(k, *q, DECISION_TIMEOUT, SCOPE_ONCE, 0, NULL);
	if (!k->closed && approvals_expire(k->approvals, now_ms)) {
		conn_rejudge_all(k);
		keeper_stir(k);
	}
}

void approvals_end(struct keeper *k)
{
	const struct approval_question *q;

	while (!k->closed && (q = approvals_at(k->approvals, 0)))
		take(k, *q, DECISION_TIMEOUT, SCOPE_ONCE, 0, NULL);
}

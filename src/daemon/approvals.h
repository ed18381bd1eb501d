/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approvals.h - connections that wait for a person's word, and that word put into force
 *
 * What waits is a struct conn with `waits` set: nothing of it is recorded yet, nothing is
 * resolved or dialled.  A decision is recorded before anything follows from it; the connection
 * is then judged again, by the policy and with all that is known of it, as if it was
 * asked for now.  So an approval is one more fact for policy_decide(), and everything else
 * that stops a connection stops this one.
 */
#ifndef SLUICE_DAEMON_APPROVALS_H
#define SLUICE_DAEMON_APPROVALS_H

#include "daemon/conn.h"
#include "policy/approval.h"

#define APPROVAL_WAIT_MS 30000	/* unless --ask says otherwise */
#define APPROVAL_TIMED_MS 300000	/* `--for`, if nothing is said */

/* Fill in q->standing, for its host, port and transport */
void approval_standing(const struct keeper *k, struct question *q);

/* The same of what is known of this connection alone */
void approval_of_conn(const struct conn *c, struct question *q);

/* A connection that is to be asked about waits, or is denied at once */
void approval_wait(struct keeper *k, uint32_t ref, const struct told *t, uint32_t host,
		   const struct question *q, const struct verdict *v);

/* It is allowed, and kept now: if that was approved for the next connection, this is it */
void approval_use(struct conn *c);

/*
 * approval_wish() - the agent asks for a host and port in words, and nothing waits
 *
 * Return: REASON_ALLOWED_APPROVED or REASON_ALLOWED: it may go there already; REASON_NO_RULE with
 * *ret_waits: a person is asked; else why it is denied.
 */
enum reason approval_wish(struct keeper *k, struct span host, uint16_t port, struct span said,
			  bool *ret_waits);

/* GATE_LEFT: its client has gone, unless it only closed its half */
void approval_left(struct keeper *k, uint32_t ref);

/* The policy was changed while it waits */
void approval_rejudge(struct conn *c);

struct approval_answer {
	enum decision	 decision;	/* DECISION_APPROVED or DECISION_DENIED */
	enum scope	 scope;
	int64_t		 for_ms;	/* SCOPE_TIMED */
	const char	*by;		/* contract section 4, approval */
};

/* Return: false and @err: there is no such question, or it cannot be kept; then it stands */
bool approval_decide(struct keeper *k, uint32_t number, const struct approval_answer *answer,
		     struct err *err);

/* Once a second: questions that nobody answered, approvals that are over */
void approvals_tick(struct keeper *k);

/* The session ends: nobody will answer */
void approvals_end(struct keeper *k);

#endif

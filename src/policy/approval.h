/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approval.h - what waits for a person's word, and what he said
 *
 * Pure bookkeeping for one session: no clock, no I/O.  A question is about a host by name, a
 * port and a transport; who asks for the same while it waits is merged into it.  What was
 * said for longer than once is remembered, and told as the `standing` of policy_decide()'s
 * question: an approval opens nothing but what that asks about.
 *
 * Bounds: APPROVALS_WAITING_MAX questions at once; one more, or APPROVALS_REFUSED_MAX
 * refusals in a row, and nothing new is asked for APPROVALS_PAUSE_MS.
 */
#ifndef SLUICE_POLICY_APPROVAL_H
#define SLUICE_POLICY_APPROVAL_H

#include "policy/policy.h"

#define APPROVALS_WAITING_MAX 20	/* questions at once: a person reads no more */
#define APPROVALS_REFUSED_MAX 5		/* in a row */
#define APPROVALS_PAUSE_MS 60000
#define APPROVAL_NEXT_MS 60000
#define APPROVALS_KEPT_MAX 1024		/* hosts and ports that something was said of */
#define APPROVAL_TEXT_MAX 256		/* bytes of a path, a program, the agent's reason */
#define APPROVAL_METHOD_MAX 32

enum scope { SCOPE_ONCE, SCOPE_SESSION, SCOPE_TIMED, SCOPE_ALWAYS, SCOPE_NUM };
enum decision {
	DECISION_APPROVED,
	DECISION_DENIED,	/* scope session: of that host, for the rest of it */
	DECISION_TIMEOUT,	/* nobody answered */
	DECISION_LEFT,		/* nobody waits for it any more */
	DECISION_NUM
};

const char *scope_name(enum scope s);		/* "once" ... */
const char *decision_name(enum decision d);	/* "approved" ... */
bool scope_from(struct span name, enum scope *ret);

/* Of a question, for whoever decides.  Texts are cut; the agent chose them, at most */
struct approval_about {
	enum reason	why;			/* what the rules say */
	int32_t		pid;			/* in the jail; 0: unknown */
	char		method[APPROVAL_METHOD_MAX + 1];
	char		path[APPROVAL_TEXT_MAX + 1];
	char		exe[APPROVAL_TEXT_MAX + 1];
	char		said[APPROVAL_TEXT_MAX + 1];	/* the agent's own reason; "": none */
	bool		inspected;		/* the path was inside of TLS */
};

struct approval_question {
	uint32_t	number;			/* in the session, from 1; 0: the slot is free */
	char		host[HOST_MAX + 1];
	uint16_t	port;
	enum transport	transport;
	int64_t		since_ms, until_ms;
	unsigned	waiting;		/* connections; 0 if the agent only asked */
	struct approval_about about;
};

struct approvals;

/* @wait_ms: how long a question waits.  NULL: out of memory */
struct approvals *approvals_new(int64_t wait_ms);
void approvals_free(struct approvals *a);

/*
 * approvals_standing() - what was said of a host
 * @port:	0: of any port; then approved if one is
 *
 * What was approved for a time counts as long as @now_ms is before its end.
 */
enum standing approvals_standing(const struct approvals *a, struct span host, uint16_t port,
				 enum transport transport, int64_t now_ms);

enum asking {
	ASKED,			/* it waits, as a question of its own */
	ASKED_MERGED,		/* ... with others for the same */
	ASKED_TOO_MANY,		/* refused, and so is everything for a while: say so */
	ASKED_PAUSED,		/* refused, as that lasts */
};

/*
 * approvals_ask() - somebody wants to reach @host
 * @waits:	a connection waits: it counts in `waiting`
 * @ret:	the question, for the first two results; borrowed until the next call that changes
 */
enum asking approvals_ask(struct approvals *a, struct span host, uint16_t port,
			 enum transport transport, const struct approval_about *about, bool waits,
			 int64_t now_ms, struct approval_question **ret);

struct approval_question *approvals_find(struct approvals *a, uint32_t number);

/* Questions in the order in which they came; @i from 0.  NULL: there are no more */
const struct approval_question *approvals_at(const struct approvals *a, size_t i);
size_t approvals_count(const struct approvals *a);

/* A connection of it waits no more.  Return: true if the question has nobody left; take it then
 * with approvals_take() */
bool approvals_leave(struct approvals *a, uint32_t number);

/*
 * approvals_take() - it is decided: the question goes, and what was said is kept
 * @until_ms:	for SCOPE_TIMED
 * @ret_paused:	this was one refusal too many: say so
 *
 * What is approved once while no connection waits is for the next one, within APPROVAL_NEXT_MS.
 * Return: false if there is no such question, or what is to be kept has no room (then it
 * stands as it was).
 */
bool approvals_take(struct approvals *a, uint32_t number, enum decision decision,
		    enum scope scope, int64_t now_ms, int64_t until_ms, bool *ret_paused);

/* The next connection has come: was that all that was approved of it? */
bool approvals_use(struct approvals *a, struct span host, uint16_t port, enum transport transport,
		   int64_t now_ms);

/* The number of a question whose time is over; 0: none */
uint32_t approvals_late(const struct approvals *a, int64_t now_ms);

/* Forget what was approved until now.  Return: was there something? */
bool approvals_expire(struct approvals *a, int64_t now_ms);

#endif

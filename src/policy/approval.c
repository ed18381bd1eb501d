/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/approval.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

/* Something that was said and lasts */
struct kept {
	char		host[HOST_MAX + 1];
	uint16_t	port;		/* of a rejection 0: every port */
	enum transport	transport;
	bool		approved;
	bool		next;		/* the next connection only */
	int64_t		until_ms;	/* INT64_MAX: as long as the session */
};

struct approvals {
	int64_t		wait_ms;
	uint32_t	last;		/* number */
	unsigned	refused;	/* in a row */
	int64_t		paused_until_ms;
	size_t		count, kept_count;
	struct approval_question at[APPROVALS_WAITING_MAX];	/* by age */
	struct kept	kept[APPROVALS_KEPT_MAX];
};

static const char *const scopes[SCOPE_NUM] = {
	[SCOPE_ONCE] = "once", [SCOPE_SESSION] = "session", [SCOPE_TIMED] = "timed",
	[SCOPE_ALWAYS] = "always",
};

const char *scope_name(enum scope s)
{
	return scopes[s];
}

const char *decision_name(enum decision d)
{
	static const char *const names[DECISION_NUM] = {
		[DECISION_APPROVED] = "approved", [DECISION_DENIED] = "denied",
		[DECISION_TIMEOUT] = "timeout", [DECISION_LEFT] = "left",
	};

	return names[d];
}

bool scope_from(struct span name, enum scope *ret)
{
	for (size_t i = 0; i < SCOPE_NUM; i++) {
		if (!span_eq(name, span_str(scopes[i])))
			continue;
		*ret = (enum scope)i;
		return true;
	}
	return false;
}

struct approvals *approvals_new(int64_t wait_ms)
{
	struct approvals *a = calloc(1, sizeof(*a));

	if (a)
		a->wait_ms = wait_ms;
	return a;
}

void approvals_free(struct approvals *a)
{
	free(a);
}

static bool kept_is_about(const struct kept *k, struct span host, uint16_t port,
			  enum transport transport)
{
	return span_eq(span_str(k->host), host) &&
	       (!port || !k->port || (k->port == port && k->transport == transport));
}

enum standing approvals_standing(const struct approvals *a, struct span host, uint16_t port,
				 enum transport transport, int64_t now_ms)
{
	enum standing standing = STANDING_OPEN;

	for (size_t i = 0; a && i < a->kept_count; i++) {
		const struct kept *k = &a->kept[i];

		if (!kept_is_about(k, host, port, transport) || k->until_ms <= now_ms)
			continue;
		if (!k->approved)
			return STANDING_REJECTED;
		standing = STANDING_APPROVED;
	}
	return standing;
}

static struct approval_question *same(struct approvals *a, struct span host, uint16_t port,
				      enum transport transport)
{
	for (size_t i = 0; i < a->count; i++) {
		struct approval_question *q = &a->at[i];

		if (q->port == port && q->transport == transport &&
		    span_eq(span_str(q->host), host))
			return q;
	}
	return NULL;
}

enum asking approvals_ask(struct approvals *a, struct span host, uint16_t port,
			 enum transport transport, const struct approval_about *about, bool waits,
			 int64_t now_ms, struct approval_question **ret)
{
	struct approval_question *q = same(a, host, port, transport);

	*ret = q;
	if (q) {
		q->waiting += waits;
		if (about->said[0])
			memcpy(q->about.said, about->said, sizeof(q->about.said));
		return ASKED_MERGED;
	}
	if (now_ms < a->paused_until_ms)
		return ASKED_PAUSED;
	if (a->count == APPROVALS_WAITING_MAX) {
		a->paused_until_ms = now_ms + APPROVALS_PAUSE_MS;
		return ASKED_TOO_MANY;
	}
	q = &a->at[a->count++];
	*q = (struct approval_question){
		.number = ++a->last, .port = port, .transport = transport, .since_ms = now_ms,
		.until_ms = now_ms + a->wait_ms, .waiting = waits, .about = *about,
	};
	span_copy(span_head(host, HOST_MAX), q->host, sizeof(q->host));
	*ret = q;
	return ASKED;
}

struct approval_question *approvals_find(struct approvals *a, uint32_t number)
{
	for (size_t i = 0; a && i < a->count; i++)
		if (a->at[i].number == number)
			return &a->at[i];
	return NULL;
}

const struct approval_question *approvals_at(const struct approvals *a, size_t i)
{
	return a && i < a->count ? &a->at[i] : NULL;
}

size_t approvals_count(const struct approvals *a)
{
	return a ? a->count : 0;
}

bool approvals_leave(struct approvals *a, uint32_t number)
{
	struct approval_question *q = approvals_find(a, number);

	if (!q || !q->waiting)
		return false;
	/* what the agent asked for in words stands without a connection */
	return --q->waiting == 0 && !q->about.said[0];
}

/* Return: false if there is no room */
static bool keep(struct approvals *a, const struct kept *new)
{
	/* a rejection is of all that was approved of the host */
	for (size_t i = 0; i < a->kept_count;) {
		struct kept *k = &a->kept[i];

		if (!strcmp(k->host, new->host) &&
		    (!new->approved || (k->port == new->port && k->transport == new->transport)))
			*k = a->kept[--a->kept_count];
		else
			i++;
	}
	if (a->kept_count == APPROVALS_KEPT_MAX)
		return false;
	a->kept[a->kept_count++] = *new;
	return true;
}

static bool keep_said(struct approvals *a, const struct approval_question *q,
		      enum decision decision, enum scope scope, int64_t now_ms, int64_t until_ms)
{
	struct kept k = { .transport = q->transport, .approved = decision == DECISION_APPROVED,
			  .until_ms = scope == SCOPE_TIMED ? until_ms : INT64_MAX };

	k.next = k.approved && scope == SCOPE_ONCE && !q->waiting;
	if (k.next)
		k.until_ms = now_ms + APPROVAL_NEXT_MS;
	if ((scope == SCOPE_ONCE && !k.next) || (decision != DECISION_APPROVED && decision != DECISION_DENIED))
		return true;
	memcpy(k.host, q->host, sizeof(k.host));
	k.port = k.approved ? q->port : 0;
	return keep(a, &k);
}

bool approvals_take(struct approvals *a, uint32_t number, enum decision decision,
		    enum scope scope, int64_t now_ms, int64_t until_ms, bool *ret_paused)
{
	struct approval_question *q = approvals_find(a, number);
	size_t i;

	*ret_paused = false;
	if (!q || !keep_said(a, q, decision, scope, now_ms, until_ms))
		return false;
	i = (size_t)(q - a->at);
	memmove(q, q + 1, (a->count - i - 1) * sizeof(*q));
	a->count--;
	if (decision == DECISION_APPROVED)
		a->refused = 0;
	if (decision != DECISION_DENIED || ++a->refused < APPROVALS_REFUSED_MAX)
		return true;
	a->refused = 0;
	a->paused_until_ms = now_ms + APPROVALS_PAUSE_MS;
	*ret_paused = true;
	return true;
}

bool approvals_use(struct approvals *a, struct span host, uint16_t port, enum transport transport,
		   int64_t now_ms)
{
	for (size_t i = 0; a && i < a->kept_count; i++) {
		const struct kept *k = &a->kept[i];

		if (!k->next || !kept_is_about(k, host, port, transport) || k->until_ms <= now_ms)
			continue;
		a->kept[i] = a->kept[--a->kept_count];
		return true;
	}
	return false;
}

uint32_t approvals_late(const struct approvals *a, int64_t now_ms)
{
	for (size_t i = 0; a && i < a->count; i++)
		if (a->at[i].until_ms <= now_ms)
			return a->at[i].number;
	return 0;
}

bool approvals_expire(struct approvals *a, int64_t now_ms)
{
	bool any = false;

	for (size_t i = 0; a && i < a->kept_count;) {
		if (a->kept[i].until_ms > now_ms) {
			i++;
			continue;
		}
		a->kept[i] = a->kept[--a->kept_count];
		any = true;
	}
	return any;
}

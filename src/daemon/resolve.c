/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/resolve.h"

#include <sys/queue.h>
#include <sys/random.h>

#include "base/hash.h"
#include "daemon/clock.h"
#include "daemon/resolver.h"
#include "net/msg.h"
#include "proto/dns_answer.h"
#include "policy/policy.h"

#define RESOLVE_NAMES_MAX 16384		/* known or asked for; the oldest answer makes room */
#define RESOLVE_CHAINS 4096		/* hash chains: four names in each at the bound */
#define RESOLVE_WAITERS_MAX 65536	/* who may wait in all; beyond it: RESOLVED_FAILED */
#define RESOLVE_TTL_MIN_MS 1000
#define RESOLVE_TTL_MAX_S 3600
#define RESOLVE_TTL_FAILED_MS 2000
#define RESOLVE_RECORDS_BYTES (4u << 20) /* of kept lists; the oldest answers make room */
#define RESOLVE_PACKETS_A_TURN 64	/* then the rest of the loop has its turn */

struct waiter {
	struct waiter	*next;
	resolve_done	*done;
	void		*arg;
};

/*
 * A name is asked for (it has a slot and waiters, and is in ->asked) or known
 * (it has an answer, and is in ->known).  Only name_settle() leads from one to
 * the other; a known name ends by name_forget().
 */
struct name {
	TAILQ_ENTRY(name) order;
	struct name	*chain;
	bool		 asked;
	uint32_t	 id;		/* of the question */
	int64_t		 until_ms;	/* asked: when it fails; known: when it is stale */
	struct waiter	*waiters;	/* last come first */
	enum resolved	 status;
	struct addr	*addrs;		/* owned */
	size_t		 count;
	uint8_t		*records;	/* owned */
	size_t		 records_len;
	uint16_t	 type;		/* of the records; 0: addresses */
	size_t		 len;
	uint8_t		 text[HOST_MAX];
};

TAILQ_HEAD(names, name);

struct resolve {
	struct msg_link	 link;
	struct event	*readable, *writable, *clock;
	void		(*died)(void *arg);
	void		*arg;
	int64_t		(*now_ms)(void);	/* clock_ms(); tests bring their own */
	bool		 dead;
	struct seed	 seed;			/* the jail chooses the names */
	size_t		 count;			/* names in the chains */
	size_t		 waiter_count;
	size_t		 record_bytes;		/* of all names */
	struct names	 asked, known;		/* oldest first */
	uint32_t	 next_id;
	struct name	*slots[RESOLVER_ASKED_MAX];	/* by id modulo size */
	struct name	*chains[RESOLVE_CHAINS];
};

static const struct msg_type accepted[RESOLVER_MSG_NUM] = {
	[RESOLVE_ANSWER] = {
		"answer", sizeof(struct resolver_answer),
		sizeof(struct resolver_answer) + RESOLVE_ADDRS_MAX * sizeof(struct addr), false
	},
	[RESOLVE_RECORDS] = {
		"records", sizeof(struct resolver_answer),
		sizeof(struct resolver_answer) + DNS_RECORDS_MAX, false
	},
};

static const struct resolution failed = { .status = RESOLVED_FAILED };

/* --- The table of names --- */

static struct span name_span(const struct name *n)
{
	return span_of(n->text, n->len);
}

static struct name **name_place(struct resolve *r, struct span host, uint16_t type)
{
	struct name **at = &r->chains[(hash_span(&r->seed, host) + type) % RESOLVE_CHAINS];

	while (*at && !((*at)->type == type && span_eq(name_span(*at), host)))
		at = &(*at)->chain;
	return at;
}

static void name_free(struct name *n)
{
	free(n->addrs);
	free(n->records);
	free(n);
}

static void name_forget(struct resolve *r, struct name *n)
{
	struct name **at = name_place(r, name_span(n), n->type);

	*at = n->chain;
	r->record_bytes -= n->records_len;
	TAILQ_REMOVE(&r->known, n, order);
	r->count--;
	name_free(n);
}

static bool slot_take(struct resolve *r, struct name *n)
{
	for (size_t tries = 0; tries < RESOLVER_ASKED_MAX; tries++) {
		struct name **slot = &r->slots[r->next_id % RESOLVER_ASKED_MAX];

		n->id = r->next_id++;
		if (!*slot) {
			*slot = n;
			return true;
		}
	}
	return false;
}

/* Return: a name that is asked for, with no waiters; NULL at a bound */
static struct name *name_new(struct resolve *r, struct span host, uint16_t type)
{
	struct name *n, **at;

	if (r->count == RESOLVE_NAMES_MAX && !TAILQ_EMPTY(&r->known))
		name_forget(r, TAILQ_FIRST(&r->known));
	if (r->count == RESOLVE_NAMES_MAX)
		return NULL;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	if (!slot_take(r, n)) {
		free(n);
		return NULL;
	}
	memcpy(n->text, host.at, host.len);
	n->len = host.len;
	n->type = type;
	n->asked = true;
	n->until_ms = r->now_ms() + RESOLVE_LIMIT_MS;
	at = name_place(r, host, type);
	*at = n;
	r->count++;
	TAILQ_INSERT_TAIL(&r->asked, n, order);
	return n;
}

/* @n is the newest of those that are known, and stays */
static bool records_keep(struct resolve *r, struct name *n, struct span records)
{
	while (r->record_bytes + records.len > RESOLVE_RECORDS_BYTES &&
	       TAILQ_FIRST(&r->known) != n)
		name_forget(r, TAILQ_FIRST(&r->known));
	n->records = malloc(records.len);
	if (!n->records)
		return false;
	memcpy(n->records, records.at, records.len);
	n->records_len = records.len;
	r->record_bytes += records.len;
	return true;
}

/* Keep what is to be known.  Without memory for it the name is kept as failed. */
static void name_keep(struct resolve *r, struct name *n, const struct resolution *res)
{
	n->status = res->status;
	n->count = res->count;
	if (res->records.len && !records_keep(r, n, res->records))
		n->status = RESOLVED_FAILED;
	if (!res->count)
		return;
	n->addrs = malloc(res->count * sizeof(*res->addrs));
	if (n->addrs) {
		memcpy(n->addrs, res->addrs, res->count * sizeof(*res->addrs));
	} else {
		n->status = RESOLVED_FAILED;
		n->count = 0;
	}
}

/* The order in which they came; and count them as gone */
static struct waiter *waiters_take(struct resolve *r, struct name *n)
{
	struct waiter *reversed = NULL;

	while (n->waiters) {
		struct waiter *w = n->waiters;

		n->waiters = w->next;
		w->next = reversed;
		reversed = w;
		r->waiter_count--;
	}
	return reversed;
}

/*
 * The answer is here: keep it and tell it.  Whoever is told may ask again at
 * once, so the name is known, and may even be gone, by the time of the first call.
 */
static void name_settle(struct resolve *r, struct name *n, const struct resolution *res,
			int64_t keep_ms)
{
	struct waiter *w = waiters_take(r, n);

	r->slots[n->id % RESOLVER_ASKED_MAX] = NULL;
	TAILQ_REMOVE(&r->asked, n, order);
	TAILQ_INSERT_TAIL(&r->known, n, order);
	n->asked = false;
	n->until_ms = r->now_ms() + keep_ms;
	name_keep(r, n, res);
	while (w) {
		struct waiter *next = w->next;

		w->done(w->arg, res);
		free(w);
		w = next;
	}
}

/* --- The link --- */

static void event_end(struct event **e)
{
	if (*e)
		event_free(*e);
	*e = NULL;
}

static void fail_all(struct resolve *r)
{
	r->dead = true;
	event_end(&r->readable);
	event_end(&r->writable);
	event_end(&r->clock);
	msg_link_done(&r->link);
	while (!TAILQ_EMPTY(&r->asked))
		name_settle(r, TAILQ_FIRST(&r->asked), &failed, 0);
}

static void resolver_gone(struct resolve *r)
{
	fail_all(r);
	r->died(r->arg);
}

/* Whether an answer has the shape of one.  Its addresses are judged by policy_address(). */
static bool answer_read(struct span payload, struct resolution *ret_res, uint32_t *ret_ttl_s)
{
	struct resolver_answer a;
	struct span addrs = span_skip(payload, sizeof(a));

	memcpy(&a, payload.at, sizeof(a));
	if (a.status > RESOLVED_FAILED || (a.status == RESOLVED_OK) != (a.count > 0))
		return false;
	if (a.count > RESOLVE_ADDRS_MAX || addrs.len != a.count * sizeof(struct addr))
		return false;
	ret_res->status = (enum resolved)a.status;
	ret_res->count = a.count;
	if (addrs.len)
		memcpy(ret_res->addrs, addrs.at, addrs.len);
	*ret_ttl_s = a.ttl_s;
	return true;
}

/* Whether an answer has the shape of a list of records.  What they say is the jail's to judge. */
static bool records_read(struct span payload, struct resolution *ret_res)
{
	struct resolver_answer a;
	struct span list = span_skip(payload, sizeof(a)), data;

	memcpy(&a, payload.at, sizeof(a));
	if (a.status > RESOLVED_FAILED || (a.status == RESOLVED_OK) != (list.len > 0))
		return false;
	*ret_res = (struct resolution){ .status = (enum resolved)a.status, .records = list,
					.ttl_s = a.ttl_s };
	while (list.len)
		if (!dns_records_next(&list, &data))
			return false;
	return true;
}

static int64_t keep_ms(enum resolved status, uint32_t ttl_s)
{
	if (status == RESOLVED_FAILED)
		return RESOLVE_TTL_FAILED_MS;
	if (ttl_s > RESOLVE_TTL_MAX_S)
		ttl_s = RESOLVE_TTL_MAX_S;
	return ttl_s ? (int64_t)ttl_s * 1000 : RESOLVE_TTL_MIN_MS;
}

static void answer_came(void *arg, const struct msg *m)
{
	struct resolve *r = arg;
	struct name *n = r->slots[m->id % RESOLVER_ASKED_MAX];
	struct resolution res = { .status = RESOLVED_FAILED };
	uint32_t ttl_s;
	bool good;

	if (!n || n->id != m->id)
		return;		/* late, or never asked */
	if (n->type) {
		good = m->type == RESOLVE_RECORDS && records_read(m->payload, &res);
		ttl_s = res.ttl_s;
	} else {
		good = m->type == RESOLVE_ANSWER && answer_read(m->payload, &res, &ttl_s);
	}
	if (good)
		name_settle(r, n, &res, keep_ms(res.status, ttl_s));
	else
		name_settle(r, n, &failed, RESOLVE_TTL_FAILED_MS);
}

static void link_readable(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;
	int got = 1;

	(void)fd;
	(void)what;
	for (int i = 0; i < RESOLVE_PACKETS_A_TURN && got > 0; i++)
		got = msg_read(&r->link, answer_came, r);
	if (got < 0)
		resolver_gone(r);
}

static int link_flush(struct resolve *r)
{
	int e = msg_flush(&r->link);

	if (e == 0 && msg_waits(&r->link) && event_add(r->writable, NULL))
		e = -ENOMEM;
	return e;
}

static void link_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	/* A broken link also becomes readable, and its end is noticed there */
	(void)link_flush(arg);
}

/* --- Deadlines: all questions have the same limit, so the oldest is the next --- */

static void clock_arm(struct resolve *r)
{
	const struct name *first = TAILQ_FIRST(&r->asked);
	struct timeval tv;

	if (!first || evtimer_pending(r->clock, NULL))
		return;
	tv = clock_timeval(first->until_ms - r->now_ms());
	evtimer_add(r->clock, &tv);
}

static void clock_rang(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;
	struct name *n;

	(void)fd;
	(void)what;
	while ((n = TAILQ_FIRST(&r->asked)) && n->until_ms <= r->now_ms())
		name_settle(r, n, &failed, RESOLVE_TTL_FAILED_MS);
	clock_arm(r);
}

/* --- The interface --- */

struct resolve *resolve_new(struct event_base *loop, int fd, void (*died)(void *arg), void *arg)
{
	struct resolve *r = calloc(1, sizeof(*r));

	if (!r) {
		close(fd);
		return NULL;
	}
	msg_link_init(&r->link, fd, accepted, ARRAY_SIZE(accepted));
	TAILQ_INIT(&r->asked);
	TAILQ_INIT(&r->known);
	r->died = died;
	r->arg = arg;
	r->now_ms = clock_ms;
	r->readable = event_new(loop, fd, EV_READ | EV_PERSIST, link_readable, r);
	r->writable = event_new(loop, fd, EV_WRITE, link_writable, r);
	r->clock = evtimer_new(loop, clock_rang, r);
	if (!r->readable || !r->writable || !r->clock || event_add(r->readable, NULL) ||
	    getrandom(&r->seed, sizeof(r->seed), 0) != sizeof(r->seed)) {
		resolve_free(r);
		return NULL;
	}
	return r;
}

void resolve_free(struct resolve *r)
{
	if (!r)
		return;
	if (!r->dead)
		fail_all(r);
	while (!TAILQ_EMPTY(&r->known))
		name_forget(r, TAILQ_FIRST(&r->known));
	free(r);
}

static void name_tell(const struct resolve *r, const struct name *n, resolve_done *done, void *arg)
{
	struct resolution res = {
		.status = n->status, .count = n->count,
		.records = span_of(n->records, n->records_len),
		.ttl_s = (uint32_t)((n->until_ms - r->now_ms()) / 1000),
	};

	if (n->count)
		memcpy(res.addrs, n->addrs, n->count * sizeof(*n->addrs));
	done(arg, &res);
}

/* Send the question of a new name.  One that cannot leave has failed. */
static void name_ask(struct resolve *r, struct name *n)
{
	struct resolver_ask ask = { .type = n->type };
	int e;

	if (n->type)
		e = msg_put(&r->link, RESOLVE_ASK_RECORDS, n->id, &ask, sizeof(ask), name_span(n),
			    -1);
	else
		e = msg_put(&r->link, RESOLVE_ASK, n->id, NULL, 0, name_span(n), -1);
	if (e == 0)
		e = link_flush(r);
	if (e < 0)
		name_settle(r, n, &failed, RESOLVE_TTL_FAILED_MS);
	clock_arm(r);
}

void resolve_ask(struct resolve *r, struct span host, resolve_done *done, void *arg)
{
	resolve_ask_records(r, host, 0, done, arg);
}

void resolve_ask_records(struct resolve *r, struct span host, uint16_t type, resolve_done *done,
			 void *arg)
{
	struct waiter *w = NULL;
	struct name *n;
	bool fresh;

	if (r->dead || !host.len || host.len > HOST_MAX) {
		done(arg, &failed);
		return;
	}
	n = *name_place(r, host, type);
	if (n && !n->asked && n->until_ms <= r->now_ms()) {
		name_forget(r, n);
		n = NULL;
	}
	if (n && !n->asked) {
		name_tell(r, n, done, arg);
		return;
	}
	fresh = !n;
	if (r->waiter_count < RESOLVE_WAITERS_MAX)
		w = malloc(sizeof(*w));
	if (w && fresh)
		n = name_new(r, host, type);
	if (!w || !n) {
		free(w);
		done(arg, &failed);
		return;
	}
	*w = (struct waiter){ n->waiters, done, arg };
	n->waiters = w;
	r->waiter_count++;
	if (fresh)
		name_ask(r, n);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/meter.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#define TURN_US 10000		/* what a lane's turn is made of: so often it is served */
#define TURN_MAX 262144		/* bytes of a turn, however high the rate */
#define GRANT_LEAST 4096	/* bytes worth a turn of their own */
#define SERVED_MAX 4096		/* flows in one turn; the rest is for the next */
#define LOOK_AGAIN_US 5000

struct lane {
	TAILQ_HEAD(waiters, waiter) waiters;
	size_t			 count;
	const struct waiter	*served;	/* its flow runs just now */
	struct event		 timer;
	struct proxy		*proxy;
	uint32_t		 account;	/* ACCOUNT_NONE: flows that look again */
	enum way		 way;
};

struct lanes {
	struct lane	*again;
	size_t		 count;
	struct lane	*lane[];	/* two an account */
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static enum way way_of(const struct flow *f, bool outward)
{
	/* What comes in by a published port comes into the jail */
	return outward == (f->door != DOOR_PUBLISH) ? WAY_UP : WAY_DOWN;
}

/* ---- the policy ---- */

static bool limits_anything(const struct policy *p)
{
	const struct policy_limits l = policy_settings(p).limits;

	if (rates_any(&l.requests) || rates_any(&l.requests_per_host) || l.error_rate_percent ||
	    l.unique_hosts != AMOUNT_NONE || l.upload_per_request != AMOUNT_NONE ||
	    l.upload_total != AMOUNT_NONE || l.download_total != AMOUNT_NONE)
		return true;
	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		struct rule_view r = policy_rule(p, i);

		if (r.rate.count || r.down_bps != AMOUNT_NONE || r.up_bps != AMOUNT_NONE ||
		    r.quota_down != AMOUNT_NONE || r.quota_up != AMOUNT_NONE)
			return true;
	}
	return false;
}

bool meter_policy(struct proxy *x, const struct policy *p)
{
	/* Once something was counted it goes on being, whatever a later policy says */
	if (!x->limits && !limits_anything(p))
		return true;
	if (!x->limits)
		x->limits = limits_new(&x->seed);
	x->kills = policy_settings(p).limits.on_exceed == EXCEED_KILL;
	return x->limits && limits_policy(x->limits, p, now_us());
}

static void lane_free(struct lane *l)
{
	if (!l)
		return;
	event_del(&l->timer);
	free(l);
}

void meter_done(struct proxy *x)
{
	for (size_t i = 0; x->lanes && i < x->lanes->count; i++)
		lane_free(x->lanes->lane[i]);
	if (x->lanes)
		lane_free(x->lanes->again);
	free(x->lanes);
	limits_free(x->limits);
	x->lanes = NULL;
	x->limits = NULL;
}

void meter_tell_alerts(struct proxy *x, struct span host)
{
	struct limits_alert a;

	while (limits_alert(x->limits, &a)) {
		struct talk_alert told = { a.value, a.threshold, (uint8_t)a.kind, a.per_host, { 0 } };

		x->killed = x->killed || x->kills;
		proxy_tell(x, GATE_ALERT, 0, &told, sizeof(told), span_head(host, TALK_HOST_MAX));
	}
}

/* ---- requests ---- */

static struct span host_of(const struct flow *f, char text[ADDR_TEXT_MAX])
{
	if (f->door == DOOR_HOST_PORT)
		return SPAN("localhost");
	if (f->host != BINDING_NONE)
		return binding_host(f->proxy->bindings, f->host);
	return span_str(addr_text(&f->dst, text));
}

static void tell_flow_alerts(struct flow *f)
{
	char text[ADDR_TEXT_MAX];

	meter_tell_alerts(f->proxy, host_of(f, text));
}

void meter_begin(struct flow *f, uint32_t rule, bool whole)
{
	if (!meter_is_on(f->proxy))
		return;
	f->usage.account = limits_account(f->proxy->limits, rule);
	f->usage.whole = whole;
	f->metered = f->door != DOOR_PROBE && f->door != DOOR_NOTICE &&
		     limits_meters(f->proxy->limits, f->usage.account);
}

static enum reason request(struct flow *f, uint32_t account, uint64_t body_bytes)
{
	char text[ADDR_TEXT_MAX];
	struct limits_request r = {
		.account = account, .host = host_of(f, text), .body_bytes = body_bytes,
		.now_us = now_us(),
	};
	enum reason reason;

	if (!limits_counts(f->proxy->limits, account))
		return REASON_ALLOWED;
	reason = limits_request(f->proxy->limits, &r, &f->retry_s);
	meter_tell_alerts(f->proxy, r.host);
	return reason;
}

enum reason meter_request(struct flow *f, uint64_t body_bytes)
{
	return request(f, f->usage.account, body_bytes);
}

enum reason meter_datagrams(struct proxy *x, uint32_t account, struct span host)
{
	struct limits_request r = { .account = account, .host = host, .now_us = now_us() };
	enum reason reason = limits_request(x->limits, &r, &(uint32_t){ 0 });

	meter_tell_alerts(x, host);
	return reason;
}

void meter_outcome(struct proxy *x, bool error, enum reason reason)
{
	if (!x->limits || reason == REASON_LIMIT || reason == REASON_KILLED)
		return;
	limits_outcome(x->limits, error, now_us());
	meter_tell_alerts(x, (struct span){ 0 });
}

bool meter_is_reason(enum reason r)
{
	return r == REASON_RATE || r == REASON_QUOTA || r == REASON_REQUEST_SIZE ||
	       r == REASON_LIMIT || r == REASON_KILLED;
}

/* ---- lanes ---- */

static void lane_serve(evutil_socket_t fd, short what, void *arg);

static struct lane *lane_new(struct proxy *x, uint32_t account, enum way way)
{
	struct lane *l = calloc(1, sizeof(*l));

	if (!l)
		proxy_fail("out of memory");
	TAILQ_INIT(&l->waiters);
	l->proxy = x;
	l->account = account;
	l->way = way;
	event_assign(&l->timer, x->loop, -1, 0, lane_serve, l);
	return l;
}

static struct lane *lane_at(struct proxy *x, uint32_t account, enum way way)
{
	size_t index = 2 * (size_t)account + way;
	struct lanes *grown;

	if (!x->lanes || (account != ACCOUNT_NONE && index >= x->lanes->count)) {
		size_t count = account == ACCOUNT_NONE ? 0 : 2 * (size_t)account + 2;
		size_t old = x->lanes ? x->lanes->count : 0;

		grown = realloc(x->lanes, sizeof(*grown) + count * sizeof(struct lane *));
		if (!grown)
			proxy_fail("out of memory");
		memset(grown->lane + old, 0, (count - old) * sizeof(struct lane *));
		if (!x->lanes)
			grown->again = NULL;
		grown->count = count;
		x->lanes = grown;
	}
	if (account == ACCOUNT_NONE) {
		if (!x->lanes->again)
			x->lanes->again = lane_new(x, account, way);
		return x->lanes->again;
	}
	if (!x->lanes->lane[index])
		x->lanes->lane[index] = lane_new(x, account, way);
	return x->lanes->lane[index];
}

static struct bucket *bucket_of(struct lane *l)
{
	return l->account == ACCOUNT_NONE ? NULL :
	       limits_bucket(l->proxy->limits, l->account, l->way);
}

/* Bytes that are worth waking up for */
static uint64_t turn_of(const struct bucket *b)
{
	uint64_t turn = b->rate_bps / (1000000 / TURN_US);

	turn = turn < 1024 ? 1024 : turn > TURN_MAX ? TURN_MAX : turn;
	return least(turn, b->burst);
}

static void lane_arm(struct lane *l)
{
	struct bucket *b = bucket_of(l);
	uint64_t wait = LOOK_AGAIN_US;
	struct timeval tv;

	if (TAILQ_EMPTY(&l->waiters) || evtimer_pending(&l->timer, NULL))
		return;
	if (b)
		wait = bucket_wait_us(b, turn_of(b), now_us());
	tv = (struct timeval){ .tv_sec = (time_t)(wait / 1000000),
			       .tv_usec = (suseconds_t)(wait % 1000000) };
	if (event_add(&l->timer, &tv) < 0)
		proxy_fail("cannot set a timer");
}

static void lane_leave(struct waiter *w)
{
	if (!w->lane)
		return;
	TAILQ_REMOVE(&w->lane->waiters, w, link);
	w->lane->count--;
	w->lane = NULL;
}

static void lane_serve(evutil_socket_t fd, short what, void *arg)
{
	struct lane *l = arg;
	struct waiter *w;
	size_t turns = l->account == ACCOUNT_NONE ? l->count : SERVED_MAX;

	(void)fd, (void)what;
	while (turns-- && (w = TAILQ_FIRST(&l->waiters))) {
		struct bucket *b = bucket_of(l);

		/* a policy that is new may have no bucket for it: all may go on */
		if (b && bucket_room(b, now_us()) < least(turn_of(b), GRANT_LEAST))
			break;
		lane_leave(w);
		l->served = w;
		w->flow->ready |= w->bit;
		flow_drive(w->flow);	/* which may be gone then */
		l->served = NULL;
	}
	lane_arm(l);
}

static void lane_wait(struct lane *l, struct waiter *w, struct flow *f, uint8_t bit)
{
	if (w->lane)
		return;
	w->lane = l;
	w->flow = f;
	w->bit = bit;
	if (l->served == w || l->account == ACCOUNT_NONE)
		TAILQ_INSERT_TAIL(&l->waiters, w, link);
	else
		TAILQ_INSERT_HEAD(&l->waiters, w, link);
	l->count++;
	lane_arm(l);
}

bool meter_waits(const struct flow *f, bool outward)
{
	return f->wait[!outward].lane;
}

void meter_look_again(struct flow *f)
{
	struct lane *l = lane_at(f->proxy, ACCOUNT_NONE, WAY_UP);

	if (f->wait[0].lane != l)
		lane_leave(&f->wait[0]);
	lane_wait(l, &f->wait[0], f, WANT_PACE_OUT);
}

/* ---- bytes ---- */

/* Of what is in the bucket, what one of those who wait for it may take at once */
static uint64_t share(struct proxy *x, uint32_t account, struct bucket *b, enum way way)
{
	struct lane *l = lane_at(x, account, way);
	uint64_t room = bucket_room(b, now_us()), part = room / (l->count + 1);

	return least(room, part > GRANT_LEAST ? part : GRANT_LEAST);
}

static uint64_t room_of(struct proxy *x, const struct usage *u, enum way way)
{
	uint64_t room = limits_room(x->limits, u, way);
	struct bucket *b = limits_bucket(x->limits, u->account, way);

	return b ? least(room, share(x, u->account, b, way)) : room;
}

uint64_t meter_room(struct flow *f, bool outward)
{
	return f->metered ? room_of(f->proxy, &f->usage, way_of(f, outward)) : UINT64_MAX;
}

bool meter_fits(const struct flow *f, bool outward, uint64_t bytes)
{
	return limits_room(f->proxy->limits, &f->usage, way_of(f, outward)) >= bytes;
}

bool meter_is_paced(struct flow *f, bool outward)
{
	return f->metered && !meter_room(f, outward) &&
	       limits_room(f->proxy->limits, &f->usage, way_of(f, outward));
}

static void take(struct proxy *x, struct usage *u, enum way way, uint64_t bytes)
{
	struct bucket *b = limits_bucket(x->limits, u->account, way);

	if (b)
		bucket_take(b, bytes);
	limits_moved(x->limits, u, way, bytes, now_us());
}

void meter_moved(struct flow *f, bool outward, uint64_t bytes)
{
	if (!f->metered || !bytes)
		return;
	take(f->proxy, &f->usage, way_of(f, outward), bytes);
	tell_flow_alerts(f);
}

static enum reason full(struct flow *f, const struct usage *u, struct waiter wait[2], bool outward,
			uint64_t bytes)
{
	enum way way = way_of(f, outward);
	enum reason reason;

	if (limits_room(f->proxy->limits, u, way) >= bytes) {
		lane_wait(lane_at(f->proxy, u->account, way), &wait[!outward], f,
			  outward ? WANT_PACE_OUT : WANT_PACE_IN);
		return REASON_ALLOWED;
	}
	reason = limits_exceeded(f->proxy->limits, u, way, bytes, now_us());
	tell_flow_alerts(f);
	return reason;
}

enum reason meter_full(struct flow *f, bool outward, uint64_t bytes)
{
	return full(f, &f->usage, f->wait, outward, bytes);
}

enum reason meter_datagram(struct proxy *x, struct usage *u, enum way way, size_t bytes,
			   bool *ret_drop)
{
	struct bucket *b = limits_bucket(x->limits, u->account, way);

	*ret_drop = false;
	if (limits_room(x->limits, u, way) < bytes)
		return limits_exceeded(x->limits, u, way, bytes, now_us());
	/* one that is larger than the burst passes when the bucket is full, and is in debt then */
	if (b && bucket_room(b, now_us()) < least(bytes, b->burst)) {
		*ret_drop = true;
		return REASON_ALLOWED;
	}
	take(x, u, way, bytes);
	return REASON_ALLOWED;
}

uint64_t meter_body_room(const struct proxy *x)
{
	return x->limits ? limits_body_room(x->limits) : AMOUNT_NONE;
}

enum reason meter_body(struct proxy *x, uint64_t before, uint64_t after)
{
	return x->limits ? limits_body(x->limits, before, after, now_us()) : REASON_ALLOWED;
}

/* ---- streams ---- */

void meter_stream_begin(struct flow *f, struct meter_stream *m, uint32_t rule)
{
	struct proxy *x = f->proxy;

	m->usage.account = x->limits ? limits_account(x->limits, rule) : ACCOUNT_NONE;
	m->on = x->limits && limits_meters(x->limits, m->usage.account);
}

enum reason meter_stream_request(struct flow *f, struct meter_stream *m, uint64_t head,
				 uint64_t body)
{
	f->retry_s = 0;
	if (!f->proxy->limits)
		return REASON_ALLOWED;
	/* half a head is of use to nobody: a quota ends before it */
	if (m->on && limits_room(f->proxy->limits, &m->usage, way_of(f, true)) < head)
		return full(f, &m->usage, m->wait, true, head);
	return request(f, m->usage.account, body);
}

enum reason meter_stream_head(struct flow *f, struct meter_stream *m, bool outward, uint64_t bytes)
{
	enum way way = way_of(f, outward);

	if (!m->on)
		return REASON_ALLOWED;
	if (limits_room(f->proxy->limits, &m->usage, way) < bytes)
		return full(f, &m->usage, m->wait, outward, bytes);
	take(f->proxy, &m->usage, way, bytes);
	tell_flow_alerts(f);
	return REASON_ALLOWED;
}

bool meter_stream_waits(const struct meter_stream *m, bool outward)
{
	return m->wait[!outward].lane;
}

enum reason meter_stream_body(struct flow *f, struct meter_stream *m, bool outward, uint64_t bytes,
			      uint64_t *ret_pass)
{
	enum way way = way_of(f, outward);

	*ret_pass = meter_stream_waits(m, outward) ? 0 : bytes;
	if (!m->on || !*ret_pass)
		return REASON_ALLOWED;
	*ret_pass = least(room_of(f->proxy, &m->usage, way), bytes);
	if (!*ret_pass)
		return full(f, &m->usage, m->wait, outward, 1);
	take(f->proxy, &m->usage, way, *ret_pass);
	tell_flow_alerts(f);
	return REASON_ALLOWED;
}

void meter_stream_end(struct meter_stream *m)
{
	lane_leave(&m->wait[0]);
	lane_leave(&m->wait[1]);
}

/* ---- the end ---- */

static void give_back(struct flow *f, bool outward)
{
	const struct pump *p = outward ? &f->out : &f->in;
	enum way way = way_of(f, outward);
	uint64_t left = (uint64_t)p->held_len + p->in_pipe;
	struct bucket *b = limits_bucket(f->proxy->limits, f->usage.account, way);

	if (b)
		bucket_return(b, left);
	limits_returned(f->proxy->limits, &f->usage, way, left);
}

void meter_end(struct flow *f)
{
	lane_leave(&f->wait[0]);
	lane_leave(&f->wait[1]);
	if (!f->metered)
		return;
	give_back(f, true);
	give_back(f, false);
}

/* Bytes that a reset would take back from the way: none may be left */
bool meter_settled(struct pump *p, int to)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (to < 0)
		return true;
	switch (pump_drain(p, to)) {
	case PUMPED_READ:
		break;
	case PUMPED_WRITE:
		return false;
	default:
		return true;
	}
	memset(&info, 0, sizeof(info));
	return getsockopt(to, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	       (!info.tcpi_unacked && !info.tcpi_notsent_bytes);
}

void meter_cut(struct flow *f, enum reason reason)
{
	flow_ends(f, reason == REASON_KILLED ? END_KILLED : END_LIMIT, reason);
	/* a half that had ended well does not make it orderly */
	f->end = reason == REASON_KILLED ? END_KILLED : END_LIMIT;
	f->reason = (uint8_t)reason;
	lane_leave(&f->wait[0]);
	lane_leave(&f->wait[1]);
	flow_become(f, FLOW_CUT);
}

unsigned cut_step(struct flow *f)
{
	bool out = meter_settled(&f->out, f->peer), in = meter_settled(&f->in, f->agent);

	if (out && in) {
		flow_become(f, FLOW_OVER);
		return 0;
	}
	meter_look_again(f);
	return WANT_PACE_OUT;
}

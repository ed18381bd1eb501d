/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariants:
 *	1. http2_allow() follows a yes of the gate's own policy as it is then, and
 *	   nothing else: the keeper's yes alone opens no stream.
 *	2. The keeper is asked about each request that the policy does not allow, malformed
 *	   ones too, also if the client has given it up: it is recorded.
 *	3. The keeper is told of each request that was allowed when it ends, however the
 *	   connection does.
 *	4. Questions and answers are in one order: the first of @asked is answered next.
 */
#include "proxy/streams.h"

#include <errno.h>
#include <sys/socket.h>

#include "proto/http_fields.h"
#include "proxy/ask.h"
#include "proxy/credential.h"
#include "proxy/http2.h"
#include "proxy/inject.h"
#include "proxy/look.h"
#include "proxy/meter.h"
#include "proxy/tls.h"

#define PIECE 16384	/* bytes written at a time, a TLS record: what the pump may have to hold */
#define ASKED_MAX 1024	/* questions of a flow that are not answered yet */

/* A question that the keeper has */
struct asked {
	STAILQ_ENTRY(asked)	    link;
	int32_t			    stream;
	const struct http2_request *request;	/* NULL: nobody waits for the answer */
};

struct streams {
	struct http2		*bridge;
	STAILQ_HEAD(questions, asked) asked;
	size_t			 asked_count;
	bool			 full;		/* a question could not be put */
	bool			 closed[2];	/* by side: it says no more */
	bool			 deaf[2];	/* it takes no more */
	bool			 failed;	/* a socket was reset */
	bool			 cut_short;	/* by the end of the server: a request that stood */
	enum reason		 rejudged;
};

bool streams_possible(const struct proxy *x)
{
	if (meter_is_on(x))
		return false;
	for (uint32_t i = 0; i < policy_rule_count(x->policy); i++) {
		struct rule_view r = policy_rule(x->policy, i);

		if (r.max_request != AMOUNT_NONE)
			return false;
	}
	return true;
}

static struct http2_limits limits_of(struct proxy *x)
{
	struct http2_limits l = http2_limits_default;

	l.shared = &x->http2;
	return l;
}

bool streams_offered(struct proxy *x)
{
	const struct http2_limits l = limits_of(x);

	return streams_possible(x) && http2_has_room(&l);
}

/* ---- requests ---- */

/* As facts; what the keeper could not be told whole, and TRACE, is malformed */
static struct facts facts_of(const struct http2_request *r)
{
	const struct http_request *head = &r->head;
	struct facts facts = { .seen = SEEN_MALFORMED };

	if (head->method.len <= TALK_METHOD_MAX && head->host.len <= TALK_HOST_MAX &&
	    !span_eq_fold(head->method, SPAN("TRACE")))
		look_request(head, &facts);
	return facts;
}

/* @ret_edits: what rules put there, if it is allowed; or NULL */
static struct verdict judge(const struct flow *f, const struct facts *facts,
			    struct http_edits *ret_edits)
{
	const struct proxy *x = f->proxy;
	struct question q = ask_question(f);
	struct credentials c;
	struct verdict v;

	look_question(facts, &q);
	credentials_read(x->policy, facts, &c);
	credentials_question(&c, &q);
	v = policy_decide(x->policy, &q);
	if (v.answer == ANSWER_ALLOW && ret_edits &&
	    !inject_edits(x->injects, x->policy, &q, ret_edits))
		v = (struct verdict){ .answer = ANSWER_DENY, .reason = REASON_LIMIT,
				      .rule = RULE_NONE };
	return v;
}

/* @stream: whose answer it is; @request NULL: nobody's */
static void ask(struct flow *f, int32_t stream, const struct http2_request *request,
		const struct facts *facts)
{
	struct streams *s = f->streams;
	struct asked *a = s->asked_count < ASKED_MAX ? malloc(sizeof(*a)) : NULL;

	if (!a) {
		s->full = true;
		return;
	}
	*a = (struct asked){ .stream = stream, .request = request };
	STAILQ_INSERT_TAIL(&s->asked, a, link);
	s->asked_count++;
	ask_stream(f, facts);
}

/* What the bridge does not open after all is answered, or reset, by then; or is now */
static void pass(struct flow *f, int32_t stream, const struct http_edits *edits)
{
	struct http2 *b = f->streams->bridge;
	struct scrub_set *hides = NULL;

	if (f->host != BINDING_NONE)
		hides = inject_hides(f->proxy->injects, binding_host(f->proxy->bindings, f->host));
	if ((hides && !http2_hide(b, stream, hides)) ||
	    !http2_allow(b, stream, edits->count ? edits : NULL))
		http2_stop(b, stream);
}

static void on_request(void *ctx, int32_t stream, const struct http2_request *r)
{
	struct flow *f = ctx;
	struct facts facts = facts_of(r);
	struct http_edits edits;

	if (judge(f, &facts, &edits).answer == ANSWER_ALLOW) {
		inject_look(f, span_of(r->head.method.at, r->head.head_bytes), &edits);
		pass(f, stream, &edits);
	} else {
		ask(f, stream, r, &facts);
	}
}

static void on_malformed(void *ctx, int32_t stream, const struct http2_request *r)
{
	const struct facts facts = { .seen = SEEN_MALFORMED };

	(void)r;
	ask(ctx, stream, NULL, &facts);
}

static bool on_bytes(void *ctx, int32_t stream, enum http2_way way, size_t bytes, bool body)
{
	(void)ctx, (void)stream, (void)way, (void)bytes, (void)body;
	return true;	/* where anything is limited there is no HTTP/2 */
}

/* The stream is reset: the client is told nothing that the server has not said */
static void on_failed(void *ctx, int32_t stream, enum http2_end why)
{
	(void)ctx, (void)stream, (void)why;
}

static bool is_guarded(void *ctx, struct span name)
{
	const struct policy *p = ((struct flow *)ctx)->proxy->policy;
	const char *field;

	for (unsigned n = 0; n < CREDENTIALS_MAX && (field = policy_credential(p, n)); n++)
		if (span_eq_fold(name, span_str(field)))
			return true;
	for (uint32_t i = 0; i < policy_rule_count(p); i++)
		if (span_eq_fold(name, span_str(policy_rule(p, i).inject_header)))
			return true;
	return http_is_override(name);
}

static void tell(struct flow *f, const struct http2_request *r)
{
	struct span path = span_head(r->head.path, TALK_PATH_MAX);
	struct buf record = buf_new(TALK_HOST_MAX + TALK_METHOD_MAX + TALK_PATH_MAX);
	struct talk_http told = {
		.bytes_out = r->bytes_out, .bytes_in = r->bytes_in, .status = r->status,
		.method_len = (uint8_t)r->head.method.len,
		.host_len = (uint16_t)r->head.host.len, .path_len = (uint16_t)path.len,
	};

	buf_add_span(&record, r->head.method);
	buf_add_span(&record, r->head.host);
	buf_add_span(&record, path);
	proxy_tell(f->proxy, GATE_HTTP, f->ref, &told, sizeof(told), buf_span(&record));
	buf_done(&record);
}

static void on_end(void *ctx, int32_t stream, const struct http2_request *r, enum http2_end why)
{
	struct flow *f = ctx;
	struct streams *s = f->streams;
	struct asked *a;

	STAILQ_FOREACH(a, &s->asked, link)
		if (a->request == r)
			a->request = NULL;
	(void)stream;
	s->cut_short |= s->closed[HTTP2_PEER] && why == HTTP2_BY_PEER;
	if (r->allowed)
		tell(f, r);
}

static const struct http2_calls calls = {
	on_request, on_malformed, on_bytes, on_failed, is_guarded, on_end,
};

void streams_answered(struct flow *f, const struct talk_deny *d, struct span body)
{
	struct streams *s = f->streams;
	struct asked *a = STAILQ_FIRST(&s->asked);
	const struct http2_request *r;
	struct http_edits edits;
	struct facts facts;
	int32_t stream;

	if (!a)
		return;
	STAILQ_REMOVE_HEAD(&s->asked, link);
	s->asked_count--;
	r = a->request;
	stream = a->stream;
	free(a);
	if (!r)
		return;
	facts = facts_of(r);
	if (!d && judge(f, &facts, &edits).answer == ANSWER_ALLOW)
		pass(f, stream, &edits);
	else
		http2_deny(s->bridge, stream, d ? d->status : 403, 0, d ? body : (struct span){ 0 });
}

/* ---- a policy that is new ---- */

static void rejudge_one(void *ctx, int32_t stream, const struct http2_request *r)
{
	struct flow *f = ctx;
	struct facts facts = facts_of(r);
	struct verdict v;

	(void)stream;
	if (!r->allowed)	/* it is judged by the new one when the keeper has answered */
		return;
	v = judge(f, &facts, NULL);
	if (v.answer != ANSWER_ALLOW)
		f->streams->rejudged = v.answer == ANSWER_DENY ? v.reason : REASON_PROTOCOL;
}

enum reason streams_rejudge(struct flow *f)
{
	if (!streams_possible(f->proxy))
		return REASON_PROTOCOL;
	f->streams->rejudged = REASON_ALLOWED;
	http2_each(f->streams->bridge, rejudge_one);
	return f->streams->rejudged;
}

/* ---- bytes ---- */

bool streams_start(struct flow *f)
{
	struct streams *s = streams_possible(f->proxy) ? calloc(1, sizeof(*s)) : NULL;
	const struct http2_limits limits = limits_of(f->proxy);

	if (!s)
		return false;
	STAILQ_INIT(&s->asked);
	s->bridge = http2_new(&calls, f, &limits);
	if (!s->bridge) {
		free(s);
		return false;
	}
	f->streams = s;
	return true;
}

void streams_over(struct flow *f)
{
	struct streams *s = f->streams;
	struct asked *a;

	if (!s)
		return;
	http2_free(s->bridge);
	while ((a = STAILQ_FIRST(&s->asked))) {
		STAILQ_REMOVE_HEAD(&s->asked, link);
		free(a);
	}
	free(s);
	f->streams = NULL;
}

void streams_tick(struct flow *f)
{
	http2_tick(f->streams->bridge);
	flow_drive(f);
}

static void lose(struct flow *f, enum http2_side side)
{
	struct streams *s = f->streams;

	s->failed |= !s->closed[side];
	s->closed[side] = s->deaf[side] = true;
	pump_done(side == HTTP2_AGENT ? &f->in : &f->out);
	http2_gone(s->bridge, side);
}

static void read_side(struct flow *f, enum http2_side side)
{
	struct streams *s = f->streams;
	bool agent = side == HTTP2_AGENT;
	ssize_t n;

	if (!(f->ready & (agent ? WANT_AGENT_READ : WANT_PEER_READ)) || s->closed[side] ||
	    !(http2_wants(s->bridge, side) & HTTP2_READ))
		return;
	n = flow_recv(f, agent, pump_scratch(), PUMP_SCRATCH, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		lose(f, side);
	} else if (!n) {
		s->closed[side] = true;
		http2_gone(s->bridge, side);
	} else {
		f->since_s = f->proxy->now_s;
		http2_feed(s->bridge, side, span_of(pump_scratch(), (size_t)n));
	}
}

/* Return: true if something was written, which may have made more to write */
static bool write_side(struct flow *f, enum http2_side side)
{
	struct streams *s = f->streams;
	bool agent = side == HTTP2_AGENT, moved = false;
	struct pump *p = agent ? &f->in : &f->out;
	int to = agent ? f->agent : f->peer;
	size_t n;

	if (!s->deaf[side] && pump_drain(p, to) == PUMPED_TARGET_FAILED)
		lose(f, side);
	while (!p->held_len && (n = http2_pull(s->bridge, side, pump_scratch(), PIECE))) {
		moved = true;
		f->since_s = f->proxy->now_s;
		if (!s->deaf[side] && !pump_push(p, to, span_of(pump_scratch(), n)))
			lose(f, side);
	}
	return moved;
}

static unsigned wants_of(const struct flow *f, enum http2_side side)
{
	bool agent = side == HTTP2_AGENT;
	const struct streams *s = f->streams;
	unsigned wants = 0;

	if ((agent ? &f->in : &f->out)->held_len)
		wants |= agent ? WANT_AGENT_WRITE : WANT_PEER_WRITE;
	if (!s->closed[side] && http2_wants(s->bridge, side) & HTTP2_READ)
		wants |= agent ? WANT_AGENT_READ : WANT_PEER_READ;
	return wants;
}

static unsigned end(struct flow *f, enum flow_end how, enum reason reason)
{
	bool told = f->streams->closed[HTTP2_AGENT];

	flow_ends(f, how, reason);
	/* what was said to it last must not be overtaken by a reset */
	flow_become(f, told ? FLOW_OVER : FLOW_DENY);
	return WANT_AGAIN;
}

static unsigned leave(struct flow *f)
{
	const struct streams *s = f->streams;
	enum http2_end agent = http2_why(s->bridge, HTTP2_AGENT);
	enum http2_end peer = http2_why(s->bridge, HTTP2_PEER);

	if (agent == HTTP2_NO_MEMORY || peer == HTTP2_NO_MEMORY)
		return end(f, END_LIMIT, REASON_LIMIT);
	if (agent == HTTP2_BAD_AGENT)
		return end(f, END_KILLED, REASON_MALFORMED);
	if (peer == HTTP2_BAD_PEER)
		return end(f, END_ERROR, REASON_MALFORMED);
	if (s->failed || s->cut_short)
		return end(f, END_ERROR, REASON_ALLOWED);
	return end(f, s->closed[HTTP2_AGENT] ? END_CLIENT : END_SERVER, REASON_ALLOWED);
}

unsigned streams_step(struct flow *f)
{
	struct streams *s = f->streams;
	bool moved;

	read_side(f, HTTP2_AGENT);
	read_side(f, HTTP2_PEER);
	do {
		moved = write_side(f, HTTP2_AGENT);
		moved |= write_side(f, HTTP2_PEER);
	} while (moved);
	if (s->full) {
		flow_ends(f, END_LIMIT, REASON_LIMIT);
		flow_become(f, FLOW_OVER);
		return 0;
	}
	if (http2_over(s->bridge) && !f->in.held_len)
		return leave(f);
	return wants_of(f, HTTP2_AGENT) | wants_of(f, HTTP2_PEER);
}

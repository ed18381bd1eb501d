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
	struct http2_request	   *request;	/* NULL: nobody waits for the answer */
	enum reason		    limited;	/* it is a limit that refuses it, */
	uint32_t		    retry_s;	/* ... for so long; 0: unknown */
};

/* Of a request that was judged: http2_request.mine */
struct request {
	struct meter_stream meter;
	uint64_t	    body, body_max;	/* bytes to the server: so far, and at most */
	enum reason	    body_reason;
	bool		    paced[2];		/* by way: it waits for bandwidth */
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
	size_t			 paced;		/* requests that wait for bandwidth, each way */
};

static struct http2_limits limits_of(struct proxy *x)
{
	struct http2_limits l = http2_limits_default;

	l.shared = &x->http2;
	l.websocket = true;	/* a rule says of each whether it may */
	return l;
}

bool streams_offered(struct proxy *x)
{
	const struct http2_limits l = limits_of(x);

	return http2_has_room(&l);
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
static void ask(struct flow *f, int32_t stream, struct http2_request *request,
		const struct facts *facts, enum reason limited)
{
	struct streams *s = f->streams;
	struct asked *a = s->asked_count < ASKED_MAX ? malloc(sizeof(*a)) : NULL;

	if (!a) {
		s->full = true;
		return;
	}
	*a = (struct asked){ .stream = stream, .request = request, .limited = limited,
			     .retry_s = limited ? f->retry_s : 0 };
	STAILQ_INSERT_TAIL(&s->asked, a, link);
	s->asked_count++;
	f->limited = (uint8_t)limited;
	ask_stream(f, facts);
}

/* It is beyond a limit: the keeper records it, and words the page, if there can be one still */
static void refuse(struct flow *f, int32_t stream, struct http2_request *r, enum reason reason,
		   uint32_t retry_s)
{
	struct facts facts = facts_of(r);
	bool page = http2_hold(f->streams->bridge, stream);

	f->retry_s = retry_s;
	ask(f, stream, page ? r : NULL, &facts, reason);
}

/* How large its body may be: the rule and limits.upload_per_request say */
static void bound_body(struct flow *f, struct request *own, const struct http_request *head,
		       uint32_t rule)
{
	uint64_t session = meter_body_room(f->proxy);

	own->body_reason = REASON_REQUEST_SIZE;
	own->body_max = AMOUNT_NONE;
	if (head->upgrade)	/* what follows is no body, but the websocket's */
		return;
	own->body_max = rule == RULE_NONE ? AMOUNT_NONE :
			policy_rule(f->proxy->policy, rule).max_request;
	if (session < own->body_max) {
		own->body_max = session;
		own->body_reason = REASON_LIMIT;
	}
}

/* What the bridge does not open after all is answered, or reset, by then; or is now */
static void open_stream(struct flow *f, int32_t stream, const struct http_edits *edits)
{
	struct http2 *b = f->streams->bridge;
	struct scrub_set *hides = NULL;

	if (f->host != BINDING_NONE)
		hides = inject_hides(f->proxy->injects, binding_host(f->proxy->bindings, f->host));
	if ((hides && !http2_hide(b, stream, hides)) ||
	    !http2_allow(b, stream, edits->count ? edits : NULL))
		http2_stop(b, stream);
}

/* The policy lets it pass; do its limits? */
static void pass(struct flow *f, int32_t stream, struct http2_request *r, uint32_t rule,
		 const struct http_edits *edits)
{
	struct request *own = calloc(1, sizeof(*own));
	enum reason reason;

	r->mine = own;
	if (!own) {
		http2_stop(f->streams->bridge, stream);
		return;
	}
	bound_body(f, own, &r->head, rule);
	meter_stream_begin(f, &own->meter, rule);
	reason = meter_stream_request(f, &own->meter, r->head.head_bytes, r->head.length);
	if (reason != REASON_ALLOWED)
		refuse(f, stream, r, reason, f->retry_s);
	else
		open_stream(f, stream, edits);
}

static void on_request(void *ctx, int32_t stream, struct http2_request *r)
{
	struct flow *f = ctx;
	struct facts facts = facts_of(r);
	struct http_edits edits;
	struct verdict v = judge(f, &facts, &edits);

	if (v.answer == ANSWER_ALLOW) {
		inject_look(f, span_of(r->head.method.at, r->head.head_bytes), &edits);
		pass(f, stream, r, v.rule, &edits);
	} else {
		ask(f, stream, r, &facts, REASON_ALLOWED);
	}
}

static void on_malformed(void *ctx, int32_t stream, const struct http2_request *r)
{
	const struct facts facts = { .seen = SEEN_MALFORMED };

	(void)r;
	ask(ctx, stream, NULL, &facts, REASON_ALLOWED);
}

static bool on_head(void *ctx, int32_t stream, struct http2_request *r, enum http2_way way,
		    size_t bytes)
{
	struct flow *f = ctx;
	struct request *own = r->mine;
	enum reason reason = meter_stream_head(f, &own->meter, way == HTTP2_UP, bytes);

	if (reason != REASON_ALLOWED)
		refuse(f, stream, r, reason, 0);
	return reason == REASON_ALLOWED;
}

/* More comes of a body than it may have */
static void too_large(struct flow *f, int32_t stream, struct http2_request *r)
{
	struct request *own = r->mine;

	if (own->body_reason == REASON_LIMIT) {
		own->body_reason = meter_body(f->proxy, own->body_max, own->body_max + 1);
		meter_tell_alerts(f->proxy, r->head.host);
	}
	refuse(f, stream, r, own->body_reason, 0);
}

static size_t on_body(void *ctx, int32_t stream, struct http2_request *r, enum http2_way way,
		      size_t bytes)
{
	struct flow *f = ctx;
	struct request *own = r->mine;
	bool up = way == HTTP2_UP;
	uint64_t most = up ? own->body_max - own->body : bytes, passed;
	enum reason reason;

	if (!most) {
		too_large(f, stream, r);
		return 0;
	}
	reason = meter_stream_body(f, &own->meter, up, bytes < most ? bytes : most, &passed);
	if (reason != REASON_ALLOWED) {
		refuse(f, stream, r, reason, 0);
		return 0;
	}
	f->streams->paced += !passed && !own->paced[way];
	own->paced[way] |= !passed;
	if (up && r->head.framing == HTTP_BODY_CHUNKED && meter_is_on(f->proxy)) {
		meter_body(f->proxy, own->body, own->body + passed);
		meter_tell_alerts(f->proxy, r->head.host);
	}
	own->body += up ? passed : 0;
	return (size_t)passed;
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
	/* it is told as HTTP/1.1 would have it (RFC 8441, section 5): the record knows a websocket by that */
	bool websocket = r->head.websocket && r->status == 200;
	struct talk_http told = {
		.bytes_out = r->bytes_out, .bytes_in = r->bytes_in, .status = websocket ? 101 : r->status,
		.method_len = (uint8_t)r->head.method.len,
		.host_len = (uint16_t)r->head.host.len, .path_len = (uint16_t)path.len,
	};

	buf_add_span(&record, r->head.method);
	buf_add_span(&record, r->head.host);
	buf_add_span(&record, path);
	proxy_tell(f->proxy, GATE_HTTP, f->ref, &told, sizeof(told), buf_span(&record));
	buf_done(&record);
}

static void forget(struct streams *s, struct request *own)
{
	s->paced -= (size_t)own->paced[0] + own->paced[1];
	meter_stream_end(&own->meter);
	free(own);
}

static void on_end(void *ctx, int32_t stream, const struct http2_request *r, enum http2_end why)
{
	struct flow *f = ctx;
	struct streams *s = f->streams;
	struct request *own = r->mine;
	struct asked *a;

	STAILQ_FOREACH(a, &s->asked, link)
		if (a->request == r)
			a->request = NULL;
	(void)stream;
	s->cut_short |= s->closed[HTTP2_PEER] && why == HTTP2_BY_PEER;
	if (r->allowed)
		tell(f, r);
	if (r->allowed && (why == HTTP2_DONE || why == HTTP2_BY_PEER || why == HTTP2_BAD_PEER))
		meter_outcome(f->proxy, why != HTTP2_DONE || r->status >= 400, REASON_ALLOWED);
	if (own)
		forget(s, own);
}

static const struct http2_calls calls = {
	on_request, on_malformed, on_head, on_body, on_failed, is_guarded, on_end,
};

/* The keeper lets it pass: so must our own policy, and it must be no limit that refused it */
static void passes(struct flow *f, const struct asked *a)
{
	struct facts facts = facts_of(a->request);
	struct http_edits edits;
	struct verdict v = judge(f, &facts, &edits);

	if (v.answer == ANSWER_ALLOW && a->limited == REASON_ALLOWED)
		pass(f, a->stream, a->request, v.rule, &edits);
	else
		http2_deny(f->streams->bridge, a->stream, 403, 0, (struct span){ 0 });
}

void streams_answered(struct flow *f, const struct talk_deny *d, struct span body)
{
	struct streams *s = f->streams;
	struct asked *first = STAILQ_FIRST(&s->asked), a;

	if (!first)
		return;
	STAILQ_REMOVE_HEAD(&s->asked, link);
	s->asked_count--;
	a = *first;
	free(first);
	if (d)
		meter_outcome(f->proxy, true, d->reason);
	if (a.request && d)
		http2_deny(s->bridge, a.stream, d->status, a.retry_s, body);
	else if (a.request)
		passes(f, &a);
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
	if (v.answer == ANSWER_ALLOW)
		meter_stream_begin(f, &((struct request *)r->mine)->meter, v.rule);
	else
		f->streams->rejudged = v.answer == ANSWER_DENY ? v.reason : REASON_PROTOCOL;
}

enum reason streams_rejudge(struct flow *f)
{
	f->streams->rejudged = REASON_ALLOWED;
	http2_each(f->streams->bridge, rejudge_one);
	return f->streams->rejudged;
}

/* ---- bandwidth ---- */

static void go_on(void *ctx, int32_t stream, const struct http2_request *r)
{
	struct flow *f = ctx;
	struct request *own = r->mine;

	for (enum http2_way way = HTTP2_UP; own && way <= HTTP2_DOWN; way++)
		if (own->paced[way] && !meter_stream_waits(&own->meter, way == HTTP2_UP)) {
			own->paced[way] = false;
			f->streams->paced--;
			http2_resume(f->streams->bridge, stream, way);
		}
}

/* ---- bytes ---- */

bool streams_start(struct flow *f)
{
	struct streams *s = calloc(1, sizeof(*s));
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

	if (s->paced && f->ready & (WANT_PACE_OUT | WANT_PACE_IN))
		http2_each(s->bridge, go_on);
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

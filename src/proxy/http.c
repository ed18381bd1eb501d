/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.c - an HTTP/1 connection, plain or inside of inspected TLS, request by request
 *
 * Every request of a kept-alive connection is judged before a byte of it goes
 * to the server; every response is followed to its end, so that the next
 * request is known to be one.  Heads are read strictly (proto/http_head); what
 * two parsers could read differently ends the connection.  Bytes are passed on
 * as they came, but for what a rule injects (inject.h): fields of the request, and values
 * in the answer, which are overwritten in place.
 *
 * One request at a time: what a client sends ahead waits in @ahead until the
 * response has ended.  Invariants:
 *	1. A byte reaches the server only as part of a request that was judged.
 *	2. A byte of the server reaches the client only as part of the response
 *	   to the request that stands; anything else ends the connection.
 *	   The one exception: 101 to a request for a websocket that the policy
 *	   allows.  From then on nothing is HTTP, and the flow is relayed.
 *	3. A response that was cut short is never followed by an orderly close.
 *	4. The keeper is told of each request of which a byte went to the server, however
 *	   the connection ends.
 */
#include <assert.h>
#include <errno.h>

#include "policy/git.h"
#include "proxy/ask.h"
#include "proxy/credential.h"
#include "proxy/http_turn.h"
#include "proxy/inject.h"
#include "proxy/meter.h"
#include "proxy/tls.h"

#define AHEAD_MAX (PUMP_SCRATCH + LOOK_MAX)	/* bytes a client may send ahead of its turn */
#define SLOW_ANSWER_S 2				/* without a byte: watch the client meanwhile */

bool http_start(struct flow *f)
{
	f->http = malloc(sizeof(*f->http));
	if (!f->http)
		return false;
	*f->http = (struct http){
		.ahead = buf_new(AHEAD_MAX), .partial = buf_new(TURN_HEAD_MAX + PUMP_SCRATCH),
		.record = buf_new(TALK_HOST_MAX + TALK_METHOD_MAX + TALK_PATH_MAX),
		.edited = buf_new(TURN_HEAD_MAX + HTTP_EDITS_MAX * SECRET_BYTES_MAX + AHEAD_MAX),
	};
	return true;
}

static void forget_edited(struct http *h)
{
	if (h->edited.at)
		explicit_bzero(h->edited.at, h->edited.len);
	buf_clear(&h->edited);
}

void http_free(struct http *h)
{
	if (!h)
		return;
	buf_done(&h->ahead);
	buf_done(&h->partial);
	buf_done(&h->record);
	forget_edited(h);
	buf_done(&h->edited);
	http_scrub_end(&h->scrub);
	free(h);
}

struct buf *http_ahead(struct flow *f)
{
	return &f->http->ahead;
}

bool http_hand(struct flow *f, size_t used, struct span head)
{
	struct http *h = f->http;
	struct buf ahead = buf_new(h->ahead.max);

	if (!buf_add_span(&ahead, head) ||
	    !buf_add_span(&ahead, span_skip(buf_span(&h->ahead), used))) {
		buf_done(&ahead);
		return false;
	}
	buf_done(&h->ahead);
	h->ahead = ahead;
	h->handed = true;
	return true;
}

/* Of a proxy's client: the next head is not what it sends, but what explicit.c makes of it */
static bool is_explicit_turn(const struct flow *f)
{
	return f->explicit && f->http->request == REQUEST_HEAD && !f->http->handed;
}

void http_cut(struct flow *f, enum flow_end end, enum reason reason)
{
	flow_ends(f, end, reason);
	flow_become(f, FLOW_OVER);
}

/* ---- the request ---- */

/* How large its body may be: the rule and limits.upload_per_request say */
static void bound_body(struct flow *f, uint32_t rule)
{
	struct http *h = f->http;
	uint64_t session = meter_body_room(f->proxy);

	h->body_max = rule == RULE_NONE ? AMOUNT_NONE :
		      policy_rule(f->proxy->policy, rule).max_request;
	h->body_reason = REASON_REQUEST_SIZE;
	if (session < h->body_max) {
		h->body_max = session;
		h->body_reason = REASON_LIMIT;
	}
}

/* Count a request that the rule lets pass.  Return: false if it is beyond a limit */
static bool count(struct flow *f, const struct facts *facts, uint32_t rule)
{
	size_t head = facts->request.head_bytes;
	enum reason reason = REASON_ALLOWED;

	f->retry_s = 0;
	meter_begin(f, rule, false);
	/* half a head is of use to nobody: a quota ends before it */
	if (f->metered && !meter_fits(f, true, head))
		reason = meter_full(f, true, head);
	if (reason == REASON_ALLOWED && !f->counted)
		reason = meter_request(f, facts->request.length);
	f->counted = false;
	f->limited = (uint8_t)reason;
	return reason == REASON_ALLOWED;
}

/* What rules put into a request that passes, and what its answer must not say then */
static bool inject(struct flow *f, const struct http_request *r, const struct question *q)
{
	struct http *h = f->http;
	struct scrub_set *hides = q->inspected ? inject_hides(f->proxy->injects, q->host) : NULL;
	struct http_edits edits;

	h->head_bytes = r->head_bytes;
	http_scrub_end(&h->scrub);
	if (!inject_edits(f->proxy->injects, f->proxy->policy, q, &edits) ||
	    (hides && !http_scrub_begin(&h->scrub, hides)))
		return false;
	inject_look(f, span_of(r->method.at, r->head_bytes), &edits);
	return !edits.count ||
	       http_edited(span_of(r->method.at, r->head_bytes), &edits, &h->edited);
}

/*
 * Does the policy let this request through as it stands?  If not, the keeper is
 * asked, which records; should it say yes (it was told a text that was cut), no
 * is the answer still.
 */
static bool request_passes(struct flow *f, const struct facts *facts)
{
	struct http *h = f->http;
	struct question q = ask_question(f);
	struct credentials c;
	struct verdict v;

	look_question(facts, &q);
	credentials_read(f->proxy->policy, facts, &c);
	credentials_question(&c, &q);
	v = policy_decide(f->proxy->policy, &q);
	bound_body(f, v.rule);
	if (v.answer == ANSWER_ALLOW && meter_is_on(f->proxy) && !count(f, facts, v.rule)) {
		ask_send(f, GATE_ASK_AGAIN, facts, 0);
		return false;
	}
	if (v.answer != ANSWER_ALLOW && h->asked)
		deny_start(f, v.answer == ANSWER_DENY ? v.reason : REASON_PROTOCOL, 403,
			   (struct span){ 0 });
	else if (v.answer != ANSWER_ALLOW)
		ask_send(f, GATE_ASK_AGAIN, facts, 0);
	h->asked = v.answer != ANSWER_ALLOW;
	if (v.answer != ANSWER_ALLOW)
		return false;
	if (inject(f, &facts->request, &q))
		return true;
	http_cut(f, END_LIMIT, REASON_LIMIT);
	return false;
}

static void remember(struct http *h, const struct http_request *r)
{
	struct span path = span_head(r->path, TALK_PATH_MAX);

	buf_clear(&h->record);
	buf_add_span(&h->record, r->method);
	buf_add_span(&h->record, r->host);
	buf_add_span(&h->record, path);
	h->told = (struct talk_http){ .method_len = (uint8_t)r->method.len,
		.host_len = (uint16_t)r->host.len, .path_len = (uint16_t)path.len };
	h->keep_alive = r->keep_alive;
	h->last_words = !r->keep_alive && r->framing == HTTP_BODY_NONE;
	h->answer = PART_HEAD;
	h->host_port = r->host_port;
	h->too_large = false;
	h->websocket = r->websocket;
	h->overrides = r->overrides;
	h->pushes = git_is_push(r->target);
	http_body_init(&h->request_body, r->framing, r->length);
}

/*
 * The request that stands can't go on: it is beyond a limit.  If the client has
 * not begun to hear the answer it is told why; what went to the server arrives.
 */
void http_stop(struct flow *f, enum reason reason)
{
	struct http *h = f->http;
	struct span rest = buf_span(&h->record);
	struct facts facts = { .seen = SEEN_HTTP };

	f->settle = true;
	if (h->answer != PART_HEAD || h->told.bytes_in || h->partial.len) {
		meter_cut(f, reason);
		return;
	}
	facts.request.method = span_head(rest, h->told.method_len);
	rest = span_skip(rest, h->told.method_len);
	facts.request.host = span_head(rest, h->told.host_len);
	facts.request.path = span_skip(rest, h->told.host_len);
	facts.request.host_port = h->host_port;
	f->limited = (uint8_t)reason;
	ask_send(f, GATE_ASK_AGAIN, &facts, 0);
}

/*
 * As http_body_feed(), but not a byte more of the body than it may have: the
 * framing of chunks does not count.
 */
static enum parse body_feed(struct http *h, struct span bytes, size_t *ret_used)
{
	struct http_body *b = &h->request_body;
	size_t used;
	enum parse p;

	*ret_used = 0;
	if (b->framing != HTTP_BODY_CHUNKED || h->body_max == AMOUNT_NONE)
		return http_body_feed(b, bytes, ret_used);
	do {
		struct http_body before = *b;
		uint64_t left = h->body_max - b->data;
		struct span next = span_skip(bytes, *ret_used);

		p = http_body_feed(b, span_head(next, left && left < next.len ? (size_t)left : left ? next.len : 1),
				   &used);
		if (b->data > h->body_max) {
			*b = before;
			h->too_large = true;
			return PARSE_MORE;
		}
		*ret_used += used;
	} while (p == PARSE_MORE && *ret_used < bytes.len);
	return p;
}

/* Return: how many bytes of the body may go to the server now */
static size_t body_pass(struct flow *f, struct span bytes)
{
	struct http *h = f->http;
	uint64_t room = meter_room(f, true), before = h->request_body.data;
	size_t used = 0;
	enum parse p;

	p = body_feed(h, span_head(bytes, room < bytes.len ? (size_t)room : bytes.len), &used);
	if (p == PARSE_OK)
		h->request = REQUEST_SENT;
	if (p == PARSE_BAD)
		http_cut(f, END_KILLED, REASON_MALFORMED);
	meter_moved(f, true, used);
	if (h->request_body.framing == HTTP_BODY_CHUNKED)
		meter_body(f->proxy, before, h->request_body.data);
	if (h->too_large) {
		if (h->body_reason == REASON_LIMIT)
			h->body_reason = meter_body(f->proxy, h->body_max, h->body_max + 1);
		http_stop(f, h->body_reason);
	}
	return used;
}

/*
 * Judge what the client has sent, as far as it belongs to the request that
 * stands or begins the next.
 * Return: how many bytes may go to the server now.  The state may have changed.
 */
static size_t judge(struct flow *f, struct span bytes)
{
	struct http *h = f->http;
	struct http_request r = { .head_bytes = 0 };
	struct facts facts;
	enum parse p;

	if (h->request == REQUEST_HEAD) {
		p = http_request_parse(bytes, &r);
		if (p == PARSE_MORE && bytes.len < TURN_HEAD_MAX)
			return 0;
		facts = (struct facts){ .seen = SEEN_MALFORMED };
		if (p == PARSE_OK && r.method.len <= TALK_METHOD_MAX &&
		    r.host.len <= TALK_HOST_MAX)
			look_request(&r, &facts);
		if (!request_passes(f, &facts))
			return 0;
		remember(h, &r);
		h->handed = false;
		h->request = REQUEST_BODY;
		meter_moved(f, true, r.head_bytes);
	}
	return r.head_bytes + body_pass(f, span_skip(bytes, r.head_bytes));
}

/* What is held for it is waited for no more */
static void peer_fails(struct flow *f)
{
	f->http->peer_failed = true;
	pump_done(&f->out);
}

/* Judge and send; what is not sent stays in `ahead` (when @bytes come from elsewhere) */
static void forward(struct flow *f, struct span bytes, bool from_ahead)
{
	struct http *h = f->http;
	size_t used = judge(f, bytes);
	struct span onward = span_head(bytes, used);

	h->told.bytes_out += used;
	if (used && h->edited.len) {
		if (!buf_add_span(&h->edited, span_skip(onward, h->head_bytes)))
			peer_fails(f);
		onward = buf_span(&h->edited);
	}
	if (used && !h->peer_failed && !pump_push(&f->out, f->peer, onward))
		peer_fails(f);
	forget_edited(h);
	if (from_ahead)
		buf_consume(&h->ahead, used);
	else if (used < bytes.len && !buf_add_span(&h->ahead, span_skip(bytes, used)))
		http_cut(f, END_LIMIT, REASON_LIMIT);
}

/* Read from the client, unless enough lies ahead */
static void read_agent(struct flow *f)
{
	struct http *h = f->http;
	size_t room = AHEAD_MAX - h->ahead.len;
	ssize_t n;

	if (!(f->ready & WANT_AGENT_READ) || h->agent_eof || !room || is_explicit_turn(f))
		return;
	n = flow_recv(f, true, pump_scratch(), room < PUMP_SCRATCH ? room : PUMP_SCRATCH, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	f->ready &= (uint8_t)~WANT_AGENT_READ;
	if (n < 0)
		http_cut(f, END_ERROR, REASON_ALLOWED);
	h->agent_eof = n <= 0;
	if (n <= 0)
		return;
	f->since_s = f->proxy->now_s;
	if (h->ahead.len || h->request == REQUEST_SENT || f->metered) {
		buf_add(&h->ahead, pump_scratch(), (size_t)n);
		return;
	}
	forward(f, span_of(pump_scratch(), (size_t)n), false);
}

/*
 * While an answer is awaited nothing that the client says is needed, only whether
 * it has gone.  Many connections end with their first answer: so the loop is
 * bothered with the client's side only if the server is slow (http_tick()).
 */
static bool agent_can_wait(const struct flow *f)
{
	return f->http->request == REQUEST_SENT && !(f->wants & WANT_AGENT_READ) &&
	       f->proxy->now_s - f->since_s < SLOW_ANSWER_S;
}

static unsigned agent_wants(const struct flow *f)
{
	const struct http *h = f->http;

	if (meter_waits(f, true))
		return WANT_PACE_OUT;
	if (is_explicit_turn(f))
		return 0;
	return h->agent_eof || h->ahead.len >= AHEAD_MAX || agent_can_wait(f) ? 0 : WANT_AGENT_READ;
}

void http_tick(struct flow *f)
{
	if (f->http->request == REQUEST_SENT && !(f->wants & WANT_AGENT_READ) && !agent_can_wait(f))
		flow_drive(f);
}

/* Bytes lie ahead, it is their turn, and there is room for them */
static bool may_forward(struct flow *f)
{
	const struct http *h = f->http;

	return f->state == FLOW_HTTP && h->ahead.len && h->request != REQUEST_SENT &&
	       !f->out.held_len && !meter_is_paced(f, true) && !is_explicit_turn(f);
}

/* Did limits leave something of the request behind? */
static void wait_for_room(struct flow *f)
{
	const struct http *h = f->http;
	enum reason reason;

	if (!f->metered || !h->ahead.len || h->request == REQUEST_SENT || f->out.held_len ||
	    is_explicit_turn(f) ||
	    meter_waits(f, true) || meter_room(f, true))
		return;
	if (h->request == REQUEST_HEAD && !meter_is_paced(f, true))
		return;		/* a head that is not whole yet; it is judged when it is */
	reason = meter_full(f, true, 1);
	if (reason != REASON_ALLOWED)
		http_stop(f, reason);
}

/* Return: wants of this direction; the state may have changed */
static unsigned request_step(struct flow *f)
{
	struct http *h = f->http;
	enum pumped r = h->peer_failed ? PUMPED_READ : pump_drain(&f->out, f->peer);
	size_t before;

	if (r == PUMPED_TARGET_FAILED)
		peer_fails(f);
	if (r == PUMPED_WRITE)
		return WANT_PEER_WRITE;
	read_agent(f);
	do {
		before = h->ahead.len;
		if (may_forward(f))
			forward(f, buf_span(&h->ahead), true);
	} while (f->state == FLOW_HTTP && h->ahead.len && h->ahead.len != before);
	if (f->state == FLOW_HTTP)
		wait_for_room(f);
	if (f->state == FLOW_CUT)
		return WANT_AGAIN;
	if (f->state != FLOW_HTTP)
		return 0;
	/* The client sends no more; it may still read the last answer */
	if (h->agent_eof && h->request != REQUEST_SENT && !f->in.held_len) {
		if (h->request == REQUEST_HEAD && !h->ahead.len && h->answer == PART_NONE)
			flow_ends(f, END_CLIENT, REASON_ALLOWED);
		http_cut(f, END_CLIENT, h->request == REQUEST_BODY ? REASON_KILLED : REASON_ALLOWED);
		return 0;
	}
	return agent_wants(f) | (f->out.held_len ? WANT_PEER_WRITE : 0);
}

enum reason http_rejudge(const struct flow *f)
{
	const struct http *h = f->http;
	struct question q = ask_question(f);
	struct span texts = buf_span(&h->record);
	struct verdict v;

	if (h->answer == PART_NONE)
		return REASON_ALLOWED;
	q.seen = h->websocket ? SEEN_UPGRADE : SEEN_HTTP;
	q.websocket = h->websocket;
	q.overrides = h->overrides;
	q.pushes = h->pushes;
	q.method = span_head(texts, h->told.method_len);
	q.http_host = span_head(span_skip(texts, h->told.method_len), h->told.host_len);
	q.path = span_skip(texts, (size_t)h->told.method_len + h->told.host_len);
	q.any_credential = true;	/* it had it; the value is not kept */
	v = policy_decide(f->proxy->policy, &q);
	if (v.answer == ANSWER_ALLOW)
		return REASON_ALLOWED;
	return v.answer == ANSWER_DENY ? v.reason : REASON_PROTOCOL;
}

/* ---- both ---- */

unsigned http_step(struct flow *f)
{
	unsigned in_wants, out_wants;

	if (f->ready & WANT_PACE_IN)
		f->ready |= WANT_PEER_READ;
	in_wants = http_answer_step(f);
	if (f->state != FLOW_HTTP)
		return in_wants;
	out_wants = request_step(f);
	if (f->state == FLOW_DENY || f->state == FLOW_CUT)
		return WANT_AGAIN;
	if (f->state != FLOW_HTTP)
		return 0;
	/* The answer has arrived whole; where the next request goes is not known */
	if (is_explicit_turn(f) && f->http->answer == PART_NONE && !f->in.held_len &&
	    !f->out.held_len) {
		flow_become(f, FLOW_TARGET);
		return WANT_AGAIN;
	}
	return in_wants | out_wants;
}

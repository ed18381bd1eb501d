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
#include <sys/socket.h>

#include "policy/git.h"
#include "proto/http_body.h"
#include "proto/http_scrub.h"
#include "proxy/ask.h"
#include "proxy/credential.h"
#include "proxy/inject.h"
#include "proxy/look.h"
#include "proxy/meter.h"
#include "proxy/tls.h"

#define AHEAD_MAX (PUMP_SCRATCH + LOOK_MAX)	/* bytes a client may send ahead of its turn */
#define HEAD_MAX LOOK_MAX			/* bytes of a head */
#define SLOW_ANSWER_S 2				/* without a byte: watch the client meanwhile */

enum request { REQUEST_HEAD, REQUEST_BODY, REQUEST_SENT };
enum answer_part { PART_NONE, PART_HEAD, PART_BODY };

struct http {
	enum request	 request;
	enum answer_part answer;
	struct http_body request_body, answer_body;
	struct buf	 ahead;		/* from the client, not judged yet */
	struct buf	 partial;	/* of the server's head */
	struct buf	 record;	/* method, host, path of the request that stands */
	struct talk_http told;		/* lengths of those, status */
	bool		 keep_alive;	/* as far as both sides have said */
	bool		 last_words;	/* the client has said that it says no more */
	bool		 agent_eof;
	bool		 peer_failed;	/* takes no more; what it answers still counts */
	uint64_t	 body_max;	/* bytes of the request that stands, at most */
	enum reason	 body_reason;	/* for which no more may pass */
	uint16_t	 host_port;	/* told of it again if it is stopped */
	bool		 too_large;	/* the next byte of the body is one too many */
	bool		 more;		/* the server has sent more than there is room for */
	bool		 websocket;	/* it asks for one */
	bool		 overrides;	/* it may mean another method */
	bool		 pushes;	/* ... or begin a push */
	bool		 tunnel;	/* and the server has agreed: no more requests */
	bool		 asked;		/* the keeper was asked about the head that lies in `ahead` */
	bool		 handed;	/* that head is of explicit.c's */
	size_t		 head_bytes;	/* of the request, as it was sent */
	struct buf	 edited;	/* its head as it goes to the server; empty: as it was sent */
	struct http_scrub scrub;	/* of the answer */
};

bool http_start(struct flow *f)
{
	f->http = malloc(sizeof(*f->http));
	if (!f->http)
		return false;
	*f->http = (struct http){
		.ahead = buf_new(AHEAD_MAX), .partial = buf_new(HEAD_MAX + PUMP_SCRATCH),
		.record = buf_new(TALK_HOST_MAX + TALK_METHOD_MAX + TALK_PATH_MAX),
		.edited = buf_new(HEAD_MAX + HTTP_EDITS_MAX * SECRET_BYTES_MAX + AHEAD_MAX),
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

/* The connection cannot go on, and the client must see that it was cut */
static void cut(struct flow *f, enum flow_end end, enum reason reason)
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
	cut(f, END_LIMIT, REASON_LIMIT);
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
static void stop(struct flow *f, enum reason reason)
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
		cut(f, END_KILLED, REASON_MALFORMED);
	meter_moved(f, true, used);
	if (h->request_body.framing == HTTP_BODY_CHUNKED)
		meter_body(f->proxy, before, h->request_body.data);
	if (h->too_large) {
		if (h->body_reason == REASON_LIMIT)
			h->body_reason = meter_body(f->proxy, h->body_max, h->body_max + 1);
		stop(f, h->body_reason);
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
		if (p == PARSE_MORE && bytes.len < HEAD_MAX)
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
		cut(f, END_LIMIT, REASON_LIMIT);
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
		cut(f, END_ERROR, REASON_ALLOWED);
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
		stop(f, reason);
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
		cut(f, END_CLIENT, h->request == REQUEST_BODY ? REASON_KILLED : REASON_ALLOWED);
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

/* ---- the response ---- */

static void tell(struct flow *f)
{
	struct http *h = f->http;

	proxy_tell(f->proxy, GATE_HTTP, f->ref, &h->told, sizeof(h->told), buf_span(&h->record));
	h->answer = PART_NONE;
}

void http_over(struct flow *f)
{
	if (f->http && f->http->answer != PART_NONE)
		tell(f);
}

static void request_over(struct flow *f)
{
	struct http *h = f->http;

	meter_outcome(f->proxy, h->told.status >= 400, REASON_ALLOWED);
	tell(f);
	if (h->request != REQUEST_SENT)
		h->keep_alive = false;	/* answered before it was asked: the rest is void */
	else
		h->request = REQUEST_HEAD;
}

/* The request asked for a websocket, and all of it was sent */
static bool tunnel_may_begin(const struct flow *f)
{
	return f->http->websocket && f->http->request == REQUEST_SENT && !f->out.held_len;
}

/* The server has agreed: what follows is no HTTP, and both sides may speak */
static void tunnel_begin(struct flow *f)
{
	struct http *h = f->http;

	tell(f);
	if (h->ahead.len && !pump_push(&f->out, f->peer, buf_span(&h->ahead))) {
		cut(f, END_ERROR, REASON_ALLOWED);
		return;
	}
	http_free(h);
	f->http = NULL;
	flow_become(f, FLOW_RELAY);
	f->ready = WANT_AGENT_READ | WANT_PEER_READ;
}

/* What the client is to read is read once more: a value may look like a number */
static bool scrub_head(struct http *h, uint8_t *at, struct http_response *r)
{
	size_t len = r->head_bytes;

	scrub_whole(&h->scrub.data, at, len);
	return http_response_parse(span_of(at, len), span_head(buf_span(&h->record),
							       h->told.method_len), r) == PARSE_OK &&
	       r->head_bytes == len;
}

/*
 * Pass over the next bytes of the answer's body.
 * Return: how many may go to the client now; fewer than there are: the rest may be what must
 *         not be said, and waits
 */
static size_t pass_body(struct http *h, uint8_t *at, size_t len, enum parse *ret_parse)
{
	size_t used = 0, final;

	*ret_parse = PARSE_BAD;
	if (http_scrub_feed(&h->scrub, &h->answer_body, at, len, &final))
		*ret_parse = http_body_feed(&h->answer_body, span_of(at, final), &used);
	return used;
}

/*
 * Pass over what the server has sent.
 * Return: how many bytes of @bytes may go to the client; all of them unless the
 *         head is not whole yet.  *ret_bad: they are no response.
 */
static size_t follow(struct flow *f, uint8_t *at, size_t len, bool *ret_bad)
{
	const struct span bytes = span_of(at, len);
	struct http *h = f->http;
	size_t done = 0;

	while (done < bytes.len && h->answer != PART_NONE) {
		struct span rest = span_skip(bytes, done);
		struct http_response r;
		size_t used = 0;
		enum parse p;

		if (h->answer == PART_BODY) {
			used = pass_body(h, at + done, rest.len, &p);
			if (p == PARSE_MORE && used < rest.len) {
				h->told.bytes_in += used;
				*ret_bad = rest.len - used >= HEAD_MAX;
				return done + used;
			}
		} else {
			p = http_response_parse(rest, span_head(buf_span(&h->record),
								h->told.method_len), &r);
			if (p == PARSE_MORE && rest.len < HEAD_MAX)
				return done;
			if (p != PARSE_OK || (r.status == 101 && !tunnel_may_begin(f))) {
				*ret_bad = true;
				return done;
			}
			used = r.head_bytes;
			if (h->scrub.data.set && !scrub_head(h, at + done, &r)) {
				*ret_bad = true;
				return done;
			}
			if (r.status == 101) {
				h->tunnel = true;
				h->told.status = 101;
				h->told.bytes_in += used;
				return bytes.len;
			}
			if (r.status >= 200) {
				h->told.status = (uint16_t)r.status;
				h->keep_alive = h->keep_alive && r.keep_alive;
				h->answer = PART_BODY;
				http_body_init(&h->answer_body, r.framing, r.length);
				p = http_body_feed(&h->answer_body, (struct span){ 0 }, &(size_t){ 0 });
			} else {
				p = PARSE_MORE;
			}
		}
		done += used;
		h->told.bytes_in += used;
		*ret_bad = p == PARSE_BAD;
		if (p == PARSE_BAD)
			return done;
		if (p == PARSE_OK)
			request_over(f);
	}
	*ret_bad = done < bytes.len;	/* more than was asked for */
	return done;
}

/* @reset: not by its own will; then a body that only the end delimits is cut short */
static void server_ended(struct flow *f, bool reset)
{
	struct http *h = f->http;
	bool whole = !reset && h->answer == PART_BODY && http_body_end_is_whole(&h->answer_body);

	if (whole && h->partial.len) {	/* no value after all */
		h->told.bytes_in += h->partial.len;
		if (!pump_push(&f->in, f->agent, buf_span(&h->partial)))
			whole = false;
		buf_clear(&h->partial);
	}
	if (whole)
		request_over(f);
	if (!whole && h->answer != PART_NONE) {
		meter_outcome(f->proxy, true, REASON_ALLOWED);
		cut(f, END_ERROR, REASON_ALLOWED);
		return;
	}
	h->keep_alive = false;
	h->answer = PART_NONE;
	flow_ends(f, END_SERVER, REASON_ALLOWED);
}

static void read_peer(struct flow *f)
{
	struct http *h = f->http;
	uint8_t *at = pump_scratch();
	bool bad = false;
	uint64_t room;
	size_t used, len;
	ssize_t n;

	if (!(f->ready & WANT_PEER_READ))
		return;
	room = meter_room(f, false);
	n = flow_recv(f, false, at,
		      room < PUMP_SCRATCH ? room ? (size_t)room : 1 : PUMP_SCRATCH,
		      room ? 0 : MSG_PEEK);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		server_ended(f, n < 0);
		return;
	}
	h->more = !room;
	if (h->more)
		return;
	f->since_s = f->proxy->now_s;
	meter_moved(f, false, (uint64_t)n);
	len = (size_t)n;
	if (h->partial.len) {
		bad = !buf_add(&h->partial, at, len);
		at = h->partial.at;
		len = h->partial.len;
	}
	used = bad ? 0 : follow(f, at, len, &bad);
	if (used && !pump_push(&f->in, f->agent, span_of(at, used)))
		bad = true;
	if (bad) {
		cut(f, END_ERROR, REASON_MALFORMED);
	} else if (h->tunnel) {
		tunnel_begin(f);
	} else if (h->partial.len) {
		buf_consume(&h->partial, used);
	} else if (used < len) {
		buf_add(&h->partial, at + used, len - used);
	}
}

/* The server has more than there is room for */
static void stop_unless_waits(struct flow *f)
{
	enum reason reason = meter_full(f, false, 1);

	f->http->more = false;
	if (reason != REASON_ALLOWED)
		stop(f, reason);
}

static unsigned answer_step(struct flow *f)
{
	struct http *h = f->http;
	enum pumped r = pump_drain(&f->in, f->agent);

	if (r == PUMPED_TARGET_FAILED) {
		cut(f, END_ERROR, REASON_ALLOWED);
		return 0;
	}
	if (r == PUMPED_READ)
		read_peer(f);
	if (f->state == FLOW_RELAY)
		return WANT_AGAIN;
	if (f->state == FLOW_HTTP && h->more)
		stop_unless_waits(f);
	if (f->state == FLOW_CUT)
		return WANT_AGAIN;
	if (f->state != FLOW_HTTP)
		return 0;
	if (meter_waits(f, false))
		return WANT_PACE_IN;
	if (f->in.held_len)
		return WANT_AGENT_WRITE;
	if (h->answer == PART_NONE && ((!h->keep_alive && h->told.status) || f->ended)) {
		flow_ends(f, END_SERVER, REASON_ALLOWED);
		/* What the client still sends is for nobody, but must not cause a reset */
		flow_become(f, h->last_words && !h->ahead.len ? FLOW_OVER : FLOW_DENY);
		return WANT_AGAIN;
	}
	return WANT_PEER_READ;
}

unsigned http_step(struct flow *f)
{
	unsigned in_wants, out_wants;

	if (f->ready & WANT_PACE_IN)
		f->ready |= WANT_PEER_READ;
	in_wants = answer_step(f);
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

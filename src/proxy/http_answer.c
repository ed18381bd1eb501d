/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_answer.c - what the server says to the request that stands; the theory is in http.c
 *
 * Each response is followed to its end, and told to the keeper there; what no request asked for
 * ends the connection.  After 101 to a websocket's request the flow is relayed.
 */
#include <errno.h>
#include <sys/socket.h>

#include "proxy/http_turn.h"
#include "proxy/meter.h"
#include "proxy/tls.h"

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
		http_cut(f, END_ERROR, REASON_ALLOWED);
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
				*ret_bad = rest.len - used >= TURN_HEAD_MAX;
				return done + used;
			}
		} else {
			p = http_response_parse(rest, span_head(buf_span(&h->record),
								h->told.method_len), &r);
			if (p == PARSE_MORE && rest.len < TURN_HEAD_MAX)
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
		http_cut(f, END_ERROR, REASON_ALLOWED);
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
		http_cut(f, END_ERROR, REASON_MALFORMED);
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
		http_stop(f, reason);
}

unsigned http_answer_step(struct flow *f)
{
	struct http *h = f->http;
	enum pumped r = pump_drain(&f->in, f->agent);

	if (r == PUMPED_TARGET_FAILED) {
		http_cut(f, END_ERROR, REASON_ALLOWED);
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

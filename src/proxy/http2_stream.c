/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_stream.c - the life of one stream of a bridge
 *
 * Born with the agent's head; asked about; allowed and opened to the peer, or
 * answered by us; its response begun; its ends written; closed on one side, then
 * on the other; freed.  Invariants:
 *	1. Nothing is submitted to the peer's session before http2_allow() (http2_say.c).
 *	2. What the owner was not asked about is on no way: heads when they are passed
 *	   (on_head()), bodies as they leave (on_body()); until then they are held.
 *	3. A response that was cut short ends in a reset, never in END_STREAM.
 *	4. Bytes that are held have not been given back to the windows of the side
 *	   that sent them; bytes that are dropped are given back to the connection's
 *	   alone.  So a stream that nobody reads stops by its own window.
 *	5. on_end() is called once for each stream that was told of.
 */
#include "proxy/http2_bridge.h"

/* ---- what it holds ---- */

static size_t section_bytes(const struct http2_section *s)
{
	return s->bytes.size + s->fields.size;
}

bool stream_pay(struct stream *s)
{
	struct http2 *b = s->bridge;
	size_t now = sizeof(*s) + section_bytes(&s->head) + section_bytes(&s->section[HTTP2_AGENT]) +
		     section_bytes(&s->section[HTTP2_PEER]) + s->text.size +
		     s->way[HTTP2_UP].held.size + s->way[HTTP2_DOWN].held.size +
		     scrub_bytes(&s->scrub);

	if (now > s->paid) {
		size_t more = now - s->paid;

		if (!memory_for_stream(b, more) || !memory_take(b, more))
			return false;
	} else {
		memory_give(b, s->paid - now);
	}
	s->paid = now;
	return true;
}

void stream_starve(struct stream *s)
{
	if (s->why == HTTP2_DONE)
		s->why = HTTP2_NO_MEMORY;
	stream_reset(s, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* ---- bytes that wait ---- */

static bool held_add(struct held *h, struct span bytes, size_t max)
{
	if (bytes.len > max || h->len > max - bytes.len)
		return false;
	if (h->from && h->from + h->len + bytes.len > h->size) {
		memmove(h->at, h->at + h->from, h->len);
		h->from = 0;
	}
	if (h->len + bytes.len > h->size) {
		size_t size = h->size ? h->size : 4096;
		uint8_t *at;

		while (size < h->len + bytes.len)
			size *= 2;
		at = realloc(h->at, size);
		if (!at)
			return false;
		h->at = at;
		h->size = size;
	}
	if (bytes.len)
		memcpy(h->at + h->from + h->len, bytes.at, bytes.len);
	h->len += bytes.len;
	return true;
}

static void held_done(struct held *h)
{
	free(h->at);
	*h = (struct held){ .at = NULL };
}

static void held_take(struct held *h, uint8_t *at, size_t len)
{
	memcpy(at, h->at + h->from, len);
	h->from += len;
	h->len -= len;
	if (!h->len)
		held_done(h);	/* an idle stream holds nothing */
}

void stream_credit(struct stream *s, enum http2_side side, size_t bytes)
{
	struct side *e = &s->bridge->side[side];

	if (e->gone || !bytes)
		return;
	nghttp2_session_consume_connection(e->session, bytes);
	if (s->open[side])
		nghttp2_session_consume_stream(e->session, s->id[side], bytes);
}

/* What is held is of no use any more: only the connection's window has it back */
static void drop_held(struct stream *s, enum http2_way way)
{
	struct side *from = &s->bridge->side[source_of(way)];
	struct held *h = &s->way[way].held;

	if (h->len && !from->gone && !(way == HTTP2_DOWN && s->answer == ANSWER_OURS))
		nghttp2_session_consume_connection(from->session, h->len);
	held_done(h);
	stream_pay(s);
}

/* Its heads are of no use any more; but for the text, which the owner may look at still */
static void drop_heads(struct stream *s)
{
	http2_section_done(&s->head);
	http2_section_done(&s->section[HTTP2_AGENT]);
	http2_section_done(&s->section[HTTP2_PEER]);
	stream_pay(s);
}

bool stream_put(struct stream *s, struct span body)
{
	return held_add(&s->way[HTTP2_DOWN].held, body, body.len) && stream_pay(s);
}

/* ---- birth and end ---- */

struct stream *stream_new(struct http2 *b, int32_t id)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->bridge = b;
	if (!stream_pay(s)) {
		free(s);
		return NULL;
	}
	s->id[HTTP2_AGENT] = id;
	s->open[HTTP2_AGENT] = true;
	s->head = http2_section_new(b->limits.head);
	s->text = buf_new(b->limits.head);
	for (int side = 0; side < 2; side++)
		s->section[side] = http2_section_new(b->limits.head);
	TAILQ_INSERT_TAIL(&b->streams, s, link);
	b->count++;
	return s;
}

struct stream *stream_of(const struct side *e, int32_t id)
{
	struct stream *s;

	if (e->gone)	/* its session may still have bytes to write; it has no streams */
		return NULL;
	s = nghttp2_session_get_stream_user_data(e->session, id);
	if (s || e->which == HTTP2_AGENT)
		return s;
	/* its HEADERS wait still: the session has no stream yet */
	TAILQ_FOREACH(s, &e->bridge->streams, link)
		if (s->open[HTTP2_PEER] && s->id[HTTP2_PEER] == id)
			return s;
	return NULL;
}

void stream_end(struct stream *s, enum http2_end why)
{
	struct http2 *b = s->bridge;

	if (s->why == HTTP2_DONE && !s->way[HTTP2_DOWN].sent)
		s->why = why;
	if (!s->told)
		return;
	s->told = false;
	if (s->why == HTTP2_DONE)
		side_earn(&b->side[HTTP2_AGENT].streams, 1, BUDGET_STREAMS);
	b->calls->on_end(b->ctx, s->id[HTTP2_AGENT], &s->request, s->why);
	s->request.head = (struct http_request){ .head_bytes = 0 };
	buf_done(&s->text);
	stream_pay(s);
}

static void stream_free(struct stream *s)
{
	struct http2 *b = s->bridge;
	struct side *peer = &b->side[HTTP2_PEER];

	/* the library may close a stream after it told that its HEADERS do not go */
	if (s->id[HTTP2_PEER] && !peer->gone)
		nghttp2_session_set_stream_user_data(peer->session, s->id[HTTP2_PEER], NULL);
	drop_held(s, HTTP2_UP);
	drop_held(s, HTTP2_DOWN);
	drop_heads(s);
	buf_done(&s->text);
	memory_give(b, s->paid);
	scrub_end(&s->scrub);
	TAILQ_REMOVE(&b->streams, s, link);
	b->count--;
	free(s);
}

/* ---- resets ---- */

/* Codes that mean to the other side what they meant here (RFC 9113 7) */
uint32_t stream_code(uint32_t code)
{
	switch (code) {
	case NGHTTP2_REFUSED_STREAM:
	case NGHTTP2_CANCEL:
	case NGHTTP2_ENHANCE_YOUR_CALM:
	case NGHTTP2_HTTP_1_1_REQUIRED:
		return code;
	case NGHTTP2_NO_ERROR:
		return NGHTTP2_CANCEL;
	default:
		return NGHTTP2_INTERNAL_ERROR;
	}
}

static void reset_side(struct stream *s, enum http2_side side, uint32_t code)
{
	struct side *e = &s->bridge->side[side];

	if (s->open[side] && !e->gone &&
	    nghttp2_submit_rst_stream(e->session, NGHTTP2_FLAG_NONE, s->id[side], code) && !e->why)
		e->why = HTTP2_NO_MEMORY;
}

static void cut_peer(struct stream *s)
{
	s->deaf = true;
	drop_held(s, HTTP2_UP);
	reset_side(s, HTTP2_PEER, NGHTTP2_CANCEL);
}

void stream_reset(struct stream *s, uint32_t code)
{
	if (s->cut)
		return;
	s->cut = true;
	drop_held(s, HTTP2_DOWN);
	drop_heads(s);
	cut_peer(s);
	reset_side(s, HTTP2_AGENT, code);
}

void stream_take_over(struct stream *s)
{
	cut_peer(s);
	drop_held(s, HTTP2_DOWN);
	s->way[HTTP2_DOWN] = (struct lane2){ .fin = false };
	s->answer = ANSWER_OURS;
}

void stream_malformed(struct stream *s)
{
	struct http2 *b = s->bridge;

	if (s->cut)
		return;
	s->why = HTTP2_BAD_AGENT;
	stream_reset(s, NGHTTP2_PROTOCOL_ERROR);
	side_spend(&b->side[HTTP2_AGENT], &b->side[HTTP2_AGENT].streams);
	b->calls->on_malformed(b->ctx, s->id[HTTP2_AGENT], &s->request);
}

void stream_failed(struct stream *s, enum http2_end why, uint32_t code)
{
	struct http2 *b = s->bridge;

	if (s->cut || !s->open[HTTP2_AGENT] || s->answer == ANSWER_OURS)
		return;
	if (s->told && s->answer == ANSWER_NONE && code == NGHTTP2_NO_ERROR && !s->failing) {
		s->failing = true;
		b->calls->on_failed(b->ctx, s->id[HTTP2_AGENT], why);
		s->failing = false;
		if (s->cut || s->answer == ANSWER_OURS)
			return;
	}
	if (s->why == HTTP2_DONE)
		s->why = why;
	stream_reset(s, code == NGHTTP2_NO_ERROR ? NGHTTP2_INTERNAL_ERROR : code);
}

/* The session of @side knows it no more */
void stream_lose(struct stream *s, enum http2_side side)
{
	s->open[side] = false;
	if (!s->open[HTTP2_AGENT] && !s->open[HTTP2_PEER])
		stream_free(s);
}

/* Nobody wants what the agent still says: it was answered by us, or the peer heard enough */
static bool is_answered(const struct stream *s)
{
	return s->answer == ANSWER_OURS || (s->deaf && !s->open[HTTP2_PEER]);
}

/*
 * The agent has the whole response, and nobody wants the rest of the request (RFC 9113
 * 8.1).  It is left a moment to say the rest: clients there are that take such a
 * reset for a failure, and show no page.
 */
static void hang_up(struct stream *s)
{
	bool wait = s->linger < LINGER_TICKS && s->thrown < LINGER_BYTES;

	if (s->way[HTTP2_DOWN].sent && !s->open[HTTP2_PEER] && !s->way[HTTP2_UP].fin && !s->cut &&
	    !wait)
		reset_side(s, HTTP2_AGENT, NGHTTP2_NO_ERROR);
}

void stream_tick(struct stream *s)
{
	if (is_answered(s) && s->way[HTTP2_DOWN].sent && s->linger < LINGER_TICKS &&
	    ++s->linger == LINGER_TICKS)
		hang_up(s);
}

/* The body of a request that was answered */
static void throw_away(struct stream *s, size_t bytes)
{
	bool before = s->thrown < LINGER_BYTES;

	stream_credit(s, HTTP2_AGENT, bytes);
	s->thrown = bytes < LINGER_BYTES - s->thrown ? s->thrown + (uint32_t)bytes : LINGER_BYTES;
	if (before)
		hang_up(s);
}

void stream_close(struct stream *s, enum http2_side side, uint32_t code)
{
	s->open[side] = false;
	if (side == HTTP2_AGENT) {
		drop_held(s, HTTP2_DOWN);
		/* answered before the peer had all of the request: the rest goes to it still */
		if (!s->way[HTTP2_DOWN].sent || !s->way[HTTP2_UP].fin) {
			s->cut = true;
			cut_peer(s);
		}
		if (s->cut || s->deaf || s->way[HTTP2_UP].sent || !s->open[HTTP2_PEER])
			stream_end(s, HTTP2_BY_AGENT);
	} else if (!s->deaf) {
		bool ask = s->why == HTTP2_BAD_PEER || s->bridge->side[HTTP2_PEER].gone;

		drop_held(s, HTTP2_UP);
		s->deaf = true;
		if (!s->way[HTTP2_DOWN].fin)
			stream_failed(s, s->why == HTTP2_DONE ? HTTP2_BY_PEER : s->why,
				      ask ? NGHTTP2_NO_ERROR : stream_code(code));
	}
	if (!s->open[HTTP2_AGENT] && !s->open[HTTP2_PEER])
		stream_end(s, HTTP2_BY_PEER);
	hang_up(s);
	stream_lose(s, side);
}

void stream_sent_end(struct stream *s, enum http2_side to)
{
	s->way[to == HTTP2_PEER ? HTTP2_UP : HTTP2_DOWN].sent = true;
	if (to == HTTP2_AGENT)
		hang_up(s);
}

/* ---- what passes ---- */

static bool count(struct stream *s, enum http2_way way, size_t bytes)
{
	if (s->cut || s->answer == ANSWER_OURS)
		return false;
	if (way == HTTP2_UP)
		s->request.bytes_out += bytes;
	else
		s->request.bytes_in += bytes;
	return true;
}

bool stream_passes(struct stream *s, enum http2_way way, size_t bytes)
{
	struct http2 *b = s->bridge;

	if (!bytes)
		return true;
	if (!s->told)
		return false;
	if (!b->calls->on_head(b->ctx, s->id[HTTP2_AGENT], &s->request, way, bytes)) {
		if (s->answer != ANSWER_OURS && !s->cut)
			http2_stop(b, s->id[HTTP2_AGENT]);
		return false;
	}
	return count(s, way, bytes);
}

/* Of @bytes of the body that are held, how many pass now? */
static size_t body_passes(struct stream *s, enum http2_way way, size_t bytes)
{
	struct http2 *b = s->bridge;

	if (!bytes || (way == HTTP2_DOWN && s->answer == ANSWER_OURS))
		return bytes;
	if (!s->told)
		return 0;
	bytes = b->calls->on_body(b->ctx, s->id[HTTP2_AGENT], &s->request, way, bytes);
	return count(s, way, bytes) ? bytes : 0;
}

void stream_resume(struct stream *s, enum http2_side to)
{
	struct side *e = &s->bridge->side[to];

	if (s->open[to] && !e->gone)
		nghttp2_session_resume_data(e->session, s->id[to]);
}

static bool is_heard(const struct stream *s, enum http2_side from)
{
	if (s->cut)
		return false;
	return from == HTTP2_AGENT ? !is_answered(s) : !s->deaf && s->open[HTTP2_AGENT];
}

void stream_data(struct stream *s, enum http2_side from, struct span bytes)
{
	struct http2 *b = s->bridge;
	enum http2_way way = way_from(from);
	size_t max = b->limits.stream_window;

	if (from == HTTP2_AGENT && is_answered(s) && !s->cut && s->thrown < LINGER_BYTES) {
		throw_away(s, bytes.len);
		return;
	}
	if (!is_heard(s, from)) {
		nghttp2_session_consume_connection(b->side[from].session, bytes.len);
		return;
	}
	/* before the agent has our settings its window is the protocol's (RFC 9113 6.9.2) */
	if (max < NGHTTP2_INITIAL_WINDOW_SIZE)
		max = NGHTTP2_INITIAL_WINDOW_SIZE;
	if (!held_add(&s->way[way].held, bytes, max)) {
		nghttp2_session_consume_connection(b->side[from].session, bytes.len);
		stream_starve(s);
		return;
	}
	if (!stream_pay(s)) {
		stream_starve(s);	/* which gives back what is held, and the window of it */
		return;
	}
	stream_resume(s, other_side(from));
}

void stream_fin(struct stream *s, enum http2_side from)
{
	if (from == HTTP2_PEER && !is_heard(s, from))
		return;
	s->way[way_from(from)].fin = true;
	if (is_heard(s, from))
		stream_resume(s, other_side(from));
}

/* Nothing more may be said that way: not even that it ends */
static bool is_mute(const struct stream *s, enum http2_way way)
{
	return s->cut || (way == HTTP2_UP && s->answer == ANSWER_OURS);
}

/* How many of the bytes held may go: at the end some may be what must not be said */
static size_t sayable(struct stream *s, enum http2_way way)
{
	struct lane2 *w = &s->way[way];
	size_t final;

	if (way == HTTP2_UP || s->answer == ANSWER_OURS || !s->scrub.set || !w->held.len)
		return w->held.len;
	/* of what is no value after all a part may have gone already */
	if (w->fin && s->scrubbed == w->held.len)
		return w->held.len;
	final = scrub_feed(&s->scrub, w->held.at + w->held.from, s->scrubbed, w->held.len);
	s->scrubbed = w->held.len;
	return w->fin ? w->held.len : final;
}

/* libnghttp2 asks for the bytes of a DATA frame */
ssize_t frame_body(nghttp2_session *session, int32_t id, uint8_t *at, size_t size,
		   uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct side *to = arg;
	struct stream *s = stream_of(to, id);
	enum http2_way way = to->which == HTTP2_PEER ? HTTP2_UP : HTTP2_DOWN;
	struct lane2 *w;
	nghttp2_nv nv[HTTP2_NV_MAX];
	size_t n;

	(void)source;
	if (!s || is_mute(s, way))
		return NGHTTP2_ERR_DEFERRED;
	w = &s->way[way];
	n = sayable(s, way);
	n = body_passes(s, way, size < n ? size : n);
	if (is_mute(s, way))
		return NGHTTP2_ERR_DEFERRED;
	if (n) {
		s->scrubbed -= way == HTTP2_DOWN && s->scrub.set && s->answer != ANSWER_OURS ? n : 0;
		held_take(&w->held, at, n);
		stream_pay(s);
		if (!(way == HTTP2_DOWN && s->answer == ANSWER_OURS))
			stream_credit(s, source_of(way), n);
	}
	if (!w->fin || w->held.len)
		return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (w->trailers) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (way == HTTP2_DOWN)
			http2_section_scrub(&s->section[HTTP2_PEER], &s->scrub);
		if (nghttp2_submit_trailer(session, id, nv, http2_section_write(
			    &s->section[source_of(way)], false, NULL, nv)))
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)n;
}

/* The response of the peer has begun: pass its head on */
void stream_answer(struct stream *s, unsigned status, bool fin)
{
	struct side *agent = &s->bridge->side[HTTP2_AGENT];
	struct http2_section *head = &s->section[HTTP2_PEER];
	const nghttp2_data_provider body = { .read_callback = frame_body };
	nghttp2_nv nv[HTTP2_NV_MAX];
	int32_t id = s->id[HTTP2_AGENT];
	size_t n;
	int r;

	if (!memory_for_stream(s->bridge, head->text)) {	/* libnghttp2 copies it */
		stream_starve(s);
		return;
	}
	if (!stream_passes(s, HTTP2_DOWN, head->text))
		return;
	http2_section_scrub(head, &s->scrub);
	n = http2_section_write(head, false, NULL, nv);
	if (status < 200) {
		r = nghttp2_submit_headers(agent->session, NGHTTP2_FLAG_NONE, id, NULL, nv, n, NULL);
	} else {
		s->answer = ANSWER_PEER;
		s->request.status = (uint16_t)status;
		s->way[HTTP2_DOWN].fin = fin;
		r = nghttp2_submit_response(agent->session, id, nv, n, fin ? NULL : &body);
	}
	http2_section_done(head);
	stream_pay(s);
	if (r < 0)
		stream_starve(s);
}

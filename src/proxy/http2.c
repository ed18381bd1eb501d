/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2.c - a bridge as a whole: its two sessions, their budgets and their ends
 *
 * Nothing is torn down within a callback of libnghttp2: a side that goes wrong is
 * marked (@why), and settle() ends its streams once the library has returned.
 */
#include "proxy/http2_bridge.h"

const struct http2_limits http2_limits_default = {
	.streams = 128, .stream_window = 256 << 10, .connection_window = 64 << 20,
	.head = HTTP_HEAD_MAX, .memory = 256 << 20,
};

/* ---- making ---- */

static bool session_open(struct side *e, const nghttp2_session_callbacks *calls,
			 nghttp2_option *option)
{
	const struct http2_limits *l = &e->bridge->limits;
	nghttp2_settings_entry agent[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, l->streams },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, l->stream_window },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, l->head },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	}, peer[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, l->stream_window },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, l->head },
	};
	nghttp2_mem mem = memory_of_library(e->bridge);
	bool is_agent = e->which == HTTP2_AGENT;

	/* blanks around values are an error of the agent's; many servers send them */
	nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, !is_agent);
	if (is_agent ? nghttp2_session_server_new3(&e->session, calls, e, option, &mem) :
		       nghttp2_session_client_new3(&e->session, calls, e, option, &mem))
		return false;
	return !nghttp2_submit_settings(e->session, NGHTTP2_FLAG_NONE, is_agent ? agent : peer,
					is_agent ? ARRAY_SIZE(agent) : ARRAY_SIZE(peer)) &&
	       !nghttp2_session_set_local_window_size(e->session, NGHTTP2_FLAG_NONE, 0,
						      (int32_t)l->connection_window);
}

static bool sessions_open(struct http2 *b)
{
	nghttp2_session_callbacks *calls = NULL;
	nghttp2_option *option = NULL;
	bool good = false;

	if (!nghttp2_session_callbacks_new(&calls) && !nghttp2_option_new(&option)) {
		frame_callbacks(calls);
		nghttp2_option_set_no_auto_window_update(option, 1);
		nghttp2_option_set_no_closed_streams(option, 1);
		/* types that nobody knows: told of, so that they are counted, and ignored */
		for (unsigned type = NGHTTP2_ALTSVC; type <= UINT8_MAX; type++)
			nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
		nghttp2_option_set_max_send_header_block_length(option, 4 * HTTP_HEAD_MAX);
		good = session_open(&b->side[HTTP2_AGENT], calls, option) &&
		       session_open(&b->side[HTTP2_PEER], calls, option);
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(calls);
	return good;
}

struct http2 *http2_new(const struct http2_calls *calls, void *ctx,
			const struct http2_limits *limits)
{
	struct http2 *b = http2_has_room(limits) ? calloc(1, sizeof(*b)) : NULL;

	if (!b)
		return NULL;
	b->calls = calls;
	b->ctx = ctx;
	b->limits = *limits;
	b->shared = limits->shared ? limits->shared : &b->alone;
	TAILQ_INIT(&b->streams);
	for (int i = 0; i < 2; i++)
		b->side[i] = (struct side){ .bridge = b, .which = (enum http2_side)i,
			.frames = BUDGET_FRAMES, .streams = BUDGET_STREAMS };
	if (memory_begin(b) && sessions_open(b))
		return b;
	http2_free(b);
	return NULL;
}

void http2_free(struct http2 *b)
{
	struct stream *s;

	if (!b)
		return;
	b->side[HTTP2_AGENT].gone = b->side[HTTP2_PEER].gone = true;
	while ((s = TAILQ_FIRST(&b->streams))) {
		stream_end(s, HTTP2_STOPPED);
		s->cut = true;
		s->open[HTTP2_PEER] = false;
		stream_lose(s, HTTP2_AGENT);
	}
	nghttp2_session_del(b->side[HTTP2_AGENT].session);
	nghttp2_session_del(b->side[HTTP2_PEER].session);
	memory_end(b);
	free(b);
}

/* ---- budgets ---- */

void side_calm(struct side *e)
{
	if (e->why)
		return;
	e->why = e->which == HTTP2_AGENT ? HTTP2_BAD_AGENT : HTTP2_BAD_PEER;
	nghttp2_session_terminate_session(e->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

bool side_spend(struct side *e, uint32_t *budget)
{
	if (*budget) {
		--*budget;
		return true;
	}
	side_calm(e);
	return false;
}

void side_earn(uint32_t *budget, uint32_t more, uint32_t max)
{
	*budget = max - *budget < more ? max : *budget + more;
}

/* ---- the ends of a side ---- */

void side_drain(struct http2 *b)
{
	nghttp2_session *agent = b->side[HTTP2_AGENT].session;

	if (b->draining || b->side[HTTP2_AGENT].gone)
		return;
	b->draining = true;
	nghttp2_submit_goaway(agent, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(agent), NGHTTP2_NO_ERROR,
			      NULL, 0);
}

static void agent_goes(struct http2 *b)
{
	enum http2_end why = b->side[HTTP2_AGENT].why;
	struct stream *s, *next;

	for (s = TAILQ_FIRST(&b->streams); s; s = next) {
		next = TAILQ_NEXT(s, link);
		if (!s->open[HTTP2_AGENT])
			continue;
		/* what it was given is closed as any other, with a code that says no more */
		if (s->why == HTTP2_DONE && why)
			s->why = why;
		stream_close(s, HTTP2_AGENT, NGHTTP2_CANCEL);
	}
	if (!b->side[HTTP2_PEER].gone && !b->side[HTTP2_PEER].why)
		nghttp2_submit_goaway(b->side[HTTP2_PEER].session, NGHTTP2_FLAG_NONE, 0,
				      NGHTTP2_NO_ERROR, NULL, 0);
}

static void peer_goes(struct http2 *b)
{
	struct stream *s, *next;

	side_drain(b);
	for (s = TAILQ_FIRST(&b->streams); s; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->open[HTTP2_PEER])
			stream_close(s, HTTP2_PEER, NGHTTP2_INTERNAL_ERROR);
	}
}

void http2_gone(struct http2 *b, enum http2_side side)
{
	if (b->side[side].gone)
		return;
	b->side[side].gone = true;
	if (side == HTTP2_AGENT)
		agent_goes(b);
	else
		peer_goes(b);
}

static void settle(struct http2 *b)
{
	for (int i = 0; i < 2; i++)
		if (b->side[i].why)
			http2_gone(b, (enum http2_side)i);
}

void http2_tick(struct http2 *b)
{
	struct stream *s;

	for (s = TAILQ_FIRST(&b->streams); s; s = TAILQ_NEXT(s, link))
		stream_tick(s);
	for (int i = 0; i < 2; i++) {
		side_earn(&b->side[i].frames, BUDGET_FRAMES_TICK, BUDGET_FRAMES);
		side_earn(&b->side[i].streams, BUDGET_STREAMS_TICK, BUDGET_STREAMS);
	}
	settle(b);
}

/* ---- bytes ---- */

bool http2_feed(struct http2 *b, enum http2_side side, struct span bytes)
{
	struct side *e = &b->side[side];
	ssize_t n;

	if (e->gone)
		return false;
	n = nghttp2_session_mem_recv(e->session, bytes.at, bytes.len);
	if (n == NGHTTP2_ERR_NOMEM && !e->why)
		e->why = HTTP2_NO_MEMORY;
	else if (n == NGHTTP2_ERR_FLOODED)
		side_calm(e);
	else if (n < 0 && !e->why) {
		e->why = side == HTTP2_AGENT ? HTTP2_BAD_AGENT : HTTP2_BAD_PEER;
		nghttp2_session_terminate_session(e->session, NGHTTP2_PROTOCOL_ERROR);
	}
	settle(b);
	return !e->gone && nghttp2_session_want_read(e->session);
}

size_t http2_pull(struct http2 *b, enum http2_side side, uint8_t *at, size_t size)
{
	struct side *e = &b->side[side];
	size_t done = 0;

	while (done < size) {
		const uint8_t *bytes;
		struct span now;

		if (!e->pending.len) {
			ssize_t n = e->mute ? 0 : nghttp2_session_mem_send(e->session, &bytes);

			if (n < 0)
				e->mute = true;
			if (n < 0 && !e->why)
				e->why = HTTP2_NO_MEMORY;
			if (n <= 0)
				break;
			e->pending = span_of(bytes, (size_t)n);
		}
		now = span_head(e->pending, size - done);
		memcpy(at + done, now.at, now.len);
		done += now.len;
		e->pending = span_skip(e->pending, now.len);
	}
	settle(b);
	return done;
}

static bool has_bytes(const struct side *e)
{
	return e->pending.len || (!e->mute && nghttp2_session_want_write(e->session));
}

unsigned http2_wants(const struct http2 *b, enum http2_side side)
{
	const struct side *e = &b->side[side];
	unsigned wants = has_bytes(e) ? HTTP2_WRITE : 0;

	/* what it made us say it has to read first */
	if (!e->gone && nghttp2_session_want_read(e->session) &&
	    nghttp2_session_get_outbound_queue_size(e->session) < QUEUE_MAX)
		wants |= HTTP2_READ;
	return wants;
}

/* ---- questions ---- */

bool http2_over(const struct http2 *b)
{
	const struct side *agent = &b->side[HTTP2_AGENT], *peer = &b->side[HTTP2_PEER];

	/* a side that is gone may not take a byte any more; an agent that we sent away is told */
	if (agent->gone)
		return !agent->why || !has_bytes(agent);
	if (b->count || has_bytes(agent))
		return false;
	return peer->gone || (!has_bytes(peer) && (!nghttp2_session_want_read(agent->session) ||
						   !nghttp2_session_want_read(peer->session)));
}

enum http2_end http2_why(const struct http2 *b, enum http2_side side)
{
	return b->side[side].why;
}

void http2_each(struct http2 *b, void (*call)(void *ctx, int32_t stream,
					      const struct http2_request *r))
{
	struct stream *s, *next;

	for (s = TAILQ_FIRST(&b->streams); s; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->told)
			call(b->ctx, s->id[HTTP2_AGENT], &s->request);
	}
}

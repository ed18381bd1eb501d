/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_frame.c - what libnghttp2 tells of frames that came, went, or did not go
 *
 * It checks framing, windows, stream states, HPACK, the pseudo fields and each
 * field's octets, and a body against its Content-Length.  An invalid field that it
 * would pass over in silence is made an error here.  PING and SETTINGS it answers
 * itself; a push is an error, as we forbid it.
 *
 * Frames are paid for out of a budget when they begin (on_begin_frame() is called for
 * every frame, also for those that are ignored): bytes that pass earn more than
 * their windows cost.
 */
#include "proxy/http2_bridge.h"

#define EARN_DATA 6	/* for a DATA frame that came: it costs one, and one may come padded */
#define EARN_SENT 4	/* for one that went: WINDOW_UPDATE twice, a PING now and then */

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct side *e = arg;

	(void)session;
	if (hd->type == NGHTTP2_HEADERS)
		return 0;	/* bounded by streams: http2_limits, and their own budget */
	return side_spend(e, &e->frames) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A frame of a type that we do not know (RFC 9113 5.5) */
static int on_extension(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd,
			void *arg)
{
	(void)session;
	(void)payload;
	(void)hd;
	(void)arg;
	return NGHTTP2_ERR_CANCEL;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct side *e = arg;
	struct http2 *b = e->bridge;
	int32_t id = frame->hd.stream_id;
	struct stream *s;

	if (e->gone || e->why)
		return 0;
	if (e->which == HTTP2_AGENT && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		/* more than may stand, since some are closed that the peer has not heard of */
		s = b->count < 2 * (size_t)b->limits.streams ? stream_new(b, id) : NULL;
		if (s)
			return nghttp2_session_set_stream_user_data(session, id, s);
		side_spend(e, &e->streams);
		return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id,
						 NGHTTP2_REFUSED_STREAM);
	}
	s = stream_of(e, id);
	if (s)
		http2_section_clear(&s->section[e->which]);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
		     nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	struct side *e = arg;
	struct stream *s = stream_of(e, frame->hd.stream_id);
	nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
	bool request = e->which == HTTP2_AGENT && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
	struct http2_section *to;

	(void)session;
	if (!s || s->bad || s->cut)
		return 0;
	to = request ? &s->head : &s->section[e->which];
	s->bad = !http2_section_add(to, span_of(n.base, n.len), span_of(v.base, v.len),
				    flags & NGHTTP2_NV_FLAG_NO_INDEX);
	if (!stream_pay(s)) {
		http2_section_done(to);
		stream_starve(s);
	}
	return 0;
}

static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
			     nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
	(void)session;
	(void)frame;
	(void)name;
	(void)value;
	(void)flags;
	(void)arg;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* ---- from the agent ---- */

static void request_came(struct stream *s, bool fin)
{
	const nghttp2_extpri fair = { .urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1 };
	struct http2 *b = s->bridge;
	bool good = !s->bad && http2_request_read(&s->head, fin, &s->text, &s->request.head);

	if (!stream_pay(s)) {
		s->request.head = (struct http_request){ .head_bytes = 0 };
		buf_done(&s->text);
		stream_starve(s);
		return;
	}
	if (!good) {
		stream_malformed(s);
		return;
	}
	nghttp2_session_change_extpri_stream_priority(b->side[HTTP2_AGENT].session,
						      s->id[HTTP2_AGENT], &fair, 1);
	s->way[HTTP2_UP].fin = fin;
	s->told = true;
	b->calls->on_request(b->ctx, s->id[HTTP2_AGENT], &s->request);
}

/* Trailers wait until what is held has gone */
static void trailers_came(struct stream *s, enum http2_side from)
{
	struct http2 *b = s->bridge;
	struct http2_section *t = &s->section[from];
	bool good = !s->bad && http2_trailers_read(t, from == HTTP2_AGENT ? b->calls->is_guarded : NULL,
						   b->ctx);

	if (!good && from == HTTP2_AGENT) {
		stream_malformed(s);
		return;
	}
	if (!good) {
		s->why = HTTP2_BAD_PEER;
		stream_failed(s, HTTP2_BAD_PEER, NGHTTP2_INTERNAL_ERROR);
		return;
	}
	if (from == HTTP2_PEER || s->request.allowed)
		if (!stream_passes(s, way_from(from), t->text))
			return;
	s->way[way_from(from)].trailers = t->fields.len > 0;
	stream_fin(s, from);
}

static void agent_said(struct side *e, struct stream *s, const nghttp2_frame *frame)
{
	bool fin = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		if (s->cut)
			break;
		if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
			request_came(s, fin);
		else
			trailers_came(s, HTTP2_AGENT);
		break;
	case NGHTTP2_DATA:
		if (fin)
			stream_fin(s, HTTP2_AGENT);
		break;
	case NGHTTP2_RST_STREAM:
		side_spend(e, &e->streams);
		break;
	default:
		break;
	}
}

/* ---- from the peer ---- */

static void answer_came(struct stream *s, bool fin)
{
	unsigned status = s->bad ? 0 : http2_response_read(&s->section[HTTP2_PEER]);
	bool interim = status && status < 200;

	if (!status || (interim && (fin || ++s->interim > INTERIM_MAX))) {
		struct side *peer = &s->bridge->side[HTTP2_PEER];

		s->why = HTTP2_BAD_PEER;
		s->deaf = true;
		nghttp2_submit_rst_stream(peer->session, NGHTTP2_FLAG_NONE, s->id[HTTP2_PEER],
					  NGHTTP2_PROTOCOL_ERROR);
		stream_failed(s, HTTP2_BAD_PEER, NGHTTP2_NO_ERROR);
		return;
	}
	stream_answer(s, status, fin);
}

static void peer_said(struct stream *s, const nghttp2_frame *frame)
{
	bool fin = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (s->cut || s->deaf || !s->open[HTTP2_AGENT])
		return;
	if (frame->hd.type == NGHTTP2_HEADERS && s->answer == ANSWER_NONE)
		answer_came(s, fin);
	else if (frame->hd.type == NGHTTP2_HEADERS)
		trailers_came(s, HTTP2_PEER);
	else if (frame->hd.type == NGHTTP2_DATA && fin)
		stream_fin(s, HTTP2_PEER);
}

/* RFC 8441 3: what the peer offers the agent may be offered, once */
static void settings_came(struct http2 *b)
{
	const nghttp2_settings_entry offer = { NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 };

	if (b->offered || !b->limits.websocket || b->side[HTTP2_AGENT].gone ||
	    nghttp2_session_get_remote_settings(b->side[HTTP2_PEER].session,
						NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) != 1)
		return;
	b->offered = !nghttp2_submit_settings(b->side[HTTP2_AGENT].session, NGHTTP2_FLAG_NONE,
					      &offer, 1);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct side *e = arg;
	struct stream *s = stream_of(e, frame->hd.stream_id);

	(void)session;
	if (e->gone || e->why)
		return 0;
	if (e->which == HTTP2_AGENT) {
		if (s)
			agent_said(e, s, frame);
		return 0;
	}
	if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
		settings_came(e->bridge);
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		e->bridge->closing = true;
		side_drain(e->bridge);
	}
	if (s)
		peer_said(s, frame);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *at,
		   size_t len, void *arg)
{
	struct side *e = arg;
	struct stream *s = stream_of(e, id);

	(void)flags;
	side_earn(&e->frames, EARN_DATA, BUDGET_FRAMES);
	if (s)
		stream_data(s, e->which, span_of(at, len));
	else
		nghttp2_session_consume_connection(session, len);
	return 0;
}

/* The library resets the stream, or ends the connection, by itself */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code,
			    void *arg)
{
	struct side *e = arg;
	struct stream *s = stream_of(e, frame->hd.stream_id);

	(void)session;
	(void)code;
	if (!s && e->which == HTTP2_AGENT)
		side_spend(e, &e->streams);	/* one stream too many, among others */
	if (!s || s->cut)
		return 0;
	if (e->which == HTTP2_AGENT)
		stream_malformed(s);
	else
		s->why = HTTP2_BAD_PEER;
	return 0;
}

/* ---- what went ---- */

static void ends_here(const struct side *e, struct stream *s, const nghttp2_frame *frame)
{
	enum http2_end bad = e->which == HTTP2_AGENT ? HTTP2_BAD_AGENT : HTTP2_BAD_PEER;

	/* a reset that is not ours: the library found the body to be broken */
	if (frame->hd.type == NGHTTP2_RST_STREAM && s->why == HTTP2_DONE && !s->cut &&
	    frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
	    !(e->which == HTTP2_PEER && s->deaf))
		s->why = bad;
	if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
	    frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		stream_sent_end(s, e->which);
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct side *e = arg;
	struct stream *s = stream_of(e, frame->hd.stream_id);

	(void)session;
	if (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)
		side_earn(&e->frames, EARN_SENT, BUDGET_FRAMES);
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR &&
	    !e->why)
		e->why = e->which == HTTP2_AGENT ? HTTP2_BAD_AGENT : HTTP2_BAD_PEER;
	if (s)
		ends_here(e, s, frame);
	return 0;
}

/* A request that waited for its turn at the peer, which takes no more, or nobody wants it */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int code,
			     void *arg)
{
	struct side *e = arg;
	struct stream *s;

	(void)session;
	(void)code;
	if (e->which != HTTP2_PEER || e->gone || frame->hd.type != NGHTTP2_HEADERS ||
	    frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s = stream_of(e, frame->hd.stream_id);
	if (s)
		stream_close(s, HTTP2_PEER, NGHTTP2_REFUSED_STREAM);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct side *e = arg;
	struct stream *s = stream_of(e, id);

	(void)session;
	if (s)
		stream_close(s, e->which, code);
	return 0;
}

void frame_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
	nghttp2_session_callbacks_set_unpack_extension_callback(c, on_extension);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback2(c, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_frame_not_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
}

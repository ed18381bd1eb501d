/* SPDX-License-Identifier: Apache-2.0 */
#include "http2_rig.h"

#define ROUNDS_MAX 20000

nghttp2_nv h2_nv(const char *name, const char *value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name, .namelen = strlen(name),
		.value = (uint8_t *)(uintptr_t)value, .valuelen = strlen(value) };
}

static void note(char *to, size_t size, const uint8_t *at, size_t len)
{
	size_t have = strlen(to);

	if (len > size - have - 1)
		len = size - have - 1;
	memcpy(to + have, at, len);
	to[have + len] = '\0';
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *at, size_t size,
			 uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_end *e = arg;
	struct h2_seen *s = h2_at(e, id);
	const nghttp2_nv trailer[] = { h2_nv("grpc-status", "0") };

	(void)source;
	if (s->left == SIZE_MAX)
		return NGHTTP2_ERR_DEFERRED;
	if (size > s->left)
		size = s->left;
	memset(at, 'x', size);
	s->left -= size;
	if (s->left)
		return (ssize_t)size;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (s->trailers) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		assert_int_equal(nghttp2_submit_trailer(session, id, trailer, 1), 0);
	}
	return (ssize_t)size;
}

int32_t h2_send(struct h2_end *e, const nghttp2_nv *nv, size_t n, size_t body, bool trailers)
{
	const nghttp2_data_provider data = { .read_callback = read_body };
	int32_t id = nghttp2_submit_request(e->session, NULL, nv, n,
					    body || trailers ? &data : NULL, NULL);

	assert_true(id > 0);
	h2_at(e, id)->left = body;
	h2_at(e, id)->trailers = trailers;
	return id;
}

int32_t h2_ask(struct h2_rig *r, const char *method, const char *path, size_t body, ...)
{
	nghttp2_nv nv[32] = { h2_nv(":method", method), h2_nv(":scheme", "https"),
			      h2_nv(":authority", "api.example"), h2_nv(":path", path) };
	size_t n = 4;
	const char *name;
	va_list more;

	va_start(more, body);
	while ((name = va_arg(more, const char *)) && n < ARRAY_SIZE(nv))
		nv[n++] = h2_nv(name, va_arg(more, const char *));
	va_end(more);
	return h2_send(&r->client, nv, n, body, false);
}

/* The server: /big N bytes, /wait none until told, /early before the body, /interim, /trailers */
static void answer(struct h2_end *e, int32_t id)
{
	const nghttp2_data_provider data = { .read_callback = read_body };
	const nghttp2_nv early[] = { h2_nv(":status", "103"), h2_nv("link", "</x>") };
	const nghttp2_nv nv[] = { h2_nv(":status", "200"), h2_nv("server", "rig") };
	const nghttp2_nv unmodified[] = { h2_nv(":status", "304"), h2_nv("content-length", "77") };
	struct h2_seen *s = h2_at(e, id);
	bool body = true;

	s->left = 5;
	s->trailers = strstr(s->path, "trailers");
	if (strstr(s->path, "big"))
		s->left = 1000000;
	if (strstr(s->path, "wait"))
		s->left = SIZE_MAX;
	if (strstr(s->path, "empty") || !strcmp(s->method, "HEAD"))
		body = false;
	if (strstr(s->path, "interim"))
		nghttp2_submit_headers(e->session, NGHTTP2_FLAG_NONE, id, NULL, early, 2, NULL);
	if (strstr(s->path, "304"))
		nghttp2_submit_response(e->session, id, unmodified, 2, NULL);
	else
		nghttp2_submit_response(e->session, id, nv, 2, body ? &data : NULL);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *arg)
{
	struct h2_end *e = arg;
	struct h2_seen *s = h2_at(e, frame->hd.stream_id);
	struct span n = span_of(name, name_len), v = span_of(value, value_len);

	(void)session;
	(void)flags;
	if (span_eq(n, SPAN(":status")) && v.len && v.at[0] == '1')
		s->interim++;
	else if (span_eq(n, SPAN(":status")))
		span_copy(v, s->status, sizeof(s->status));
	if (span_eq(n, SPAN(":method")))
		span_copy(v, s->method, sizeof(s->method));
	if (span_eq(n, SPAN(":path")))
		span_copy(v, s->path, sizeof(s->path));
	note(s->fields, sizeof(s->fields), name, name_len);
	note(s->fields, sizeof(s->fields), (const uint8_t *)": ", 2);
	note(s->fields, sizeof(s->fields), value, value_len);
	note(s->fields, sizeof(s->fields), (const uint8_t *)"\n", 1);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2_end *e = arg;
	struct h2_seen *s = h2_at(e, frame->hd.stream_id);
	bool fin = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		e->goaway = frame->goaway.error_code;
	if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK)
		e->pongs++;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	if (fin)
		s->fin = true;
	if (!e->server)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		e->requests++;
	else if (frame->hd.type == NGHTTP2_HEADERS)
		fin = true;
	if (!e->quiet && !s->head && (fin || strstr(s->path, "early") || strstr(s->path, "tunnel"))) {
		s->head = true;
		answer(e, frame->hd.stream_id);
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *at,
		   size_t len, void *arg)
{
	struct h2_end *e = arg;
	struct h2_seen *s = h2_at(e, id);

	(void)flags;
	if (!e->server)
		nghttp2_session_consume_connection(session, len);
	if (!e->server && id > e->slow)
		nghttp2_session_consume_stream(session, id, len);
	s->body += len;
	note(s->text, sizeof(s->text), at, len);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2_seen *s = h2_at(arg, id);

	(void)session;
	s->closed = true;
	s->code = code;
	return 0;
}

static void end_open(struct h2_end *e, struct h2_rig *r, bool server)
{
	const nghttp2_settings_entry offer = { NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 };
	nghttp2_session_callbacks *c;
	nghttp2_option *o;

	e->rig = r;
	e->server = server;
	e->goaway = UINT32_MAX;
	assert_int_equal(nghttp2_session_callbacks_new(&c), 0);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
	assert_int_equal(nghttp2_option_new(&o), 0);
	nghttp2_option_set_max_send_header_block_length(o, 1 << 20);
	nghttp2_option_set_no_auto_window_update(o, 1);
	if (server)
		assert_int_equal(nghttp2_session_server_new(&e->session, c, e), 0);
	else
		assert_int_equal(nghttp2_session_client_new2(&e->session, c, e, o), 0);
	nghttp2_option_del(o);
	nghttp2_session_callbacks_del(c);
	nghttp2_submit_settings(e->session, NGHTTP2_FLAG_NONE, &offer, server);
}

/* ---- the owner ---- */

static void on_request(void *ctx, int32_t id, struct http2_request *q)
{
	struct h2_rig *r = ctx;

	r->asked++;
	r->last = id;
	assert_true(q->head.head_bytes > 0);
	if (r->later)
		return;
	if (r->deny || span_starts(q->head.path, SPAN("/deny"))) {
		r->denied++;
		http2_deny(r->bridge, id, 403, 0, SPAN("{\"verdict\":\"deny\"}"));
		return;
	}
	assert_true(!r->hides || http2_hide(r->bridge, id, r->hides));
	if (!http2_allow(r->bridge, id, r->set))
		http2_deny(r->bridge, id, 403, 0, SPAN("{}"));
}

static void on_malformed(void *ctx, int32_t id, const struct http2_request *q)
{
	struct h2_rig *r = ctx;

	(void)id;
	(void)q;
	r->malformed++;
}

static bool on_head(void *ctx, int32_t id, struct http2_request *q, enum http2_way way, size_t bytes)
{
	struct h2_rig *r = ctx;

	(void)id;
	(void)q;
	r->bytes[way][0] += bytes;
	return true;
}

static size_t on_body(void *ctx, int32_t id, struct http2_request *q, enum http2_way way, size_t bytes)
{
	struct h2_rig *r = ctx;
	size_t left = r->body_max ? r->body_max - r->bytes[way][1] : bytes;

	(void)q;
	assert_true(bytes > 0);
	if (r->paced) {
		left = r->room[way];
		r->waits[way] = left ? r->waits[way] : id;
	} else if (!left && r->hold_back) {
		http2_hold(r->bridge, id);
		r->last = id;
	} else if (!left) {
		http2_deny(r->bridge, id, 413, 0, SPAN("{\"reason\":\"request_size\"}"));
	}
	bytes = bytes < left ? bytes : left;
	r->bytes[way][1] += bytes;
	r->room[way] -= r->paced ? bytes : 0;
	return bytes;
}

static void on_failed(void *ctx, int32_t id, enum http2_end why)
{
	struct h2_rig *r = ctx;

	(void)why;
	r->failed++;
	if (r->page_502)
		http2_deny(r->bridge, id, 502, 0, SPAN("{\"reason\":\"upstream_failed\"}"));
}

static bool is_guarded(void *ctx, struct span name)
{
	(void)ctx;
	return span_eq(name, SPAN("x-api-key"));
}

static void on_end(void *ctx, int32_t id, const struct http2_request *q, enum http2_end why)
{
	struct h2_rig *r = ctx;

	r->ended++;
	r->why[(id - 1) / 2 % H2_STREAMS] = why;
	r->record = *q;
}

static const struct http2_calls calls = {
	.on_request = on_request, .on_malformed = on_malformed, .on_head = on_head, .on_body = on_body,
	
	.on_failed = on_failed, .is_guarded = is_guarded, .on_end = on_end,
};

void h2_open(struct h2_rig *r, const struct http2_limits *limits)
{
	struct http2_limits l = limits ? *limits : http2_limits_default;

	*r = (struct h2_rig){ .piece = 0 };
	if (!l.shared)
		l.shared = &r->memory;
	end_open(&r->client, r, false);
	end_open(&r->server, r, true);
	r->bridge = http2_new(&calls, r, &l);
	assert_non_null(r->bridge);
}

void h2_done(struct h2_rig *r)
{
	http2_free(r->bridge);
	assert_int_equal(r->memory.used, 0);
	assert_int_equal(r->asked, r->ended);
	nghttp2_session_del(r->client.session);
	nghttp2_session_del(r->server.session);
}

static bool feed(struct h2_rig *r, enum http2_side side, struct span bytes)
{
	size_t piece = r->piece ? r->piece : bytes.len;

	for (; bytes.len; bytes = span_skip(bytes, piece))
		http2_feed(r->bridge, side, span_head(bytes, piece));
	return true;
}

static bool side_turn(struct h2_rig *r, enum http2_side side)
{
	struct h2_end *e = side == HTTP2_AGENT ? &r->client : &r->server;
	uint8_t bytes[5000];
	const uint8_t *out;
	bool moved = false;
	ssize_t n;
	size_t got;

	if (http2_wants(r->bridge, side) & HTTP2_READ && !e->failed) {
		n = nghttp2_session_mem_send(e->session, &out);
		moved = n > 0 && feed(r, side, span_of(out, (size_t)n));
	}
	if (r->hold[side] || !(http2_wants(r->bridge, side) & HTTP2_WRITE))
		return moved;
	got = http2_pull(r->bridge, side, bytes, sizeof(bytes));
	if (got && !e->failed && nghttp2_session_mem_recv(e->session, bytes, got) < 0)
		e->failed = 1;
	return moved || got;
}

void h2_run(struct h2_rig *r)
{
	int rounds = 0;
	bool moved;

	do {
		moved = side_turn(r, HTTP2_AGENT);
		moved = side_turn(r, HTTP2_PEER) || moved;
		assert_true(++rounds < ROUNDS_MAX);
	} while (moved);
}

size_t h2_drop(struct h2_rig *r, enum http2_side side)
{
	uint8_t bytes[5000];
	size_t got, all = 0;

	while ((got = http2_pull(r->bridge, side, bytes, sizeof(bytes))))
		all += got;
	return all;
}

void h2_raw_frame(struct buf *b, uint8_t type, uint8_t flags, int32_t id, struct span payload)
{
	const uint8_t head[9] = { (uint8_t)(payload.len >> 16), (uint8_t)(payload.len >> 8),
		(uint8_t)payload.len, type, flags, (uint8_t)(id >> 24), (uint8_t)(id >> 16),
		(uint8_t)(id >> 8), (uint8_t)id };

	buf_add(b, head, sizeof(head));
	buf_add_span(b, payload);
}

/* A literal that is never indexed, without Huffman (RFC 7541 6.2.3); lengths below 127 */
void h2_raw_field(struct buf *block, const char *name, const char *value)
{
	const uint8_t kind = 0x10, lens[2] = { (uint8_t)strlen(name), (uint8_t)strlen(value) };

	assert_true(lens[0] < 127 && lens[1] < 127);
	buf_add(block, &kind, 1);
	buf_add(block, &lens[0], 1);
	buf_add_str(block, name);
	buf_add(block, &lens[1], 1);
	buf_add_str(block, value);
}

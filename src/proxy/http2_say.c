/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_say.c - what the owner of a bridge says of a stream, by its number
 *
 * Allowed and opened to the peer; held; answered by us; stopped.  The owner may speak of streams that are
 * gone, have not been told of or were reset: find() knows none of these, and then nothing is done.
 * What becomes of a stream afterwards is in http2_stream.c.
 */
#include "proto/http_fields.h"
#include "proxy/http2_bridge.h"

#define SET_NAME_MAX 64	/* bytes of a name that a rule puts there */

static struct stream *find(const struct http2 *b, int32_t id)
{
	struct stream *s;

	if (id <= 0 || b->side[HTTP2_AGENT].gone)
		return NULL;
	s = nghttp2_session_get_stream_user_data(b->side[HTTP2_AGENT].session, id);
	if (!s)		/* answered, and the peer does not have all of it yet */
		TAILQ_FOREACH(s, &b->streams, link)
			if (s->id[HTTP2_AGENT] == id)
				break;
	return s && s->told && !s->cut ? s : NULL;
}

/* A CONNECT is a tunnel that no rule sees into; but for a websocket */
static bool is_passable(const struct stream *s)
{
	const struct http_request *r = &s->request.head;

	if (r->form == HTTP_AUTHORITY || span_eq_fold(r->method, SPAN("TRACE")))
		return false;
	return !r->upgrade || (r->websocket && s->bridge->offered);
}

/* Return: false: a name or value cannot stand in a request; @names: filled with lower case */
static bool set_read(const struct http_edits *set, struct buf *names, struct http_edits *ret)
{
	ret->count = 0;
	/* spans lie in it: it must not move */
	if (!buf_reserve(names, names->max))
		return false;
	for (size_t i = 0; i < set->count; i++) {
		struct span name = set->at[i].name;
		size_t from = names->len;
		struct http_edit *one = &ret->at[ret->count++];

		for (size_t k = 0; k < name.len; k++) {
			uint8_t c = ascii_lower(name.at[k]);

			buf_add(names, &c, 1);
		}
		*one = (struct http_edit){ span_of(names->at + from, name.len),
					   span_trim(set->at[i].value) };
		if (names->full || !name.len || !http_all(one->name, HTTP_TOKEN) ||
		    !http_all(one->value, HTTP_VALUE) || span_eq(one->name, SPAN("host")))
			return false;
	}
	return true;
}

/* Open it to the peer */
static bool submit(struct stream *s, const struct http_edits *set)
{
	struct side *peer = &s->bridge->side[HTTP2_PEER];
	const nghttp2_data_provider body = { .read_callback = frame_body };
	struct lane2 *up = &s->way[HTTP2_UP];
	bool empty = up->fin && !up->held.len && !up->trailers;
	nghttp2_nv nv[HTTP2_NV_MAX];
	int32_t id = nghttp2_submit_request(peer->session, NULL, nv,
					    http2_section_write(&s->head, true, set, nv),
					    empty ? NULL : &body, s);

	if (id <= 0)
		return false;
	s->id[HTTP2_PEER] = id;
	s->open[HTTP2_PEER] = true;
	http2_section_done(&s->head);
	stream_pay(s);
	return true;
}

bool http2_hide(struct http2 *b, int32_t stream, struct scrub_set *hides)
{
	struct stream *s = find(b, stream);

	if (!s || s->scrub.set)
		return true;
	if (!scrub_begin(&s->scrub, hides))
		return false;
	if (stream_pay(s))
		return true;
	scrub_end(&s->scrub);
	return false;
}

bool http2_allow(struct http2 *b, int32_t stream, const struct http_edits *set)
{
	struct stream *s = find(b, stream);
	struct buf name = buf_new(HTTP_EDITS_MAX * SET_NAME_MAX);
	struct http_edits field;
	bool done;

	if (!s || s->request.allowed || s->answer != ANSWER_NONE || !is_passable(s))
		return false;
	if (b->side[HTTP2_PEER].gone) {
		stream_failed(s, HTTP2_BY_PEER, NGHTTP2_NO_ERROR);
		return false;
	}
	if (b->closing) {	/* the agent may try again elsewhere: nothing was sent */
		stream_failed(s, HTTP2_BY_PEER, NGHTTP2_REFUSED_STREAM);
		return false;
	}
	if (set && !set_read(set, &name, &field)) {
		buf_done(&name);
		http2_stop(b, stream);
		return false;
	}
	done = memory_for_stream(b, s->request.head.head_bytes) &&	/* libnghttp2 copies it */
	       stream_passes(s, HTTP2_UP, s->request.head.head_bytes) &&
	       submit(s, set ? &field : NULL);
	buf_done(&name);
	s->request.allowed = done;
	if (!done && !s->cut && s->answer == ANSWER_NONE)
		stream_failed(s, HTTP2_NO_MEMORY, NGHTTP2_REFUSED_STREAM);
	return done;
}

bool http2_hold(struct http2 *b, int32_t stream)
{
	struct stream *s = find(b, stream);

	if (!s || s->answer == ANSWER_PEER) {
		http2_stop(b, stream);
		return false;
	}
	if (s->answer == ANSWER_NONE) {
		stream_take_over(s);
		s->held_back = true;
	}
	return true;
}

void http2_resume(struct http2 *b, int32_t stream, enum http2_way way)
{
	struct stream *s = find(b, stream);

	if (s)
		stream_resume(s, way == HTTP2_UP ? HTTP2_PEER : HTTP2_AGENT);
}

static nghttp2_nv literal(const char *name, const char *value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name, .namelen = strlen(name),
		.value = (uint8_t *)(uintptr_t)value, .valuelen = strlen(value) };
}

void http2_deny(struct http2 *b, int32_t stream, unsigned status, uint32_t retry_s,
		struct span json)
{
	struct stream *s = find(b, stream);
	const nghttp2_data_provider body = { .read_callback = frame_body };
	char code[16], length[24], retry[16];
	nghttp2_nv nv[5];
	size_t n = 0;
	bool bare;

	if (!s || (s->answer == ANSWER_OURS && !s->held_back))
		return;
	s->held_back = false;
	if (s->answer == ANSWER_PEER || status < 200 || status > 599) {
		http2_stop(b, stream);
		return;
	}
	bare = !json.len || span_eq(s->request.head.method, SPAN("HEAD"));
	snprintf(code, sizeof(code), "%u", status);
	snprintf(length, sizeof(length), "%zu", json.len);
	snprintf(retry, sizeof(retry), "%u", retry_s);
	nv[n++] = literal(":status", code);
	nv[n++] = literal("content-type", "application/json");
	nv[n++] = literal("content-length", length);
	nv[n++] = literal("cache-control", "no-store");
	if (retry_s)
		nv[n++] = literal("retry-after", retry);
	stream_take_over(s);
	s->why = s->failing ? HTTP2_BY_PEER : HTTP2_STOPPED;
	s->request.status = (uint16_t)status;
	s->way[HTTP2_DOWN].fin = true;
	if ((!bare && !stream_put(s, json)) ||
	    nghttp2_submit_response(b->side[HTTP2_AGENT].session, stream, nv, n,
				    bare ? NULL : &body))
		stream_starve(s);
}

void http2_stop(struct http2 *b, int32_t stream)
{
	struct stream *s = find(b, stream);

	if (!s)
		return;
	if (s->why == HTTP2_DONE)
		s->why = HTTP2_STOPPED;
	stream_reset(s, s->request.allowed ? NGHTTP2_CANCEL : NGHTTP2_REFUSED_STREAM);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libnghttp2 has looked at each field alone, and at the pseudo fields.  What is
 * done here holds a section to HTTP/1 as well: a server behind the peer may speak
 * that, and the rules read requests in that form.
 */
#include <assert.h>

#include "proto/http_fields.h"
#include "proto/http_target.h"
#include "proxy/http2_head.h"

struct piece {
	uint32_t at, name_len, value_len;
	bool	 secret;	/* the sender keeps it out of compression tables */
};

#define LINE_MORE 4	/* bytes that a field has more as HTTP/1 text: colon, blank, CRLF */

struct http2_section http2_section_new(size_t max)
{
	return (struct http2_section){ .bytes = buf_new(max), .max = max,
		.fields = buf_new(HTTP_FIELDS_MAX * sizeof(struct piece)) };
}

void http2_section_done(struct http2_section *s)
{
	buf_done(&s->bytes);
	buf_done(&s->fields);
	s->text = 0;
}

void http2_section_clear(struct http2_section *s)
{
	buf_clear(&s->bytes);
	buf_clear(&s->fields);
	s->text = 0;
}

static size_t count(const struct http2_section *s)
{
	return s->fields.len / sizeof(struct piece);
}

static const struct piece *piece_at(const struct http2_section *s, size_t i)
{
	return (const struct piece *)(const void *)s->fields.at + i;
}

static struct span name_of(const struct http2_section *s, const struct piece *p)
{
	return span_of(s->bytes.at + p->at, p->name_len);
}

static struct span value_of(const struct http2_section *s, const struct piece *p)
{
	return span_of(s->bytes.at + p->at + p->name_len, p->value_len);
}

static bool name_is_plain(struct span name)
{
	if (name.len && name.at[0] == ':')
		name = span_skip(name, 1);
	for (size_t i = 0; i < name.len; i++)
		if (ascii_lower(name.at[i]) != name.at[i])
			return false;
	return name.len && http_all(name, HTTP_TOKEN);
}

bool http2_section_add(struct http2_section *s, struct span name, struct span value, bool secret)
{
	struct piece p = { .at = (uint32_t)s->bytes.len, .secret = secret };

	value = span_trim(value);
	s->text += name.len + value.len + LINE_MORE;
	if (s->text > s->max || !name_is_plain(name) || !http_all(value, HTTP_VALUE))
		return false;
	p.name_len = (uint32_t)name.len;
	p.value_len = (uint32_t)value.len;
	return buf_add_span(&s->bytes, name) && buf_add_span(&s->bytes, value) &&
	       buf_add(&s->fields, &p, sizeof(p));
}

unsigned http2_section_find(const struct http2_section *s, struct span name,
			    struct span *ret_value)
{
	unsigned found = 0;

	*ret_value = (struct span){ 0 };
	for (size_t i = 0; i < count(s); i++) {
		const struct piece *p = piece_at(s, i);

		if (span_eq(name_of(s, p), name) && !found++)
			*ret_value = value_of(s, p);
	}
	return found;
}

/* RFC 9113 8.2.2, and what HTTP/1 would take for an order to the next server */
static bool is_of_connection(struct span name)
{
	static const struct span names[] = {
#define NAME(lit) { (const uint8_t *)(lit), sizeof(lit) - 1 }
		NAME("connection"), NAME("keep-alive"), NAME("proxy-connection"),
		NAME("transfer-encoding"), NAME("upgrade"), NAME("http2-settings"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_eq(name, names[i]))
			return true;
	return false;
}

/* Fields that say how a message is framed, routed or allowed: RFC 9110 6.5.1 */
static bool is_of_head(struct span name)
{
	static const struct span names[] = {
		NAME("authorization"), NAME("content-encoding"), NAME("content-length"),
		NAME("content-range"), NAME("content-type"), NAME("cookie"), NAME("expect"),
		NAME("forwarded"), NAME("host"), NAME("proxy-authorization"), NAME("te"),
		NAME("trailer"),
#undef NAME
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_eq(name, names[i]))
			return true;
	return is_of_connection(name);
}

bool http2_trailers_read(const struct http2_section *s,
			 bool (*is_guarded)(void *ctx, struct span name), void *ctx)
{
	for (size_t i = 0; i < count(s); i++) {
		struct span name = name_of(s, piece_at(s, i));

		if (name.at[0] == ':' || is_of_head(name) || (is_guarded && is_guarded(ctx, name)))
			return false;
	}
	return true;
}

unsigned http2_response_read(const struct http2_section *s)
{
	struct span text;
	uint64_t status;

	if (http2_section_find(s, SPAN(":status"), &text) != 1 || text.len != 3 ||
	    !span_u64(text, 599, &status) || status < 100 || status == 101)
		return 0;
	for (size_t i = 0; i < count(s); i++)
		if (is_of_connection(name_of(s, piece_at(s, i))))
			return 0;
	return (unsigned)status;
}

struct pseudo {
	struct span method, scheme, authority, path, protocol;
};

/* Each at most once, the last four where RFC 9113 8.3.1, 8.5 and RFC 8441 4 have them */
static bool pseudo_read(const struct http2_section *s, struct pseudo *p)
{
	unsigned authorities, paths, schemes, protocols, hosts;
	struct span host;
	bool tunnel;

	if (http2_section_find(s, SPAN(":method"), &p->method) != 1)
		return false;
	schemes = http2_section_find(s, SPAN(":scheme"), &p->scheme);
	authorities = http2_section_find(s, SPAN(":authority"), &p->authority);
	paths = http2_section_find(s, SPAN(":path"), &p->path);
	protocols = http2_section_find(s, SPAN(":protocol"), &p->protocol);
	hosts = http2_section_find(s, SPAN("host"), &host);
	if (authorities > 1 || hosts > 1 || protocols > 1)
		return false;
	if (authorities && hosts && !span_eq_fold(p->authority, host))
		return false;
	if (!authorities)
		p->authority = host;
	tunnel = span_eq(p->method, SPAN("CONNECT")) && !protocols;
	if (tunnel)
		return !schemes && !paths;
	if (protocols && !span_eq(p->method, SPAN("CONNECT")))
		return false;
	return schemes == 1 && paths == 1 && span_eq(p->scheme, SPAN("https"));
}

static void add_line(struct buf *text, struct span name, struct span value)
{
	buf_add_span(text, name);
	buf_add_str(text, ": ");
	buf_add_span(text, value);
	buf_add_str(text, "\r\n");
}

static void request_line(struct buf *text, const struct pseudo *p)
{
	bool tunnel = !p->path.len;

	buf_add_span(text, p->protocol.len ? SPAN("GET") : p->method);
	buf_add_str(text, " ");
	buf_add_span(text, tunnel ? p->authority : p->path);
	buf_add_str(text, " HTTP/1.1\r\n");
	add_line(text, SPAN("host"), p->authority);
	if (!p->protocol.len)
		return;
	add_line(text, SPAN("connection"), SPAN("upgrade"));
	add_line(text, SPAN("upgrade"), p->protocol);
}

static bool words_are_plain(const struct pseudo *p)
{
	return http_all(p->method, HTTP_TOKEN) && http_all(p->protocol, HTTP_TOKEN) &&
	       http_all(p->path, HTTP_TARGET) && http_all(p->authority, HTTP_TARGET);
}

/* A request of HTTP/2 has no absolute form, and asks for an upgrade by :protocol alone */
static bool form_fits(const struct http_request *r, const struct pseudo *p)
{
	enum http_form tunnel = p->path.len ? HTTP_ORIGIN : HTTP_AUTHORITY;

	if (r->upgrade != (p->protocol.len > 0) || r->framing == HTTP_BODY_CHUNKED)
		return false;
	return span_eq(p->method, SPAN("CONNECT")) ? r->form == tunnel :
	       r->form == HTTP_ORIGIN || r->form == HTTP_ASTERISK;
}

bool http2_request_read(const struct http2_section *s, bool fin, struct buf *text,
			struct http_request *ret_head)
{
	struct http_request r;
	struct pseudo p = { .method.len = 0 };

	*ret_head = (struct http_request){ .head_bytes = 0 };
	if (!pseudo_read(s, &p) || !words_are_plain(&p))
		return false;
	request_line(text, &p);
	for (size_t i = 0; i < count(s); i++) {
		struct span name = name_of(s, piece_at(s, i));

		if (is_of_connection(name))
			return false;
		if (name.at[0] != ':' && !span_eq(name, SPAN("host")))
			add_line(text, name, value_of(s, piece_at(s, i)));
	}
	buf_add_str(text, "\r\n");
	if (text->full || http_request_parse(buf_span(text), &r) != PARSE_OK ||
	    r.head_bytes != text->len || !form_fits(&r, &p))
		return false;
	if (fin && r.length)
		return false;
	/* what follows an extended CONNECT is the tunnel's */
	if (!fin && r.framing == HTTP_BODY_NONE && !r.upgrade)
		r.framing = HTTP_BODY_CHUNKED;
	*ret_head = r;
	return true;
}

static nghttp2_nv nv_of(struct span name, struct span value, bool secret)
{
	/* libnghttp2 copies both and writes to neither */
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.at, .namelen = name.len,
		.value = (uint8_t *)(uintptr_t)value.at, .valuelen = value.len,
		.flags = secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE };
}

void http2_section_scrub(struct http2_section *s, const struct scrub *scrub)
{
	for (size_t i = 0; i < count(s); i++) {
		const struct piece *p = piece_at(s, i);
		bool pseudo = p->name_len && s->bytes.at[p->at] == ':';

		if (!pseudo)	/* a status of three digits is all that a response has of them */
			scrub_whole(scrub, s->bytes.at + p->at, p->name_len);
		if (!pseudo)
			scrub_whole(scrub, s->bytes.at + p->at + p->name_len, p->value_len);
	}
}

size_t http2_section_write(const struct http2_section *s, bool request,
			   const struct http_edits *set, nghttp2_nv nv[HTTP2_NV_MAX])
{
	struct span host = { 0 }, authority;
	size_t n = 0;

	if (request && !http2_section_find(s, SPAN(":authority"), &authority) &&
	    http2_section_find(s, SPAN("host"), &host))
		nv[n++] = nv_of(SPAN(":authority"), host, false);
	for (size_t i = 0; i < count(s); i++) {
		const struct piece *p = piece_at(s, i);
		struct span name = name_of(s, p);

		if (request && span_eq(name, SPAN("host")))
			continue;
		if (set && http_edit_hits(set, name))
			continue;
		nv[n++] = nv_of(name, value_of(s, p), p->secret);
	}
	for (size_t i = 0; set && i < set->count; i++)
		if (set->at[i].value.len)
			nv[n++] = nv_of(set->at[i].name, set->at[i].value, true);
	assert(n <= HTTP2_NV_MAX);
	return n;
}

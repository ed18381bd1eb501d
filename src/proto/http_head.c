/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_head.h"

#include "base/auto.h"
#include "proto/http_fields.h"
#include "proto/http_target.h"

/* RFC 9112 2.3; other versions are other protocols */
static bool version_parse(struct span text, unsigned *ret_minor)
{
	if (text.len != 8 || !span_starts(text, SPAN("HTTP/1.")))
		return false;
	if (text.at[7] != '0' && text.at[7] != '1')
		return false;
	*ret_minor = text.at[7] - '0';
	return true;
}

/* RFC 9112 3: exactly one space between the three parts */
static bool request_line_parse(struct span line, struct http_request *r, struct http_target *t)
{
	ptrdiff_t first = span_find(line, ' '), second;
	struct span rest;

	if (first <= 0)
		return false;
	r->method = span_head(line, (size_t)first);
	rest = span_skip(line, (size_t)first + 1);
	second = span_find(rest, ' ');
	if (second <= 0)
		return false;
	r->target = span_head(rest, (size_t)second);
	return http_all(r->method, HTTP_TOKEN) &&
	       version_parse(span_skip(rest, (size_t)second + 1), &r->minor) &&
	       http_target_parse(r->target, r->method, t);
}

/*
 * Who is meant: the target if it says so, else Host; never two.  A port that
 * is left out is the scheme's; for CONNECT, which has none, clients leave the
 * port out of Host or repeat it.
 */
static bool host_settle(struct http_request *r, const struct http_target *t,
			const struct http_fields *f)
{
	struct http_authority host = { 0 }, named = t->authority;
	uint16_t target_port = named.port ? named.port : t->default_port;

	if (f->has_host ? !http_authority_parse(f->host, &host) : r->minor > 0)
		return false;
	if (f->has_host && named.host.len) {
		uint16_t port = host.port ? host.port : t->default_port;

		if (!span_eq_fold(host.host, named.host) || (port && port != target_port))
			return false;
	}
	r->host = named.host.len ? named.host : host.host;
	r->host_port = named.host.len ? named.port : host.port;
	return true;
}

/* RFC 9112 6.1: Transfer-Encoding in 1.0, or with a length, is how requests are smuggled */
static bool framing_is_clear(const struct http_fields *f, unsigned minor)
{
	return !f->chunked || (minor > 0 && !f->has_length);
}

static bool is_persistent(const struct http_fields *f, unsigned minor)
{
	return !f->close && (minor > 0 || f->keep_alive);	/* RFC 9112 9.3 */
}

static bool request_settle(struct http_request *r, const struct http_target *t,
			   const struct http_fields *f)
{
	if (!framing_is_clear(f, r->minor) || !host_settle(r, t, f))
		return false;
	/* RFC 9110 9.3.6: what follows CONNECT is the tunnel, not a body */
	if (t->form == HTTP_AUTHORITY && (f->chunked || f->length))
		return false;
	r->form = t->form;
	r->path = t->path;
	r->keep_alive = is_persistent(f, r->minor);
	r->upgrade = f->upgrade;
	r->websocket = f->websocket;
	r->expect_continue = f->expect_continue;
	r->overrides = f->overrides;
	r->length = f->length;
	if (f->chunked)
		r->framing = HTTP_BODY_CHUNKED;
	else
		r->framing = f->length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	return true;
}

/* A head that is not whole within HTTP_HEAD_MAX never will be */
static enum parse more(struct span bytes)
{
	return bytes.len < HTTP_HEAD_MAX ? PARSE_MORE : PARSE_BAD;
}

enum parse http_request_parse(struct span bytes, struct http_request *ret_request)
{
	struct span head = span_head(bytes, HTTP_HEAD_MAX), left = head, line;
	struct http_request r = { 0 };
	struct http_fields f;
	struct http_target t;
	enum parse got = http_line(&left, &line);

	if (got == PARSE_OK && !request_line_parse(line, &r, &t))
		return PARSE_BAD;
	if (got == PARSE_OK)
		got = http_fields_parse(&left, &f);
	if (got != PARSE_OK)
		return got == PARSE_MORE ? more(bytes) : PARSE_BAD;
	if (!request_settle(&r, &t, &f))
		return PARSE_BAD;
	r.head_bytes = head.len - left.len;
	*ret_request = r;
	return PARSE_OK;
}

unsigned http_field(struct span head, struct span name, struct span *ret_value)
{
	unsigned count = 0;
	struct span line;

	*ret_value = (struct span){ 0 };
	/* the first line is no field: it has no name before a colon that is all token */
	if (http_line(&head, &line) != PARSE_OK)
		return 0;
	while (http_line(&head, &line) == PARSE_OK && line.len) {
		ptrdiff_t colon = span_find(line, ':');

		if (colon < 0 || !span_eq_fold(span_head(line, (size_t)colon), name))
			continue;
		if (!count++)
			*ret_value = span_trim(span_skip(line, (size_t)colon + 1));
	}
	return count;
}

/* RFC 9112 4; the space before a missing reason is missing too at many servers */
static bool status_line_parse(struct span line, struct http_response *r)
{
	struct span after = span_skip(line, 12);
	uint64_t status;

	if (line.len < 12 || line.at[8] != ' ' || !version_parse(span_head(line, 8), &r->minor))
		return false;
	if (!span_u64(span_of(line.at + 9, 3), 599, &status) || status < 100)
		return false;
	r->status = (unsigned)status;
	return !after.len || (after.at[0] == ' ' && http_all(after, HTTP_VALUE));
}

/* RFC 9112 6.3, in its order */
static enum http_framing response_framing(const struct http_response *r, struct span method,
					  const struct http_fields *f)
{
	if (span_eq(method, SPAN("HEAD")) || r->status < 200 || r->status == 204 ||
	    r->status == 304)
		return HTTP_BODY_NONE;
	if (span_eq(method, SPAN("CONNECT")) && r->status < 300)
		return HTTP_BODY_NONE;
	if (f->chunked)
		return HTTP_BODY_CHUNKED;
	if (!f->has_length)
		return HTTP_BODY_CLOSE;
	return f->length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
}

enum parse http_response_parse(struct span bytes, struct span method,
			       struct http_response *ret_response)
{
	struct span head = span_head(bytes, HTTP_HEAD_MAX), left = head, line;
	struct http_response r = { 0 };
	struct http_fields f;
	enum parse got = http_line(&left, &line);

	if (got == PARSE_OK && !status_line_parse(line, &r))
		return PARSE_BAD;
	if (got == PARSE_OK)
		got = http_fields_parse(&left, &f);
	if (got != PARSE_OK)
		return got == PARSE_MORE ? more(bytes) : PARSE_BAD;
	if (!framing_is_clear(&f, r.minor))
		return PARSE_BAD;
	r.head_bytes = head.len - left.len;
	r.framing = response_framing(&r, method, &f);
	r.length = r.framing == HTTP_BODY_LENGTH ? f.length : 0;
	r.keep_alive = is_persistent(&f, r.minor) && r.framing != HTTP_BODY_CLOSE;
	*ret_response = r;
	return PARSE_OK;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');	/* HT LF VT FF CR */
}

/*
 * Servers are lenient (RFC 9112 2.2 and 3): empty lines before the request, any
 * blanks around its words.  What one of them would take for a request must not
 * pass as something else, so this is wider than http_request_parse().
 */
bool http_likely(struct span stream)
{
	size_t start = 0, end;
	struct span after;

	while (start < stream.len && is_blank(stream.at[start]))
		start++;
	end = start;
	while (end < stream.len && http_octet_is(stream.at[end], HTTP_TOKEN))
		end++;
	after = span_skip(stream, end);
	if (!after.len)
		return true;
	if (end == start || !is_blank(after.at[0]))
		return false;
	/* a line of one word is a command of something else */
	return !span_starts(after, SPAN("\n")) && !span_starts(after, SPAN("\r\n"));
}

enum parse http_preface(struct span stream)
{
	const struct span preface = SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

	if (!span_eq(span_head(stream, preface.len), span_head(preface, stream.len)))
		return PARSE_BAD;
	return stream.len < preface.len ? PARSE_MORE : PARSE_OK;
}

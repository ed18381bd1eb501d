/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_fields.h"

#include "base/auto.h"
#include "proto/http_head.h"

enum {
	T = HTTP_TOKEN, V = HTTP_VALUE, R = HTTP_TARGET, H = HTTP_HOST_NAME,
	DELIM = V | R,		/* delimiters: in values and targets only */
	TCHAR = T | V | R,
	ALNUM = T | V | R | H,
};

const uint8_t http_octets[256] = {
	['\t'] = V, [' '] = V,
	['!'] = TCHAR, ['"'] = DELIM, ['#'] = T | V, ['$'] = TCHAR, ['%'] = TCHAR, ['&'] = TCHAR,
	['\''] = TCHAR, ['('] = DELIM, [')'] = DELIM, ['*'] = TCHAR, ['+'] = TCHAR, [','] = DELIM,
	['-'] = ALNUM, ['.'] = ALNUM, ['/'] = DELIM, ['0' ... '9'] = ALNUM, [':' ... '@'] = DELIM,
	['A' ... 'Z'] = ALNUM, ['['] = DELIM, ['\\'] = V, [']'] = DELIM, ['^'] = TCHAR,
	['_'] = ALNUM, ['`'] = TCHAR, ['a' ... 'z'] = ALNUM, ['{'] = DELIM, ['|'] = TCHAR,
	['}'] = DELIM, ['~'] = TCHAR, [0x80 ... 0xff] = V,
};

bool http_all(struct span s, unsigned kinds)
{
	for (size_t i = 0; i < s.len; i++)
		if (!http_octet_is(s.at[i], kinds))
			return false;
	return true;
}

enum parse http_line(struct span *left, struct span *ret_line)
{
	ptrdiff_t lf = span_find(*left, '\n');

	if (lf < 0)
		return PARSE_MORE;
	if (lf == 0 || left->at[lf - 1] != '\r')
		return PARSE_BAD;
	*ret_line = span_head(*left, (size_t)lf - 1);
	*left = span_skip(*left, (size_t)lf + 1);
	return PARSE_OK;
}

/* Two Host fields are two hosts, even if they agree today (RFC 9112 3.2) */
static bool host_read(struct span value, struct http_fields *f)
{
	if (f->has_host)
		return false;
	f->has_host = true;
	f->host = value;
	return true;
}

/* RFC 9110 8.6; INT64_MAX because not every server counts in unsigned numbers */
static bool length_read(struct span value, struct http_fields *f)
{
	uint64_t length;

	if (!span_u64(value, INT64_MAX, &length) || (f->has_length && f->length != length))
		return false;
	f->has_length = true;
	f->length = length;
	return true;
}

/* RFC 9112 6.1: other codings, and lists, are read in many ways */
static bool encoding_read(struct span value, struct http_fields *f)
{
	if (f->chunked || !span_eq_fold(value, SPAN("chunked")))
		return false;
	f->chunked = true;
	return true;
}

static bool upgrade_read(struct span value, struct http_fields *f)
{
	f->websocket = !f->upgrade && span_eq_fold(value, SPAN("websocket"));
	f->upgrade = true;
	return true;
}

static bool expect_read(struct span value, struct http_fields *f)
{
	if (span_eq_fold(value, SPAN("100-continue")))
		f->expect_continue = true;
	return true;
}

static bool connection_read(struct span value, struct http_fields *f);

static const struct field {
	struct span name;
	bool (*read)(struct span value, struct http_fields *f);
	bool end_to_end;	/* must not be named by Connection */
} fields[] = {
#define NAME(lit) { (const uint8_t *)(lit), sizeof(lit) - 1 }
	{ NAME("host"), host_read, true },
	{ NAME("content-length"), length_read, true },
	{ NAME("transfer-encoding"), encoding_read, true },
	{ NAME("connection"), connection_read, false },
	{ NAME("upgrade"), upgrade_read, false },
	{ NAME("expect"), expect_read, false },
#undef NAME
};

static const struct field *field_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (span_eq_fold(name, fields[i].name))
			return &fields[i];
	return NULL;
}

/*
 * A list of tokens (RFC 9110 7.6.1, empty elements as in 5.6.1.2).  The next
 * server removes the fields named here: one that names the host or the
 * framing would change what the message is after we judged it.
 */
static bool connection_read(struct span value, struct http_fields *f)
{
	while (value.len) {
		ptrdiff_t comma = span_find(value, ',');
		size_t len = comma < 0 ? value.len : (size_t)comma;
		struct span option = span_trim(span_head(value, len));
		const struct field *named = field_find(option);

		if (!http_all(option, HTTP_TOKEN) || (named && named->end_to_end))
			return false;
		if (span_eq_fold(option, SPAN("close")))
			f->close = true;
		else if (span_eq_fold(option, SPAN("keep-alive")))
			f->keep_alive = true;
		value = span_skip(value, len + 1);
	}
	return true;
}

bool http_is_override(struct span name)
{
	static const struct span names[] = {
#define NAME(lit) { (const uint8_t *)(lit), sizeof(lit) - 1 }
		NAME("x-http-method-override"), NAME("x-http-method"), NAME("x-method-override"),
#undef NAME
	};
	uint8_t dashed[32];

	if (name.len > sizeof(dashed))
		return false;
	for (size_t i = 0; i < name.len; i++)
		dashed[i] = name.at[i] == '_' ? '-' : name.at[i];
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_eq_fold((struct span){ dashed, name.len }, names[i]))
			return true;
	return false;
}

/* RFC 9112 5: name, colon at once (5.1), value; a folded line begins with no token (5.2) */
static bool field_read(struct span line, struct http_fields *f)
{
	const struct field *known;
	size_t len = 0;

	while (len < line.len && http_octet_is(line.at[len], HTTP_TOKEN))
		len++;
	if (len == 0 || len == line.len || line.at[len] != ':' ||
	    !http_all(span_skip(line, len + 1), HTTP_VALUE))
		return false;
	f->overrides |= http_is_override(span_head(line, len));
	known = field_find(span_head(line, len));
	return !known || known->read(span_trim(span_skip(line, len + 1)), f);
}

enum parse http_fields_parse(struct span *left, struct http_fields *ret_fields)
{
	struct http_fields fields_read = { 0 };
	struct span rest = *left, line;

	for (size_t count = 0; count <= HTTP_FIELDS_MAX; count++) {
		enum parse got = http_line(&rest, &line);

		if (got != PARSE_OK)
			return got;
		if (!line.len) {
			*left = rest;
			*ret_fields = fields_read;
			return PARSE_OK;
		}
		if (!field_read(line, &fields_read))
			return PARSE_BAD;
	}
	return PARSE_BAD;
}

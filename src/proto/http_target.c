/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_target.h"

#include "base/addr.h"
#include "base/auto.h"
#include "proto/http_fields.h"

/* Decimal, no leading zero */
static bool port_parse(struct span text, uint16_t *ret_port)
{
	uint64_t port;

	if (!text.len || text.at[0] == '0' || !span_u64(text, UINT16_MAX, &port))
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

bool http_authority_parse(struct span text, struct http_authority *ret_authority)
{
	struct http_authority a = { 0 };
	struct span after;
	struct addr ip6;

	if (text.len && text.at[0] == '[') {
		ptrdiff_t end = span_find(text, ']');

		if (end < 0)
			return false;
		a.host = span_of(text.at + 1, (size_t)end - 1);
		after = span_skip(text, (size_t)end + 1);
		if (span_find(a.host, ':') < 0 || !addr_parse(a.host, &ip6))
			return false;
	} else {
		ptrdiff_t colon = span_find(text, ':');

		a.host = colon < 0 ? text : span_head(text, (size_t)colon);
		after = span_skip(text, a.host.len);
		if (!a.host.len || !http_all(a.host, HTTP_HOST_NAME))
			return false;
	}
	if (after.len && (after.at[0] != ':' || !port_parse(span_skip(after, 1), &a.port)))
		return false;
	*ret_authority = a;
	return true;
}

/* The path alone; a query is not looked at */
static struct span without_query(struct span target)
{
	ptrdiff_t query = span_find(target, '?');

	return query < 0 ? target : span_head(target, (size_t)query);
}

static const struct scheme {
	struct span prefix;
	uint16_t port;
} schemes[] = {
	{ { (const uint8_t *)"http://", 7 }, 80 },
	{ { (const uint8_t *)"https://", 8 }, 443 },
};

/*
 * RFC 9112 3.2.2.  A query right after the authority is valid, and taken for a
 * part of the host by some: refused.
 */
static bool absolute_parse(struct span text, struct span method, struct http_target *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		struct span prefix = schemes[i].prefix, rest;
		ptrdiff_t slash;
		size_t len;

		if (!span_eq_fold(span_head(text, prefix.len), prefix))
			continue;
		rest = span_skip(text, prefix.len);
		slash = span_find(rest, '/');
		len = slash < 0 ? rest.len : (size_t)slash;
		t->form = HTTP_ABSOLUTE;
		t->default_port = schemes[i].port;
		t->path = without_query(span_skip(rest, len));
		/* RFC 9112 3.2.4: OPTIONS without a path is about the server */
		if (!t->path.len)
			t->path = span_eq(method, SPAN("OPTIONS")) ? SPAN("*") : SPAN("/");
		return http_authority_parse(span_head(rest, len), &t->authority);
	}
	return false;
}

bool http_target_parse(struct span text, struct span method, struct http_target *ret_target)
{
	struct http_target t = { 0 };
	bool good;

	if (!text.len || !http_all(text, HTTP_TARGET))
		return false;
	if (span_eq(method, SPAN("CONNECT"))) {
		t.form = HTTP_AUTHORITY;
		good = http_authority_parse(text, &t.authority) && t.authority.port;
	} else if (text.at[0] == '/') {
		t.form = HTTP_ORIGIN;
		t.path = without_query(text);
		good = true;
	} else if (span_eq(text, SPAN("*"))) {
		t.form = HTTP_ASTERISK;
		t.path = text;
		good = span_eq(method, SPAN("OPTIONS"));
	} else {
		good = absolute_parse(text, method, &t);
	}
	if (good)
		*ret_target = t;
	return good;
}

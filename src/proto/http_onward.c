/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_onward.h"

#include "proto/http_fields.h"

/* Fields for the next hop alone; Upgrade is judged, and Transfer-Encoding is kept as it came */
static const struct span ours[] = {
#define NAME(lit) { (const uint8_t *)(lit), sizeof(lit) - 1 }
	NAME("connection"), NAME("keep-alive"), NAME("proxy-connection"),
	NAME("proxy-authorization"), NAME("proxy-authenticate"), NAME("te"),
#undef NAME
};

static bool next_field(struct span *left, struct span *ret_name, struct span *ret_line)
{
	ptrdiff_t colon;

	if (http_line(left, ret_line) != PARSE_OK || !ret_line->len)
		return false;
	colon = span_find(*ret_line, ':');
	*ret_name = span_head(*ret_line, colon < 0 ? 0 : (size_t)colon);
	return true;
}

/* As servers compare names that they turn into variables */
static bool same_name(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		uint8_t x = a.at[i] == '_' ? '-' : ascii_lower(a.at[i]);
		uint8_t y = b.at[i] == '_' ? '-' : ascii_lower(b.at[i]);

		if (x != y)
			return false;
	}
	return true;
}

/* Is @name an option of the list @value? */
static bool lists(struct span value, struct span name)
{
	while (value.len) {
		ptrdiff_t comma = span_find(value, ',');
		size_t len = comma < 0 ? value.len : (size_t)comma;

		if (span_eq_fold(span_trim(span_head(value, len)), name))
			return true;
		value = span_skip(value, len + 1);
	}
	return false;
}

/* Does some Connection field of @fields name @name? */
static bool is_named(struct span fields, struct span name)
{
	struct span other, line;

	while (next_field(&fields, &other, &line))
		if (span_eq_fold(other, SPAN("connection")) &&
		    lists(span_skip(line, other.len + 1), name))
			return true;
	return false;
}

static bool goes_on(struct span fields, struct span name)
{
	if (span_eq_fold(name, SPAN("upgrade")))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (same_name(name, ours[i]))
			return false;
	return !is_named(fields, name);
}

/* The target without scheme and authority; a query is part of it */
static void add_target(struct buf *out, const struct http_request *r)
{
	struct span rest = span_skip(r->target, (size_t)span_find(r->target, '/') + 2);
	ptrdiff_t slash = span_find(rest, '/');

	buf_add_span(out, slash < 0 ? r->path : span_skip(rest, (size_t)slash));
}

static void add_host(struct buf *out, const struct http_request *r)
{
	bool ip6 = span_find(r->host, ':') >= 0;

	buf_printf(out, "Host: %s" SPAN_FMT "%s", ip6 ? "[" : "", SPAN_ARG(r->host), ip6 ? "]" : "");
	if (r->host_port)
		buf_printf(out, ":%u", r->host_port);
	buf_add_str(out, "\r\n");
}

bool http_onward(struct span head, const struct http_request *r, struct buf *out)
{
	struct span left = head, fields, name, line, host;

	if (http_line(&left, &line) != PARSE_OK)
		return false;
	fields = left;
	buf_add_span(out, r->method);
	buf_add_str(out, " ");
	add_target(out, r);
	buf_printf(out, " HTTP/1.%u\r\n", r->minor);
	if (!http_field(head, SPAN("host"), &host))
		add_host(out, r);
	while (next_field(&left, &name, &line)) {
		if (!goes_on(fields, name))
			continue;
		buf_add_span(out, line);
		buf_add_str(out, "\r\n");
	}
	if (r->upgrade)
		buf_add_str(out, "Connection: upgrade\r\n");
	else if (!r->keep_alive && r->minor)
		buf_add_str(out, "Connection: close\r\n");
	buf_add_str(out, "\r\n");
	return !out->full;
}

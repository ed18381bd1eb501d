/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_edit.h"

#include "proto/http_fields.h"

static uint8_t folded(uint8_t c)
{
	return c == '_' ? '-' : ascii_lower(c);
}

static bool is_same(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (folded(a.at[i]) != folded(b.at[i]))
			return false;
	return true;
}

bool http_edit_hits(const struct http_edits *e, struct span name)
{
	for (size_t i = 0; i < e->count; i++)
		if (is_same(name, e->at[i].name))
			return true;
	return false;
}

static void add_line(struct buf *out, struct span line)
{
	buf_add_span(out, line);
	buf_add_str(out, "\r\n");
}

bool http_edited(struct span head, const struct http_edits *e, struct buf *out)
{
	struct span left = head, line;
	bool first = true;

	while (http_line(&left, &line) == PARSE_OK && line.len) {
		ptrdiff_t colon = span_find(line, ':');

		if (first || colon < 0 || !http_edit_hits(e, span_head(line, (size_t)colon)))
			add_line(out, line);
		first = false;
	}
	for (size_t i = 0; i < e->count; i++) {
		if (!e->at[i].value.len)
			continue;
		buf_add_span(out, e->at[i].name);
		buf_add_str(out, ": ");
		add_line(out, e->at[i].value);
	}
	add_line(out, (struct span){ 0 });
	return !out->full;
}

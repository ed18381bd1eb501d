/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <inttypes.h>

/* A value or key needs a comma before it unless something was just opened */
static void separate(struct buf *b)
{
	uint8_t last = b->len ? b->at[b->len - 1] : '{';

	if (last != '{' && last != '[' && last != ':' && last != '\n')
		buf_add(b, ",", 1);
}

void json_open(struct buf *b, char bracket)
{
	separate(b);
	buf_add(b, &bracket, 1);
}

void json_close(struct buf *b, char bracket)
{
	buf_add(b, &bracket, 1);
}

void json_key(struct buf *b, const char *key)
{
	separate(b);
	buf_add(b, "\"", 1);
	buf_add_str(b, key);
	buf_add(b, "\":", 2);
}

/*
 * Length of the UTF-8 sequence at @s (RFC 3629, section 4: no overlong forms,
 * no surrogates, nothing above U+10FFFF), or 0 if there is none.
 */
static size_t utf8_len(struct span s)
{
	uint8_t c = s.at[0], low = 0x80, high = 0xbf;
	size_t len;

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		len = 2;
	else if ((c & 0xf0) == 0xe0)
		len = 3;
	else if (c >= 0xf0 && c <= 0xf4)
		len = 4;
	else
		return 0;
	if (len > s.len)
		return 0;
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xf0)
		low = 0x90;
	if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf4)
		high = 0x8f;
	if (s.at[1] < low || s.at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s.at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void escape(struct buf *b, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	char u[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	char two[2] = { '\\', (char)c };

	if (c == '"' || c == '\\')
		buf_add(b, two, sizeof(two));
	else if (c == '\n')
		buf_add(b, "\\n", 2);
	else if (c == '\t')
		buf_add(b, "\\t", 2);
	else
		buf_add(b, u, sizeof(u));
}

static void add_multibyte(struct buf *b, struct span s, size_t len)
{
	static const uint8_t line_sep[2] = { 0xe2, 0x80 };

	if (len == 3 && !memcmp(s.at, line_sep, 2) && (s.at[2] == 0xa8 || s.at[2] == 0xa9))
		buf_add_str(b, s.at[2] == 0xa8 ? "\\u2028" : "\\u2029");
	else if (len == 2 && s.at[0] == 0xc2 && s.at[1] < 0xa0)
		escape(b, s.at[1]);		/* C1 controls */
	else if (len)
		buf_add(b, s.at, len);
	else
		buf_add_str(b, "\\ufffd");
}

void json_span(struct buf *b, struct span s)
{
	separate(b);
	buf_add(b, "\"", 1);
	while (s.len) {
		size_t run = 0, len;

		while (run < s.len && is_plain(s.at[run]))
			run++;
		buf_add(b, s.at, run);
		s = span_skip(s, run);
		if (!s.len)
			break;
		len = utf8_len(s);
		if (s.at[0] < 0x80)
			escape(b, s.at[0]);
		else
			add_multibyte(b, s, len);
		s = span_skip(s, len ? len : 1);
	}
	buf_add(b, "\"", 1);
}

void json_str(struct buf *b, const char *s)
{
	if (s) {
		json_span(b, span_str(s));
	} else {
		separate(b);
		buf_add_str(b, "null");
	}
}

void json_uint(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	separate(b);
	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void json_int(struct buf *b, int64_t v)
{
	separate(b);
	buf_printf(b, "%" PRId64, v);
}

void json_bool(struct buf *b, bool v)
{
	separate(b);
	buf_add_str(b, v ? "true" : "false");
}

void json_field_span(struct buf *b, const char *key, struct span s)
{
	json_key(b, key);
	json_span(b, s);
}

void json_field_str(struct buf *b, const char *key, const char *s)
{
	json_key(b, key);
	json_str(b, s);
}

void json_field_uint(struct buf *b, const char *key, uint64_t v)
{
	json_key(b, key);
	json_uint(b, v);
}

void json_field_bool(struct buf *b, const char *key, bool v)
{
	json_key(b, key);
	json_bool(b, v);
}

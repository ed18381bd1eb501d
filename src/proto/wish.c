/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wish.h"

#include <string.h>

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(struct span *s)
{
	while (s->len && is_blank(s->at[0]))
		*s = span_skip(*s, 1);
}

/* This one character, blanks around it */
static bool take(struct span *s, char c)
{
	skip_blanks(s);
	if (!s->len || s->at[0] != (uint8_t)c)
		return false;
	*s = span_skip(*s, 1);
	skip_blanks(s);
	return true;
}

/* What is between two quotes, escapes and all; none of them is undone */
static bool take_string(struct span *s, struct span *ret)
{
	size_t i = 1;

	if (!s->len || s->at[0] != '"')
		return false;
	for (; i < s->len && s->at[i] != '"'; i++) {
		if (s->at[i] < 0x20)
			return false;
		if (s->at[i] == '\\' && ++i == s->len)
			return false;
	}
	if (i >= s->len)
		return false;
	*ret = span_head(span_skip(*s, 1), i - 1);
	*s = span_skip(*s, i + 1);
	return true;
}

static bool take_port(struct span *s, uint16_t *ret)
{
	size_t digits = 0;
	uint64_t value;

	while (digits < s->len && s->at[digits] >= '0' && s->at[digits] <= '9')
		digits++;
	if (!digits || s->at[0] == '0' || !span_u64(span_head(*s, digits), UINT16_MAX, &value))
		return false;
	*ret = (uint16_t)value;
	*s = span_skip(*s, digits);
	return true;
}

static bool hex4(struct span s, uint32_t *ret)
{
	*ret = 0;
	if (s.len < 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		uint8_t c = s.at[i];
		unsigned digit = c >= '0' && c <= '9' ? c - '0' + 0u :
				 c >= 'a' && c <= 'f' ? c - 'a' + 10u :
				 c >= 'A' && c <= 'F' ? c - 'A' + 10u : 16;

		if (digit == 16)
			return false;
		*ret = *ret << 4 | digit;
	}
	return true;
}

static void put(struct wish *w, uint32_t byte)
{
	if (w->reason_len < WISH_REASON_MAX)
		w->reason[w->reason_len++] = (char)byte;
}

/* As UTF-8; halves of pairs stand alone, and whoever shows them finds no character there */
static void put_char(struct wish *w, uint32_t c)
{
	if (c < 0x80) {
		put(w, c);
	} else if (c < 0x800) {
		put(w, 0xc0 | c >> 6);
		put(w, 0x80 | (c & 0x3f));
	} else {
		put(w, 0xe0 | c >> 12);
		put(w, 0x80 | (c >> 6 & 0x3f));
		put(w, 0x80 | (c & 0x3f));
	}
}

/* What an escape means.  Return: bytes of it behind the backslash; 0: it is none */
static size_t undo(struct wish *w, struct span s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = s.at[0] ? strchr(from, s.at[0]) : NULL;
	uint32_t c;

	if (at) {
		put(w, (uint8_t)to[at - from]);
		return 1;
	}
	if (s.at[0] != 'u' || !hex4(span_skip(s, 1), &c) || !c)
		return 0;
	put_char(w, c);
	return 5;
}

static bool read_reason(struct wish *w, struct span s)
{
	while (s.len) {
		size_t used = 1;

		if (s.at[0] == '\\') {
			used = undo(w, span_skip(s, 1));
			if (!used)
				return false;
			used++;
		} else {
			put(w, s.at[0]);
		}
		s = span_skip(s, used);
	}
	return true;
}

/* A name as people write it: none has a quote or a backslash in it */
static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || s.at[i] == 0x7f || s.at[i] == '\\')
			return false;
	return s.len && s.len <= WISH_HOST_MAX;
}

enum { KEY_HOST = 1, KEY_PORT = 2, KEY_REASON = 4 };

static bool take_pair(struct span *s, struct wish *w, unsigned *seen)
{
	struct span key, reason;
	unsigned which;
	bool ok;

	if (!take_string(s, &key) || !take(s, ':'))
		return false;
	which = span_eq(key, SPAN("host")) ? KEY_HOST : span_eq(key, SPAN("port")) ? KEY_PORT :
		span_eq(key, SPAN("reason")) ? KEY_REASON : 0;
	if (!which || *seen & which)
		return false;
	*seen |= which;
	if (which == KEY_HOST)
		ok = take_string(s, &w->host) && is_name(w->host);
	else if (which == KEY_PORT)
		ok = take_port(s, &w->port);
	else
		ok = take_string(s, &reason) && read_reason(w, reason);
	skip_blanks(s);
	return ok;
}

bool wish_parse(struct span body, struct wish *ret)
{
	unsigned seen = 0;
	struct span s = body;

	*ret = (struct wish){ .port = WISH_PORT };
	if (body.len > WISH_BYTES_MAX || !take(&s, '{'))
		return false;
	do {
		skip_blanks(&s);
		if (!take_pair(&s, ret, &seen))
			return false;
	} while (take(&s, ','));
	return take(&s, '}') && !s.len && seen & KEY_HOST;
}

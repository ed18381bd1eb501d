/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/dns_name.h"

#include <assert.h>

#define POINTER 0xc0		/* RFC 1035 4.1.4 */
#define HEADER_BYTES 12

/* A letter, digit, '-' or '_': what host names and service names are made of */
static bool is_plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

static char *octet_text(char *at, uint8_t c)
{
	if (c > ' ' && c < 0x7f && c != '.' && c != '\\') {
		*at++ = (char)ascii_lower(c);
		return at;
	}
	*at++ = '\\';
	*at++ = (char)('0' + c / 100);
	*at++ = (char)('0' + c / 10 % 10);
	*at++ = (char)('0' + c % 10);
	return at;
}

static size_t name_none(char *text)
{
	*text = '\0';
	return 0;
}

size_t dns_name_read(struct wire *w, char text[DNS_NAME_TEXT_MAX], bool *ret_plain)
{
	size_t wire_bytes = 1, len;
	bool plain = true;
	char *at = text;

	while ((len = wire_u8(w)) > 0) {
		struct span label = wire_take(w, len);

		wire_bytes += 1 + len;
		if (w->spent || len > DNS_LABEL_MAX || wire_bytes > DNS_NAME_WIRE_MAX)
			return name_none(text);
		if (at > text)
			*at++ = '.';
		for (size_t i = 0; i < len; i++) {
			plain = plain && is_plain(label.at[i]);
			at = octet_text(at, label.at[i]);
		}
	}
	if (w->spent)
		return name_none(text);
	if (at == text)
		*at++ = '.';
	assert(at < text + DNS_NAME_TEXT_MAX);
	*at = '\0';
	*ret_plain = plain;
	return (size_t)(at - text);
}

/*
 * Take one octet from the front of a label's text, \DDD decoded.  Return: the
 * octet, or -1 for a broken escape.
 */
static int octet_take(struct span *text)
{
	unsigned value = 0;
	uint8_t c = text->at[0];

	*text = span_skip(*text, 1);
	if (c != '\\')
		return c;
	if (text->len < 3)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		unsigned digit = (unsigned)text->at[i] - '0';

		if (digit > 9)
			return -1;
		value = value * 10 + digit;
	}
	*text = span_skip(*text, 3);
	return value > UINT8_MAX ? -1 : (int)value;
}

/* Take a label from the front of @text, with the dot that ends it */
static bool label_put(struct wire_out *w, struct span *text)
{
	uint8_t label[DNS_LABEL_MAX];
	size_t len = 0;

	while (text->len && text->at[0] != '.') {
		int octet = octet_take(text);

		if (octet < 0 || len == sizeof(label))
			return false;
		label[len++] = (uint8_t)octet;
	}
	*text = span_skip(*text, 1);
	if (!len)
		return false;
	wire_put_u8(w, (uint8_t)len);
	wire_put(w, label, len);
	return true;
}

bool dns_name_put(struct wire_out *w, struct span text)
{
	uint8_t name[DNS_NAME_WIRE_MAX];
	struct wire_out out = { .at = name, .size = sizeof(name) };

	if (!text.len)
		return false;
	if (span_eq(text, SPAN(".")))
		text = (struct span){ 0 };
	while (text.len && !out.full)
		if (!label_put(&out, &text))
			return false;
	wire_put_u8(&out, 0);
	if (out.full)
		return false;
	wire_put(w, out.at, out.len);
	return true;
}

/* Follow a pointer whose first octet was @first.  Return: false if it does not lead back */
static bool pointer_follow(struct wire *at, uint8_t first, size_t *start)
{
	size_t to = (size_t)(first & ~POINTER) << 8;

	to |= wire_u8(at);
	if (at->spent || to >= *start || to < HEADER_BYTES)
		return false;
	*start = to;
	return true;
}

size_t dns_name_unpack(struct span msg, struct wire *w, uint8_t out[DNS_NAME_WIRE_MAX])
{
	size_t len = 0, start = w->left.len ? (size_t)(w->left.at - msg.at) : 0;
	struct wire at = *w;
	bool followed = false;

	for (;;) {
		uint8_t octets = wire_u8(&at);
		struct span label;

		if (octets >= POINTER) {
			if (!pointer_follow(&at, octets, &start))
				break;
			if (!followed)
				*w = at;
			followed = true;
			at = wire_over(span_skip(msg, start));
			continue;
		}
		label = wire_take(&at, octets);
		if (at.spent || octets > DNS_LABEL_MAX || len + 1 + octets > DNS_NAME_WIRE_MAX)
			break;
		out[len++] = octets;
		if (octets) {
			memcpy(out + len, label.at, octets);
			len += octets;
			continue;
		}
		if (!followed)
			*w = at;
		return len;
	}
	w->spent = true;
	return 0;
}

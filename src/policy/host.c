/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.c - the one form in which names are compared
 *
 * A plain ASCII name needs no IDNA: it is lower-cased and checked, which is
 * also what its A-labels get, for DNS compares them byte by byte and so do we.
 * Anything else goes through libidn2 first.  Its answer is checked like any
 * other ASCII name, since UTS 46 maps full-width digits and ideographic dots:
 * an address can hide in what looks like a name.
 *
 * A name whose last label is a number, decimal or 0x, is an address in some
 * notation of inet_aton(3) or nothing: no top-level domain is numeric (RFC
 * 3696, 2; the URL standard's "ends in a number").
 */
#include "policy/host.h"

#include <idn2.h>
#include <libpsl.h>

#include "base/auto.h"

#define LABEL_MAX 63		/* octets, RFC 1035 2.3.4 */
#define UNICODE_MAX 1024	/* bytes of UTF-8 that may still become HOST_MAX octets */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_label_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

/* @label is lower case and not empty */
static bool label_is_number(struct span label)
{
	bool hex = span_starts(label, SPAN("0x"));

	for (size_t i = hex ? 2 : 0; i < label.len; i++)
		if (hex ? !is_hex(label.at[i]) : !is_digit(label.at[i]))
			return false;
	return true;
}

static bool label_is_good(struct span label)
{
	if (!label.len || label.len > LABEL_MAX)
		return false;
	if (label.at[0] == '-' || label.at[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!is_label_char(label.at[i]))
			return false;
	return true;
}

struct span host_parent(struct span host)
{
	ptrdiff_t dot = span_find(host, '.');

	return dot < 0 ? (struct span){ 0 } : span_skip(host, (size_t)dot + 1);
}

/* The checks of host_normal() on a lower-case name without its final dot */
static bool host_is_good(struct span host)
{
	struct span label = host, rest = host;

	if (!host.len || host.at[host.len - 1] == '.')
		return false;
	while (rest.len) {
		ptrdiff_t dot = span_find(rest, '.');

		label = dot < 0 ? rest : span_head(rest, (size_t)dot);
		if (!label_is_good(label))
			return false;
		rest = host_parent(rest);
	}
	return !label_is_number(label);
}

bool host_normal_wire(struct span text, char ret_host[HOST_MAX + 1])
{
	char host[HOST_MAX + 1];

	if (text.len && text.at[text.len - 1] == '.')
		text.len--;
	if (text.len > HOST_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++)
		host[i] = (char)ascii_lower(text.at[i]);
	if (!host_is_good(span_of(host, text.len)))
		return false;
	memcpy(ret_host, host, text.len);
	ret_host[text.len] = '\0';
	return true;
}

static bool is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] & 0x80)
			return false;
	return true;
}

bool host_normal(struct span text, char ret_host[HOST_MAX + 1])
{
	char utf8[UNICODE_MAX + 1];
	uint8_t *ascii = NULL;
	bool ok;

	if (is_ascii(text))
		return host_normal_wire(text, ret_host);
	if (!span_copy(text, utf8, sizeof(utf8)))
		return false;
	if (idn2_lookup_u8((const uint8_t *)utf8, &ascii,
			   IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	ok = host_normal_wire(span_str((const char *)ascii), ret_host);
	idn2_free(ascii);
	return ok;
}

bool host_pattern(struct span text, enum form *ret_form, char ret_name[HOST_MAX + 1])
{
	enum form form = FORM_EXACT;

	if (span_starts(text, SPAN("*."))) {
		form = FORM_BELOW;
		text = span_skip(text, 2);
	} else if (span_starts(text, SPAN("."))) {
		form = FORM_BOTH;
		text = span_skip(text, 1);
	}
	if (!host_normal(text, ret_name))
		return false;
	*ret_form = form;
	return true;
}

bool host_is_suffix(const char *name)
{
	const psl_ctx_t *list = psl_builtin();

	return !*name || !list || psl_is_public_suffix(list, name);
}

bool host_is_own(struct span name)
{
	return span_eq(name, SPAN("localhost")) || span_ends(name, SPAN(".localhost")) ||
	       span_eq(name, SPAN(NOTICE_HOST));
}

bool host_same(struct span wire, struct span host)
{
	char name[HOST_MAX + 1];

	return host_normal_wire(wire, name) && span_eq(span_str(name), host);
}

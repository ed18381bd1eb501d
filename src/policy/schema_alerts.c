/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_alerts.c - alerts: of the strongest layer that has them
 *
 * A webhook's URL may hold a token, so it is no part of the image that the gate maps, and no
 * message repeats it.
 */
#include "policy/schema.h"

#include "policy/host.h"

#define WEBHOOK_MAX 2000	/* bytes */

static bool is_token(uint8_t c)
{
	return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '#';
}

/* What is before the path.  Userinfo is refused: two readers could see two hosts */
static bool authority_is_fine(struct span authority)
{
	ptrdiff_t colon = span_find(authority, ':');
	struct span host = authority, port = { 0 };
	char name[HOST_MAX + 1];
	struct addr addr;
	uint64_t number;

	if (authority.len && authority.at[0] == '[') {
		ptrdiff_t end = span_find(authority, ']');

		if (end < 0)
			return false;
		host = span_of(authority.at + 1, (size_t)end - 1);
		port = span_skip(authority, (size_t)end + 1);
		if (!addr_parse(host, &addr) || (port.len && port.at[0] != ':'))
			return false;
	} else {
		host = span_head(authority, colon < 0 ? authority.len : (size_t)colon);
		port = span_skip(authority, host.len);
		if (!addr_parse(host, &addr) && !host_normal(host, name))
			return false;
	}
	return !port.len || (span_u64(span_skip(port, 1), UINT16_MAX, &number) && number);
}

static bool url_is_fine(struct span url)
{
	struct span rest;
	size_t len = 0;

	if (!span_starts(url, SPAN("https://")) && !span_starts(url, SPAN("http://")))
		return false;
	for (size_t i = 0; i < url.len; i++)
		if (!is_token(url.at[i]))
			return false;
	rest = span_skip(url, span_starts(url, SPAN("https://")) ? 8 : 7);
	while (len < rest.len && rest.at[len] != '/' && rest.at[len] != '?')
		len++;
	return url.len <= WEBHOOK_MAX && authority_is_fine(span_head(rest, len));
}

bool set_alerts(struct loader *l, const struct node *value)
{
	if (!value->first || !schema_read(l, value, IN_ALERTS))
		return false;
	l->draft.alerts_set = true;
	return true;
}

bool set_webhook(struct loader *l, const struct node *value)
{
	struct draft *d = &l->draft;

	if (!url_is_fine(value->text))
		return loader_bad(l, value, "found a webhook that is no URL (accepted: "
				  ACCEPTS_WEBHOOK ")");
	if (d->alerts_set)
		return true;
	d->webhook = strndup((const char *)value->text.at, value->text.len);
	d->strings.full |= !d->webhook;
	return true;
}

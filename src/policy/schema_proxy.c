/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_proxy.c - upstream_proxy: the strongest layer that has it, else the host's variables
 *
 * Its text may hold a password, so no message repeats it, and the image has it without.
 */
#include "policy/proxy_url.h"
#include "policy/schema.h"

static void proxy_use(struct draft *d, const struct proxy_url *u)
{
	char text[PROXY_TEXT_MAX];

	d->upstream_proxy = draft_text(d, span_str(proxy_url_text(u, text)));
	if (u->has_credentials)
		d->proxy_credentials = strdup(u->credentials);
	/* out of memory is told by the buffers, once */
	d->strings.full |= u->has_credentials && !d->proxy_credentials;
}

bool set_upstream_proxy(struct loader *l, const struct node *value)
{
	struct draft *d = &l->draft;
	struct proxy_url u;
	const char *why;

	if (!proxy_url_parse(value->text, &u, &why))
		return loader_bad(l, value, "found a proxy %s (accepted: " ACCEPTS_PROXY ")", why);
	if (!d->upstream_proxy)
		proxy_use(d, &u);
	explicit_bzero(&u, sizeof(u));
	return true;
}

bool host_proxy_read(struct loader *l)
{
	const struct policy_input *in = l->in;
	struct spot s = { .file = in->proxy_variable };
	struct draft *d = &l->draft;
	struct proxy_url u;
	const char *why;

	if (!in->proxy_variable || d->upstream_proxy)
		return true;
	if (!host_proxy_parse(span_str(in->proxy_value), &u, &why))
		return spot_bad(&s, l->err, "found a proxy %s (accepted: " ACCEPTS_PROXY
				"; or unset the variable)", why);
	proxy_use(d, &u);
	d->no_proxy = draft_text(d, span_head(span_str(in->no_proxy), NO_PROXY_MAX));
	explicit_bzero(&u, sizeof(u));
	return true;
}

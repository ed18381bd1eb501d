/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_dns.c - the keys of dns:
 *
 * The strongest layer that has the mapping decides, for all of it; it is read first.  Those of
 * the others are read all the same: what is wrong in them is wrong.
 */
#include "policy/schema_dns.h"

#include "policy/ranges.h"

bool set_dns(struct loader *l, const struct node *value)
{
	struct draft *d = &l->draft;

	l->dns = draft_dns_defaults(d);
	if (!schema_read(l, value, IN_DNS))
		return false;
	if (!d->dns_set)
		d->dns = l->dns;
	d->dns_set = true;
	return true;
}

bool set_synthetic(struct loader *l, const struct node *value)
{
	struct net n;
	bool v4;

	if (!net_parse(value->text, &n))
		return false;
	v4 = addr_is_v4(&n.base) && n.bits >= 96;
	if (v4 ? n.bits < 96 + 8 || n.bits > 96 + 16 : n.bits < 64 || n.bits > 96)
		return false;
	/* the jail must be able to connect there, and its own loopback stays its own */
	if (range_of(&n.base)->kind > RANGE_SPECIAL)
		return false;
	*(v4 ? &l->dns.synthetic4 : &l->dns.synthetic6) = n;
	return true;
}

static bool is_tls(const struct loader *l, size_t index)
{
	return span_starts(span_str(draft_text_at(&l->draft, l->dns.upstreams[index])),
			   SPAN("tls://"));
}

bool set_upstream(struct loader *l, const struct node *value)
{
	struct draft_dns *dns = &l->dns;
	char text[UPSTREAM_TEXT_MAX];
	const char *why = NULL;
	struct upstream u;

	if (!upstream_parse(value->text, &u, &why))
		return why && loader_bad(l, value, "found a server %s (accepted: "
					 "tls://ADDRESS#NAME)", why);
	if (!l->index)
		dns->upstream_count = 0;	/* the default */
	if (dns->upstream_count == UPSTREAMS_MAX)
		return loader_bad(l, value, "found more servers (accepted: at most %d)",
				  UPSTREAMS_MAX);
	/* Whoever cannot be asked over TLS is not asked otherwise, not even another server */
	if (dns->upstream_count && is_tls(l, 0) != (u.kind == UPSTREAM_TLS))
		return loader_bad(l, value, "found servers with and without tls:// in one list, "
				  "which would fall back to plain DNS (accepted: all tls://, "
				  "or none)");
	dns->upstreams[dns->upstream_count++] =
		draft_text(&l->draft, span_str(upstream_text(&u, text)));
	return true;
}

bool set_dns_type(struct loader *l, const struct node *value)
{
	char text[DNS_TYPE_TEXT_MAX];
	uint16_t type;
	uint32_t bit;

	if (!dns_type_from(value->text, &type))
		return false;
	bit = dns_type_bit(type);
	if (!bit)
		return loader_bad(l, value, "found %s, which is never answered (accepted: %s)",
				  dns_type_text(type, text), DNS_TYPES_OPEN);
	if (!l->index)
		l->dns.types = 0;		/* the default */
	l->dns.types |= bit;
	return true;
}

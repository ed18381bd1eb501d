/* SPDX-License-Identifier: Apache-2.0 */
/* schema_settings.c - setters of what a file says besides its rules */
#include "policy/ports.h"
#include "policy/ranges.h"
#include "policy/schema.h"

bool set_version(struct loader *l, const struct node *value)
{
	(void)l;
	return value->plain && span_eq(value->text, SPAN("1"));
}

bool set_mode(struct loader *l, const struct node *value)
{
	enum mode mode;

	if (!mode_from(value->text, &mode))
		return false;
	if (!mode_is_supported(mode))
		return loader_bad(l, value, SPAN_FMT " is not supported yet (accepted: %s)",
				  SPAN_ARG(value->text), ACCEPTS_MODE);
	draft_mode(&l->draft, mode, l->layer);
	return true;
}

bool set_default(struct loader *l, const struct node *value)
{
	if (span_eq(value->text, SPAN("ask")) || span_eq(value->text, SPAN("allow")))
		return loader_bad(l, value, SPAN_FMT " is not supported yet (accepted: deny)",
				  SPAN_ARG(value->text));
	return span_eq(value->text, SPAN("deny"));
}

bool set_private_networks(struct loader *l, const struct node *value)
{
	return draft_private(&l->draft, value->text);
}

bool set_host_ports(struct loader *l, const struct node *value)
{
	struct port_map map;

	return port_map_host(value->text, &map) && draft_map(&l->draft.host_ports, &map, false);
}

bool set_publish(struct loader *l, const struct node *value)
{
	struct port_map map;

	return port_map_publish(value->text, &map) && draft_map(&l->draft.publish, &map, true);
}

/* The strongest layer that has a dns mapping decides; it is read first */
bool set_dns(struct loader *l, const struct node *value)
{
	struct draft *d = &l->draft;

	l->synthetic4 = d->synthetic4;
	l->synthetic6 = d->synthetic6;
	if (!schema_read(l, value, IN_DNS))
		return false;
	if (d->synthetic_set)
		return true;
	d->synthetic4 = l->synthetic4;
	d->synthetic6 = l->synthetic6;
	d->synthetic_set = true;
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
	*(v4 ? &l->synthetic4 : &l->synthetic6) = n;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/draft.h"

#include "policy/ports.h"

void draft_init(struct draft *d)
{
	*d = (struct draft){
		.rules = buf_new(RULES_MAX * sizeof(struct image_rule)),
		.ports = buf_new(PORTS_MAX * sizeof(struct port_range)),
		.strings = buf_new(STRINGS_MAX),
		.privates = buf_new(PRIVATES_MAX * sizeof(struct image_private)),
		.host_ports = buf_new(MAPS_MAX * sizeof(struct port_map)),
		.publish = buf_new(MAPS_MAX * sizeof(struct port_map)),
		.mode = MODE_FILTERED,
		.mode_layer = LAYER_FLAG,
	};
	/* Looks public: guards of agents' own tools refuse 198.18.0.0/15 */
	net_parse(SPAN("28.0.0.0/12"), &d->synthetic4);
	net_parse(SPAN("2d00:736c::/64"), &d->synthetic6);
	buf_add(&d->strings, "", 1);
}

void draft_done(struct draft *d)
{
	buf_done(&d->rules);
	buf_done(&d->ports);
	buf_done(&d->strings);
	buf_done(&d->privates);
	buf_done(&d->host_ports);
	buf_done(&d->publish);
}

bool draft_is_full(const struct draft *d)
{
	return d->rules.full || d->ports.full || d->strings.full || d->privates.full ||
	       d->host_ports.full || d->publish.full;
}

uint32_t draft_text(struct draft *d, struct span s)
{
	size_t at = d->strings.len;

	if (!s.len || !buf_reserve(&d->strings, s.len + 1))
		return 0;
	buf_add_span(&d->strings, s);
	buf_add(&d->strings, "", 1);
	return (uint32_t)at;
}

struct image_rule draft_begin(struct draft *d, enum layer layer, unsigned flags)
{
	return (struct image_rule){
		.layer = (uint8_t)layer,
		.flags = (uint8_t)flags,
		.protocol = PROTOCOL_AUTO,
		.ports.at = (uint32_t)(d->ports.len / sizeof(struct port_range)),
	};
}

bool draft_host(struct draft *d, struct image_rule *r, struct span text)
{
	char name[HOST_MAX + 1];
	enum form form;

	if (!host_pattern(text, &form, name))
		return false;
	r->form = (uint8_t)form;
	r->host = draft_text(d, text);
	/* most often it ends in its normal form already */
	if (r->host && span_ends(text, span_str(name)))
		r->name = r->host + (uint32_t)(text.len - strlen(name));
	else
		r->name = draft_text(d, span_str(name));
	return true;
}

bool draft_net(struct draft *d, struct image_rule *r, struct span text)
{
	if (!net_parse(text, &r->net))
		return false;
	r->form = FORM_NET;
	r->host = draft_text(d, text);
	return true;
}

bool draft_port(struct draft *d, struct image_rule *r, struct span text)
{
	struct port_range range;

	if (!ports_parse(text, &range))
		return false;
	if (buf_add(&d->ports, &range, sizeof(range)))
		r->ports.count++;
	return true;
}

void draft_add(struct draft *d, struct image_rule *r)
{
	if (!r->ports.count && (r->flags & RULE_ALLOW)) {
		draft_port(d, r, SPAN("80"));
		draft_port(d, r, SPAN("443"));
	}
	if (r->ports.count) {
		r->ports.count = (uint32_t)ports_tidy(draft_ports_of(d, r), r->ports.count);
		d->ports.len = (r->ports.at + r->ports.count) * sizeof(struct port_range);
	}
	buf_add(&d->rules, r, sizeof(*r));
}

void draft_mode(struct draft *d, enum mode mode, enum layer layer)
{
	if (d->mode_set && d->mode <= mode)
		return;
	d->mode = mode;
	d->mode_layer = layer;
	d->mode_set = true;
}

bool draft_private(struct draft *d, struct span text)
{
	ptrdiff_t equals = span_find(text, '=');
	struct image_private added;
	char name[HOST_MAX + 1] = "";

	memset(&added, 0, sizeof(added));
	if (equals >= 0) {
		if (!host_normal(span_head(text, (size_t)equals), name))
			return false;
		text = span_skip(text, (size_t)equals + 1);
	}
	if (!net_parse(text, &added.net))
		return false;
	added.host = draft_text(d, span_str(name));
	buf_add(&d->privates, &added, sizeof(added));
	return true;
}

bool draft_map(struct buf *maps, const struct port_map *map, bool publish)
{
	const struct port_map *old = (const void *)maps->at;

	for (size_t i = 0; i < maps->len / sizeof(*old); i++) {
		bool same_outside = old[i].outside == map->outside &&
				    addr_eq(&old[i].addr, &map->addr);

		if (same_outside && old[i].inside == map->inside)
			return true;
		if (publish ? same_outside : old[i].inside == map->inside)
			return false;
	}
	buf_add(maps, map, sizeof(*map));
	return true;
}

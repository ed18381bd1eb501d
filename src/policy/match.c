/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/image.h"

#include <assert.h>

#include "policy/narrow.h"
#include "policy/ranges.h"

static const struct image_entry *table_find(const struct policy *p, const struct image_table *t,
					    struct span key)
{
	const uint32_t *slots = image_at(p, t->slots.at);
	const struct image_entry *entries = image_at(p, t->entries.at), *e;
	uint32_t i = table_slot(&p->seed, key, t->slots.count);

	/* at least half of the slots are free: the search ends */
	for (; slots[i]; i = (i + 1) & (t->slots.count - 1)) {
		e = &entries[slots[i] - 1];
		if (span_eq(span_of(image_at(p, e->key), e->key_len), key))
			return e;
	}
	return NULL;
}

static void match_add(struct match *m, struct slice list)
{
	if (!list.count)
		return;
	assert(m->count < MATCH_MAX);
	m->lists[m->count++] = list;
}

void match_host(const struct policy *p, struct span host, struct match *ret_match)
{
	const struct image_entry *e;

	ret_match->count = 0;
	if (!host.len || host_is_own(host))
		return;
	e = table_find(p, &p->hosts, host);
	if (e)
		match_add(ret_match, e->self);
	/* the last one is the root, "": it has what is said of every name */
	do {
		host = host_parent(host);
		e = table_find(p, &p->hosts, host);
		if (e)
			match_add(ret_match, e->below);
	} while (host.len);
}

void match_addr(const struct policy *p, const struct addr *a, struct match *ret_match)
{
	const unsigned least = addr_is_v4(a) ? NET_V4_BITS : 0;
	struct net n = { *a, 0 };

	ret_match->count = 0;
	for (unsigned bits = 128 + 1; bits-- > least;) {
		const struct image_entry *e;

		if (bits < 128)
			n.base.b[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
		n.bits = (uint8_t)bits;
		if (!(p->net_lengths[bits / 64] >> bits % 64 & 1))
			continue;
		e = table_find(p, &p->nets, span_of(&n, sizeof(n)));
		if (e)
			match_add(ret_match, e->self);
	}
}
_Static_assert(sizeof(struct net) == 17, "a key without padding");

uint32_t match_next(const struct policy *p, const struct match *m, struct cursor *c)
{
	const uint32_t *links = image_at(p, p->links.at);

	while (c->list < m->count) {
		const struct slice *list = &m->lists[c->list];

		if (c->at < list->count)
			return links[list->at + c->at++];
		c->list++;
		c->at = 0;
	}
	return RULE_NONE;
}

bool rule_has_port(const struct policy *p, const struct image_rule *r, const struct question *q)
{
	const struct port_range *ports = image_ports(p, r);

	/* A name may be looked up unless it is denied on every port */
	if (q->about == ABOUT_NAME)
		return !rule_denies(r) || !r->ports.count;
	for (uint32_t i = 0; i < r->ports.count; i++)
		if (ports[i].transport == q->transport && ports[i].first <= q->port &&
		    q->port <= ports[i].last)
			return true;
	return !r->ports.count;
}

bool rule_names_addr(const struct image_rule *r, const struct addr *a)
{
	const struct range *range = range_of(a);

	return net_has(&r->net, a) &&
	       (range->kind == RANGE_PUBLIC || r->net.bits >= range->net.bits);
}

bool rule_may_deny(const struct policy *p, const struct image_rule *r, const struct question *q)
{
	return rule_denies(r) && rule_has_port(p, r, q) && !rule_is_over(p, r, q->now_s);
}

uint32_t match_denied(const struct policy *p, const struct match *m, const struct question *q)
{
	struct cursor c = { 0 };
	uint32_t rule;

	while ((rule = match_next(p, m, &c)) != RULE_NONE) {
		if (rule_may_deny(p, image_rule(p, rule), q))
			return rule;
	}
	return RULE_NONE;
}

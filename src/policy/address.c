/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.c - may an allowed connection go to this address?
 *
 * Whoever runs the DNS of an allowed name chooses its addresses, and must not
 * choose one that only this machine can reach.  An IPv6 address that carries an
 * IPv4 address is two destinations, and both must pass: a translator on the way
 * decides which it is.
 *
 * For each: an ip rule that denies it wins, and an ip_list unless the host is
 * named exactly; what is public and not ours passes;
 * an ip rule that names it opens anything; loopback, our own addresses,
 * multicast and metadata services stop here; the rest is open to hosts whose
 * rule says `private`, and through private_networks to hosts named exactly.
 */
#include "policy/narrow.h"

#include "base/auto.h"
#include "policy/proxy_url.h"
#include "policy/ranges.h"

static bool nets_have(const struct net *nets, size_t count, const struct addr *a)
{
	for (size_t i = 0; i < count; i++)
		if (net_has(&nets[i], a))
			return true;
	return false;
}

/* All of IPv4, or of IPv6: that names nobody in particular, this machine least of all */
static bool net_is_all(const struct net *n)
{
	return n->bits == 0 || (n->bits == 96 && addr_is_v4(&n->base));
}

/*
 * Does an ip rule name the address and allow the port?  For a resolved address
 * one that is for some requests only does not, since the next request of a
 * connection is not asked about it.
 */
static bool addr_is_named(const struct policy *p, const struct match *m,
			  const struct question *q, const struct addr *a, unsigned flag)
{
	struct cursor c = { 0 };
	uint32_t rule;

	while ((rule = match_next(p, m, &c)) != RULE_NONE) {
		const struct image_rule *r = image_rule(p, rule);

		if (!(r->flags & flag) || !rule_names_addr(r, a) || !rule_has_port(p, r, q) ||
		    (flag == RULE_ALLOW && net_is_all(&r->net)) ||
		    rule_is_over(p, r, q->now_s) ||
		    (q->host.len && more_needs_http(image_more(p, r))))
			continue;
		if (flag == RULE_CEILING || !rule_is_bounded(r) || !p->has_ceiling ||
		    addr_is_named(p, m, q, a, RULE_CEILING))
			return true;
	}
	return false;
}

static bool in_private_networks(const struct policy *p, struct span host, bool exact,
				const struct addr *a)
{
	const struct image_private *priv = image_at(p, p->privates.at);

	for (uint32_t i = 0; i < p->privates.count; i++) {
		struct span only = span_str(image_text(p, priv[i].host));

		if (net_has(&priv[i].net, a) && (only.len ? span_eq(only, host) : exact))
			return true;
	}
	return false;
}

/* May the host that is asked for resolve to this private address? */
static bool host_may_be_private(const struct policy *p, const struct question *q,
				const struct addr *a)
{
	struct cursor c = { 0 };
	bool exact = false;
	struct match m;
	uint32_t rule;

	match_host(p, q->host, &m);
	while ((rule = match_next(p, &m, &c)) != RULE_NONE) {
		const struct image_rule *r = image_rule(p, rule);

		if (!(r->flags & RULE_ALLOW) || !rule_passes(p, r, &m, q))
			continue;
		if (r->flags & RULE_PRIVATE)
			return true;
		exact |= r->form == FORM_EXACT && !(r->flags & RULE_APPROVED);
	}
	return in_private_networks(p, q->host, exact, a);
}

struct asked {
	const struct policy	*p;
	const struct question	*q;
};

static bool may_deny(void *arg, uint32_t rule)
{
	const struct asked *a = arg;

	return rule_may_deny(a->p, image_rule(a->p, rule), a->q);
}

/*
 * Is the address in a list that holds for the host?  Of an address that was
 * asked for itself policy_decide() has judged that.
 */
static bool host_is_listed(const struct policy *p, const struct question *q, const struct addr *a)
{
	struct cursor c = { 0 };
	struct asked asked = { p, q };
	struct match m;
	uint32_t rule, listed;

	listed = q->host.len ? listed_addr(p, a, may_deny, &asked) : RULE_NONE;
	if (listed == RULE_NONE)
		return false;
	match_host(p, q->host, &m);
	while ((rule = match_next(p, &m, &c)) != RULE_NONE)
		if (rule_beats_list(p, image_rule(p, rule), listed) &&
		    rule_passes(p, image_rule(p, rule), &m, q))
			return false;
	return true;
}

static enum reason judge(const struct policy *p, const struct question *q,
			 const struct place *place, const struct addr *a)
{
	enum range_kind kind = range_of(a)->kind;
	bool own = nets_have(place->own, place->own_count, a);
	bool connected = nets_have(place->connected, place->connected_count, a);
	struct match m;

	match_addr(p, a, &m);
	if (match_denied(p, &m, q) != RULE_NONE)
		return REASON_DENY_RULE;
	if (host_is_listed(p, q, a))
		return REASON_IP_LIST;
	if (kind == RANGE_PUBLIC && !own && !connected)
		return REASON_ALLOWED;
	if (addr_is_named(p, &m, q, a, RULE_ALLOW))
		return REASON_ALLOWED;
	if (own || kind > RANGE_SPECIAL)
		return REASON_SPECIAL_ADDRESS;
	if (p->mode == MODE_INTERNAL && nets_have(image_at(p, p->peers.at), p->peers.count, a))
		return REASON_ALLOWED;
	if (q->host.len && host_may_be_private(p, q, a))
		return REASON_ALLOWED;
	return REASON_SPECIAL_ADDRESS;
}

enum reason policy_address(const struct policy *p, const struct question *q,
			   const struct verdict *v, const struct place *place,
			   const struct addr *a)
{
	struct addr inner[ADDR_INSIDE_MAX];
	unsigned count = addr_inside(a, inner);
	enum reason reason;

	if (v->answer != ANSWER_ALLOW)
		return REASON_SPECIAL_ADDRESS;
	reason = judge(p, q, place, a);
	for (unsigned i = 0; i < count && reason == REASON_ALLOWED; i++)
		reason = judge(p, q, place, &inner[i]);
	return reason;
}

bool policy_proxied(const struct policy *p, const struct question *q)
{
	if (!p->upstream_proxy || p->mode == MODE_INTERNAL)
		return false;
	if (!q->host.len && range_of(&q->addr)->kind > RANGE_SPECIAL)
		return false;
	return !no_proxy_has(span_str(image_text(p, p->no_proxy)), q->host, &q->addr,
			     q->about == ABOUT_CONN ? q->port : 0);
}

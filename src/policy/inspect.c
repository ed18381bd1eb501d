/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/narrow.h"

static bool rule_is_closed(const struct policy *p, uint32_t rule)
{
	return more_is_closed(p, rule == RULE_NONE ? NULL : image_more(p, image_rule(p, rule)));
}

/* A rule that lets requests become websockets: which did, the log is to tell */
static bool rule_has_websockets(const struct policy *p, uint32_t rule)
{
	const struct image_more *m = rule == RULE_NONE ? NULL : image_more(p, image_rule(p, rule));

	return m && m->websocket;
}

bool policy_inspects(const struct policy *p, const struct question *q, struct verdict *v)
{
	struct question inside = *q;
	struct verdict opened;

	if (q->about != ABOUT_CONN || q->transport != TRANSPORT_TCP || q->seen != SEEN_TLS)
		return false;
	if (v->answer == ANSWER_ALLOW)
		return (p->inspect == INSPECT_ALWAYS || rule_has_websockets(p, v->rule)) &&
		       !rule_is_closed(p, v->rule);
	if (v->answer != ANSWER_DENY ||
	    (v->reason != REASON_INSPECTION_REQUIRED && v->reason != REASON_ECH))
		return false;
	/* the name that ECH hides shows in the request: its host must agree */
	inside.ech = false;
	inside.any_request = true;
	opened = policy_decide(p, &inside);
	if (opened.answer == ANSWER_ASK)
		*v = opened;
	if (opened.answer != ANSWER_ALLOW || rule_is_closed(p, opened.rule))
		return false;
	opened.depends = 0;
	*v = opened;
	return true;
}

bool policy_rule_passes(const struct policy *p, uint32_t rule, const struct question *q)
{
	const struct image_rule *r = image_rule(p, rule);
	struct match m;

	if (!(r->flags & RULE_ALLOW))
		return false;
	if (q->host.len)
		match_host(p, q->host, &m);
	else
		match_addr(p, &q->addr, &m);
	return rule_passes(p, r, &m, q);
}

/* A rule that lets TLS through where it can be opened */
static bool rule_opens(const struct rule_view *r)
{
	bool tcp = false;

	if (!r->allow || r->inspect == INSPECT_NEVER ||
	    (r->protocol != PROTOCOL_AUTO && r->protocol != PROTOCOL_TLS))
		return false;
	for (size_t i = 0; i < r->port_count; i++)
		tcp |= r->ports[i].transport == TRANSPORT_TCP;
	return tcp;
}

bool policy_may_inspect(const struct policy *p)
{
	enum mode mode = policy_mode(p);

	if (p->inspect == INSPECT_NEVER || mode == MODE_ISOLATED)
		return false;
	if (p->inspect == INSPECT_ALWAYS || p->asks || mode != MODE_FILTERED)
		return true;
	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		struct rule_view r = policy_rule(p, i);

		if (rule_opens(&r))
			return true;
	}
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lint.c - rules that do more, or less, than they seem to
 *
 * Whether a rule ever matches is found by asking policy_decide() for what it
 * allows: its name, or a stranger below it, at the first of each range of its
 * ports.  So what is told is what happens, and not what two texts look like.
 */
#include "policy/lint.h"

#include <stdarg.h>

#include "base/auto.h"
#include "policy/compare.h"
#include "policy/image.h"

#define TEXT_MAX 4096	/* bytes of one warning */
#define WIDE_V4 (96 + 16)	/* fewer bits of a network are many addresses */
#define WIDE_V6 48

struct asked {
	const struct lint	*lint;
	uint32_t		 rule;
	struct rule_view	 view;
	const struct image_rule	*image;
	char			 name[HOST_MAX + 1];	/* that stands for the rule's names */
};

static void warn(const struct asked *a, const char *fmt, ...) PRINTF(2, 3);

static void warn(const struct asked *a, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->lint->tell(a->lint->arg, a->rule, text);
}

/* ---- what opens more than it seems to ---- */

static void check_host(const struct asked *a)
{
	const struct lint *l = a->lint;
	const char *name = image_text(l->policy, a->image->name), *why;
	bool wild = a->image->form != FORM_EXACT;

	why = wild && l->shared ? l->shared(l->known, name) : NULL;
	if (why)
		warn(a, "strangers can have names below %s: %s", name, why);
	else if (!*name)
		warn(a, "every public host: data can go anywhere");
	else if (wild && host_is_suffix(name))
		warn(a, "strangers can have names below %s: it is a public suffix", name);
	why = l->leaks ? l->leaks(l->known, name) : NULL;
	if (why && !a->view.methods.count && !a->view.paths.count)
		warn(a, "data can be left with %s: %s", name, why);
	why = l->fronts ? l->fronts(l->known, name) : NULL;
	/* of what is looked into, the name is seen in each request */
	if (why && a->view.inspect != INSPECT_ALWAYS && !a->view.methods.count && !a->view.paths.count)
		warn(a, "the servers of %s answer for other names too, which a client may ask for "
		     "inside TLS: %s", name, why);
}

static bool net_is_v4(const struct net *n)
{
	return addr_is_v4(&n->base) && n->bits >= 96;
}

static void check_net(const struct asked *a)
{
	const struct net *n = &a->view.net;
	bool v4 = net_is_v4(n);

	if (n->bits < (v4 ? WIDE_V4 : WIDE_V6))
		warn(a, "a wide network: %s", v4 ? "more than 65536 addresses"
						    : "more than 65536 networks of a site each");
}

static void check_keys(const struct asked *a)
{
	if (a->view.protocol == PROTOCOL_TCP)
		warn(a, "protocol tcp is not looked at: whatever is said there, and to whichever "
		     "name, passes");
	if (a->view.ech)
		warn(a, "ech: allow lets the client hide which name it asks for");
}

/* ---- what does less than it seems to ---- */

static bool ranges_cover(const struct rule_view *wide, const struct rule_view *narrow)
{
	for (size_t i = 0; i < narrow->port_count; i++) {
		bool covered = false;

		for (size_t k = 0; k < wide->port_count && !covered; k++)
			covered = wide->ports[k].transport == narrow->ports[i].transport &&
				  wide->ports[k].first <= narrow->ports[i].first &&
				  narrow->ports[i].last <= wide->ports[k].last;
		if (!covered)
			return false;
	}
	return true;
}

static bool texts_has(const struct texts *t, const char *text)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (!strcmp(texts_at(t, i), text))
			return true;
	return false;
}

/* Of texts that narrow, and none do not: does @wide let pass all that @narrow does? */
static bool texts_cover(const struct texts *wide, const struct texts *narrow)
{
	for (uint32_t i = 0; i < narrow->count && wide->count; i++)
		if (!texts_has(wide, texts_at(narrow, i)))
			return false;
	return !wide->count || narrow->count;
}

static bool requests_cover(const struct rule_view *wide, const struct rule_view *narrow)
{
	return texts_cover(&wide->methods, &narrow->methods) &&
	       texts_cover(&wide->paths, &narrow->paths);
}

/* A rule that, besides requests, says nothing which another one could lack */
static bool says_no_more(const struct rule_view *v)
{
	return !v->expires_s && !v->rate.count &&
	       v->down_bps == AMOUNT_NONE && v->up_bps == AMOUNT_NONE &&
	       v->quota_down == AMOUNT_NONE && v->quota_up == AMOUNT_NONE &&
	       v->max_request == AMOUNT_NONE && !*v->credential_header && !*v->inject_header &&
	       v->inspect == INSPECT_AUTO && !v->ech && !v->websocket && !v->private;
}

static void find_rules(const struct asked *a, struct match *m)
{
	if (a->view.is_net)
		match_addr(a->lint->policy, &a->view.net.base, m);
	else
		match_host(a->lint->policy, span_str(a->name), m);
}

/* Another rule allows all that this one does.  Of two that say the same the later one is told of */
static void check_doubled(const struct asked *a)
{
	const struct policy *p = a->lint->policy;
	struct cursor c = { 0 };
	struct match m;
	uint32_t other;

	find_rules(a, &m);
	while (says_no_more(&a->view) && (other = match_next(p, &m, &c)) != RULE_NONE) {
		struct rule_view v = policy_rule(p, other);
		const struct image_rule *r = image_rule(p, other);
		bool same = r->form == a->image->form &&
			    (v.is_net ? r->net.bits == a->image->net.bits
				      : !strcmp(image_text(p, r->name),
						image_text(p, a->image->name)));

		/* a name itself that *.NAME or .NAME stands for is not all of it */
		if (other == a->rule || !v.allow || !says_no_more(&v) ||
		    v.protocol != a->view.protocol || !ranges_cover(&v, &a->view) ||
		    !requests_cover(&v, &a->view) ||
		    (same && ranges_cover(&a->view, &v) && requests_cover(&a->view, &v) &&
		     other > a->rule) ||
		    (v.is_net && (r->net.bits > a->image->net.bits || !rule_names_addr(r, &a->view.net.base))) ||
		    (a->image->form == FORM_BOTH && r->form != FORM_BOTH &&
		     !strcmp(image_text(p, r->name), image_text(p, a->image->name))))
			continue;
		warn(a, "rule %s allows all of this already", v.id);
		return;
	}
}

static struct verdict ask(const struct asked *a, const struct port_range *range)
{
	struct question q = {
		.about = ABOUT_CONN, .port = range->first, .transport = range->transport,
		.host = span_str(a->view.is_net ? "" : a->name), .addr = a->view.net.base,
		.now_s = a->lint->now_s, .any_request = true,
	};

	return policy_probe(a->lint->policy, &q);
}

static void check_shut(const struct asked *a)
{
	const struct policy *p = a->lint->policy;
	enum reason why = REASON_ALLOWED;
	uint32_t by = RULE_NONE;
	size_t shut = 0;

	for (size_t i = 0; i < a->view.port_count; i++) {
		struct verdict v = ask(a, &a->view.ports[i]);
		bool ours = v.reason == REASON_DENY_RULE || v.reason == REASON_CATEGORY ||
			    v.reason == REASON_HOST_LIST || v.reason == REASON_IP_LIST ||
			    v.reason == REASON_CEILING;

		if (v.answer != ANSWER_DENY || !ours)
			continue;
		why = v.reason;
		by = v.rule;
		shut++;
	}
	if (!shut)
		return;
	warn(a, "%s: %s %s", shut == a->view.port_count ? "never matches" : "matches on some ports only",
	     why == REASON_CEILING ? "it is outside of the ceiling" : "it is denied by",
	     why == REASON_CEILING || by == RULE_NONE ? reason_name(why) : policy_rule(p, by).id);
}

static void check_allow(const struct asked *a)
{
	if (a->view.expires_s && a->view.expires_s <= a->lint->now_s) {
		warn(a, "never matches: it has expired");
		return;
	}
	check_keys(a);
	if (a->view.is_net)
		check_net(a);
	else
		check_host(a);
	check_shut(a);
	check_doubled(a);
}

static void check_rule(const struct lint *l, uint32_t rule)
{
	struct asked a = { .lint = l, .rule = rule, .view = policy_rule(l->policy, rule),
			   .image = image_rule(l->policy, rule) };
	const char *name = image_text(l->policy, a.image->name);
	size_t label = a.image->form == FORM_EXACT ? 0 : strlen(l->stranger) + 1;

	/* below a name that is too long there is no other; and no dot before the root */
	if (label + strlen(name) > HOST_MAX)
		label = 0;
	memcpy(a.name, l->stranger, label ? label - 1 : 0);
	if (label && *name)
		a.name[label - 1] = '.';
	memcpy(a.name + label - (label && !*name), name, strlen(name) + 1);
	if (a.view.allow)
		check_allow(&a);
	else if (a.view.expires_s && a.view.expires_s <= l->now_s)
		warn(&a, "denies nothing any more: it has expired");
}

void policy_lint(const struct lint *l)
{
	for (uint32_t i = 0; i < policy_rule_count(l->policy); i++)
		check_rule(l, i);
}

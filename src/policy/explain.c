/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - a verdict in words
 *
 * A message is a template with {subject}, {port}, {type}, {list} and the names in `fields`;
 * nothing that came from the wire is repeated but the name that was asked for,
 * which is in normal form.
 */
#include "policy/explain.h"

#include "base/auto.h"
#include "base/dns_type.h"
#include "policy/image.h"
#include "policy/loader.h"
#include "policy/ports.h"
#include "policy/ranges.h"
#include "policy/units.h"

#define SHOWN_TEXTS 5	/* methods or paths of a rule that a message names */

static const struct {
	const char	*message;
	const char	*fixable;
} words[] = {
	[REASON_ALLOWED] = { "Rule {rule} allows {subject}", "nobody" },
	[REASON_ALLOWED_MONITOR] = { "{subject} passes and is logged (mode monitor)", "nobody" },
	[REASON_ALLOWED_APPROVED] = { "{subject} was approved", "nobody" },
	[REASON_NO_RULE] = { "No rule matches {subject} (default deny)", "user" },
	[REASON_DENY_RULE] = { "Rule {rule} denies {subject}{note}", "user" },
	[REASON_CATEGORY] = { "{subject} is in {list}{note}", "user" },
	[REASON_IP_LIST] = { "{subject} is or resolves to an address in {list}{note}", "user" },
	[REASON_HOST_LIST] = { "{subject} is in {list}{note}", "user" },
	[REASON_CEILING] = { "{subject} is outside the ceiling of the system's policy", "admin" },
	[REASON_MODE] = { "Mode {mode} allows {reach}", "user" },
	[REASON_PORT] = { "Rule {rule} allows {subject}, but not port {port}", "user" },
	[REASON_PROTOCOL] = { "Rule {rule} allows {subject}, but not this protocol on port {port}",
			      "user" },
	[REASON_METHOD] = { "Rule {rule} allows {subject}, but not {deed}", "user" },
	[REASON_PATH] = { "Rule {rule} allows {subject}, but not this path{paths}", "user" },
	[REASON_INSPECTION_REQUIRED] = { "Rule {rule} needs to see the requests to {subject}, and "
					 "they cannot be seen{blind}", "user" },
	[REASON_EXPIRED] = { "Rule {rule} for {subject} has expired{until}", "user" },
	[REASON_SPECIAL_ADDRESS] = { "{subject} is or resolves to a special-purpose address",
				     "user" },
	[REASON_IP_LITERAL] = { "No ip rule names the address {subject}", "user" },
	[REASON_DNS_TYPE] = { "Rule {rule} allows {subject}, but dns.types does not have {type}", "user" },
	[REASON_RESOLVE_FAILED] = { "{subject} could not be resolved", "nobody" },
	[REASON_UPSTREAM_FAILED] = { "{subject} could not be reached{through}", "nobody" },
	[REASON_SNI_MISSING] = { "The TLS client did not say that it wants {subject}", "nobody" },
	[REASON_SNI_MISMATCH] = { "The TLS client asked {subject} for another name", "nobody" },
	[REASON_HOST_MISMATCH] = { "The HTTP client asked {subject} for another host", "nobody" },
	[REASON_MALFORMED] = { "What the client sent to {subject} can be read in two ways",
			       "nobody" },
	[REASON_UNSUPPORTED] = { "What the client asked of {subject} is not supported{through}", "nobody" },
	[REASON_CREDENTIAL] = { "The credential is not the one that rule {rule} allows", "user" },
	[REASON_ECH] = { "The TLS client hides the name it wants from {subject} (ECH)", "nobody" },
	[REASON_RATE] = { "Too many requests to {subject} for rule {rule}", "user" },
	[REASON_QUOTA] = { "The quota of rule {rule} for {subject} is used up", "user" },
	[REASON_REQUEST_SIZE] = { "The request to {subject} is too large for rule {rule}", "user" },
	[REASON_LIMIT] = { "A limit of the session is reached", "user" },
	[REASON_APPROVAL_DENIED] = { "{subject} was asked for and rejected", "user" },
	[REASON_APPROVAL_TIMEOUT] = { "{subject} was asked for and nobody answered", "user" },
	[REASON_KILLED] = { "The session was ended", "nobody" },
};
_Static_assert(ARRAY_SIZE(words) == REASON_NUM, "words for each reason");

static void add_subject(struct buf *b, const struct question *q)
{
	char text[ADDR_TEXT_MAX];

	if (q->host.len)
		buf_add_span(b, q->host);
	else
		buf_add_str(b, addr_text(&q->addr, text));
}

static void add_type(struct buf *b, const struct question *q)
{
	char text[DNS_TYPE_TEXT_MAX];

	buf_add_str(b, dns_type_text(q->dns_type, text));
}

static void add_rule(struct buf *b, const struct policy *p, const struct verdict *v)
{
	if (v->rule == RULE_NONE)
		buf_add_str(b, "(none)");
	else
		buf_add_str(b, policy_rule(p, v->rule).id);
}

static bool is_rule(void *arg, uint32_t rule)
{
	return rule == *(const uint32_t *)arg;
}

/* "category file_sharing (paste_sites)": as the rule names it, and what it takes in */
static void add_list(struct buf *b, const struct policy *p, const struct question *q,
		     const struct verdict *v)
{
	const struct image_list *list = NULL;
	const struct image_rule *r = v->rule == RULE_NONE ? NULL : image_rule(p, v->rule);

	if (!r || !form_is_list(r->form)) {
		buf_add_str(b, "a denied list");
		return;
	}
	buf_printf(b, "%s %s", reason_name(listed_reason(r)), image_text(p, r->host));
	if (r->form == FORM_CATEGORY && q->host.len &&
	    listed_host(p, q->host, is_rule, (void *)(uintptr_t)&v->rule, &list) == v->rule &&
	    strcmp(image_text(p, list->name), image_text(p, r->host)) != 0)
		buf_printf(b, " (%s)", image_text(p, list->name));
}

static void add_note(struct buf *b, const struct policy *p, const struct verdict *v)
{
	const char *note = v->rule == RULE_NONE ? "" : policy_rule(p, v->rule).note;

	if (*note)
		buf_printf(b, ": %s", note);
}

/* " (it allows GET, POST)"; of a long list the beginning */
static void add_texts(struct buf *b, const struct texts *t)
{
	for (uint32_t i = 0; i < t->count && i < SHOWN_TEXTS; i++)
		buf_printf(b, "%s%.80s", i ? ", " : " (it allows ", texts_at(t, i));
	if (t->count)
		buf_add_str(b, t->count > SHOWN_TEXTS ? " ...)" : ")");
}

/* Does a rule before @end with the id and the host of @of have it? */
static bool is_said(const struct policy *p, uint32_t end, const struct rule_view *of,
		    const char *method)
{
	for (uint32_t i = 0; i < end; i++) {
		struct rule_view r = policy_rule(p, i);

		for (uint32_t k = 0; !strcmp(r.id, of->id) && !strcmp(r.host, of->host) &&
		     k < r.methods.count; k++)
			if (!strcmp(texts_at(&r.methods, k), method))
				return true;
	}
	return false;
}

/* Of a host that a preset reads with some kinds of requests, those of all its rules */
static void add_methods(struct buf *b, const struct policy *p, const struct verdict *v)
{
	struct rule_view of;
	unsigned count = 0;

	if (v->rule == RULE_NONE)
		return;
	of = policy_rule(p, v->rule);
	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		struct rule_view r = policy_rule(p, i);

		if (strcmp(r.id, of.id) != 0 || strcmp(r.host, of.host) != 0)
			continue;
		for (uint32_t k = 0; k < r.methods.count; k++)
			if (!is_said(p, i, &of, texts_at(&r.methods, k)) && count++ < SHOWN_TEXTS)
				buf_printf(b, "%s%.80s", count == 1 ? " (it allows " : ", ",
					   texts_at(&r.methods, k));
	}
	if (count)
		buf_add_str(b, count > SHOWN_TEXTS ? " ...)" : ")");
}

static void add_paths(struct buf *b, const struct policy *p, const struct verdict *v)
{
	struct rule_view r;

	if (v->rule == RULE_NONE)
		return;
	r = policy_rule(p, v->rule);
	add_texts(b, &r.paths);
}

/* " at 2027-02-01T00:00:00Z" */
static void add_until(struct buf *b, const struct policy *p, const struct verdict *v)
{
	int64_t s = v->rule == RULE_NONE ? 0 : policy_rule(p, v->rule).expires_s;
	char text[TIME_TEXT_MAX];

	if (s)
		buf_printf(b, " at %s", units_time(s, text));
}

static void add_reach(struct buf *b, const struct policy *p, const struct verdict *v)
{
	(void)v;
	buf_add_str(b, policy_mode(p) == MODE_INTERNAL ? "nothing but its peers, by address"
						       : "no network");
}

static void add_mode(struct buf *b, const struct policy *p, const struct verdict *v)
{
	(void)v;
	buf_add_str(b, mode_name(policy_mode(p)));
}

/* What a template may name besides the subject and the port */
static const struct {
	const char	*name;
	void		(*add)(struct buf *b, const struct policy *p, const struct verdict *v);
} fields[] = {
	{ "mode", add_mode }, { "rule", add_rule }, { "note", add_note }, { "reach", add_reach },
	{ "paths", add_paths }, { "until", add_until },
};

/* What the proxy on the way has to do with it */
static void add_through(struct buf *b, const struct policy *p, const struct question *q)
{
	if (q->tls_words.len)
		buf_printf(b, " safely: " SPAN_FMT, SPAN_ARG(q->tls_words));
	if (q->tls_words.len || !policy_proxied(p, q))
		return;
	if (q->transport == TRANSPORT_UDP) {
		buf_add_str(b, ": UDP cannot go through upstream_proxy");
		return;
	}
	buf_add_str(b, " through upstream_proxy");
	if (q->proxy_status)
		buf_printf(b, ", which answered %u%s", q->proxy_status, q->port == 443 ? "" :
			   " (some take CONNECT to port 443 only)");
}

/* The first request of a push has a method that may well be allowed */
static void add_deed(struct buf *b, const struct policy *p, const struct question *q,
		     const struct verdict *v)
{
	buf_add_str(b, q->pushes ? "a push" : "this method");
	if (!q->pushes)
		add_methods(b, p, v);
}

/* What would let it be seen */
static void add_blind(struct buf *b, const struct policy *p, const struct question *q,
		      const struct verdict *v)
{
	bool never = v->rule != RULE_NONE && policy_rule(p, v->rule).inspect == INSPECT_NEVER;

	if (q->seen != SEEN_TLS && q->seen != SEEN_NOT_YET)
		return;
	if (p->inspect == INSPECT_NEVER)
		buf_add_str(b, " (without --no-inspect they can)");
	else if (never)
		buf_add_str(b, " (without inspect: never they can)");
}

static void add_field(struct buf *b, const struct policy *p, const struct question *q,
		      const struct verdict *v, struct span name)
{
	if (span_eq(name, SPAN("subject")))
		add_subject(b, q);
	else if (span_eq(name, SPAN("port")))
		buf_printf(b, "%u%s", q->port, q->transport == TRANSPORT_UDP ? "/udp" : "");
	else if (span_eq(name, SPAN("list")))
		add_list(b, p, q, v);
	else if (span_eq(name, SPAN("deed")))
		add_deed(b, p, q, v);
	else if (span_eq(name, SPAN("blind")))
		add_blind(b, p, q, v);
	else if (span_eq(name, SPAN("through")))
		add_through(b, p, q);
	else if (span_eq(name, SPAN("type")))
		add_type(b, q);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (span_eq(name, span_str(fields[i].name)))
			fields[i].add(b, p, v);
}

void explain_message(struct buf *b, const struct policy *p, const struct question *q,
		     const struct verdict *v)
{
	struct span rest = span_str(words[v->reason].message);

	while (rest.len) {
		ptrdiff_t open = span_find(rest, '{');
		struct span word;

		if (open < 0) {
			buf_add_span(b, rest);
			return;
		}
		buf_add_span(b, span_head(rest, (size_t)open));
		rest = span_skip(rest, (size_t)open + 1);
		word = span_head(rest, (size_t)span_find(rest, '}'));
		rest = span_skip(rest, word.len + 1);
		add_field(b, p, q, v, word);
	}
}

/* "--allow HOST:PORT"; ports that a rule has anyway are left out unless @always */
static bool suggest_host(struct buf *b, struct span host, uint16_t port, enum transport t,
			 bool always)
{
	bool usual = t == TRANSPORT_TCP && (port == 443 || port == 80 || !port);

	buf_printf(b, "--allow " SPAN_FMT, SPAN_ARG(host));
	if (port && (always || !usual))
		buf_printf(b, ":%u%s", port, t == TRANSPORT_UDP ? "/udp" : "");
	return true;
}

static bool suggest_addr(struct buf *b, const struct addr *a, uint16_t port, enum transport t)
{
	char text[ADDR_TEXT_MAX];
	bool v4 = addr_is_v4(a);

	if (!port)
		return false;
	buf_printf(b, "--allow %s%s%s:%u%s", v4 ? "" : "[", addr_text(a, text), v4 ? "" : "]", port,
		   t == TRANSPORT_UDP ? "/udp" : "");
	return true;
}

/* The network that an allowed host may resolve into; not what an ip rule must name */
static bool suggest_network(struct buf *b, struct span host, const struct addr *a)
{
	const struct range *range = range_of(a);
	struct net n = { *a, 128 };
	char text[NET_TEXT_MAX];

	/* public, and yet refused: of a network of this machine */
	if (range->kind == RANGE_SPECIAL)
		n = range->net;
	buf_printf(b, "--private-network " SPAN_FMT "=%s", SPAN_ARG(host), net_text(&n, text));
	return true;
}

/*
 * For a port that the rule knows but not for this protocol: the rule that says
 * so, in YAML, since no flag does
 */
static bool suggest_protocol(struct buf *b, struct span host, uint16_t port, enum transport t)
{
	bool udp = t == TRANSPORT_UDP;

	buf_printf(b, "allow: [{host: " SPAN_FMT ", ports: [%u%s], protocol: %s}]", SPAN_ARG(host),
		   port, udp ? "/udp" : "", udp ? "udp" : "tcp");
	return true;
}

struct span explain_preset(struct span rule_id)
{
	static const struct span before = SPAN("preset:");
	struct span name = span_skip(rule_id, before.len);
	size_t len = 0;

	while (len < name.len && name.at[len] != ':' && name.at[len] != '[')
		len++;
	/* ids that users give have no brackets */
	if (!span_starts(rule_id, before) || !span_ends(name, SPAN("]")) ||
	    !preset_name_is_good(span_head(name, len)))
		return SPAN("");
	return span_head(name, len);
}

bool explain_suggest(struct buf *b, enum reason reason, struct span preset, struct span host,
		     const struct addr *a, uint16_t port, enum transport transport)
{
	bool address = reason == REASON_SPECIAL_ADDRESS || reason == REASON_IP_LITERAL;

	/* names and ports that no rule may have */
	if (host_is_own(host) || port_is_own(port))
		return false;
	/* a metadata service or loopback is not for one line to open */
	if (address && (!a || range_of(a)->kind > RANGE_SPECIAL))
		return false;
	if (!host.len && (address || reason == REASON_PORT))
		return a && suggest_addr(b, a, port, transport);
	if (!host.len)
		return false;
	/* a preset means reading, and has a name for the rest */
	if (preset.len && (reason == REASON_METHOD || reason == REASON_PATH ||
			   reason == REASON_INSPECTION_REQUIRED))
		return buf_printf(b, "--preset " SPAN_FMT ":write", SPAN_ARG(preset));
	/* what a rule narrows (method, path ...) is for its author to widen, not for one flag */
	if (reason == REASON_NO_RULE || reason == REASON_PORT || reason == REASON_EXPIRED)
		return suggest_host(b, host, port, transport, reason == REASON_PORT);
	if (reason == REASON_PROTOCOL)
		return suggest_protocol(b, host, port, transport);
	return address && suggest_network(b, host, a);
}

bool explain_suggest_type(struct buf *b, const struct policy *p, uint16_t dns_type)
{
	uint32_t types = p->dns_types | dns_type_bit(dns_type);
	const char *before = "dns: {types: [";
	char text[DNS_TYPE_TEXT_MAX];

	if (types == p->dns_types)
		return false;
	for (unsigned i = 0; dns_type_open(i); i++) {
		if (!(types & dns_type_bit(dns_type_open(i))))
			continue;
		buf_printf(b, "%s%s", before, dns_type_text(dns_type_open(i), text));
		before = ", ";
	}
	buf_add_str(b, "]}");
	return true;
}

const char *explain_fixable(const struct policy *p, const struct verdict *v)
{
	bool by_rule = v->reason == REASON_DENY_RULE || v->reason == REASON_INSPECTION_REQUIRED ||
		       v->reason == REASON_CATEGORY || v->reason == REASON_HOST_LIST ||
		       v->reason == REASON_IP_LIST;

	if (by_rule && v->rule != RULE_NONE && !policy_rule(p, v->rule).allow &&
	    policy_rule(p, v->rule).layer == LAYER_SYSTEM)
		return "admin";
	if (v->reason == REASON_MODE && p->mode_layer == LAYER_SYSTEM)
		return "admin";
	return words[v->reason].fixable;
}

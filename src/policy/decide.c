/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide.c - the one function that judges
 *
 * What holds for the question as a whole comes first: malformed, mode, deny
 * rules.  Then each allow rule that matches the host judges alone and gets as
 * far as it gets (enum stage); the one that came furthest decides, and of
 * several the most specific, which comes first.  So rules are a set, a rule
 * more never denies more, and the reason of a denial is what stopped the rule
 * that nearly let it pass.
 *
 * What a rule wants to see on a port, and what was seen, meet in a table
 * (fits).  Whether what was seen names the right host (`bound`) is the same for
 * all rules, and counts only for those that look.
 */
#include "policy/image.h"

#include "base/auto.h"
#include "policy/ranges.h"

/* How far a question came with a rule */
enum stage {
	STAGE_HOST,		/* no rule matches it */
	STAGE_PORT,		/* stopped by the port */
	STAGE_PROTOCOL,		/* by what was seen */
	STAGE_BOUND,		/* by the name that was seen */
	STAGE_NEED,		/* nothing seen yet, and it must be */
	STAGE_WATCH,		/* passes, but what the client says is to be looked at */
	STAGE_PASS,
};

/* What a rule lets a port carry */
enum carries {
	CARRIES_ANY,		/* not looked at */
	CARRIES_TLS,
	CARRIES_HTTP,
	CARRIES_BOUND,		/* anything; TLS and HTTP are bound to the name */
	CARRIES_DATAGRAMS,	/* anything but QUIC */
	CARRIES_NUM
};

enum fit { FIT_NO, FIT_PASS, FIT_WATCH, FIT_NEED, FIT_BOUND };

static const enum fit fits[CARRIES_NUM][SEEN_MALFORMED + 1] = {
	[CARRIES_ANY] = {
		[SEEN_NOT_YET] = FIT_PASS, [SEEN_OTHER] = FIT_PASS, [SEEN_TLS] = FIT_PASS,
		[SEEN_HTTP] = FIT_PASS, [SEEN_UPGRADE] = FIT_PASS, [SEEN_QUIC] = FIT_PASS,
	},
	[CARRIES_TLS] = { [SEEN_NOT_YET] = FIT_NEED, [SEEN_TLS] = FIT_BOUND },
	[CARRIES_HTTP] = { [SEEN_NOT_YET] = FIT_NEED, [SEEN_HTTP] = FIT_BOUND },
	[CARRIES_BOUND] = {
		[SEEN_NOT_YET] = FIT_WATCH, [SEEN_OTHER] = FIT_PASS,
		[SEEN_TLS] = FIT_BOUND, [SEEN_HTTP] = FIT_BOUND,
	},
	[CARRIES_DATAGRAMS] = { [SEEN_NOT_YET] = FIT_WATCH, [SEEN_OTHER] = FIT_PASS },
};

static enum carries rule_carries(const struct image_rule *r, const struct question *q)
{
	switch ((enum protocol)r->protocol) {
	case PROTOCOL_TLS:
		return CARRIES_TLS;
	case PROTOCOL_HTTP:
		return CARRIES_HTTP;
	case PROTOCOL_TCP:
	case PROTOCOL_UDP:
		return CARRIES_ANY;
	case PROTOCOL_AUTO:
		break;
	}
	if (q->transport == TRANSPORT_UDP)
		return CARRIES_DATAGRAMS;
	if (q->port == 443)
		return CARRIES_TLS;
	return q->port == 80 ? CARRIES_HTTP : CARRIES_BOUND;
}

static enum stage rule_stage(const struct policy *p, const struct image_rule *r,
			     const struct question *q, enum reason bound)
{
	static const enum stage stages[] = {
		[FIT_NO] = STAGE_PROTOCOL, [FIT_PASS] = STAGE_PASS,
		[FIT_WATCH] = STAGE_WATCH, [FIT_NEED] = STAGE_NEED,
	};
	enum fit fit;

	/* what narrows a rule is judged in the next step; until then it opens nothing */
	if (r->more)
		return STAGE_HOST;
	if (!rule_has_port(p, r, q))
		return STAGE_PORT;
	if (q->about == ABOUT_NAME)
		return STAGE_PASS;
	fit = fits[rule_carries(r, q)][q->seen];
	if (fit == FIT_BOUND)
		return bound == REASON_ALLOWED ? STAGE_PASS : STAGE_BOUND;
	return stages[fit];
}

/* Is @wire, from SNI or Host, the text of the address? */
static bool wire_is_addr(struct span wire, const struct addr *a)
{
	struct addr seen;

	if (wire.len > 2 && wire.at[0] == '[' && wire.at[wire.len - 1] == ']')
		wire = span_head(span_skip(wire, 1), wire.len - 2);
	return addr_parse(wire, &seen) && addr_eq(&seen, a);
}

/*
 * Does a name that was seen agree with where the connection goes?  An address
 * has no name to agree with, so there any name does; but another address, or
 * what is no name at all, does not.
 */
static bool wire_agrees(const struct question *q, struct span wire)
{
	char name[HOST_MAX + 1];

	if (q->host.len)
		return host_same(wire, q->host);
	return wire_is_addr(wire, &q->addr) || host_normal_wire(wire, name);
}

static enum reason bound_judge(const struct question *q)
{
	if (q->seen == SEEN_TLS) {
		if (q->ech)
			return REASON_ECH;
		if (!q->has_sni)
			return q->host.len ? REASON_SNI_MISSING : REASON_ALLOWED;
		return wire_agrees(q, q->sni) ? REASON_ALLOWED : REASON_SNI_MISMATCH;
	}
	if (q->seen == SEEN_HTTP && q->http_port && q->http_port != q->port)
		return REASON_HOST_MISMATCH;
	if (q->seen == SEEN_HTTP && (q->host.len || q->http_host.len))
		return wire_agrees(q, q->http_host) ? REASON_ALLOWED : REASON_HOST_MISMATCH;
	return REASON_ALLOWED;
}

bool rule_passes(const struct policy *p, const struct image_rule *r, const struct question *q)
{
	return rule_stage(p, r, q, bound_judge(q)) >= STAGE_WATCH;
}

static struct verdict deny(enum reason reason, uint32_t rule)
{
	return (struct verdict){ .answer = ANSWER_DENY, .reason = reason, .rule = rule };
}

/* The deny rule that holds for the name a client gave on a connection to an address */
static uint32_t wire_denied(const struct policy *p, const struct question *q)
{
	struct span wire = { 0 };
	char name[HOST_MAX + 1];
	struct match m;

	if (q->seen == SEEN_TLS && q->has_sni)
		wire = q->sni;
	else if (q->seen == SEEN_HTTP)
		wire = q->http_host;
	if (!host_normal_wire(wire, name))
		return RULE_NONE;
	match_host(p, span_str(name), &m);
	return match_denied(p, &m, q);
}

/* The deny rule that holds for the address, an address inside it, or the name a client gave */
static uint32_t literal_denied(const struct policy *p, const struct match *m,
			       const struct question *q)
{
	struct addr inner[ADDR_INSIDE_MAX];
	unsigned count = addr_inside(&q->addr, inner);
	uint32_t rule = match_denied(p, m, q);

	for (unsigned i = 0; i < count && rule == RULE_NONE; i++) {
		struct match inside;

		match_addr(p, &inner[i], &inside);
		rule = match_denied(p, &inside, q);
	}
	return rule != RULE_NONE ? rule : wire_denied(p, q);
}

/* The reason if no allow rule matches */
static enum reason unmatched(const struct question *q)
{
	struct addr inner[ADDR_INSIDE_MAX];
	unsigned count;

	if (q->host.len)
		return REASON_NO_RULE;
	if (range_of(&q->addr)->kind != RANGE_PUBLIC)
		return REASON_SPECIAL_ADDRESS;
	count = addr_inside(&q->addr, inner);
	for (unsigned i = 0; i < count; i++)
		if (range_of(&inner[i])->kind != RANGE_PUBLIC)
			return REASON_SPECIAL_ADDRESS;
	return REASON_IP_LITERAL;
}

static struct verdict verdict_of(enum stage stage, enum reason bound, struct verdict v)
{
	switch (stage) {
	case STAGE_HOST:
		break;
	case STAGE_PORT:
		v.reason = REASON_PORT;
		break;
	case STAGE_PROTOCOL:
		v.reason = REASON_PROTOCOL;
		break;
	case STAGE_BOUND:
		v.reason = bound;
		break;
	case STAGE_NEED:
		v.answer = ANSWER_NEED;
		break;
	case STAGE_WATCH:
	case STAGE_PASS:
		v.answer = ANSWER_ALLOW;
		v.reason = REASON_ALLOWED;
		v.watch = stage == STAGE_WATCH;
		break;
	}
	if (stage != STAGE_NEED)
		v.need = 0;
	return v;
}

static struct verdict allow_judge(const struct policy *p, const struct match *m,
				  const struct question *q)
{
	struct verdict v = deny(unmatched(q), RULE_NONE);
	enum reason bound = bound_judge(q);
	enum stage best = STAGE_HOST, stage;
	struct cursor c = { 0 };
	uint32_t rule;

	while ((rule = match_next(p, m, &c)) != RULE_NONE) {
		const struct image_rule *r = image_rule(p, rule);

		if (!(r->flags & RULE_ALLOW))
			continue;
		if (!q->host.len && !rule_names_addr(r, &q->addr))
			continue;
		stage = rule_stage(p, r, q, bound);
		if (stage == STAGE_NEED)
			v.need |= rule_carries(r, q) == CARRIES_TLS ? NEED_TLS : NEED_HTTP;
		if (stage > best) {
			best = stage;
			v.rule = rule;
		}
	}
	return verdict_of(best, bound, v);
}

struct verdict policy_decide(const struct policy *p, const struct question *q)
{
	struct match m;
	uint32_t rule;

	if (q->seen == SEEN_MALFORMED)
		return deny(REASON_MALFORMED, RULE_NONE);
	if (p->mode == MODE_ISOLATED || p->mode == MODE_INTERNAL)
		return deny(REASON_MODE, RULE_NONE);
	if (p->has_ceiling)
		return deny(REASON_CEILING, RULE_NONE);
	if (q->host.len) {
		match_host(p, q->host, &m);
		rule = match_denied(p, &m, q);
	} else {
		match_addr(p, &q->addr, &m);
		rule = literal_denied(p, &m, q);
	}
	if (rule != RULE_NONE)
		return deny(REASON_DENY_RULE, rule);
	return allow_judge(p, &m, q);
}

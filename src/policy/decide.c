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
 * Categories and lists are broad.  For what one of them holds only those allow
 * rules are left that name the host exactly and are of the same or a stronger
 * layer; if there is none, the list is the reason.
 *
 * What a rule wants to see on a port, and what was seen, meet in a table
 * (fits).  Whether what was seen names the right host (`bound`) is the same for
 * all rules, and counts only for those that look.
 *
 * A rule that says something of requests needs them seen: where they are not
 * (TLS, or a protocol that is not looked at) it stops at `unseen`.  A deny rule
 * of that kind holds where it is seen to, and where it cannot be seen what
 * would pass does not.
 *
 * With `default: ask` a name that no rule matches is judged as by a rule for its host and port
 * (asked_judge), ceiling and all; only what that would let pass is asked about, or was approved.
 *
 * The ceiling is a second set of rules, judged like the first.  A rule of a
 * layer below the system's gets no further than the ceiling does; so does what
 * a mode lets pass.
 */
#include "policy/narrow.h"

#include "base/auto.h"
#include "base/dns_type.h"
#include "policy/ports.h"
#include "policy/ranges.h"

/* How far a question came with a rule */
enum stage {
	STAGE_HOST,		/* no rule matches it */
	STAGE_EXPIRED,		/* the rule is over */
	STAGE_PORT,		/* stopped by the port */
	STAGE_PROTOCOL,		/* by what was seen */
	STAGE_ECH,		/* the client hides the name it wants */
	STAGE_BOUND,		/* by the name that was seen */
	STAGE_UNSEEN,		/* the request must be seen, and cannot be */
	STAGE_METHOD,
	STAGE_PATH,
	STAGE_DOUBT,		/* the path has two readings, and not both would pass */
	STAGE_CREDENTIAL,
	STAGE_SIZE,		/* the body is too large */
	STAGE_CEILING,		/* the rule lets it pass, the ceiling does not */
	STAGE_NEED,		/* nothing seen yet, and it must be */
	STAGE_WATCH,		/* passes, but what the client says is to be looked at */
	STAGE_PASS,
	STAGE_NUM
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

static enum carries protocol_carries(enum protocol protocol, const struct question *q)
{
	switch (protocol) {
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

/* A ceiling bounds the protocol only if it names one */
static enum carries rule_carries(const struct image_rule *r, const struct question *q)
{
	if ((r->flags & RULE_CEILING) && r->protocol == PROTOCOL_AUTO)
		return CARRIES_ANY;
	return protocol_carries((enum protocol)r->protocol, q);
}

/* @m: what the rule says besides, or NULL */
static enum stage fit_stage(enum carries carries, const struct case_of *c,
			    const struct image_more *m)
{
	static const enum stage stages[] = {
		[FIT_NO] = STAGE_PROTOCOL, [FIT_PASS] = STAGE_PASS,
		[FIT_WATCH] = STAGE_WATCH, [FIT_NEED] = STAGE_NEED,
	};
	enum seen seen = c->q->seen;
	enum fit fit;

	if (seen == SEEN_UPGRADE && c->q->websocket && m && m->websocket)
		seen = SEEN_HTTP;
	/* what was seen inside of TLS: to whoever wants to see TLS it is that */
	if (seen == SEEN_HTTP && c->q->inspected && carries == CARRIES_TLS)
		seen = SEEN_TLS;
	else if (seen == SEEN_HTTP && c->q->inspected && carries == CARRIES_HTTP)
		return STAGE_PROTOCOL;
	fit = fits[carries][seen];
	if (fit != FIT_BOUND)
		return stages[fit];
	if (c->q->seen == SEEN_TLS && c->q->ech && !(m && m->ech))
		return STAGE_ECH;
	return c->bound == REASON_ALLOWED ? STAGE_PASS : STAGE_BOUND;
}

/* The request is known: does it suit the rule? */
static enum stage request_stage(const struct policy *p, const struct image_more *m,
				const struct case_of *c)
{
	static const enum stage of_path[] = {
		[PATH_NO] = STAGE_PATH, [PATH_YES] = STAGE_PASS, [PATH_UNSURE] = STAGE_DOUBT,
	};
	enum stage stage;

	if (m->inject_header && !c->q->inspected)
		return STAGE_PROTOCOL;
	if (!more_has_method(p, m, c->q))
		return STAGE_METHOD;
	stage = of_path[more_path(p, m, &c->path)];
	if (stage != STAGE_PASS)
		return stage;
	if (!c->q->any_credential && !more_has_credential(p, m, c->q))
		return STAGE_CREDENTIAL;
	return c->q->body_bytes > m->max_request ? STAGE_SIZE : STAGE_PASS;
}

/*
 * How far what the rule says of requests lets it come that came as far as @stage.
 * What is inside of TLS can be seen with inspection, unless the rule says never.
 */
static enum stage more_stage(const struct policy *p, const struct image_more *m,
			     enum carries carries, const struct case_of *c, enum stage stage)
{
	const struct question *q = c->q;
	bool tls = q->seen == SEEN_TLS || q->inspected, looked = carries != CARRIES_ANY;
	bool closed = more_is_closed(p, m);

	if (stage <= STAGE_NEED)
		return stage;
	if (m->inspect == INSPECT_ALWAYS && (q->seen == SEEN_TLS || !looked))
		return q->any_request && looked && !closed ? stage : STAGE_UNSEEN;
	/* elsewhere a connection counts as one request; inside of TLS there may be thousands */
	if (m->rate.count && q->seen == SEEN_TLS && !q->any_request)
		return STAGE_UNSEEN;
	if (!more_needs_http(m))
		return m->rate.count && tls && closed ? STAGE_UNSEEN : stage;
	if (!looked || q->transport == TRANSPORT_UDP || (tls && closed))
		return STAGE_UNSEEN;
	if (c->is_http && !q->any_request)
		return request_stage(p, m, c);
	if (q->any_request && (c->is_http || tls))
		return m->inject_header && !tls ? STAGE_PROTOCOL : stage;
	return q->seen == SEEN_NOT_YET ? STAGE_NEED : STAGE_UNSEEN;
}

static enum stage rule_stage(const struct policy *p, const struct image_rule *r,
			     const struct case_of *c)
{
	const struct image_more *m = image_more(p, r);
	enum carries carries = rule_carries(r, c->q);
	enum stage stage;

	if (rule_is_over(p, r, c->q->now_s))
		return STAGE_EXPIRED;
	if (!rule_has_port(p, r, c->q))
		return STAGE_PORT;
	if (c->q->about == ABOUT_NAME)
		return STAGE_PASS;
	stage = fit_stage(carries, c, m);
	/* what a ceiling bounds is looked at where the ceiling says which requests */
	if ((r->flags & RULE_CEILING) && carries == CARRIES_ANY)
		carries = CARRIES_BOUND;
	return m ? more_stage(p, m, carries, c, stage) : stage;
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

static enum reason bound_judge(const struct question *q, bool is_http)
{
	if (q->seen == SEEN_TLS) {
		if (!q->has_sni)
			return q->host.len ? REASON_SNI_MISSING : REASON_ALLOWED;
		return wire_agrees(q, q->sni) ? REASON_ALLOWED : REASON_SNI_MISMATCH;
	}
	if (is_http && q->http_port && q->http_port != q->port)
		return REASON_HOST_MISMATCH;
	if (is_http && (q->host.len || q->http_host.len))
		return wire_agrees(q, q->http_host) ? REASON_ALLOWED : REASON_HOST_MISMATCH;
	return REASON_ALLOWED;
}

void case_open(struct case_of *c, const struct question *q)
{
	c->q = q;
	c->is_http = q->seen == SEEN_HTTP || (q->seen == SEEN_UPGRADE && q->websocket);
	c->bound = bound_judge(q, c->is_http);
	c->path.kind = PATH_OTHER;
	if (c->is_http)
		path_normal(q->path, &c->path);
}

static struct verdict deny(enum reason reason, uint32_t rule)
{
	return (struct verdict){ .answer = ANSWER_DENY, .reason = reason, .rule = rule };
}

/* ---- deny rules ---- */

/* What the deny rules say, the first of each kind */
struct denial {
	uint32_t	yes, doubt, unseen;	/* a rule, or RULE_NONE */
	bool		hangs;
};

/* Of a deny rule whose subject matches.  Return: does it hold? */
static bool deny_note(struct denial *d, const struct policy *p, const struct case_of *c,
		      uint32_t rule)
{
	enum hold hold = deny_holds(p, image_rule(p, rule), c);

	if (hold == HOLD_DOUBT && d->doubt == RULE_NONE)
		d->doubt = rule;
	else if (hold == HOLD_UNSEEN && d->unseen == RULE_NONE)
		d->unseen = rule;
	d->hangs |= hold == HOLD_HANGS;
	return hold == HOLD_YES;
}

static void deny_judge(const struct policy *p, const struct match *m, const struct case_of *c,
		       struct denial *d)
{
	struct cursor at = { 0 };
	uint32_t rule;

	while (d->yes == RULE_NONE && (rule = match_next(p, m, &at)) != RULE_NONE)
		if (deny_note(d, p, c, rule))
			d->yes = rule;
}

/* The name that a client gave on a connection; empty if it gave none */
static struct span wire_name(const struct case_of *c)
{
	if (c->q->seen == SEEN_TLS && c->q->has_sni)
		return c->q->sni;
	return c->is_http ? c->q->http_host : (struct span){ 0 };
}

/* The deny rules for the name a client gave on a connection to an address */
static void wire_deny_judge(const struct policy *p, const struct case_of *c, struct denial *d)
{
	char name[HOST_MAX + 1];
	struct match m;

	if (!host_normal_wire(wire_name(c), name))
		return;
	match_host(p, span_str(name), &m);
	deny_judge(p, &m, c, d);
}

/* Those for the address, an address inside it, or the name a client gave */
static void literal_deny_judge(const struct policy *p, const struct match *m,
			       const struct case_of *c, struct denial *d)
{
	struct addr inner[ADDR_INSIDE_MAX];
	unsigned count = addr_inside(&c->q->addr, inner);

	deny_judge(p, m, c, d);
	for (unsigned i = 0; i < count; i++) {
		struct match inside;

		match_addr(p, &inner[i], &inside);
		deny_judge(p, &inside, c, d);
	}
	wire_deny_judge(p, c, d);
}

/* ---- lists ---- */

struct listing {
	const struct policy	*p;
	const struct case_of	*c;
	struct denial		*d;
};

/* Of two rules about lists the one that fewer allow rules beat; either may be RULE_NONE */
static uint32_t stronger(const struct policy *p, uint32_t a, uint32_t b)
{
	if (a == RULE_NONE || b == RULE_NONE)
		return a == RULE_NONE ? b : a;
	return image_rule(p, b)->layer < image_rule(p, a)->layer ? b : a;
}

static bool list_holds(void *arg, uint32_t rule)
{
	const struct listing *l = arg;
	struct denial one = { RULE_NONE, RULE_NONE, RULE_NONE, false };
	bool holds = deny_note(&one, l->p, l->c, rule);

	l->d->doubt = stronger(l->p, l->d->doubt, one.doubt);
	l->d->unseen = stronger(l->p, l->d->unseen, one.unseen);
	l->d->hangs |= one.hangs;
	return holds;
}

/* The rule about a list that the host is in, or the address, or an address inside it */
static uint32_t subject_listed(const struct policy *p, const struct case_of *c, struct denial *d)
{
	struct addr inner[ADDR_INSIDE_MAX];
	struct listing l = { p, c, d };
	unsigned count;
	uint32_t rule;

	if (c->q->host.len)
		return listed_host(p, c->q->host, list_holds, &l, NULL);
	count = addr_inside(&c->q->addr, inner);
	rule = listed_addr(p, &c->q->addr, list_holds, &l);
	for (unsigned i = 0; i < count; i++)
		rule = stronger(p, rule, listed_addr(p, &inner[i], list_holds, &l));
	return rule;
}

bool rule_beats_list(const struct policy *p, const struct image_rule *r, uint32_t listed)
{
	return (r->flags & RULE_ALLOW) && !(r->flags & RULE_UNDER_LISTS) && rule_is_exact(r) &&
	       r->layer <= image_rule(p, listed)->layer;
}

/* The rule about a list that the name a client gave on a connection to an address is in */
static uint32_t wire_listed(const struct policy *p, const struct case_of *c, struct denial *d)
{
	struct listing l = { p, c, d };
	struct cursor at = { 0 };
	char name[HOST_MAX + 1];
	struct match m;
	uint32_t listed, rule;

	if (c->q->host.len || !host_normal_wire(wire_name(c), name))
		return RULE_NONE;
	listed = listed_host(p, span_str(name), list_holds, &l, NULL);
	if (listed == RULE_NONE)
		return RULE_NONE;
	match_host(p, span_str(name), &m);
	while ((rule = match_next(p, &m, &at)) != RULE_NONE) {
		const struct image_rule *r = image_rule(p, rule);

		if (rule_beats_list(p, r, listed) && rule_has_port(p, r, c->q) &&
		    !rule_is_over(p, r, c->q->now_s))
			return RULE_NONE;
	}
	return listed;
}

/* ---- the ceiling ---- */

/* How far the best rule of the ceiling lets it come; STAGE_PASS without a ceiling */
static enum stage ceiling_stage(const struct policy *p, const struct match *m,
				const struct case_of *c)
{
	enum stage best = STAGE_HOST, stage;
	struct cursor at = { 0 };
	uint32_t rule;

	if (!p->has_ceiling)
		return STAGE_PASS;
	while ((rule = match_next(p, m, &at)) != RULE_NONE) {
		const struct image_rule *r = image_rule(p, rule);

		if (!(r->flags & RULE_CEILING) ||
		    (!c->q->host.len && !rule_names_addr(r, &c->q->addr)))
			continue;
		stage = rule_stage(p, r, c);
		/* that it is unseen is the least that can be said against it */
		if (stage > best && !(best == STAGE_UNSEEN && stage < STAGE_NEED))
			best = stage;
	}
	return best;
}

static bool is_outside(enum stage ceiling)
{
	return ceiling < STAGE_NEED && ceiling != STAGE_UNSEEN;
}

/* What is left of @stage under the ceiling */
static enum stage stage_under(enum stage stage, enum stage ceiling)
{
	if (stage < STAGE_NEED)
		return stage;
	if (is_outside(ceiling))
		return STAGE_CEILING;
	return ceiling < stage ? ceiling : stage;
}

bool rule_passes(const struct policy *p, const struct image_rule *r, const struct match *m,
		 const struct question *q)
{
	struct case_of c;
	enum stage stage;

	case_open(&c, q);
	stage = rule_stage(p, r, &c);
	if (rule_is_bounded(r))
		stage = stage_under(stage, ceiling_stage(p, m, &c));
	return stage >= STAGE_WATCH;
}

/* ---- allow rules ---- */

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

static enum reason reason_of(enum stage stage, const struct case_of *c)
{
	static const enum reason reasons[STAGE_NUM] = {
		[STAGE_EXPIRED] = REASON_EXPIRED, [STAGE_PORT] = REASON_PORT,
		[STAGE_PROTOCOL] = REASON_PROTOCOL, [STAGE_ECH] = REASON_ECH,
		[STAGE_UNSEEN] = REASON_INSPECTION_REQUIRED, [STAGE_METHOD] = REASON_METHOD,
		[STAGE_PATH] = REASON_PATH, [STAGE_DOUBT] = REASON_MALFORMED,
		[STAGE_CREDENTIAL] = REASON_CREDENTIAL, [STAGE_SIZE] = REASON_REQUEST_SIZE,
		[STAGE_CEILING] = REASON_CEILING, [STAGE_NEED] = REASON_ALLOWED,
		[STAGE_WATCH] = REASON_ALLOWED, [STAGE_PASS] = REASON_ALLOWED,
	};

	if (stage == STAGE_HOST)
		return unmatched(c->q);
	return stage == STAGE_BOUND ? c->bound : reasons[stage];
}

static struct verdict verdict_of(enum stage stage, uint32_t rule, unsigned need,
				 const struct case_of *c)
{
	struct verdict v = deny(reason_of(stage, c), stage == STAGE_HOST ? RULE_NONE : rule);

	if (stage == STAGE_NEED) {
		v.answer = ANSWER_NEED;
		v.need = need;
	} else if (stage > STAGE_NEED) {
		v.answer = ANSWER_ALLOW;
		v.watch = stage == STAGE_WATCH;
	}
	return v;
}

/* What came furthest */
struct best {
	enum stage	stage;
	uint32_t	rule;
	unsigned	need;
};

/* What must be seen: where the rule lets both through, a ceiling may want either */
static unsigned need_of(enum carries carries, enum stage ceiling)
{
	if (carries == CARRIES_TLS)
		return NEED_TLS;
	return carries == CARRIES_BOUND && ceiling == STAGE_NEED ? NEED_TLS | NEED_HTTP : NEED_HTTP;
}

/* @listed: the rule about a list that the subject is in, or RULE_NONE */
static void allow_judge(const struct policy *p, const struct match *m, const struct case_of *c,
			enum stage ceiling, uint32_t listed, struct best *best)
{
	struct cursor at = { 0 };
	uint32_t rule;

	while ((rule = match_next(p, m, &at)) != RULE_NONE) {
		const struct image_rule *r = image_rule(p, rule);
		enum stage stage;

		if (!(r->flags & RULE_ALLOW))
			continue;
		if (!c->q->host.len && !rule_names_addr(r, &c->q->addr))
			continue;
		if (listed != RULE_NONE && !rule_beats_list(p, r, listed))
			continue;
		stage = rule_stage(p, r, c);
		if (rule_is_bounded(r))
			stage = stage_under(stage, ceiling);
		if (stage == STAGE_NEED)
			best->need |= need_of(rule_carries(r, c->q), ceiling);
		if (stage > best->stage) {
			best->stage = stage;
			best->rule = rule;
		}
	}
}

/* What a mode lets pass without a rule: anything; TLS and HTTP are bound to the name */
static enum stage mode_stage(const struct case_of *c, enum stage ceiling)
{
	static const struct image_more more = { .websocket = true };
	enum carries carries = c->q->transport == TRANSPORT_UDP ? CARRIES_ANY : CARRIES_BOUND;

	return stage_under(c->q->about == ABOUT_NAME ? STAGE_PASS : fit_stage(carries, c, &more),
			   ceiling);
}

static struct verdict monitor_judge(const struct case_of *c, enum stage ceiling)
{
	struct verdict v = verdict_of(mode_stage(c, ceiling), RULE_NONE, NEED_TLS | NEED_HTTP, c);

	/* special addresses need a rule in every mode */
	if (!c->q->host.len && unmatched(c->q) == REASON_SPECIAL_ADDRESS)
		return deny(REASON_SPECIAL_ADDRESS, RULE_NONE);
	if (v.answer == ANSWER_ALLOW)
		v.reason = REASON_ALLOWED_MONITOR;
	return v;
}

/* Is it one of the peers?  The system's are not under the ceiling */
static bool is_peer(const struct policy *p, const struct question *q, bool *ret_system)
{
	const struct net *peers = image_at(p, p->peers.at);

	for (uint32_t i = 0; !q->host.len && i < p->peers.count; i++) {
		*ret_system = i < p->system_peers;
		if (net_has(&peers[i], &q->addr))
			return true;
	}
	return false;
}

/* A synthetic address that stands for no name is nobody's, whatever a rule or a mode says */
static bool is_nobody(const struct policy *p, const struct question *q)
{
	return !q->host.len &&
	       (net_has(&p->synthetic4, &q->addr) || net_has(&p->synthetic6, &q->addr));
}

/*
 * What no rule names as far as host, port and time go: it would pass by a rule for host and port,
 * which a person may make.  The verdict is that rule's, until standing_judge().
 */
static struct verdict asked_judge(const struct case_of *c, enum stage ceiling,
				  const struct best *best)
{
	enum carries carries = protocol_carries(PROTOCOL_AUTO, c->q);
	enum stage stage = c->q->about == ABOUT_NAME ? STAGE_PASS : fit_stage(carries, c, NULL);
	struct verdict v = verdict_of(stage_under(stage, ceiling), RULE_NONE,
				      need_of(carries, ceiling), c);

	if (v.answer != ANSWER_ALLOW)
		return v;
	v.reason = REASON_ALLOWED_APPROVED;
	v.why = reason_of(best->stage, c);
	v.why_rule = best->stage == STAGE_HOST ? RULE_NONE : best->rule;
	return v;
}

/* Has somebody been asked, and what did he say? */
static struct verdict standing_judge(const struct question *q, struct verdict v)
{
	if (v.answer != ANSWER_ALLOW || v.reason != REASON_ALLOWED_APPROVED ||
	    v.rule != RULE_NONE || q->standing == STANDING_APPROVED)
		return v;
	if (q->standing == STANDING_REJECTED)
		return deny(REASON_APPROVAL_DENIED, RULE_NONE);
	v.answer = ANSWER_ASK;
	v.reason = v.why;
	v.rule = v.why_rule;
	return v;
}

/* The rules, and then what the mode says of what they stop */
static struct verdict pass_judge(const struct policy *p, const struct match *m,
				 const struct case_of *c, uint32_t listed)
{
	enum stage ceiling = ceiling_stage(p, m, c);
	struct best best = { .stage = STAGE_HOST, .rule = RULE_NONE };
	bool system = false;
	struct verdict v;

	if (is_nobody(p, c->q))
		return deny(REASON_IP_LITERAL, RULE_NONE);
	if (p->mode != MODE_INTERNAL)
		allow_judge(p, m, c, ceiling, listed, &best);
	if (listed != RULE_NONE && best.stage == STAGE_HOST)
		return deny(listed_reason(image_rule(p, listed)), listed);
	if (p->mode == MODE_INTERNAL) {
		is_peer(p, c->q, &system);
		return verdict_of(mode_stage(c, system ? STAGE_PASS : ceiling), RULE_NONE,
				  NEED_TLS | NEED_HTTP, c);
	}
	/* what came as far as a limit stays under it */
	if (p->mode == MODE_MONITOR && listed == RULE_NONE && best.stage < STAGE_NEED &&
	    best.stage != STAGE_SIZE)
		return monitor_judge(c, ceiling);
	if (best.stage < STAGE_NEED && is_outside(ceiling))
		return deny(REASON_CEILING, best.rule);
	if (p->asks && c->q->host.len && !host_is_own(c->q->host) && !port_is_own(c->q->port) &&
	    listed == RULE_NONE && best.stage <= STAGE_PORT)
		return asked_judge(c, ceiling, &best);
	v = verdict_of(best.stage, best.rule, best.need, c);
	if (v.answer == ANSWER_ALLOW && image_rule(p, v.rule)->flags & RULE_APPROVED)
		v.reason = REASON_ALLOWED_APPROVED;
	return v;
}

/* A deny rule that is for some requests, and what would pass without it */
static struct verdict unseen_judge(const struct case_of *c, uint32_t rule, struct verdict v)
{
	if (v.answer != ANSWER_ALLOW)
		return v;
	if (c->q->seen != SEEN_NOT_YET)
		return deny(REASON_INSPECTION_REQUIRED, rule);
	v.watch = true;
	return v;
}

/*
 * What rules about lists say that are for some requests, or for one reading of the path.
 * They are as broad as others about lists: what beats those beats them.
 */
static struct verdict unsure_judge(const struct policy *p, const struct case_of *c,
				   const struct denial *d, struct verdict v)
{
	const struct image_rule *r = v.answer == ANSWER_ALLOW && v.rule != RULE_NONE ?
				     image_rule(p, v.rule) : NULL;

	if (d->doubt != RULE_NONE && !(r && rule_beats_list(p, r, d->doubt)))
		return deny(REASON_MALFORMED, d->doubt);
	if (d->unseen != RULE_NONE && !(r && rule_beats_list(p, r, d->unseen)))
		return unseen_judge(c, d->unseen, v);
	return v;
}

static bool ceiling_narrows(const struct policy *p, const struct match *m)
{
	struct cursor at = { 0 };
	uint32_t rule;

	while ((rule = match_next(p, m, &at)) != RULE_NONE) {
		const struct image_rule *r = image_rule(p, rule);

		if ((r->flags & RULE_CEILING) && more_narrows(image_more(p, r)))
			return true;
	}
	return false;
}

/* What check does not know: does the answer hang on it? */
static unsigned depends_on(const struct policy *p, const struct match *m, const struct denial *d,
			   const struct question *q, uint32_t rule)
{
	const struct image_more *more = rule == RULE_NONE ? NULL :
					image_more(p, image_rule(p, rule));
	unsigned depends = 0;

	if (q->any_request && (d->hangs || more_narrows(more) || ceiling_narrows(p, m)))
		depends = DEPENDS_METHOD | DEPENDS_PATH;
	if ((q->any_request || q->any_credential) && more && more->digests.count)
		depends |= DEPENDS_CREDENTIAL;
	return depends;
}

/* A name that is allowed is asked for the types of dns.types only */
static struct verdict type_judge(const struct policy *p, const struct question *q,
				 struct verdict v)
{
	if (q->about == ABOUT_NAME && q->dns_type && v.answer == ANSWER_ALLOW &&
	    !(p->dns_types & dns_type_bit(q->dns_type)))
		return deny(REASON_DNS_TYPE, v.rule);
	return v;
}

struct verdict policy_decide(const struct policy *p, const struct question *q)
{
	struct denial d = { RULE_NONE, RULE_NONE, RULE_NONE, false }, lists = d;
	struct case_of c;
	struct verdict v;
	struct match m;
	uint32_t listed;
	bool system;
	case_open(&c, q);
	if (q->seen == SEEN_MALFORMED || c.path.kind == PATH_BAD)
		return deny(REASON_MALFORMED, RULE_NONE);
	if (p->mode == MODE_ISOLATED || (p->mode == MODE_INTERNAL && !is_peer(p, q, &system)))
		return deny(REASON_MODE, RULE_NONE);
	if (q->host.len) {
		match_host(p, q->host, &m);
		deny_judge(p, &m, &c, &d);
	} else {
		match_addr(p, &q->addr, &m);
		literal_deny_judge(p, &m, &c, &d);
	}
	if (d.yes != RULE_NONE)
		return deny(REASON_DENY_RULE, d.yes);
	listed = wire_listed(p, &c, &d);
	if (listed != RULE_NONE)
		return deny(listed_reason(image_rule(p, listed)), listed);
	listed = subject_listed(p, &c, &lists);
	d.hangs |= lists.hangs;
	if (d.doubt != RULE_NONE)
		return deny(REASON_MALFORMED, d.doubt);
	v = unsure_judge(p, &c, &lists, pass_judge(p, &m, &c, listed));
	if (d.unseen != RULE_NONE)
		v = unseen_judge(&c, d.unseen, v);
	/* a proxy that is asked with CONNECT carries streams alone */
	if (v.answer == ANSWER_ALLOW && q->about == ABOUT_CONN && q->transport == TRANSPORT_UDP &&
	    policy_proxied(p, q))
		return deny(REASON_UNSUPPORTED, v.rule);
	if (v.answer == ANSWER_ALLOW)
		v.depends = depends_on(p, &m, &d, q, v.rule);
	return standing_judge(q, type_judge(p, q, v));
}

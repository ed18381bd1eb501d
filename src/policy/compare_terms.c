/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare_terms.c - what passes beyond that it passes: bounds, and what is let through unseen
 *
 * Flags are asked for, with a websocket, a hidden name, or bytes of no protocol.  Amounts
 * are those of the rule that names the verdict, since limits count on that; but of
 * bodies and credentials, which any rule may let pass, it is asked too.
 */
#include "base/auto.h"
#include "base/dns_type.h"
#include "policy/comparing.h"
#include "policy/show.h"
#include "policy/units.h"

static const struct image_more *more_of(const struct policy *p, uint32_t rule)
{
	static const struct image_more none = MORE_NONE;
	const struct image_more *m = rule == RULE_NONE ? NULL : image_more(p, image_rule(p, rule));

	return m ? m : &none;
}

static bool is_open(const struct asked *a)
{
	return a->level != LEVEL_SHUT;
}

/* ---- flags ---- */

static bool passes_websocket(const struct policy *p, const struct asked *a)
{
	struct question q = a->q;

	q.inspected = q.inspected || q.seen == SEEN_TLS;
	q.seen = SEEN_UPGRADE;
	q.websocket = true;
	return policy_decide(p, &q).answer == ANSWER_ALLOW;
}

static bool passes_ech(const struct policy *p, const struct asked *a)
{
	struct question q = a->q;
	struct verdict v;

	q.seen = SEEN_TLS;
	q.inspected = false;
	q.ech = true;
	v = policy_decide(p, &q);
	return v.answer == ANSWER_ALLOW || v.reason == REASON_INSPECTION_REQUIRED;
}

static bool passes_raw(const struct policy *p, const struct asked *a)
{
	struct question q = a->q;

	q.seen = SEEN_OTHER;
	q.inspected = false;
	return policy_decide(p, &q).answer == ANSWER_ALLOW;
}

static bool passes_uninspected(const struct policy *p, const struct asked *a)
{
	return more_of(p, a->v.rule)->inspect == INSPECT_NEVER;
}

static bool says_websocket(const struct image_more *m) { return m->websocket; }
static bool says_ech(const struct image_more *m) { return m->ech; }
static bool says_never(const struct image_more *m) { return m->inspect == INSPECT_NEVER; }

static const struct {
	enum aspect	aspect;
	bool		(*passes)(const struct policy *p, const struct asked *a);
	/* a side that was shut did not have it: told if the other's rule says so; NULL: never */
	bool		(*says)(const struct image_more *m);
} flags[] = {
	{ ASPECT_WEBSOCKET, passes_websocket, says_websocket },
	{ ASPECT_ECH, passes_ech, says_ech },
	{ ASPECT_UNINSPECTED, passes_uninspected, says_never },
	{ ASPECT_RAW, passes_raw, NULL },
};

static struct shade shade_of(uint64_t was, uint64_t is)
{
	struct shade s = { .change = SHADE_SAME };

	if (was == is)
		return s;
	return (struct shade){ was, is, is > was ? CHANGE_OPENS : CHANGE_CLOSES, 0 };
}

static void compare_flags(const struct compare *c, const struct asked sides[2],
			  struct shade ret[ASPECT_NUM])
{
	bool both = is_open(&sides[0]) && is_open(&sides[1]);

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		bool has[2] = { false, false };

		if (!(c->aspects >> flags[i].aspect & 1) || sides[0].q.transport == TRANSPORT_UDP)
			continue;
		for (size_t k = 0; k < 2; k++) {
			const struct image_more *m = more_of(c->side[k], sides[k].v.rule);

			has[k] = is_open(&sides[k]) &&
				 (both || (flags[i].says && flags[i].says(m))) &&
				 flags[i].passes(c->side[k], &sides[k]);
		}
		ret[flags[i].aspect] = shade_of(has[0], has[1]);
	}
}

/* ---- amounts ---- */

#define RATE_SHIFT 12	/* of a rate's count; below it its window, at most 3600 s */

static uint64_t rate_pack(const struct rate *r)
{
	return r->count ? (uint64_t)r->count << RATE_SHIFT | r->per_s : AMOUNT_NONE;
}

static struct rate rate_unpack(uint64_t value)
{
	return (struct rate){ (uint32_t)(value >> RATE_SHIFT), value & (BIT(RATE_SHIFT) - 1) };
}

/* Does whatever @a lets pass fit into @b too? */
static bool rate_fits(const struct rate *a, const struct rate *b)
{
	uint64_t windows = !a->count || a->per_s >= b->per_s ? 1 : b->per_s / a->per_s;

	return !b->count || (a->count && a->count * windows <= b->count);
}

/* Of rates of which neither fits into the other, each lets something new pass */
static struct shade rate_shade(const struct rate *was, const struct rate *is)
{
	struct shade s = { .change = SHADE_SAME };

	if (was->count == is->count && (!was->count || was->per_s == is->per_s))
		return s;
	s.was = rate_pack(was);
	s.is = rate_pack(is);
	s.change = rate_fits(is, was) ? CHANGE_CLOSES : CHANGE_OPENS;
	return s;
}

/* The largest body that some rule lets pass */
static uint64_t body_bound(const struct policy *p, const struct asked *a)
{
	struct question q = a->q;
	struct cursor cursor = { 0 };
	uint64_t most = 0;
	struct match m;
	uint32_t rule;

	q.body_bytes = AMOUNT_NONE - 1;
	if (policy_decide(p, &q).answer == ANSWER_ALLOW)
		return AMOUNT_NONE;
	if (q.host.len)
		match_host(p, q.host, &m);
	else
		match_addr(p, &q.addr, &m);
	while ((rule = match_next(p, &m, &cursor)) != RULE_NONE) {
		q.body_bytes = more_of(p, rule)->max_request;
		if (q.body_bytes != AMOUNT_NONE && q.body_bytes > most &&
		    policy_decide(p, &q).answer == ANSWER_ALLOW)
			most = q.body_bytes;
	}
	return most;
}

static uint64_t lasting(int64_t expires_s)
{
	return expires_s ? (uint64_t)expires_s : AMOUNT_NONE;
}

/* A burst counts where both sides bound the bandwidth */
static uint64_t burst_of(const struct image_more *m, const struct image_more *other)
{
	bool both = (m->down_bps != AMOUNT_NONE && other->down_bps != AMOUNT_NONE) ||
		    (m->up_bps != AMOUNT_NONE && other->up_bps != AMOUNT_NONE);

	return both && m->burst_bytes != AMOUNT_NONE ? m->burst_bytes : 0;
}

static void compare_amounts(const struct compare *c, const struct asked sides[2],
			    struct shade ret[ASPECT_NUM])
{
	const struct image_more *was = more_of(c->side[0], sides[0].v.rule);
	const struct image_more *is = more_of(c->side[1], sides[1].v.rule);

	ret[ASPECT_RATE] = rate_shade(&was->rate, &is->rate);
	ret[ASPECT_DOWN] = shade_of(was->down_bps, is->down_bps);
	ret[ASPECT_UP] = shade_of(was->up_bps, is->up_bps);
	ret[ASPECT_BURST] = shade_of(burst_of(was, is), burst_of(is, was));
	ret[ASPECT_QUOTA_DOWN] = shade_of(was->quota_down, is->quota_down);
	ret[ASPECT_QUOTA_UP] = shade_of(was->quota_up, is->quota_up);
	ret[ASPECT_EXPIRES] = shade_of(lasting(was->expires_s), lasting(is->expires_s));
	if (c->aspects >> ASPECT_MAX_REQUEST & 1)
		ret[ASPECT_MAX_REQUEST] = shade_of(body_bound(c->side[0], &sides[0]),
						   body_bound(c->side[1], &sides[1]));
}

/* ---- credentials ---- */

/* Does @p let the request pass with the credential that a rule of some policy names? */
static bool accepts(const struct policy *p, const struct asked *a, const char *header,
		    const uint8_t *digest)
{
	uint8_t digests[CREDENTIALS_MAX][DIGEST_BYTES] = { { 0 } };
	struct question q = a->q;
	const char *name;

	q.any_credential = false;
	q.digests = (const uint8_t (*)[DIGEST_BYTES])digests;
	for (unsigned n = 0; header && (name = policy_credential(p, n)); n++) {
		if (strcmp(name, header) != 0)
			continue;
		q.credentials = 1u << n;
		memcpy(digests[n], digest, DIGEST_BYTES);
	}
	return policy_decide(p, &q).answer == ANSWER_ALLOW;
}

/* Those that some rule of @side names: does one pass here and not there? */
static void compare_digests(const struct compare *c, const struct asked sides[2], size_t side,
			    bool ret_more[2])
{
	const struct policy *p = c->side[side];
	const struct question *q = &sides[side].q;
	struct cursor cursor = { 0 };
	struct match m;
	uint32_t rule;

	if (q->host.len)
		match_host(p, q->host, &m);
	else
		match_addr(p, &q->addr, &m);
	while ((rule = match_next(p, &m, &cursor)) != RULE_NONE) {
		struct rule_view v = policy_rule(p, rule);

		for (size_t i = 0; i < v.credential_count; i++) {
			bool was = accepts(c->side[0], &sides[0], v.credential_header,
					   v.credentials[i]);
			bool is = accepts(c->side[1], &sides[1], v.credential_header,
					  v.credentials[i]);

			ret_more[0] |= was && !is;
			ret_more[1] |= is && !was;
		}
	}
}

static struct shade credential_shade(const struct compare *c, const struct asked sides[2])
{
	bool more[2], any[2];

	for (size_t i = 0; i < 2; i++)
		any[i] = accepts(c->side[i], &sides[i], NULL, NULL);
	more[0] = any[0] && !any[1];
	more[1] = any[1] && !any[0];
	for (size_t i = 0; i < 2; i++)
		compare_digests(c, sides, i, more);
	return more[1] ? shade_of(0, 1) : shade_of(more[0], 0);
}

/* ---- all ---- */

unsigned terms_used(const struct policy *p)
{
	unsigned used = 0;

	for (uint32_t i = 0; i < p->rules.count; i++) {
		const struct image_rule *r = image_rule(p, i);
		const struct image_more *m = image_more(p, r);

		used |= r->protocol != PROTOCOL_AUTO ? 1u << ASPECT_RAW : 0;
		if (!m || !(r->flags & RULE_ALLOW))
			continue;
		/* amounts cost nothing: one bit is enough for all of them */
		used |= 1u << ASPECT_RATE;
		used |= m->max_request != AMOUNT_NONE ? 1u << ASPECT_MAX_REQUEST : 0;
		used |= m->digests.count ? 1u << ASPECT_CREDENTIAL : 0;
		for (size_t k = 0; k < ARRAY_SIZE(flags); k++)
			if (flags[k].says && flags[k].says(m))
				used |= 1u << flags[k].aspect;
	}
	return used;
}

void terms_compare(const struct compare *c, const struct asked sides[2],
		   struct shade ret[ASPECT_NUM])
{
	compare_flags(c, sides, ret);
	if (!is_open(&sides[0]) || !is_open(&sides[1]))
		return;
	compare_amounts(c, sides, ret);
	if (c->aspects >> ASPECT_CREDENTIAL & 1)
		ret[ASPECT_CREDENTIAL] = credential_shade(c, sides);
}

/* The terms of an allow rule that no rule of the other side has */
static bool has_news(const struct policy *p, const struct match *m, const struct policy *other,
		     const struct match *others)
{
	struct cursor at = { 0 };
	uint32_t rule, old;

	while ((rule = match_next(p, m, &at)) != RULE_NONE) {
		struct cursor from = { 0 };
		bool known = !(image_rule(p, rule)->flags & RULE_ALLOW);

		while (!known && (old = match_next(other, others, &from)) != RULE_NONE) {
			struct image_more a = *more_of(p, rule), b = *more_of(other, old);

			/* what points elsewhere is compared by what passes */
			a.methods = a.paths = a.digests = b.methods = b.paths = b.digests =
				(struct slice){ 0 };
			a.inject_header = b.inject_header = 0;
			a.credential_header = b.credential_header = a.credential = b.credential = 0;
			known = !memcmp(&a, &b, sizeof(a)) &&
				more_of(p, rule)->digests.count == more_of(other, old)->digests.count;
		}
		if (!known)
			return true;
	}
	return false;
}

struct shade terms_of_rules(const struct compare *c, const struct match matches[2])
{
	return shade_of(0, has_news(c->side[1], &matches[1], c->side[0], &matches[0]));
}

/* ---- words ---- */

static void bytes_words(struct buf *b, uint64_t value)
{
	static const struct {
		uint64_t	size;
		const char	*unit;
	} units[] = { { 1000000000, "GB" }, { 1000000, "MB" }, { 1000, "kB" } };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (value && value % units[i].size == 0) {
			buf_printf(b, "%llu%s", (unsigned long long)(value / units[i].size),
				   units[i].unit);
			return;
		}
	}
	buf_printf(b, "%llu", (unsigned long long)value);
}

static void amount_words(struct buf *b, enum aspect aspect, uint64_t value)
{
	struct rate rate = rate_unpack(value);
	char text[TIME_TEXT_MAX];

	if (value == AMOUNT_NONE || (aspect == ASPECT_BURST && !value)) {
		buf_add_str(b, aspect == ASPECT_EXPIRES ? "never" : "none");
		return;
	}
	if (aspect == ASPECT_RATE)
		rate_words(b, &rate);
	else if (aspect == ASPECT_EXPIRES)
		buf_add_str(b, units_time((int64_t)value, text));
	else if (aspect == ASPECT_DOWN || aspect == ASPECT_UP)
		buf_printf(b, "%llukbit", (unsigned long long)value * 8 / 1000);
	else
		bytes_words(b, value);
}

void terms_words(struct buf *b, enum aspect aspect, const struct shade *s)
{
	static const char *const levels[] = {
		[LEVEL_SHUT] = "", [LEVEL_SEEN] = " (only where requests can be seen)",
		[LEVEL_OPEN] = "", [LEVEL_PRIVATE] = " (at private addresses too)",
	};
	static const char *const words[ASPECT_NUM] = {
		[ASPECT_WEBSOCKET] = "websockets", [ASPECT_ECH] = "ech: a hidden name",
		[ASPECT_UNINSPECTED] = "never inspected",
		[ASPECT_RAW] = "what is neither TLS nor HTTP",
		[ASPECT_CREDENTIAL] = "with other credentials", [ASPECT_RATE] = "rate",
		[ASPECT_DOWN] = "bandwidth down", [ASPECT_UP] = "bandwidth up",
		[ASPECT_BURST] = "burst", [ASPECT_QUOTA_DOWN] = "quota down",
		[ASPECT_QUOTA_UP] = "quota up", [ASPECT_MAX_REQUEST] = "max_request",
		[ASPECT_EXPIRES] = "expires", [ASPECT_TERMS] = "on other terms",
	};

	if (aspect == ASPECT_ACCESS) {
		buf_add_str(b, levels[s->is]);
		return;
	}
	buf_printf(b, " (%s", words[aspect]);
	if (aspect >= ASPECT_RATE && aspect < ASPECT_TERMS) {
		buf_add_str(b, ": ");
		amount_words(b, aspect, s->is);
		buf_add_str(b, ", before ");
		amount_words(b, aspect, s->was);
	}
	buf_add_str(b, ")");
}

/* ---- settings ---- */

static void tell(struct compare *c, enum change change, struct buf *words)
{
	if (buf_add(words, "", 1))
		c->tell(c->arg, change, (const char *)words->at);
	c->pieces.full |= words->full;
	buf_clear(words);
}

/* "limits: NAME: IS, before WAS" */
static void tell_amount(struct compare *c, const char *name, uint64_t was, uint64_t is)
{
	struct buf words = buf_new(4096);

	if (was != is) {
		buf_printf(&words, "limits: %s: ", name);
		amount_words(&words, ASPECT_QUOTA_UP, is);
		buf_add_str(&words, ", before ");
		amount_words(&words, ASPECT_QUOTA_UP, was);
		tell(c, is > was ? CHANGE_OPENS : CHANGE_CLOSES, &words);
	}
	buf_done(&words);
}

/* Does whatever @a lets pass fit into each rate of @b? */
static bool rates_fit(const struct rates *a, const struct rates *b)
{
	for (size_t i = 0; i < RATE_WINDOWS; i++) {
		bool fits = !b->at[i].count;

		for (size_t k = 0; k < RATE_WINDOWS; k++)
			fits = fits || rate_fits(&a->at[k], &b->at[i]);
		if (!fits)
			return false;
	}
	return true;
}

static void tell_rates(struct compare *c, const char *name, const struct rates *was,
		       const struct rates *is)
{
	struct buf words = buf_new(4096);

	if (memcmp(was, is, sizeof(*was)) != 0) {
		buf_printf(&words, "limits: %s: ", name);
		buf_add_str(&words, rates_any(is) ? "" : "none");
		rates_words(&words, is);
		buf_printf(&words, ", before %s", rates_any(was) ? "" : "none");
		rates_words(&words, was);
		tell(c, rates_fit(is, was) ? CHANGE_CLOSES : CHANGE_OPENS, &words);
	}
	buf_done(&words);
}

static uint64_t percent(uint32_t value)
{
	return value ? value : AMOUNT_NONE;
}

static void tell_limits(struct compare *c, const struct policy_limits *was,
			const struct policy_limits *is)
{
	static const char *const exceed[] = {
		"limits: on_exceed: alert", "limits: on_exceed: block", "limits: on_exceed: kill",
	};

	tell_rates(c, "requests", &was->requests, &is->requests);
	tell_rates(c, "requests_per_host", &was->requests_per_host, &is->requests_per_host);
	tell_amount(c, "unique_hosts", was->unique_hosts, is->unique_hosts);
	tell_amount(c, "upload_per_request", was->upload_per_request, is->upload_per_request);
	tell_amount(c, "upload_total", was->upload_total, is->upload_total);
	tell_amount(c, "download_total", was->download_total, is->download_total);
	tell_amount(c, "error_rate, in per cent", percent(was->error_rate_percent),
		    percent(is->error_rate_percent));
	if (was->on_exceed != is->on_exceed)
		c->tell(c->arg, is->on_exceed < was->on_exceed ? CHANGE_OPENS : CHANGE_CLOSES,
			exceed[is->on_exceed]);
}

/* The line of entry @i of a setting that is a list, and how many there are */
struct setting {
	size_t	(*count)(const struct policy_settings *s, const struct policy *p);
	void	(*words)(struct buf *b, const struct policy_settings *s, const struct policy *p,
			 size_t i);
};

static size_t count_privates(const struct policy_settings *s, const struct policy *p)
{
	(void)s;
	return p->privates.count;
}

static void words_private(struct buf *b, const struct policy_settings *s, const struct policy *p,
			  size_t i)
{
	const struct image_private *n = (const struct image_private *)image_at(p, p->privates.at) + i;
	const char *host = image_text(p, n->host);
	char text[NET_TEXT_MAX];

	(void)s;
	buf_printf(b, "private_networks: %s%s%s", host, *host ? "=" : "", net_text(&n->net, text));
}

static size_t count_host_ports(const struct policy_settings *s, const struct policy *p)
{
	(void)p;
	return s->host_port_count;
}

static void words_host_port(struct buf *b, const struct policy_settings *s,
			    const struct policy *p, size_t i)
{
	(void)p;
	buf_printf(b, "host_ports: %u:%u", s->host_ports[i].inside, s->host_ports[i].outside);
}

static size_t count_publish(const struct policy_settings *s, const struct policy *p)
{
	(void)p;
	return s->publish_count;
}

static void words_publish(struct buf *b, const struct policy_settings *s, const struct policy *p,
			  size_t i)
{
	char text[ADDR_TEXT_MAX];

	(void)p;
	buf_printf(b, "publish: %s port %u:%u", addr_text(&s->publish[i].addr, text),
		   s->publish[i].outside, s->publish[i].inside);
}

static size_t count_peers(const struct policy_settings *s, const struct policy *p)
{
	(void)p;
	return s->peer_count;
}

static void words_peer(struct buf *b, const struct policy_settings *s, const struct policy *p,
		       size_t i)
{
	char text[NET_TEXT_MAX];

	(void)p;
	buf_printf(b, "peers: %s", net_text(&s->peers[i], text));
}

static const struct setting settings[] = {
	{ count_privates, words_private }, { count_host_ports, words_host_port },
	{ count_publish, words_publish }, { count_peers, words_peer },
};

/* Entries of @of that the other side has not */
static void tell_entries(struct compare *c, const struct setting *setting, size_t of)
{
	struct policy_settings s[2] = { policy_settings(c->side[0]), policy_settings(c->side[1]) };
	struct buf mine = buf_new(4096), its = buf_new(4096);

	for (size_t i = 0; i < setting->count(&s[of], c->side[of]); i++) {
		bool known = false;

		setting->words(&mine, &s[of], c->side[of], i);
		for (size_t k = 0; !known && k < setting->count(&s[!of], c->side[!of]); k++) {
			setting->words(&its, &s[!of], c->side[!of], k);
			known = span_eq(buf_span(&mine), buf_span(&its));
			buf_clear(&its);
		}
		if (!known)
			tell(c, of ? CHANGE_OPENS : CHANGE_CLOSES, &mine);
		buf_clear(&mine);
	}
	buf_done(&mine);
	buf_done(&its);
}

static void tell_types(struct compare *c, uint32_t was, uint32_t is)
{
	struct buf words = buf_new(4096);
	char type[DNS_TYPE_TEXT_MAX];

	for (unsigned i = 0; i < DNS_TYPES_OPEN_MAX; i++) {
		if (!((was ^ is) >> i & 1))
			continue;
		buf_printf(&words, "dns: types: %s", dns_type_text(dns_type_open(i), type));
		tell(c, is >> i & 1 ? CHANGE_OPENS : CHANGE_CLOSES, &words);
	}
	buf_done(&words);
}

void terms_tell_settings(struct compare *c)
{
	struct policy_settings was = policy_settings(c->side[0]), is = policy_settings(c->side[1]);

	tell_limits(c, &was.limits, &is.limits);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		for (size_t of = 0; of < 2; of++)
			tell_entries(c, &settings[i], of);
	tell_types(c, was.dns_types, is.dns_types);
}

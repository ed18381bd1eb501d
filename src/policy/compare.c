/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare.c - two policies, asked the same questions
 *
 * Infinitely many questions fall into few classes whose members are all judged
 * alike, and one of each class is asked:
 *
 *  - A name that some rule lists is a class of its own.  Of the names that none
 *    lists, those with the same closest listed parent meet the same rules, and
 *    `stranger.PARENT` stands for them.  So names and their strangers are all.
 *  - The bases of all listed networks, and the addresses behind their last ones,
 *    cut the line of addresses into stretches that no network cuts further.  So do special
 *    ranges within them, which a wider network does not open.
 *  - The ends of the port ranges that a subject's rules name, and 80 and 443, at
 *    which protocol auto looks, cut the line of ports in the same way.
 *  - Of requests each method and each pattern of paths that a subject's rules name is
 *    asked for, with what is no method and no path of theirs besides.  A pattern is
 *    stood for by the path that has a stranger in place of a star, and for two stars
 *    more segments than any pattern has; what two patterns share is not looked for.
 *
 * The names and addresses of categories and lists are not gone through: that one is denied
 * by a list shows for names that a rule lists, and for no other.  Of a stretch of
 * addresses one that no list holds is asked for, if it has one.
 *
 * Each is asked for access, and of what passes for the terms on which it does
 * (compare_terms.c): flags by a question that needs them, amounts by the rule.
 *
 * What changed is kept as pieces.  One that the line of a parent's strangers
 * tells already is left out when it is told: who opens *.example.com opens all
 * that is listed below it as well.
 */
#include <stdlib.h>

#include "base/auto.h"
#include "policy/comparing.h"
#include "policy/ranges.h"

/* ---- cutting ---- */

#define CUT_UDP 0x10000u	/* added to a UDP port */

static int u32_order(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

static void cut_at(struct compare *c, uint32_t port, uint32_t transport)
{
	uint32_t cut = port + transport;

	if (port <= UINT16_MAX)
		buf_add(&c->cuts, &cut, sizeof(cut));
}

static void cut_ports(struct compare *c, const struct policy *p, const struct match *m)
{
	struct cursor cursor = { 0 };
	uint32_t rule;

	while ((rule = match_next(p, m, &cursor)) != RULE_NONE) {
		const struct image_rule *r = image_rule(p, rule);
		const struct port_range *ports = image_ports(p, r);

		for (uint32_t i = 0; i < r->ports.count; i++) {
			uint32_t udp = ports[i].transport == TRANSPORT_UDP ? CUT_UDP : 0;

			cut_at(c, ports[i].first, udp);
			cut_at(c, ports[i].last + 1u, udp);
		}
	}
}

/* What changed for the subject that @q asks about, as pieces; @matches: of both sides */
static void compare_ports(struct compare *c, struct question q, const struct match matches[2])
{
	static const uint32_t always[] = { 1, 80, 81, 443, 444 };
	uint32_t *cut;
	size_t count;

	buf_clear(&c->cuts);
	for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
		cut_at(c, always[i], 0);
		cut_at(c, always[i], CUT_UDP);
	}
	for (size_t i = 0; i < 2; i++)
		cut_ports(c, c->side[i], &matches[i]);
	ask_prepare(c, matches);
	cut = (void *)c->cuts.at;
	count = c->cuts.full ? 0 : c->cuts.len / sizeof(*cut);
	qsort(cut, count, sizeof(*cut), u32_order);
	for (size_t i = 0; i < count; i++) {
		bool udp = cut[i] & CUT_UDP, ends = i + 1 == count || (cut[i + 1] ^ cut[i]) & CUT_UDP;
		struct piece piece = { .transport = udp ? TRANSPORT_UDP : TRANSPORT_TCP,
				       .first = (uint16_t)cut[i],
				       .last = ends ? UINT16_MAX : (uint16_t)(cut[i + 1] - 1) };

		if (ends || cut[i + 1] != cut[i])
			ask_stretch(c, q, piece, matches);
	}
}

/* ---- subjects ---- */

static int addr_order(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct addr));
}

/* The address behind the network's last one.  Return: false if it is the last of all */
static bool net_end(const struct net *n, struct addr *ret_addr)
{
	unsigned bits = n->bits;

	*ret_addr = n->base;
	while (bits-- > 0) {
		uint8_t mask = (uint8_t)(0x80 >> bits % 8);

		ret_addr->b[bits / 8] ^= mask;
		if (ret_addr->b[bits / 8] & mask)
			return true;
	}
	return false;
}

static void cut_addrs(struct compare *c, const struct net *n)
{
	struct addr end;

	buf_add(&c->addrs, &n->base, sizeof(n->base));
	if (net_end(n, &end))
		buf_add(&c->addrs, &end, sizeof(end));
}

static void collect_net(struct compare *c, const struct net *n)
{
	cut_addrs(c, n);
	for (size_t i = 0; i < range_count(); i++)
		if (range_at(i)->net.bits > n->bits && net_has(n, &range_at(i)->net.base))
			cut_addrs(c, &range_at(i)->net);
}

static void collect(struct compare *c, const struct policy *p)
{
	for (uint32_t i = 0; i < p->rules.count; i++) {
		const struct image_rule *r = image_rule(p, i);
		struct subject s = { .name = image_text(p, r->name) };

		if (form_is_list(r->form))
			continue;
		if (r->form == FORM_NET) {
			collect_net(c, &r->net);
			continue;
		}
		if (*s.name)
			buf_add(&c->subjects, &s, sizeof(s));
		c->any = c->any || !*s.name;
		s.below = true;
		buf_add(&c->subjects, &s, sizeof(s));
	}
}

/* Sort, and leave out what is there twice.  Return: how many are left */
static size_t sort_unique(struct buf *list, size_t size, int (*order)(const void *, const void *))
{
	size_t count = list->len / size, kept = 0;

	if (count)
		qsort(list->at, count, size, order);
	for (size_t i = 0; i < count; i++)
		if (!kept || order(list->at + (kept - 1) * size, list->at + i * size))
			memmove(list->at + kept++ * size, list->at + i * size, size);
	list->len = kept * size;
	return kept;
}

/* The name that is asked about.  Return: false if there is none: it would be too long */
static bool subject_name(const struct compare *c, const struct subject *s, char ret[HOST_MAX + 1])
{
	size_t label = s->below ? strlen(c->stranger) + 1 : 0, len = strlen(s->name);

	if (label + len > HOST_MAX)
		return false;
	memcpy(ret, c->stranger, label ? label - 1 : 0);
	if (label && len)
		ret[label - 1] = '.';
	memcpy(ret + label - (label && !len), s->name, len + 1);
	return true;
}

static void compare_name(struct compare *c, struct subject *s)
{
	struct question q = { .about = ABOUT_CONN };
	struct match matches[2];
	char name[HOST_MAX + 1];

	s->at = c->pieces.len / sizeof(struct piece);
	if (subject_name(c, s, name)) {
		q.host = span_str(name);
		for (size_t i = 0; i < 2; i++)
			match_host(c->side[i], q.host, &matches[i]);
		compare_ports(c, q, matches);
	}
	s->count = c->pieces.len / sizeof(struct piece) - s->at;
}

/* The closest of both sides' networks around an address, or NULL */
static const struct net *closest_net(const struct compare *c, const struct match matches[2])
{
	const struct net *best = NULL;

	for (size_t i = 0; i < 2; i++) {
		struct cursor cursor = { 0 };
		uint32_t rule = match_next(c->side[i], &matches[i], &cursor);
		const struct net *n = rule == RULE_NONE ? NULL : &image_rule(c->side[i], rule)->net;

		if (n && (!best || n->bits > best->bits))
			best = n;
	}
	return best;
}

static bool is_same_net(const struct net *a, const struct net *b)
{
	return a && b && a->bits == b->bits && addr_eq(&a->base, &b->base);
}

/* Does a list of either side hold @a, or the IPv4 address at its end?  Then up to *ret_last */
static bool is_listed(const struct compare *c, const struct addr *a, struct addr *ret_last)
{
	struct addr inner[ADDR_INSIDE_MAX], last;
	unsigned count = addr_inside(a, inner);

	for (size_t side = 0; side < 2; side++) {
		if (listed_last(c->side[side], a, ret_last))
			return true;
		for (unsigned i = 0; i < count; i++) {
			if (memcmp(inner[i].b + 12, a->b + 12, 4) ||
			    !listed_last(c->side[side], &inner[i], &last))
				continue;
			*ret_last = *a;
			memcpy(ret_last->b + 12, last.b + 12, 4);
			return true;
		}
	}
	return false;
}

/* An address from @a to before @end (NULL: to the last of all) that no list holds; @a if none is */
static struct addr unlisted(const struct compare *c, const struct addr *a, const struct addr *end)
{
	struct net last = { .bits = 128 };
	struct addr at = *a;

	while (is_listed(c, &at, &last.base))
		if (!net_end(&last, &at) || (end && addr_order(&at, end) >= 0))
			return *a;
	return at;
}

/* Stretches of one network that changed alike, one after the other but for what did not change, are one line */
static void compare_addrs(struct compare *c)
{
	const struct addr *a = (const void *)c->addrs.at;
	const struct net *told = NULL;
	struct buf last = buf_new(PIECES_MAX);

	for (size_t i = 0; i < c->addrs.len / sizeof(*a); i++) {
		const struct addr *end = i + 1 < c->addrs.len / sizeof(*a) ? a + i + 1 : NULL;
		struct question q = { .about = ABOUT_CONN, .addr = unlisted(c, a + i, end) };
		char text[NET_TEXT_MAX];
		struct match matches[2];
		const struct net *net;

		for (size_t k = 0; k < 2; k++)
			match_addr(c->side[k], &q.addr, &matches[k]);
		net = closest_net(c, matches);
		if (!net)
			continue;
		buf_clear(&c->pieces);
		compare_ports(c, q, matches);
		if (!c->pieces.len || (is_same_net(net, told) && last.len == c->pieces.len &&
				       !memcmp(last.at, c->pieces.at, last.len)))
			continue;
		told = net;
		buf_clear(&last);
		buf_add(&last, c->pieces.at, c->pieces.len);
		tell_pieces(c, net_text(net, text), (void *)c->pieces.at,
			    c->pieces.len / sizeof(struct piece));
		c->pieces.full |= last.full;
	}
	buf_done(&last);
}

/* What no rule names: it passes in mode monitor.  Where one names all names there is none */
static void compare_strangers(struct compare *c)
{
	struct subject s = { .name = "invalid", .below = true };

	if (c->any)
		return;
	buf_clear(&c->pieces);
	compare_name(c, &s);
	tell_pieces(c, "any other host", (void *)c->pieces.at, s.count);
}

bool policy_compare(const struct policy *before, const struct policy *after,
		    const char *stranger, int64_t now_s, change_teller *tell, void *arg)
{
	struct compare c = {
		.side = { before, after }, .stranger = stranger, .tell = tell, .arg = arg,
		.subjects = buf_new(PIECES_MAX), .addrs = buf_new(PIECES_MAX),
		.cuts = buf_new(PIECES_MAX), .pieces = buf_new(PIECES_MAX), .now_s = now_s,
		.methods = buf_new(PIECES_MAX), .paths = buf_new(PIECES_MAX),
		.own_methods = buf_new(PIECES_MAX), .own_paths = buf_new(PIECES_MAX),
		.shades = buf_new(PIECES_MAX), .aspects = terms_used(before) | terms_used(after),
	};
	struct buf *bufs[] = { &c.subjects, &c.addrs, &c.cuts, &c.pieces, &c.methods, &c.paths,
			       &c.own_methods, &c.own_paths, &c.shades };
	struct subject *s;
	size_t count;
	bool ok = true;

	for (size_t i = 0; i < 2; i++)
		collect(&c, c.side[i]);
	count = sort_unique(&c.subjects, sizeof(*s), subject_order);
	sort_unique(&c.addrs, sizeof(struct addr), addr_order);
	s = (void *)c.subjects.at;
	for (size_t i = 0; i < count; i++)
		compare_name(&c, &s[i]);
	tell_names(&c);
	compare_addrs(&c);
	compare_strangers(&c);
	terms_tell_settings(&c);
	for (size_t i = 0; i < ARRAY_SIZE(bufs); i++) {
		ok = ok && !bufs[i]->full;
		buf_done(bufs[i]);
	}
	return ok;
}

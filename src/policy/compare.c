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
 *    cut the line of addresses into stretches that no network cuts further.
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
 * What changed is kept as pieces.  One that the line of a parent's strangers
 * tells already is left out when it is told: who opens *.example.com opens all
 * that is listed below it as well.
 */
#include "policy/compare.h"

#include <stdlib.h>

#include "base/auto.h"
#include "policy/image.h"
#include "policy/path.h"
#include "policy/ranges.h"

#define PIECES_MAX (1u << 28)	/* bytes */
#define TEXT_MAX (1u << 21)	/* bytes of one line's words: every second port of both kinds */

/* How open a door is */
enum level {
	LEVEL_SHUT,
	LEVEL_SEEN,		/* only to requests that can be seen */
	LEVEL_OPEN,
	LEVEL_PRIVATE,		/* and to private addresses */
};

/* Ports of one subject that changed in one way */
struct piece {
	enum change	 change;
	enum level	 level;		/* the higher one of both */
	enum transport	 transport;
	uint16_t	 first, last;
	uint32_t	 request;	/* a method's number in the upper half, a path's in the lower */
};

#define DEEPER "-"	/* what stands for a star behind the stranger */
#define DEEP_MAX 600	/* bytes of a path that two stars make longer than they must */
_Static_assert(DEEP_MAX + PATTERN_MAX * 4 / 3 + STRANGER_MAX < PATH_MAX_BYTES,
	       "such a path is compared");
#define METHOD_SHIFT 16
#define WORD_ANY 0u		/* all methods, or paths, alike */
#define WORDS_MAX 4000u		/* different methods, or patterns; those beyond have no name */
#define WORD_SOME (WORDS_MAX + 1)
#define REQUESTS_MAX 65536u	/* methods times paths of one subject; above all are asked as one */

/* A listed name, or the names below it that nobody lists */
struct subject {
	const char	*name;		/* in the image of a policy */
	bool		 below;
	size_t		 at, count;	/* its pieces */
};

struct compare {
	const struct policy *side[2];	/* before, after */
	const char	*stranger;
	change_teller	*tell;
	void		*arg;
	struct buf	 subjects;	/* struct subject, two a name, sorted by name */
	struct buf	 addrs;		/* struct addr: where stretches begin */
	struct buf	 cuts;		/* uint32_t: ports where stretches begin, UDP above TCP */
	struct buf	 pieces;	/* struct piece */
	int64_t		 now_s;
	/* const char *: all names of methods and patterns so far, and those of the subject in hand */
	struct buf	 methods, paths, own_methods, own_paths;
	struct buf	 levels;	/* uint8_t: before and after, of each method and path */
	size_t		 depth;		/* segments of the deepest pattern in hand */
};

/* ---- asking ---- */

#define CUT_UDP 0x10000u	/* added to a UDP port */

static enum level level_of(const struct policy *p, const struct question *q,
			   const struct verdict *v)
{
	/* nobody's own: 10.93.187.11 stands for private addresses */
	const struct addr private = addr_v4(0x0a5dbb0b);
	static const struct place nowhere;

	if (v->answer == ANSWER_DENY && v->reason == REASON_INSPECTION_REQUIRED)
		return LEVEL_SEEN;
	if (v->answer != ANSWER_ALLOW)
		return LEVEL_SHUT;
	if (q->host.len && policy_address(p, q, v, &nowhere, &private) == REASON_ALLOWED)
		return LEVEL_PRIVATE;
	return LEVEL_OPEN;
}

struct verdict policy_probe(const struct policy *p, struct question *q)
{
	static const struct {
		unsigned	bit;
		enum seen	seen;
	} needs[] = { { NEED_TLS, SEEN_TLS }, { NEED_HTTP, SEEN_HTTP } };
	struct verdict v = policy_decide(p, q), denied = v;
	unsigned need = v.answer == ANSWER_NEED ? v.need : 0;

	q->has_sni = q->host.len > 0;
	q->sni = q->http_host = q->host;
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		if (!(need & needs[i].bit))
			continue;
		q->seen = needs[i].seen;
		v = policy_decide(p, q);
		if (v.answer != ANSWER_DENY && v.answer != ANSWER_NEED)
			return v;
		if (denied.answer != ANSWER_DENY || denied.reason != REASON_INSPECTION_REQUIRED)
			denied = v;
	}
	/* that something must be seen is no answer: nothing that was said was enough */
	denied.answer = denied.answer == ANSWER_NEED ? ANSWER_DENY : denied.answer;
	return denied;
}

/* Of a request inside TLS that must be seen, what is said once it is */
static enum level ask(const struct policy *p, struct question q)
{
	struct verdict v = policy_probe(p, &q);

	if (v.answer == ANSWER_DENY && v.reason == REASON_INSPECTION_REQUIRED && q.method.len) {
		q.seen = SEEN_HTTP;
		q.inspected = true;
		v = policy_decide(p, &q);
		return v.answer == ANSWER_ALLOW ? LEVEL_SEEN : LEVEL_SHUT;
	}
	return level_of(p, &q, &v);
}

/* ---- requests ---- */

static const char *word_at(const struct buf *words, size_t i)
{
	return ((const char *const *)(const void *)words->at)[i];
}

static size_t word_count(const struct buf *words)
{
	return words->len / sizeof(char *);
}

static bool word_known(const struct buf *words, const char *word, size_t *ret_at)
{
	for (*ret_at = 0; *ret_at < word_count(words); (*ret_at)++)
		if (!strcmp(word_at(words, *ret_at), word))
			return true;
	return false;
}

/* The number of a word among all: from 1 */
static uint32_t word_number(struct buf *all, const char *word)
{
	size_t at;

	if (!word_known(all, word, &at)) {
		if (at >= WORDS_MAX)
			return WORD_SOME;
		buf_add(all, &word, sizeof(word));
	}
	return (uint32_t)at + 1;
}

static void own_words(struct buf *own, const struct policy *p, struct slice list)
{
	for (uint32_t i = 0; i < list.count && word_count(own) < REQUESTS_MAX; i++) {
		const char *word = image_word(p, list.at + i);
		size_t at;

		if (!word_known(own, word, &at))
			buf_add(own, &word, sizeof(word));
	}
}

static void own_requests(struct compare *c, const struct policy *p, const struct match *m)
{
	struct cursor cursor = { 0 };
	uint32_t rule;

	while ((rule = match_next(p, m, &cursor)) != RULE_NONE) {
		const struct image_more *more = image_more(p, image_rule(p, rule));

		if (!more)
			continue;
		own_words(&c->own_methods, p, more->methods);
		own_words(&c->own_paths, p, more->paths);
	}
}

static void measure_depth(struct compare *c)
{
	c->depth = 1;
	for (size_t i = 0; i < word_count(&c->own_paths); i++) {
		size_t slashes = 0;

		for (const char *at = word_at(&c->own_paths, i); *at; at++)
			slashes += *at == '/';
		if (slashes > c->depth)
			c->depth = slashes;
	}
}

/*
 * The path that stands for a pattern; NULL: the one that none names
 *
 * One stranger is enough, and two stars reach where one does not.  It must not become
 * longer than what can be compared: PATTERN_MAX and what DEEPER adds at least to that
 * fit behind DEEP_MAX.
 */
static struct span path_of(const struct compare *c, const char *pattern, struct buf *ret)
{
	const char *star = c->stranger;

	buf_clear(ret);
	if (!pattern)
		buf_printf(ret, "/%s", c->stranger);
	for (const char *at = pattern; at && *at; at++) {
		if (*at != '*') {
			buf_add(ret, at, 1);
			continue;
		}
		buf_add_str(ret, star);
		star = DEEPER;
		if (at[1] != '*')
			continue;
		for (size_t i = 0; i < c->depth && (!i || ret->len < DEEP_MAX); i++)
			buf_printf(ret, "/%s", DEEPER);
		at++;
	}
	return buf_span(ret);
}

static const char *own_at(const struct buf *own, size_t i)
{
	return i < word_count(own) ? word_at(own, i) : NULL;
}

/* Both sides' levels for each method, and each path of it; the last ones are the strangers */
static void ask_requests(struct compare *c, struct question q, size_t methods, size_t paths)
{
	struct buf path = buf_new(TEXT_MAX);

	buf_clear(&c->levels);
	for (size_t m = 0; m < methods; m++) {
		q.method = span_str(own_at(&c->own_methods, m));
		if (!q.method.len)
			q.method = span_str(c->stranger);
		for (size_t i = 0; i < paths; i++) {
			uint8_t levels[2];

			q.path = path_of(c, own_at(&c->own_paths, i), &path);
			levels[0] = (uint8_t)ask(c->side[0], q);
			levels[1] = (uint8_t)ask(c->side[1], q);
			buf_add(&c->levels, levels, sizeof(levels));
		}
	}
	c->pieces.full |= path.full;
	buf_done(&path);
}

static void add_piece(struct compare *c, struct piece piece, const uint8_t levels[2],
		      uint32_t request)
{
	piece.change = levels[1] > levels[0] ? CHANGE_OPENS : CHANGE_CLOSES;
	piece.level = levels[levels[1] > levels[0]];
	piece.request = request;
	if (levels[0] != levels[1])
		buf_add(&c->pieces, &piece, sizeof(piece));
}

/* What is told of a pair of levels: 0 if nothing changed */
static unsigned told_of(const uint8_t levels[2])
{
	return levels[1] > levels[0] ? 2u * levels[1] + 1 : levels[1] < levels[0] ? 2u * levels[0] : 0;
}

/* Is the same to be told of @count pairs of levels from @at? */
static bool levels_alike(const uint8_t *at, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (told_of(at) != told_of(at + 2 * i))
			return false;
	return true;
}

static uint32_t own_number(struct buf *all, const struct buf *own, size_t i, const char *none)
{
	const char *word = own_at(own, i);

	return word_number(all, word ? word : none);
}

static void compare_requests(struct compare *c, const struct question *q,
			     const struct piece *piece)
{
	size_t methods = word_count(&c->own_methods) + 1, paths = word_count(&c->own_paths) + 1;
	const uint8_t *levels;

	ask_requests(c, *q, methods, paths);
	if (c->levels.full)
		return;
	levels = c->levels.at;
	if (levels_alike(levels, methods * paths)) {
		add_piece(c, *piece, levels, 0);
		return;
	}
	for (size_t m = 0; m < methods; m++, levels += 2 * paths) {
		uint32_t method = own_number(&c->methods, &c->own_methods, m, "any other method");

		method <<= METHOD_SHIFT;
		if (levels_alike(levels, paths)) {
			add_piece(c, *piece, levels, method | WORD_ANY);
			continue;
		}
		for (size_t i = 0; i < paths; i++)
			add_piece(c, *piece, levels + 2 * i,
				  method | own_number(&c->paths, &c->own_paths, i,
						      "any other path"));
	}
}

/* ---- cutting ---- */

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

/* What changed on the ports of one stretch */
static void compare_stretch(struct compare *c, struct question q, struct piece piece)
{
	size_t methods = word_count(&c->own_methods) + 1, paths = word_count(&c->own_paths) + 1;
	uint8_t levels[2];

	q.port = piece.first;
	q.transport = piece.transport;
	q.now_s = c->now_s;
	if (methods * paths > 1 && methods * paths <= REQUESTS_MAX) {
		compare_requests(c, &q, &piece);
		return;
	}
	/* so many that they are told as one: open if one of them is, and was not if one was not */
	for (size_t i = 0; i < 2; i++) {
		q.any_request = i && methods * paths > 1;
		levels[i] = (uint8_t)ask(c->side[i], q);
	}
	add_piece(c, piece, levels, 0);
}

/* What changed for the subject that @q asks about, as pieces; @matches: of both sides */
static void compare_ports(struct compare *c, struct question q, const struct match matches[2])
{
	static const uint32_t always[] = { 1, 80, 81, 443, 444 };
	uint32_t *cut;
	size_t count;

	buf_clear(&c->cuts);
	buf_clear(&c->own_methods);
	buf_clear(&c->own_paths);
	for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
		cut_at(c, always[i], 0);
		cut_at(c, always[i], CUT_UDP);
	}
	for (size_t i = 0; i < 2; i++) {
		cut_ports(c, c->side[i], &matches[i]);
		own_requests(c, c->side[i], &matches[i]);
	}
	measure_depth(c);
	cut = (void *)c->cuts.at;
	count = c->cuts.full ? 0 : c->cuts.len / sizeof(*cut);
	qsort(cut, count, sizeof(*cut), u32_order);
	for (size_t i = 0; i < count; i++) {
		bool udp = cut[i] & CUT_UDP, ends = i + 1 == count || (cut[i + 1] ^ cut[i]) & CUT_UDP;
		struct piece piece = { .transport = udp ? TRANSPORT_UDP : TRANSPORT_TCP,
				       .first = (uint16_t)cut[i],
				       .last = ends ? UINT16_MAX : (uint16_t)(cut[i + 1] - 1) };

		if (ends || cut[i + 1] != cut[i])
			compare_stretch(c, q, piece);
	}
}

/* ---- subjects ---- */

static int subject_order(const void *left, const void *right)
{
	const struct subject *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : a->below - b->below;
}

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

static void collect(struct compare *c, const struct policy *p)
{
	for (uint32_t i = 0; i < p->rules.count; i++) {
		const struct image_rule *r = image_rule(p, i);
		struct subject s = { .name = image_text(p, r->name) };
		struct addr end;

		if (form_is_list(r->form))
			continue;
		if (r->form == FORM_NET) {
			buf_add(&c->addrs, &r->net.base, sizeof(r->net.base));
			if (net_end(&r->net, &end))
				buf_add(&c->addrs, &end, sizeof(end));
			continue;
		}
		buf_add(&c->subjects, &s, sizeof(s));
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
	if (label)
		ret[label - 1] = '.';
	memcpy(ret + label, s->name, len + 1);
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

/* ---- telling ---- */

static bool piece_covers(const struct piece *wide, const struct piece *narrow)
{
	bool words = !wide->request || wide->request == narrow->request;

	return words && wide->change == narrow->change && wide->level == narrow->level &&
	       wide->transport == narrow->transport && wide->first <= narrow->first &&
	       narrow->last <= wide->last;
}

/* Does the line of some parent's strangers tell it already? */
static bool is_told(const struct compare *c, const struct subject *s, const struct piece *piece)
{
	const struct piece *all = (const void *)c->pieces.at;

	for (struct span parent = host_parent(span_str(s->name)); parent.len;
	     parent = host_parent(parent)) {
		const struct subject key = { .name = (const char *)parent.at, .below = true };
		const struct subject *found = bsearch(&key, c->subjects.at,
						      c->subjects.len / sizeof(key), sizeof(key),
						      subject_order);

		for (size_t i = 0; found && i < found->count; i++)
			if (piece_covers(&all[found->at + i], piece))
				return true;
		/* the closest listed parent is the one whose strangers these names are */
		if (found)
			return false;
	}
	return false;
}

static void add_range(struct buf *b, const struct piece *p, uint16_t last, bool first)
{
	buf_printf(b, "%s%u", first ? ":" : ",", p->first);
	if (last != p->first)
		buf_printf(b, "-%u", last);
	if (p->transport == TRANSPORT_UDP)
		buf_add_str(b, "/udp");
}

static bool pieces_alike(const struct piece *a, const struct piece *b)
{
	return a->change == b->change && a->level == b->level && a->request == b->request;
}

static void add_word(struct buf *b, const struct buf *all, uint32_t number)
{
	if (number == WORD_SOME)
		buf_add_str(b, "some requests ");
	else if (number != WORD_ANY)
		buf_printf(b, "%s ", word_at(all, number - 1));
}

static void add_request(struct buf *b, const struct compare *c, uint32_t request)
{
	if (!request)
		return;
	add_word(b, &c->methods, request >> METHOD_SHIFT);
	add_word(b, &c->paths, request & ((1u << METHOD_SHIFT) - 1));
	buf_add_str(b, "on ");
}

/*
 * One line for the pieces of @subject that are like the first of @piece; those
 * that were told have a port of 0 from then on
 */
static void tell_alike(struct compare *c, const char *subject, struct piece *piece, size_t count)
{
	static const char *const more[] = {
		[LEVEL_SHUT] = "", [LEVEL_SEEN] = " (only where requests can be seen)",
		[LEVEL_OPEN] = "", [LEVEL_PRIVATE] = " (at private addresses too)",
	};
	struct buf words = buf_new(TEXT_MAX);
	const struct piece like = piece[0];
	bool first = true;

	add_request(&words, c, like.request);
	buf_add_str(&words, subject);
	for (size_t i = 0; i < count; i++) {
		uint16_t last = piece[i].last;

		if (!piece[i].first || !pieces_alike(&piece[i], &like))
			continue;
		/* of other requests' pieces, which lie between, nothing is taken */
		for (size_t k = i + 1; k < count; k++) {
			if (!piece[k].first || piece[k].first != last + 1u ||
			    piece[k].transport != piece[i].transport ||
			    !pieces_alike(&piece[k], &like))
				continue;
			last = piece[k].last;
			piece[k].first = 0;
		}
		add_range(&words, &piece[i], last, first);
		first = false;
		piece[i].first = 0;
	}
	buf_add_str(&words, more[like.level]);
	if (buf_add(&words, "", 1))
		c->tell(c->arg, like.change, (const char *)words.at);
	c->pieces.full |= words.full;
	buf_done(&words);
}

static void tell_pieces(struct compare *c, const char *subject, struct piece *piece, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (piece[i].first)
			tell_alike(c, subject, piece + i, count - i);
}

/* Of a name and the names below it, what changed in the same way is one line: ".NAME" */
static void tell_names(struct compare *c)
{
	struct subject *s = (void *)c->subjects.at;
	size_t count = c->subjects.len / sizeof(*s);
	struct buf kept = buf_new(PIECES_MAX);

	for (size_t i = 0; i < count; i++) {
		const struct piece *all = (const void *)c->pieces.at;
		char subject[HOST_MAX + 3];
		struct piece *piece;
		bool both;

		buf_clear(&kept);
		for (size_t k = 0; k < s[i].count; k++)
			if (!is_told(c, &s[i], &all[s[i].at + k]))
				buf_add(&kept, &all[s[i].at + k], sizeof(*all));
		/* each name is there twice: itself, and then below it */
		both = !s[i].below && kept.len && s[i].count == s[i + 1].count &&
		       kept.len == s[i].count * sizeof(*all) &&
		       !memcmp(all + s[i].at, all + s[i + 1].at, kept.len);
		snprintf(subject, sizeof(subject), "%s%s", s[i].below ? "*." : both ? "." : "",
			 s[i].name);
		piece = (void *)kept.at;
		tell_pieces(c, subject, piece, kept.len / sizeof(*piece));
		i += both;
		c->pieces.full |= kept.full;
	}
	buf_done(&kept);
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

/* Stretches of one network that changed alike, one after the other, are one line */
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
		if (is_same_net(net, told) && last.len == c->pieces.len &&
		    (!last.len || !memcmp(last.at, c->pieces.at, last.len)))
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

/* What no rule names: it passes in mode monitor */
static void compare_strangers(struct compare *c)
{
	struct subject s = { .name = "invalid", .below = true };

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
		.levels = buf_new(PIECES_MAX),
	};
	struct buf *bufs[] = { &c.subjects, &c.addrs, &c.cuts, &c.pieces, &c.methods, &c.paths,
			       &c.own_methods, &c.own_paths, &c.levels };
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
	for (size_t i = 0; i < ARRAY_SIZE(bufs); i++) {
		ok = ok && !bufs[i]->full;
		buf_done(bufs[i]);
	}
	return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* compare_ask.c - both policies are asked about one stretch of ports of one subject */
#include "base/auto.h"
#include "policy/comparing.h"
#include "policy/path.h"

#define DEEPER "-"	/* what stands for a star behind the stranger */
#define DEEP_MAX 600	/* bytes of a path that two stars make longer than they must */
_Static_assert(DEEP_MAX + PATTERN_MAX * 4 / 3 + STRANGER_MAX < PATH_MAX_BYTES,
	       "such a path is compared");

/* ---- asking ---- */

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
static void ask(const struct policy *p, const struct question *q, struct asked *ret)
{
	ret->q = *q;
	ret->q.any_credential = true;
	ret->v = policy_probe(p, &ret->q);
	if (ret->v.answer == ANSWER_DENY && ret->v.reason == REASON_INSPECTION_REQUIRED &&
	    ret->q.seen == SEEN_TLS && !ret->q.any_request) {
		ret->q.seen = SEEN_HTTP;
		ret->q.inspected = true;
		ret->v = policy_decide(p, &ret->q);
		ret->level = ret->v.answer == ANSWER_ALLOW ? LEVEL_SEEN : LEVEL_SHUT;
		return;
	}
	ret->level = level_of(p, &ret->q, &ret->v);
}

static struct shade shade_of(enum level was, enum level is)
{
	struct shade s = { .change = SHADE_SAME };

	if (was != is) {
		s.change = is > was ? CHANGE_OPENS : CHANGE_CLOSES;
		s.is = is > was ? is : was;
	}
	return s;
}

static void ask_both(const struct compare *c, const struct question *q,
		     struct shade ret[ASPECT_NUM])
{
	struct asked sides[2];

	for (size_t i = 0; i < 2; i++)
		ask(c->side[i], q, &sides[i]);
	for (size_t i = 0; i < ASPECT_NUM; i++)
		ret[i] = (struct shade){ .change = SHADE_SAME };
	ret[ASPECT_ACCESS] = shade_of(sides[0].level, sides[1].level);
	if (c->aspects)
		terms_compare(c, sides, ret);
}

/* ---- requests ---- */

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

/* Both sides for each method, and each path of it; the last ones are the strangers */
static void ask_requests(struct compare *c, struct question q, size_t methods, size_t paths)
{
	struct buf path = buf_new(TEXT_MAX);

	buf_clear(&c->shades);
	for (size_t m = 0; m < methods; m++) {
		q.method = span_str(own_at(&c->own_methods, m));
		if (!q.method.len)
			q.method = span_str(c->stranger);
		for (size_t i = 0; i < paths; i++) {
			struct shade shades[ASPECT_NUM];

			q.path = path_of(c, own_at(&c->own_paths, i), &path);
			ask_both(c, &q, shades);
			buf_add(&c->shades, shades, sizeof(shades));
		}
	}
	c->pieces.full |= path.full;
	buf_done(&path);
}

static void add_piece(struct compare *c, struct piece piece, const struct shade *shade,
		      uint32_t request)
{
	piece.shade = *shade;
	piece.request = request;
	if (shade->change != SHADE_SAME)
		buf_add(&c->pieces, &piece, sizeof(piece));
}

/* Is the same to be told of @count requests? */
static bool shades_alike(const struct shade *at, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (memcmp(at, at + ASPECT_NUM * i, sizeof(*at)) != 0)
			return false;
	return true;
}

static uint32_t own_number(struct buf *all, const struct buf *own, size_t i, const char *none)
{
	const char *word = own_at(own, i);

	return word_number(all, word ? word : none);
}

/* @shade: of the first request */
static void add_requests(struct compare *c, struct piece piece, const struct shade *shade,
			 size_t methods, size_t paths)
{
	if (shades_alike(shade, methods * paths)) {
		add_piece(c, piece, shade, 0);
		return;
	}
	for (size_t m = 0; m < methods; m++, shade += ASPECT_NUM * paths) {
		uint32_t method = own_number(&c->methods, &c->own_methods, m, "any other method");

		method <<= METHOD_SHIFT;
		if (shades_alike(shade, paths)) {
			add_piece(c, piece, shade, method | WORD_ANY);
			continue;
		}
		for (size_t i = 0; i < paths; i++)
			add_piece(c, piece, shade + ASPECT_NUM * i,
				  method | own_number(&c->paths, &c->own_paths, i,
						      "any other path"));
	}
}

/* So many that they are told as one: open if one of them is, and was not if one was not */
static void ask_as_one(struct compare *c, struct question q, struct piece piece,
		       const struct match matches[2])
{
	struct shade shade, terms = terms_of_rules(c, matches);
	struct asked sides[2];

	for (size_t i = 0; i < 2; i++) {
		q.any_request = i;
		ask(c->side[i], &q, &sides[i]);
	}
	shade = shade_of(sides[0].level, sides[1].level);
	add_piece(c, piece, &shade, 0);
	piece.aspect = ASPECT_TERMS;
	add_piece(c, piece, &terms, 0);
}

void ask_stretch(struct compare *c, struct question q, struct piece piece,
		 const struct match matches[2])
{
	size_t methods = word_count(&c->own_methods) + 1, paths = word_count(&c->own_paths) + 1;

	q.port = piece.first;
	q.transport = (enum transport)piece.transport;
	q.now_s = c->now_s;
	if (methods * paths > REQUESTS_MAX) {
		ask_as_one(c, q, piece, matches);
		return;
	}
	ask_requests(c, q, methods, paths);
	for (piece.aspect = 0; !c->shades.full && piece.aspect < ASPECT_NUM; piece.aspect++)
		add_requests(c, piece, (const struct shade *)(const void *)c->shades.at + piece.aspect,
			     methods, paths);
}

void ask_prepare(struct compare *c, const struct match matches[2])
{
	buf_clear(&c->own_methods);
	buf_clear(&c->own_paths);
	for (size_t i = 0; i < 2; i++)
		own_requests(c, c->side[i], &matches[i]);
	measure_depth(c);
}

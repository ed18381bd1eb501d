/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn_doubt.c - what a person should see before it holds, and what is one of many
 *
 * Names can carry data out by being looked up, and a session can have been led astray: so
 * names that nobody would choose, and places that stand out from all others, wait for a
 * person.  What is rare is only told from what is usual where there is enough that is usual.
 */
#include <math.h>
#include <stdlib.h>

#include "base/auto.h"
#include "policy/host.h"
#include "watch/learnt.h"

#define RANDOM_MIN 16		/* bytes of a label: fewer hold little, and words look random */
#define RANDOM_BITS 3.2		/* of entropy a byte: words have less, 20 digits of base32 more */

bool learnt_counts(const struct learnt *p)
{
	return !p->merged && (p->uses || p->asked);
}

/* ---- doubts ---- */

static double entropy(struct span s)
{
	unsigned counts[256] = { 0 };
	double bits = 0;

	for (size_t i = 0; i < s.len; i++)
		counts[s.at[i]]++;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		double share = (double)counts[i] / (double)s.len;

		if (counts[i])
			bits -= share * log2(share);
	}
	return bits;
}

/* Long, with digits among its letters in three places at least, and no sign of an order */
static bool label_is_random(struct span s)
{
	unsigned turns = 0;

	for (size_t i = 1; i < s.len; i++) {
		bool digit = s.at[i] >= '0' && s.at[i] <= '9';
		bool before = s.at[i - 1] >= '0' && s.at[i - 1] <= '9';

		turns += digit != before && s.at[i] != '-' && s.at[i - 1] != '-';
	}
	return s.len >= RANDOM_MIN && turns >= 3 && entropy(s) >= RANDOM_BITS;
}

bool name_is_random(struct span host)
{
	for (struct span rest = host; rest.len; rest = host_parent(rest)) {
		ptrdiff_t dot = span_find(rest, '.');

		if (label_is_random(dot < 0 ? rest : span_head(rest, (size_t)dot)))
			return true;
	}
	return false;
}

static enum doubt doubt_of(const struct learn *l, const struct learnt *p, uint64_t usual)
{
	if (p->own)
		return DOUBT_OWN_ADDRESS;
	if (p->special && l->o.forged)
		return DOUBT_SPECIAL;
	if (name_is_random(span_str(p->host)))
		return DOUBT_RANDOM;
	if (l->session >= LEARN_SESSIONS_MIN && p->sessions == 1 && p->uses == 1 && p->asked <= 1)
		return DOUBT_ONCE;
	if (l->uses >= LEARN_USES_MIN && usual >= LEARN_USUAL_USES &&
	    p->first > l->uses - l->uses / 10 && p->uses <= LEARN_LATE_USES_MAX)
		return DOUBT_LATE;
	return DOUBT_NONE;
}

void places_doubt(struct learn *l)
{
	uint64_t count = 0;

	for (size_t i = 0; i < l->count; i++)
		count += learnt_counts(&l->places[i]);
	for (size_t i = 0; i < l->count; i++)
		if (learnt_counts(&l->places[i]))
			l->places[i].doubt = doubt_of(l, &l->places[i], l->uses / count);
}

/* ---- siblings ---- */

/* May names below it be opened that nobody has seen? */
static bool parent_is_good(const struct learn *l, struct span parent)
{
	char name[HOST_MAX + 1];

	return span_copy(parent, name, sizeof(name)) && !host_is_suffix(name) &&
	       !(l->o.shared && l->o.shared(l->o.known, name));
}

static bool is_sibling(const struct learnt *a, const struct learnt *b)
{
	return b->port && b->host[0] && b->host[0] != '*' && learnt_counts(b) && !b->doubt && !b->covered &&
	       a->port == b->port && a->udp == b->udp && a->said == b->said &&
	       a->special == b->special &&
	       span_eq(host_parent(span_str(a->host)), host_parent(span_str(b->host)));
}

static void absorb(struct learnt *into, struct learnt *p)
{
	p->merged = true;
	into->said |= p->said;
	into->blind |= p->blind;
	into->websocket |= p->websocket;
	into->special |= p->special;
	into->uses += p->uses;
	into->asked += p->asked;
	into->sessions = p->sessions > into->sessions ? p->sessions : into->sessions;
	requests_merge(&into->requests, &p->requests);
}

/* By port, parent and name, so that siblings stand together */
static int by_parent(const void *left, const void *right)
{
	const struct learnt *const *a = left, *const *b = right;
	struct span pa = host_parent(span_str((*a)->host)), pb = host_parent(span_str((*b)->host));
	int order = (*a)->port - (*b)->port;

	if (!order)
		order = strcmp(pa.len ? (const char *)pa.at : "", pb.len ? (const char *)pb.at : "");
	if (!order)
		order = (*a)->udp - (*b)->udp;
	if (!order)
		order = (int)(*a)->said - (int)(*b)->said;
	return order ? order : strcmp((*a)->host, (*b)->host);
}

/* A public suffix among them: below their parent strangers have names, whatever it is itself */
static bool has_suffix(struct learnt *const *run, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (host_is_suffix(run[i]->host))
			return true;
	return false;
}

/* @run: siblings.  The place that stands for them takes the room of a new one */
static void join(struct learn *l, struct learnt *const *run, size_t count)
{
	char pattern[HOST_MAX + 3];
	struct span parent = host_parent(span_str(run[0]->host));
	const struct addr none = { 0 };
	struct learnt *wild;

	if (count < LEARN_SIBLINGS_MIN || !parent_is_good(l, parent) || has_suffix(run, count))
		return;
	snprintf(pattern, sizeof(pattern), "*." SPAN_FMT, SPAN_ARG(parent));
	wild = l->count < l->size ? learnt_get(l, pattern, &none, run[0]->port, run[0]->udp) : NULL;
	for (size_t i = 0; wild && i < count; i++)
		absorb(wild, run[i]);
}

void places_join(struct learn *l)
{
	size_t count = l->count, from = 0, n = 0;
	struct learnt **all, *places;

	/* room for all wildcards first, so that no place moves while the list points to them */
	places = reallocarray(l->places, 2 * count + 1, sizeof(*places));
	if (!places)
		return;
	l->places = places;
	l->size = 2 * count + 1;
	all = calloc(count + 1, sizeof(struct learnt *));
	for (size_t i = 0; all && i < count; i++)
		if (is_sibling(&l->places[i], &l->places[i]))
			all[n++] = &l->places[i];
	if (n)
		qsort(all, n, sizeof(struct learnt *), by_parent);
	for (size_t i = 1; n && i <= n; i++) {
		if (i < n && is_sibling(all[from], all[i]))
			continue;
		join(l, all + from, i - from);
		from = i;
	}
	free(all);
}

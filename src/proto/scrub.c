/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Knuth, Morris, Pratt, for each value at once: what is overwritten was looked at for all of
 * them, so no value hides another one that overlaps it.
 */
#include "proto/scrub.h"

#include <assert.h>
#include <stdlib.h>

#include "base/auto.h"

struct value {
	uint8_t	 *at, *over;	/* owned, @len bytes each */
	uint16_t *fail;		/* owned: [i]: the longest end of its first i + 1 bytes that it begins with */
	size_t	  len;
};

struct scrub_set {
	unsigned	 refs;
	struct value	*values;	/* short ones first: of two that end together the longer is
				 * written last */
	size_t		 count;
	bool		 begins[256];	/* some value does with this octet */
};

static_assert(SCRUB_MOST <= UINT16_MAX, "a state holds a length");

struct scrub_set *scrub_set_new(void)
{
	struct scrub_set *s = calloc(1, sizeof(*s));

	if (s)
		s->refs = 1;
	return s;
}

struct scrub_set *scrub_set_ref(struct scrub_set *s)
{
	s->refs++;
	return s;
}

static void value_done(struct value *v)
{
	if (v->at)
		explicit_bzero(v->at, v->len);
	if (v->fail)	/* it tells how the value repeats itself */
		explicit_bzero(v->fail, v->len * sizeof(*v->fail));
	free(v->at);
	free(v->over);
	free(v->fail);
}

void scrub_set_unref(struct scrub_set *s)
{
	if (!s || --s->refs)
		return;
	for (size_t i = 0; i < s->count; i++)
		value_done(&s->values[i]);
	free(s->values);
	free(s);
}

size_t scrub_set_count(const struct scrub_set *s)
{
	return s->count;
}

/* Return: how many bytes of the value end in @c, if @state did before it */
static inline size_t next(const struct value *v, size_t state, uint8_t c)
{
	while (state && (state == v->len || v->at[state] != c))
		state = v->fail[state - 1];
	return v->at[state] == c ? state + 1 : 0;
}

static bool value_fill(struct value *v, struct span value, struct span over)
{
	*v = (struct value){ malloc(value.len), malloc(value.len),
			     calloc(value.len, sizeof(*v->fail)), value.len };
	if (!v->at || !v->over || !v->fail)
		return false;
	memcpy(v->at, value.at, value.len);
	memset(v->over, '*', value.len);
	over = span_head(over, value.len);
	if (over.len)
		memcpy(v->over, over.at, over.len);
	for (size_t i = 1; i < value.len; i++)
		v->fail[i] = (uint16_t)next(v, v->fail[i - 1], value.at[i]);
	return true;
}

bool scrub_set_add(struct scrub_set *s, struct span value, struct span over)
{
	struct value *more, v;
	size_t at;

	if (value.len < SCRUB_LEAST)
		return true;
	for (size_t i = 0; i < s->count; i++)
		if (span_eq(value, span_of(s->values[i].at, s->values[i].len)))
			return true;
	if (value.len > SCRUB_MOST)
		return false;
	more = reallocarray(s->values, s->count + 1, sizeof(*more));
	if (!more)
		return false;
	s->values = more;
	if (!value_fill(&v, value, over)) {
		value_done(&v);
		return false;
	}
	for (at = s->count++; at && s->values[at - 1].len > v.len; at--)
		s->values[at] = s->values[at - 1];
	s->values[at] = v;
	s->begins[value.at[0]] = true;
	return true;
}

bool scrub_begin(struct scrub *s, struct scrub_set *set)
{
	/* twice: one for scrub_whole() */
	*s = (struct scrub){ .state = calloc(2 * set->count + 1, sizeof(*s->state)) };
	if (s->state)
		s->set = scrub_set_ref(set);
	return s->state;
}

void scrub_end(struct scrub *s)
{
	scrub_set_unref(s->set);
	free(s->state);
	*s = (struct scrub){ .set = NULL };
}

size_t scrub_bytes(const struct scrub *s)
{
	return s->set ? (2 * s->set->count + 1) * sizeof(*s->state) : 0;
}

static size_t longest(const struct scrub_set *set, const uint16_t *state)
{
	size_t most = 0;

	for (size_t k = 0; k < set->count; k++)
		most = state[k] > most ? state[k] : most;
	return most;
}

/* Return: how many bytes at the end may go on to be a value */
static size_t feed(const struct scrub_set *set, uint16_t *state, uint8_t *at, size_t from,
		   size_t len)
{
	bool idle = !longest(set, state);

	for (size_t i = from; i < len; i++) {
		uint8_t c = at[i];

		while (idle && !set->begins[c] && i + 1 < len)
			c = at[++i];
		idle = true;
		for (size_t k = 0; k < set->count; k++) {
			const struct value *v = &set->values[k];

			state[k] = (uint16_t)next(v, state[k], c);
			if (state[k] == v->len) {
				assert(i + 1 >= v->len);
				memcpy(at + (i + 1 - v->len), v->over, v->len);
				/* it is whole: what it may go on to be begins within it */
				state[k] = v->fail[v->len - 1];
			}
			idle = idle && !state[k];
		}
	}
	return longest(set, state);
}

size_t scrub_feed(struct scrub *s, uint8_t *at, size_t fed, size_t len)
{
	if (!s->set)
		return len;
	assert(fed <= len && longest(s->set, s->state) <= fed);
	return len - feed(s->set, s->state, at, fed, len);
}

void scrub_whole(const struct scrub *s, uint8_t *at, size_t len)
{
	if (!s->set)
		return;
	memset(s->state + s->set->count, 0, s->set->count * sizeof(*s->state));
	feed(s->set, s->state + s->set->count, at, 0, len);
}

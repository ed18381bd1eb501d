/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/timeline.h"

#include <string.h>

static void add(uint64_t *sum, uint64_t more)
{
	if (__builtin_add_overflow(*sum, more, sum))
		*sum = UINT64_MAX;
}

static void add_slot(struct timeline_slot *to, const struct timeline_slot *more)
{
	add(&to->connections, more->connections);
	add(&to->denied, more->denied);
	add(&to->bytes, more->bytes);
}

/* Rounded down, below zero too */
static int64_t slot_of(int64_t at_s, int64_t width_s)
{
	int64_t n = at_s / width_s;

	return n * width_s > at_s ? n - 1 : n;
}

/* Two become one */
static void widen(struct timeline *t)
{
	int64_t last = t->first + (int64_t)t->count - 1, first = slot_of(t->first, 2);
	struct timeline_slot slots[TIMELINE_SLOTS] = { { 0 } };

	for (size_t i = 0; i < t->count; i++)
		add_slot(&slots[slot_of(t->first + (int64_t)i, 2) - first], &t->slots[i]);
	memcpy(t->slots, slots, sizeof(slots));
	t->count = (size_t)(slot_of(last, 2) - first + 1);
	t->first = first;
	t->width_s *= 2;
}

void timeline_add(struct timeline *t, int64_t at_s, const struct timeline_slot *more)
{
	int64_t n, last;

	if (!t->width_s)
		*t = (struct timeline){ .width_s = 1, .first = at_s, .count = 1 };
	for (;;) {
		n = slot_of(at_s, t->width_s);
		last = t->first + (int64_t)t->count - 1;
		if (n > last)
			last = n;
		if (last - (n < t->first ? n : t->first) < TIMELINE_SLOTS)
			break;
		widen(t);
	}
	if (n < t->first) {
		size_t shift = (size_t)(t->first - n);

		memmove(t->slots + shift, t->slots, t->count * sizeof(*t->slots));
		memset(t->slots, 0, shift * sizeof(*t->slots));
		t->first = n;
	}
	t->count = (size_t)(last - t->first + 1);
	add_slot(&t->slots[n - t->first], more);
}

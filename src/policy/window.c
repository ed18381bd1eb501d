/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/window.h"

#include <stdlib.h>

static uint64_t span_us(const struct window *w)
{
	return (uint64_t)w->rate.per_s * 1000000;
}

/* Hits closer than this are kept as one; 0: none are */
static uint64_t grain_us(const struct window *w)
{
	return w->rate.count > WINDOW_EXACT ? span_us(w) / WINDOW_EXACT : 0;
}

static struct window_hits *hits_at(const struct window *w, uint32_t i)
{
	return &w->ring[(w->at + i) % w->size];
}

void window_set(struct window *w, struct rate rate)
{
	w->rate = rate;
}

void window_done(struct window *w)
{
	free(w->ring);
	*w = (struct window){ .rate = w->rate };
}

static void drop_oldest(struct window *w)
{
	w->total -= hits_at(w, 0)->count;
	w->at = (w->at + 1) % w->size;
	w->len--;
}

static void expire(struct window *w, uint64_t now_us)
{
	while (w->len && now_us - hits_at(w, 0)->last_us >= span_us(w))
		drop_oldest(w);
}

bool window_passes(struct window *w, uint64_t now_us)
{
	if (!w->rate.count)
		return true;
	expire(w, now_us);
	return w->total < w->rate.count;
}

static bool grow(struct window *w)
{
	uint32_t size = w->size ? 2 * w->size : 4;
	struct window_hits *ring = calloc(size, sizeof(*ring));

	if (!ring)
		return false;
	for (uint32_t i = 0; i < w->len; i++)
		ring[i] = *hits_at(w, i);
	free(w->ring);
	w->ring = ring;
	w->size = size;
	w->at = 0;
	return true;
}

static void forget_one(struct window *w)
{
	struct window_hits *oldest = hits_at(w, 0);

	if (oldest->count == 1) {
		drop_oldest(w);
		return;
	}
	oldest->count--;
	w->total--;
}

bool window_hit(struct window *w, uint64_t now_us)
{
	struct window_hits *newest;

	if (window_passes(w, now_us) && !w->rate.count)
		return true;
	while (w->total >= w->rate.count)
		forget_one(w);
	newest = w->len ? hits_at(w, w->len - 1) : NULL;
	if (newest && now_us - newest->first_us < grain_us(w)) {
		newest->last_us = now_us;
		newest->count++;
		w->total++;
		return true;
	}
	if (w->len == w->size && !grow(w))
		return false;
	w->len++;
	*hits_at(w, w->len - 1) = (struct window_hits){ now_us, now_us, 1 };
	w->total++;
	return true;
}

uint64_t window_wait_us(struct window *w, uint64_t now_us)
{
	if (window_passes(w, now_us))
		return 0;
	return hits_at(w, 0)->last_us + span_us(w) - now_us;
}

void windows_set(struct windows *w, const struct rates *rates)
{
	for (unsigned i = 0; i < RATE_WINDOWS; i++)
		window_set(&w->at[i], rates->at[i]);
}

void windows_done(struct windows *w)
{
	for (unsigned i = 0; i < RATE_WINDOWS; i++)
		window_done(&w->at[i]);
}

struct window *windows_full(struct windows *w, uint64_t now_us)
{
	struct window *full = NULL;
	uint64_t longest = 0;

	for (unsigned i = 0; i < RATE_WINDOWS; i++) {
		uint64_t wait = window_wait_us(&w->at[i], now_us);

		if (wait > longest) {
			longest = wait;
			full = &w->at[i];
		}
	}
	return full;
}

bool windows_hit(struct windows *w, uint64_t now_us)
{
	bool room = true;

	for (unsigned i = 0; i < RATE_WINDOWS; i++)
		room = window_hit(&w->at[i], now_us) && room;
	return room;
}

bool windows_idle(struct windows *w, uint64_t now_us)
{
	for (unsigned i = 0; i < RATE_WINDOWS; i++)
		if (w->at[i].rate.count && (!window_passes(&w->at[i], now_us) || w->at[i].total))
			return false;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window.h - at most so many in any stretch of time
 *
 * Exact up to WINDOW_EXACT in a window: each hit's time is kept.  Above that
 * hits that come within a 1/1024 of the window are kept as one, which leaves
 * when the last of them does: so never more than the rate allows pass, and a
 * freed place may come late by that fraction.  Memory: at most 24 bytes for
 * each of about 2 * WINDOW_EXACT hits.
 *
 * Times are microseconds of a clock that never goes back.
 */
#ifndef SLUICE_POLICY_WINDOW_H
#define SLUICE_POLICY_WINDOW_H

#include "policy/policy.h"

#define WINDOW_EXACT 1024	/* hits of a window whose times are kept one by one */

struct window_hits {
	uint64_t	first_us, last_us;
	uint64_t	count;
};

/* All zero is a window without a rate: everything passes */
struct window {
	struct rate	 rate;
	struct window_hits *ring;	/* owned */
	uint32_t	 size, at, len;	/* of the ring; the oldest; how many */
	uint64_t	 total;		/* hits in it */
};

/* Set or change the rate; what was counted stays */
void window_set(struct window *w, struct rate rate);
void window_done(struct window *w);

/* Is there room for one more at @now_us? */
bool window_passes(struct window *w, uint64_t now_us);

/*
 * window_hit() - count one; a full window forgets its oldest for it
 *
 * Return: false if memory is out: it is not counted, and must not pass.
 */
bool window_hit(struct window *w, uint64_t now_us);

/* Microseconds until the next may pass; 0: now */
uint64_t window_wait_us(struct window *w, uint64_t now_us);

/* Several rates over the same hits: all hold */
struct windows {
	struct window	at[RATE_WINDOWS];
};

void windows_set(struct windows *w, const struct rates *rates);
void windows_done(struct windows *w);

/* The window that has no room for one more at @now_us, and of several the one that has none
 * for the longest; NULL: there is room */
struct window *windows_full(struct windows *w, uint64_t now_us);

/* Count one in each.  Return: as window_hit() */
bool windows_hit(struct windows *w, uint64_t now_us);

/* Is nothing left in any window that has a rate? */
bool windows_idle(struct windows *w, uint64_t now_us);

#endif

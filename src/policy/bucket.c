/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/bucket.h"

#define PARTS 1000000			/* of a byte, and of a second */
#define BYTES_MAX ((uint64_t)1 << 42)	/* of a rate or burst: PARTS times it fits into 63 bits */
#define BURST_MIN 2048			/* bytes: a packet and a little more */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int64_t full(const struct bucket *b)
{
	return (int64_t)(b->burst * PARTS);
}

static void fill(struct bucket *b, uint64_t now_us)
{
	uint64_t lack = (uint64_t)full(b) - (uint64_t)b->level, passed = now_us - b->at_us;

	b->at_us = now_us;
	if (passed > lack / b->rate_bps)
		b->level = full(b);
	else
		b->level += (int64_t)(passed * b->rate_bps);
}

void bucket_set(struct bucket *b, uint64_t rate_bps, uint64_t burst, uint64_t now_us)
{
	bool is_new = !b->rate_bps;
	uint64_t least_burst;

	if (rate_bps == AMOUNT_NONE) {
		*b = (struct bucket){ 0 };
		return;
	}
	if (!is_new)
		fill(b, now_us);
	b->rate_bps = least(rate_bps ? rate_bps : 1, BYTES_MAX);
	least_burst = b->rate_bps / 50 > BURST_MIN ? b->rate_bps / 50 : BURST_MIN;
	b->burst = burst == AMOUNT_NONE ? b->rate_bps / 10 : least(burst, BYTES_MAX);
	if (b->burst < least_burst)
		b->burst = least_burst;
	if (is_new || b->level > full(b))
		b->level = full(b);
	b->at_us = now_us;
}

uint64_t bucket_room(struct bucket *b, uint64_t now_us)
{
	if (!b->rate_bps)
		return UINT64_MAX;
	fill(b, now_us);
	return b->level < 0 ? 0 : (uint64_t)b->level / PARTS;
}

void bucket_take(struct bucket *b, uint64_t bytes)
{
	/* twice the largest burst in debt is as far as it goes: no sum can overflow */
	int64_t floor = -(int64_t)(BYTES_MAX * PARTS);

	if (!b->rate_bps)
		return;
	bytes = least(bytes, BYTES_MAX);
	b->level -= (int64_t)(bytes * PARTS);
	if (b->level < floor)
		b->level = floor;
}

void bucket_return(struct bucket *b, uint64_t bytes)
{
	if (!b->rate_bps)
		return;
	bytes = least(bytes, BYTES_MAX);
	b->level += (int64_t)(bytes * PARTS);
	if (b->level > full(b))
		b->level = full(b);
}

uint64_t bucket_wait_us(struct bucket *b, uint64_t bytes, uint64_t now_us)
{
	int64_t want = (int64_t)(least(bytes, b->burst) * PARTS);

	if (!b->rate_bps)
		return 0;
	fill(b, now_us);
	if (b->level >= want)
		return 0;
	return ((uint64_t)(want - b->level) + b->rate_bps - 1) / b->rate_bps;
}

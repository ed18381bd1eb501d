/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bucket.h - a token bucket: bytes flow in at a rate, up to a burst
 *
 * Taking more than there is makes a debt, which is paid before anything else
 * passes: so the rate holds in the long run whatever the pieces are.  Exact:
 * what is in it is counted in millionths of a byte.
 *
 * Times are microseconds of a clock that never goes back.
 */
#ifndef SLUICE_POLICY_BUCKET_H
#define SLUICE_POLICY_BUCKET_H

#include "policy/policy.h"

struct bucket {
	uint64_t	rate_bps;	/* bytes a second; 0: no bound */
	uint64_t	burst;		/* bytes that it holds at most */
	int64_t		level;		/* millionths of a byte; below 0: a debt */
	uint64_t	at_us;		/* when that was so */
};

/*
 * bucket_set() - set or change rate and burst
 * @rate_bps:	AMOUNT_NONE: no bound
 * @burst:	AMOUNT_NONE: a tenth of a second.  Less than a fiftieth of a
 *		second or 2048 bytes is raised to that: what comes in between two
 *		looks at the clock must find room.
 *
 * A new bucket is full; a changed one keeps what it has, up to the new burst.
 */
void bucket_set(struct bucket *b, uint64_t rate_bps, uint64_t burst, uint64_t now_us);

/* Bytes that may be taken now; UINT64_MAX: no bound */
uint64_t bucket_room(struct bucket *b, uint64_t now_us);

void bucket_take(struct bucket *b, uint64_t bytes);

/* Give back what was taken and not used */
void bucket_return(struct bucket *b, uint64_t bytes);

/* Microseconds until @bytes, or the whole burst if that is less, are there */
uint64_t bucket_wait_us(struct bucket *b, uint64_t bytes, uint64_t now_us);

#endif

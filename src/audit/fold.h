/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.h - keep a flood of denials from filling the log
 *
 * In each second of the clock the first FOLD_PER_SECOND denials of a reason
 * are recorded one by one; the rest are only counted, and told in one record
 * when the second is over.  Pure: time is passed in.  Memory is fixed.
 */
#ifndef SLUICE_AUDIT_FOLD_H
#define SLUICE_AUDIT_FOLD_H

#include "base/hash.h"
#include "policy/policy.h"

#define FOLD_PER_SECOND 50	/* denials of one reason recorded one by one (contract section 4) */
#define FOLD_SAMPLE 5		/* hosts named in the record */
#define FOLD_DISTINCT_MAX 512	/* hosts told apart; at this number it means "or more" */
#define FOLD_SLOTS 1024		/* a hash table at most half full */

struct fold_row {
	uint32_t seen;			/* denials in this second */
	uint64_t folded;		/* those that got no record of their own */
	uint32_t distinct;		/* hosts among the folded */
	size_t	 sample_count;
	struct span sample[FOLD_SAMPLE];	/* into @hosts */
	uint8_t	 hosts[FOLD_SAMPLE][HOST_MAX];
	uint64_t slots[FOLD_SLOTS];	/* hashes of hosts; 0: free */
};

struct fold {
	struct seed seed;		/* secret, so that hosts can't be made to collide */
	int64_t	 second;
	bool	 any;			/* some row has folded denials */
	struct fold_row rows[REASON_NUM];
};

/* All zero but for the seed is a fold that has seen nothing */
void fold_init(struct fold *f, const struct seed *seed);

/* Are there folded denials of a second that is over?  Then fold_take() them all first. */
bool fold_due(const struct fold *f, int64_t now_s);

/*
 * fold_denial() - count one denial
 *
 * Nothing may be due.
 * Return: true if it is to be recorded by itself, false if it was folded.
 */
bool fold_denial(struct fold *f, int64_t now_s, enum reason reason, struct span host);

/* Has this second had so many of @reason that the next one will be folded? */
bool fold_is_full(const struct fold *f, int64_t now_s, enum reason reason);

/*
 * fold_take() - the next reason that has folded denials
 *
 * Return: a row to record and then hand to fold_clear(), its reason in
 *         @ret_reason; NULL when there is none left.
 */
const struct fold_row *fold_take(struct fold *f, enum reason *ret_reason);
void fold_clear(struct fold *f, enum reason reason);

#endif

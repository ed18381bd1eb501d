/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anomaly.h - what no limit of the policy speaks of, and is worth an alert all the same
 *
 * Fed with every event of the log, as the counters are.  Two bounds, both of the last minute:
 * denials of any kind, and different names that look random, as those in which data is carried
 * out do.  They alert and do nothing else: on_exceed is of the policy's own limits.
 *
 * One alert for each crossing, and one a minute at most of each bound (as policy/limits.h).
 * Pure; time is passed in; memory is fixed.
 */
#ifndef SLUICE_WATCH_ANOMALY_H
#define SLUICE_WATCH_ANOMALY_H

#include "audit/audit.h"
#include "base/hash.h"
#include "policy/alert.h"

#define ANOMALY_WINDOW_S 60
#define ANOMALY_DENIED_MAX 100	/* denials in the window that are usual */
#define ANOMALY_NAMES_MAX 20	/* different names that look random, the same */
#define ANOMALY_QUIET_S 60	/* between two alerts of one bound */

struct anomaly_bound {
	bool		over;
	bool		waits;		/* an alert that was not taken yet */
	int64_t		quiet_until_s;
	uint64_t	value;
};

struct anomaly {
	struct seed	 seed;		/* of the hashes of names */
	int64_t		 now_s;
	uint32_t	 denied[ANOMALY_WINDOW_S];	/* by second, modulo the window */
	uint64_t	 denied_sum;
	struct {
		uint64_t hash;
		int64_t	 at_s;		/* when it was asked for last */
	} names[ANOMALY_NAMES_MAX + 1];		/* hash 0: free */
	struct anomaly_bound denied_bound, names_bound;
};

/* All zero but for the seed has seen nothing */
void anomaly_see(struct anomaly *a, const struct audit_seen *e, int64_t now_s);

struct anomaly_alert {
	enum alert	kind;
	uint64_t	value, threshold;
};

/* The next alert that waits.  Return: false: none */
bool anomaly_take(struct anomaly *a, struct anomaly_alert *ret);

/* Has a label of this name as many different characters, in no order of letters and digits, as
 * words of a language do not have? */
bool anomaly_looks_random(struct span name);

#endif

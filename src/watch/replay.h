/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.h - what a policy would have said of what a log tells
 *
 * Each record with a verdict is asked again, of policy_decide() like everything else.
 * What a log does not tell is taken to be what agrees with the rest: if a connection was let
 * pass before its client spoke, and the log ends before it, it is what is usual on its port;
 * what was redacted from a path is read as it is written.  Records whose verdict did not
 * come of the policy (a server that did not answer, a limit, a name that did not agree),
 * and denials that were folded, are counted and not asked.
 *
 * Memory is bounded: of more than REPLAY_ROWS_MAX different things the rest is counted.
 */
#ifndef SLUICE_WATCH_REPLAY_H
#define SLUICE_WATCH_REPLAY_H

#include <jansson.h>

#include "base/hash.h"
#include "policy/policy.h"

#define REPLAY_ROWS_MAX 20000	/* things told apart; about 20 MB with their texts */
#define REPLAY_OPEN_MAX 4096	/* connections open at once of which nobody knows yet what they are */
#define REPLAY_TARGET_MAX 1400	/* bytes of a target's text: a host, a method, a path of the log */

enum replayed { REPLAYED_ALLOW, REPLAYED_ASK, REPLAYED_DENY };

/* The same target with the same old verdict */
struct replay_row {
	char		*target;	/* as check takes one: "POST https://host/path", "host:22",
					 * "dns:name/A"; may hold anything that a log can */
	size_t		 target_len;
	enum replayed	 old, now;
	enum reason	 old_reason, reason;
	uint32_t	 rule;		/* of the new policy, or RULE_NONE */
	uint64_t	 count;
	bool		 redacted;	/* its path is not the one that was asked for */
};

struct replay {
	const struct policy *policy;
	int64_t		 now_s;
	bool		 all;		/* rows for what stays as it was, too */
	struct seed	 seed;
	struct replay_row *rows;
	size_t		 count, size;
	uint32_t	*slots;
	struct replay_open *open;	/* by the number of the connection */
	uint64_t	 asked, changed;	/* records */
	uint64_t	 now_denied, now_asks, now_allowed;	/* of the changed ones */
	uint64_t	 others;	/* changed records beyond the bound */
	uint64_t	 redacted;	/* records that were asked with a redacted or cut path */
	uint64_t	 inside;	/* connections let pass, of which each request would be judged */
	uint64_t	 folded;	/* denials in a flood: no record of their own */
	uint64_t	 beyond;	/* records whose verdict did not come of a policy's rules */
	uint64_t	 pathless;	/* requests whose path the log does not have at all */
	uint64_t	 unknown;	/* records that cannot be read as a target */
};

/* Return: false if memory is out.  @p is borrowed. */
bool replay_init(struct replay *r, const struct policy *p, const struct seed *seed);
void replay_done(struct replay *r);
void replay_event(struct replay *r, json_t *event);	/* may be held until replay_done() */

/* After the last event.  Rows are sorted then: what is denied now first, then by target */
void replay_end(struct replay *r);

/* Would it be another verdict, or another reason for a denial? */
static inline bool replay_row_changed(const struct replay_row *row)
{
	return row->old != row->now ||
	       (row->now == REPLAYED_DENY && row->old_reason != row->reason);
}

#endif

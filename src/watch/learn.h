/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn.h - from audit logs to the policy that would have allowed what they allowed
 *
 * Events go in one by one, in the order of the log; what was denied, whatever the
 * reason, is never learnt, and neither is a connection that ended for such a reason.
 * Everything in a log may be an agent's words: hosts, methods and paths are put into a
 * policy only in the form that the policy's own code reads them in, and what has no such
 * form is counted and left out.  The text that comes out always loads as a policy.
 *
 * Memory is bounded by the constants below, however long the log is.
 */
#ifndef SLUICE_WATCH_LEARN_H
#define SLUICE_WATCH_LEARN_H

#include <jansson.h>

#include "base/buf.h"
#include "base/hash.h"
#include "policy/policy.h"

#define LEARN_MARK "# Learnt by sluice"	/* what a policy of ours begins with */
#define LEARN_PLACES_MAX 10000	/* host and port, told apart; about 5 MB with their table */
#define LEARN_PRESETS_MAX 256	/* that may be used instead of rules */
#define LEARN_TEXT_MAX (64u << 20)	/* bytes of a policy: what one may have */

/*
 * Siblings of one parent that become one wildcard: a list of fewer is still read at a
 * glance, and a wildcard opens names that nobody has seen.
 */
#define LEARN_SIBLINGS_MIN 8

/*
 * What is rare is only strange where there is much to compare it with: a place that is
 * used once, in one of so many sessions; or first in the last tenth of so many uses, at
 * most twice, where a usual place has ten.
 */
#define LEARN_SESSIONS_MIN 3
#define LEARN_USES_MIN 50
#define LEARN_LATE_USES_MAX 2
#define LEARN_USUAL_USES 10

#define LEARN_REVIEWS_MAX 200	/* entries to review that are written out; the rest is counted */

struct learn;

/* A policy of one preset and nothing else; borrowed */
struct learn_preset {
	const char	*name;		/* "npm", "npm:write" */
	const struct policy *policy;
};

struct learn_options {
	struct seed	 seed;		/* that nobody knows who can choose names */
	const struct learn_preset *presets;	/* the most readable first; at most LEARN_PRESETS_MAX */
	size_t		 preset_count;
	/* In words why strangers have names below @name, or NULL; see cli/known.h */
	const char	*(*shared)(void *known, const char *name);
	void		*known;
	bool		 all;		/* what is to be reviewed holds too */
	bool		 last;		/* of the log only the last session counts */
	bool		 forged;	/* nobody has verified the log: special addresses stay shut */
};

struct learn_result {
	uint64_t	 sessions, connections, requests;	/* that were learnt from */
	uint64_t	 presets, rules;	/* that hold */
	uint64_t	 review;	/* entries that wait for a person */
	uint64_t	 private;	/* rules into special addresses */
	uint64_t	 left_out;	/* uses of what no rule can be written for */
	uint64_t	 lost;		/* uses of places beyond LEARN_PLACES_MAX */
};

/* Return: NULL if memory is out.  @o is copied, what it points to borrowed. */
struct learn *learn_new(const struct learn_options *o);
void learn_free(struct learn *l);

/* One event of a log, whatever it is */
void learn_event(struct learn *l, const json_t *event);

/*
 * learn_write() - the policy, as YAML with comments
 *
 * Once, after the last event.  Return: false if memory is out, or it would be too long.
 */
bool learn_write(struct learn *l, struct buf *ret_text, struct learn_result *ret_result);

/*
 * learn_stopped() - how many of the places that rules were written for @p does not let pass
 * @ret_first:	"host:port" of the first of them
 *
 * To be asked of what was written, loaded: anything but 0 is our mistake.
 */
size_t learn_stopped(const struct learn *l, const struct policy *p,
		     char ret_first[HOST_MAX + 16]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* learning.h - logs in, a checked policy out: what `learn` and `run --learn` share */
#ifndef SLUICE_CLI_LEARNING_H
#define SLUICE_CLI_LEARNING_H

#include "audit/key.h"
#include "cli/preset_store.h"
#include "watch/learn.h"

struct learning {
	struct learn_options	 o;		/* all, last, forged: the caller's; the rest is filled */
	struct preset_store	 store;
	struct learn_preset	*presets;	/* owned, with names and policies */
	struct known		*known;
	struct learn		*learn;
};

/* Presets and what is known of hosts.  Return: false and @err; learning_done() in any case */
bool learning_open(struct learning *l, struct err *err);
void learning_done(struct learning *l);

/*
 * learning_take() - every event of a log
 * @keys:	that may have signed it: what is not signed with them is left out, and a log
 *		that does not verify is refused.  NULL: everything in it is taken
 * @ret_left:	whole lines at its end that nobody has signed
 */
bool learning_take(struct learning *l, const char *path, const struct public_key *keys,
		   size_t key_count, uint64_t *ret_left, struct err *err);

/* The policy, which loads, and lets pass what it is to let pass */
bool learning_write(struct learning *l, struct buf *ret_text, struct learn_result *ret_result,
		    struct err *err);

/* What was learnt and what is to be done with it, on stderr; @file: where it is, or NULL */
void learning_tell(const struct learn_result *r, const char *file);

#endif

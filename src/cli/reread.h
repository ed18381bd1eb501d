/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reread.h - the policy's files again, while the jail runs
 *
 * The command runs as the same user: a file that it could have written must not
 * decide over it.  So a file counts only if the jail was made with it read-only, or
 * with a folder above it.  It is the inode that is protected, and not its name: a
 * file that was replaced where the command can write may have been written by it.
 */
#ifndef SLUICE_CLI_REREAD_H
#define SLUICE_CLI_REREAD_H

#include "cli/judge.h"
#include "daemon/reload.h"

struct guarded;			/* one file or folder */

struct reread {
	const struct judge_options *options;
	struct guarded	*at;
	size_t		 count;
	bool		 all;		/* every file counts: no jail keeps any from anybody */
};

/*
 * reread_begin() - remember what the jail cannot write: @paths, of which some need not exist
 *
 * Held open, so that no other file can get their inode's number.
 * Return: false and @err; reread_done() in any case.
 */
bool reread_begin(struct reread *r, const struct judge_options *options,
		  const char *const *paths, size_t count, struct err *err);
bool reread_add(struct reread *r, const char *path, struct err *err);
void reread_done(struct reread *r);

/* reload_source.load; @arg is a struct reread */
enum loaded reread_load(void *arg, struct shared_policy *ret_shared, struct err *err);

#endif

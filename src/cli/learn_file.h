/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn_file.h - the FILE of run --learn: made before the jail starts, written after it ended
 *
 * A file that is there is only replaced if learning made it, by its first line: a policy
 * that a person wrote is never lost.  It is there, empty if it is new, while the command
 * runs, so that it can be put out of its reach like the log; the policy takes its place in
 * one step.
 */
#ifndef SLUICE_CLI_LEARN_FILE_H
#define SLUICE_CLI_LEARN_FILE_H

#include <limits.h>

#include "base/err.h"

struct learn_file {
	char	path[PATH_MAX];		/* absolute, through no link; "": none is asked for */
	int	folder;			/* that it is in; -1 */
	bool	made;			/* by us, and still empty */
};

/* @path: as the user typed it.  Return: false and @err */
bool learn_file_open(struct learn_file *f, const char *path, struct err *err);

/* The policy that the last session of @log teaches.  It says on stderr what it is, or why not */
bool learn_file_write(struct learn_file *f, const char *log);

/* What is still empty is taken away */
void learn_file_done(struct learn_file *f);

#endif

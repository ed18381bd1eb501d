/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts.h - under which names a file can be reached on this machine
 *
 * A bind mount, or a second mount of the same file system, gives a file a
 * second name.  Protecting only the name that the user wrote would leave the
 * other one open, so the plan asks here for all of them.
 */
#ifndef SLUICE_JAIL_MOUNTS_H
#define SLUICE_JAIL_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define MOUNTS_MAX 16384	/* lines of mountinfo; a busy container host has hundreds */

struct mount {
	unsigned	 major, minor;	/* of the file system */
	char		*root;		/* which directory (or file) of it is mounted; owned */
	char		*point;		/* where; owned */
	char		*type;		/* "ext4", "proc"; owned */
};

struct mounts {
	struct mount	*at;		/* owned; in the order of mounting */
	size_t		 count;
};

/* Read the format of /proc/self/mountinfo (proc(5)).  Return: 0 or negative errno. */
int mounts_read(FILE *from, struct mounts *ret_mounts);
void mounts_done(struct mounts *m);

/*
 * mounts_names() - call @each with every other name of @path
 * @path:	canonical (realpath(3))
 *
 * A name of a part of @path (a mount of a directory below it) is one too.
 */
void mounts_names(const struct mounts *m, const char *path,
		  void (*each)(void *arg, const char *name), void *arg);

/*
 * path_below() - the rest of @path after @dir, whole components only
 *
 * Return: "" if they are equal, "/rest" if it is below, NULL if it is neither.
 */
const char *path_below(const char *path, const char *dir);

#endif

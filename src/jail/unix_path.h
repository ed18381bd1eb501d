/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unix_path.h - find the file that a path means to another process
 */
#ifndef SLUICE_JAIL_UNIX_PATH_H
#define SLUICE_JAIL_UNIX_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What tells one file from all others while it is held open */
struct unix_file {
	uint64_t	dev, ino;
	bool		is_socket;
};

/* Return: 0 or negative errno; @fd may be O_PATH */
int unix_file_of(int fd, struct unix_file *ret_file);

static inline bool unix_file_same(const struct unix_file *a, const struct unix_file *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/*
 * unix_path_open() - resolve @path as task @tid would, symbolic links included
 *
 * With the task's root, working directory and mounts; only /proc/self/fd/N is
 * understood of what a procfs says about its reader.
 * Return: an O_PATH descriptor owned by the caller, with @ret_file; or
 *         negative errno, the one that the task would have seen.
 */
int unix_path_open(pid_t tid, const char *path, struct unix_file *ret_file);

#endif

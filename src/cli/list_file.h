/* SPDX-License-Identifier: Apache-2.0 */
/* list_file.h - a file of host_list or ip_list, read in pieces */
#ifndef SLUICE_CLI_LIST_FILE_H
#define SLUICE_CLI_LIST_FILE_H

#include "cli/file.h"

struct list_file {
	int	fd;		/* -1: none is open */
	char	path[4096];	/* PATH_MAX; for messages */
};

/*
 * list_file_open() - open the list at @path, and close the one before
 * @project:	the project's file that names it, or NULL: then it must lie in that folder
 *		in its true form too, not only as it is written
 * @read:	its paths are added
 *
 * Return: false and @err if it is no regular file, too large, absent or unreadable.
 */
bool list_file_open(struct list_file *f, const char *path, const char *project,
		    struct path_list *read, struct err *err);

/* The next bytes, 0 at the end, -1 and @err */
ptrdiff_t list_file_read(struct list_file *f, void *ret_bytes, size_t room, struct err *err);
void list_file_done(struct list_file *f);

#endif

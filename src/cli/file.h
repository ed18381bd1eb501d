/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - reading small files whole, and keeping account of which */
#ifndef SLUICE_CLI_FILE_H
#define SLUICE_CLI_FILE_H

#include "base/buf.h"
#include "base/err.h"

#define FILE_BYTES_MAX (64u << 20)	/* of one policy, preset or configuration file */

enum file_result { FILE_READ, FILE_ABSENT, FILE_FAILED };

enum file_trust {
	FILE_ANYONES,
	FILE_ROOTS,	/* belongs to root, and nobody else can write it; any other is absent */
	FILE_OWN,	/* belongs to us or to root, and nobody else can write it; any other is an error */
};

/*
 * file_read() - the bytes of a regular file
 * @ret_bytes:	a new buffer, for the caller to free with buf_done(); empty unless FILE_READ
 *
 * Return: FILE_ABSENT if there is none of that name, without @err; FILE_FAILED
 *         and @err if it is no regular file, too large, unreadable, or (FILE_ANYONES) a
 *         link to what is not there.
 */
enum file_result file_read(const char *path, enum file_trust trust, struct buf *ret_bytes,
			   struct err *err);

/* Paths, each once, owned */
struct path_list {
	char	**at;
	size_t	  count;
};

/* Return: false if memory is out */
bool path_list_add(struct path_list *l, const char *path);
void path_list_done(struct path_list *l);

/*
 * path_list_add_file() - the absolute form of @path as it is named, and the file that it leads to
 *
 * Return: false if memory is out, or it cannot be told.
 */
bool path_list_add_file(struct path_list *l, const char *path, struct err *err);

#endif

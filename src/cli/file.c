/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/read.h"

enum file_result file_read(const char *path, enum file_trust trust, struct buf *ret_bytes,
			   struct err *err)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;

	*ret_bytes = buf_new(FILE_BYTES_MAX);
	if (trust == FILE_ANYONES && stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		/* to open a device, which a repository's file may name, can do something */
		err_set(err, "%s: not a regular file", path);
		return FILE_FAILED;
	}
	/* O_NONBLOCK: a pipe would block before it can be refused */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	/* a link to what is not there is a mistake, not a file that nobody wrote */
	if (fd < 0 && errno == ENOENT && (trust != FILE_ANYONES || lstat(path, &st) < 0))
		return FILE_ABSENT;
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(err, errno, "%s", path);
		return FILE_FAILED;
	}
	if (trust == FILE_ROOTS && (st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH)))
		return FILE_ABSENT;
	if (trust == FILE_OWN && ((st.st_uid != 0 && st.st_uid != geteuid()) ||
				  st.st_mode & (S_IWGRP | S_IWOTH))) {
		err_set(err, "%s: others can write it (chown and chmod it, or remove it)", path);
		return FILE_FAILED;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(err, "%s: not a regular file", path);
		return FILE_FAILED;
	}
	if (st.st_size <= FILE_BYTES_MAX && read_all(fd, ret_bytes))
		return FILE_READ;
	if (st.st_size > FILE_BYTES_MAX || ret_bytes->full)
		err_set(err, "%s: more than 64 MB, or out of memory", path);
	else
		err_sys(err, errno, "%s", path);
	buf_done(ret_bytes);
	return FILE_FAILED;
}

bool path_list_add(struct path_list *l, const char *path)
{
	char **at;

	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(l->at[i], path))
			return true;
	at = realloc(l->at, (l->count + 1) * sizeof(*at));
	if (!at)
		return false;
	l->at = at;
	at[l->count] = strdup(path);
	return at[l->count] && ++l->count;
}

void path_list_done(struct path_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->at[i]);
	free(l->at);
	*l = (struct path_list){ 0 };
}

bool path_list_add_file(struct path_list *l, const char *path, struct err *err)
{
	AUTO_FREE char *real = realpath(path, NULL);
	AUTO_FREE char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
	AUTO_FREE char *named = NULL;

	if (!real || (path[0] != '/' && !here))
		return err_sys(err, errno, "%s", path);
	if (asprintf(&named, "%s%s%s", here ? here : "", here ? "/" : "", path) < 0)
		named = NULL;
	if (!named || !path_list_add(l, named) || !path_list_add(l, real))
		return err_set(err, "out of memory");
	return true;
}

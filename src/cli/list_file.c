/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/list_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "policy/load.h"

/* Is what is open the file that @path leads to, below the folder that @project lies in? */
static bool lies_beside(const char *path, const char *project, const struct stat *st)
{
	AUTO_FREE char *real = realpath(path, NULL);
	AUTO_FREE char *folder = realpath(project, NULL);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	struct stat now;

	if (!real || !slash || stat(real, &now) < 0)
		return false;
	slash[1] = '\0';
	return now.st_dev == st->st_dev && now.st_ino == st->st_ino &&
	       !strncmp(real, folder, strlen(folder));
}

bool list_file_open(struct list_file *f, const char *path, const char *project,
		    struct path_list *read, struct err *err)
{
	struct stat st;

	list_file_done(f);
	if (!span_copy(span_str(path), f->path, sizeof(f->path)))
		return err_set(err, "%.200s...: the path is too long", path);
	/* to open a device, which a repository's file may name, can do something */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(err, "%s: not a regular file", path);
	/* O_NONBLOCK: a pipe would block before it can be refused */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return err_sys(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, "%s: not a regular file", path);
	if (st.st_size > LIST_BYTES_MAX)
		return err_set(err, "%s: more than 256 MB", path);
	if (project && !lies_beside(path, project, &st))
		return err_set(err, "%s: a project's list lies outside of the project", path);
	return path_list_add_file(read, path, err);
}

ptrdiff_t list_file_read(struct list_file *f, void *ret_bytes, size_t room, struct err *err)
{
	ssize_t got;

	do
		got = read(f->fd, ret_bytes, room);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		err_sys(err, errno, "%s", f->path);
	return got;
}

void list_file_done(struct list_file *f)
{
	DROP_FD(f->fd);
}

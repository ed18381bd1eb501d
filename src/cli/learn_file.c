/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/learn_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/learning.h"
#include "cli/naming.h"

static const char *name_of(const struct learn_file *f)
{
	return strrchr(f->path, '/') + 1;
}

/* Is what is there ours to replace? */
static bool is_learnt(int folder, const char *name, struct err *err, const char *path)
{
	AUTO_CLOSE int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char head[sizeof(LEARN_MARK) - 1];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "--learn %s", path);
	if (S_ISREG(st.st_mode) && (!st.st_size ||
				    (read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
				     !memcmp(head, LEARN_MARK, sizeof(head)))))
		return true;
	return err_set(err, "--learn %s: it is there, and was not made by learning (name another "
		       "file, or remove it)", path);
}

bool learn_file_open(struct learn_file *f, const char *path, struct err *err)
{
	char folder[PATH_MAX];
	int fd;

	*f = (struct learn_file){ .folder = -1 };
	if (!naming_true_path(path, f->path, err))
		return false;
	if (!*name_of(f))
		return err_set(err, "--learn %s: a folder (name a file)", path);
	snprintf(folder, sizeof(folder), "%.*s/", (int)(name_of(f) - f->path), f->path);
	f->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->folder < 0)
		return err_sys(err, errno, "--learn %s", path);
	fd = openat(f->folder, name_of(f), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	f->made = fd >= 0;
	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return err_sys(err, errno, "--learn %s", path);
	return f->made || is_learnt(f->folder, name_of(f), err, path);
}

void learn_file_done(struct learn_file *f)
{
	if (f->made)
		unlinkat(f->folder, name_of(f), 0);
	if (f->path[0])
		DROP_FD(f->folder);
	*f = (struct learn_file){ .folder = -1 };
}

static bool write_all(int fd, struct span s)
{
	while (s.len) {
		ssize_t n = write(fd, s.at, s.len);

		if (n < 0 && errno != EINTR)
			return false;
		s = span_skip(s, n > 0 ? (size_t)n : 0);
	}
	return true;
}

/* Whole or not at all, under a name that nobody can have waited for */
static bool replace(struct learn_file *f, struct span text, struct err *err)
{
	char name[64];
	uint64_t random;
	bool ok;
	int fd;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(err, "no random numbers");
	snprintf(name, sizeof(name), ".sluice-learnt-%016llx", (unsigned long long)random);
	fd = openat(f->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, errno, "--learn %s", f->path);
	ok = write_all(fd, text) && fsync(fd) == 0;
	if (close(fd) < 0 || !ok || renameat(f->folder, name, f->folder, name_of(f)) < 0) {
		err_sys(err, errno, "--learn %s", f->path);
		unlinkat(f->folder, name, 0);
		return false;
	}
	f->made = false;
	return true;
}

bool learn_file_write(struct learn_file *f, const char *log)
{
	struct learning l = { .o = { .last = true } };
	struct buf text = buf_new(LEARN_TEXT_MAX);
	struct learn_result result;
	struct err err = { "" };
	uint64_t left;
	bool ok;

	/* it is our own, of which we hold the lock and the key */
	ok = learning_open(&l, &err) && learning_take(&l, log, NULL, 0, &left, &err) &&
	     learning_write(&l, &text, &result, &err) && replace(f, buf_span(&text), &err);
	if (ok)
		learning_tell(&result, f->path);
	else
		complain(&err);
	buf_done(&text);
	learning_done(&l);
	return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unix_path.c - find the file that a path means to another process
 *
 * Theory
 *
 * The caller may have another root, working directory and mount namespace.
 * openat2(RESOLVE_IN_ROOT) on /proc/TID/root handles absolute paths only: for a relative
 * one the start and the root differ, and no flag says both.  It also can't be
 * let through seccomp for O_PATH alone, as its flags are in memory.  So the
 * path is walked here, one openat(O_PATH | O_NOFOLLOW) a step, links read and
 * spliced in, ".." stopped at the caller's root.
 *
 * The tree may change under the walk.  That can make the answer another file of the
 * jail's, never harm: what is found is judged by its inode afterwards, and the
 * connection goes to exactly the descriptor that was judged.
 *
 * The walk never leaves the caller's mount namespace: it starts there, and ".." from
 * the top of a namespace stays.
 */
#include "jail/unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"

#define LINKS_MAX 40	/* symbolic links in one path; the kernel's own limit */
#define PROC_PATH_MAX 64
#define SELF_FD "/proc/self/fd/"

struct walk {
	pid_t		tid;
	int		root;
	struct statx	root_st;
	int		at;		/* directory reached so far; may be root itself */
	unsigned	links;
	char		rest[PATH_MAX];	/* still to go */
};

static int stat_path_fd(int fd, struct statx *ret_st)
{
	return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO | STATX_MNT_ID, ret_st) ?
	       -errno : 0;
}

static struct unix_file file_of(const struct statx *st)
{
	return (struct unix_file){
		.dev = (uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor,
		.ino = st->stx_ino,
		.is_socket = S_ISSOCK(st->stx_mode),
	};
}

int unix_file_of(int fd, struct unix_file *ret_file)
{
	struct statx st;
	int rc = stat_path_fd(fd, &st);

	if (rc == 0)
		*ret_file = file_of(&st);
	return rc;
}

static int open_step(int dir, const char *name)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* /proc/TID/@what: a magic link, followed */
static int open_proc(pid_t tid, const char *what)
{
	char path[PROC_PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, what);
	fd = openat(AT_FDCWD, path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void walk_move(struct walk *w, int to)
{
	if (w->at >= 0 && w->at != w->root)
		close(w->at);
	w->at = to;
}

static void walk_done(struct walk *w)
{
	walk_move(w, -1);
	if (w->root >= 0)
		close(w->root);
}
#define AUTO_WALK __attribute__((cleanup(walk_done)))

/* "fd/N" out of "/proc/self/fd/N...": the task's descriptor, not ours */
static int walk_own_fd(struct walk *w)
{
	char what[] = "fd/0123456789";
	const char *number = w->rest + strlen(SELF_FD);
	size_t len = strspn(number, "0123456789");

	if (len == 0 || len > strlen("0123456789") || (number[len] && number[len] != '/'))
		return -ENOENT;
	memcpy(what + strlen("fd/"), number, len);
	what[strlen("fd/") + len] = '\0';
	memmove(w->rest, number + len, strlen(number + len) + 1);
	return open_proc(w->tid, what);
}

/* Begin, or begin again after a link: at the root, or where we are */
static int walk_start(struct walk *w)
{
	int fd = w->root;

	if (w->rest[0] != '/')
		return 0;
	if (strncmp(w->rest, SELF_FD, strlen(SELF_FD)) == 0)
		fd = walk_own_fd(w);
	if (fd < 0)
		return fd;
	walk_move(w, fd);
	return 0;
}

/* Splice the target of the link @fd in front of what is left */
static int walk_link(struct walk *w, int fd)
{
	char target[PATH_MAX];
	size_t rest = strlen(w->rest);
	ssize_t len;

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	len = readlinkat(fd, "", target, sizeof(target));
	if (len < 0)
		return -errno;
	if (len == 0)
		return -ENOENT;
	if ((size_t)len + 1 + rest + 1 > sizeof(w->rest))
		return -ENAMETOOLONG;
	memmove(w->rest + len + (rest > 0), w->rest, rest + 1);
	memcpy(w->rest, target, (size_t)len);
	if (rest > 0)
		w->rest[len] = '/';
	return walk_start(w);
}

static bool walk_at_root(const struct walk *w)
{
	struct statx st;

	return w->at == w->root ||
	       (stat_path_fd(w->at, &st) == 0 && st.stx_ino == w->root_st.stx_ino &&
		st.stx_dev_major == w->root_st.stx_dev_major &&
		st.stx_dev_minor == w->root_st.stx_dev_minor &&
		st.stx_mnt_id == w->root_st.stx_mnt_id);
}

/* Take the next component; @name has room for NAME_MAX and NUL */
static int walk_name(struct walk *w, char *name, bool *ret_slash)
{
	size_t lead = strspn(w->rest, "/");
	size_t len = strcspn(w->rest + lead, "/");
	const char *after = w->rest + lead + len;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, w->rest + lead, len);
	name[len] = '\0';
	*ret_slash = *after == '/';
	after += strspn(after, "/");
	memmove(w->rest, after, strlen(after) + 1);
	return 0;
}

static int walk_step(struct walk *w)
{
	AUTO_CLOSE int fd = -1;
	char name[NAME_MAX + 1];
	struct statx st;
	bool slash;
	int rc;

	rc = walk_name(w, name, &slash);
	if (rc)
		return rc;
	if (!name[0] || strcmp(name, ".") == 0 || (strcmp(name, "..") == 0 && walk_at_root(w)))
		return 0;
	fd = open_step(w->at, name);
	if (fd < 0)
		return TAKE_FD(fd);
	rc = stat_path_fd(fd, &st);
	if (rc)
		return rc;
	if (S_ISLNK(st.stx_mode)) {
		/* "link/" must be a directory in the end: keep the slash */
		if (slash && !w->rest[0])
			memcpy(w->rest, ".", sizeof("."));
		return walk_link(w, fd);
	}
	if (slash && !S_ISDIR(st.stx_mode))
		return -ENOTDIR;
	walk_move(w, TAKE_FD(fd));
	return 0;
}

int unix_path_open(pid_t tid, const char *path, struct unix_file *ret_file)
{
	AUTO_WALK struct walk w = { .tid = tid, .root = -1, .at = -1 };
	int rc;

	if (strlen(path) >= sizeof(w.rest))
		return -ENAMETOOLONG;
	memcpy(w.rest, path, strlen(path) + 1);
	w.root = open_proc(tid, "root");
	if (w.root < 0)
		return w.root;
	rc = stat_path_fd(w.root, &w.root_st);
	if (rc)
		return rc;
	if (path[0] != '/') {
		w.at = open_proc(tid, "cwd");
		if (w.at < 0)
			return w.at;
	}
	rc = walk_start(&w);
	while (rc == 0 && w.rest[0])
		rc = walk_step(&w);
	if (rc == 0)
		rc = unix_file_of(w.at, ret_file);
	if (rc)
		return rc;
	if (w.at == w.root)
		w.root = -1;
	return TAKE_FD(w.at);
}

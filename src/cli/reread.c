/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/reread.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"

#define PAUSE_US 20000	/* between two readings that must be the same */

struct guarded {
	char	*path;		/* in its true form */
	int	 fd;		/* O_PATH: it keeps the inode */
	dev_t	 dev;
	ino_t	 ino;
	bool	 folder;
};

bool reread_add(struct reread *r, const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
	AUTO_FREE char *real = realpath(path, NULL);
	struct guarded *at;
	struct stat st;

	if (fd < 0 || !real || fstat(fd, &st))
		return errno == ENOENT || errno == ENOTDIR || err_sys(err, errno, "%s", path);
	at = reallocarray(r->at, r->count + 1, sizeof(*at));
	if (!at)
		return err_set(err, "out of memory");
	r->at = at;
	at[r->count++] = (struct guarded){ TAKE(real), TAKE_FD(fd), st.st_dev, st.st_ino,
					   S_ISDIR(st.st_mode) };
	return true;
}

bool reread_begin(struct reread *r, const struct judge_options *options,
		  const char *const *paths, size_t count, struct err *err)
{
	*r = (struct reread){ .options = options };
	for (size_t i = 0; i < count; i++)
		if (!reread_add(r, paths[i], err))
			return false;
	return true;
}

void reread_done(struct reread *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->at[i].path);
		close(r->at[i].fd);
	}
	free(r->at);
	*r = (struct reread){ 0 };
}

static bool is_still(const struct guarded *g, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == g->dev && st.st_ino == g->ino;
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !strncmp(path, folder, len) && (path[len] == '/' || !path[len]);
}

/* Another name of the file may lie where the command can write */
static bool has_one_name(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 &&
	       (S_ISDIR(st.st_mode) || st.st_nlink == 1 || st.st_uid != geteuid());
}

static bool is_guarded(const struct reread *r, const char *path)
{
	AUTO_FREE char *real = realpath(path, NULL);

	for (size_t i = 0; real && i < r->count; i++) {
		const struct guarded *g = &r->at[i];

		if (g->folder ? is_below(real, g->path) && is_still(g, g->path) && has_one_name(real)
			      : is_still(g, path))
			return true;
	}
	return false;
}

/* Has somebody opened it for writing?  A lease cannot be had then; who may not ask isn't told. */
static bool is_being_written(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return false;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

static bool all_guarded(const struct reread *r, char *const *paths, size_t count, struct err *err)
{
	for (size_t i = 0; !r->all && i < count; i++)
		if (!is_guarded(r, paths[i]))
			return err_set(err, "%s: not the file that was protected at the start: the "
				       "command could have changed it (write to that file itself, or "
				       "keep it in sluice's own folder)", paths[i]);
	return true;
}

static enum loaded judge_once(struct reread *r, const struct judge_options *options,
			      struct judged *ret, struct err *err)
{
	if (!judge(options, ret, err))
		return LOADED_BAD;
	if (!all_guarded(r, ret->files, ret->file_count, err) ||
	    !all_guarded(r, ret->folders, ret->folder_count, err))
		return LOADED_BAD;
	for (size_t i = 0; i < ret->file_count; i++) {
		if (!is_being_written(ret->files[i]))
			continue;
		err_set(err, "%s: is being written (try again when it is whole)", ret->files[i]);
		return LOADED_BUSY;
	}
	return LOADED;
}

enum loaded reread_load(void *arg, struct shared_policy *ret_shared, struct err *err)
{
	struct reread *r = arg;
	struct judged first = { .policy = NULL }, second = { .policy = NULL };
	struct judge_options bare = *r->options;	/* values are read once, with the second */
	enum loaded result;

	bare.secrets = NULL;
	if (r->options->secrets)
		r->options->secrets->later = true;
	result = judge_once(r, &bare, &first, err);
	if (result == LOADED) {
		usleep(PAUSE_US);
		result = judge_once(r, r->options, &second, err);
	}
	if (result == LOADED && strcmp(policy_sha256(first.policy), policy_sha256(second.policy))) {
		err_set(err, "the policy's files change while they are read (try again)");
		result = LOADED_BUSY;
	}
	if (result == LOADED && (!share_policy(TAKE(second.policy), ret_shared, err) ||
				 !share_secrets(&second.secrets, ret_shared, err)))
		result = LOADED_BAD;
	judge_done(&first);
	judge_done(&second);
	return result;
}

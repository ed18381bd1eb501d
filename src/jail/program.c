/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "revision.h"

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)

static const char *const names[] = {
	[PROGRAM_JAIL] = "sluice-jail",
	[PROGRAM_GATE] = "sluice-gate",
	[PROGRAM_RESOLVER] = "sluice-resolver",
	[PROGRAM_EXPORTER] = "sluice-exporter",
	[PROGRAM_COURIER] = "sluice-courier",
	[PROGRAM_DASHBOARD] = "sluice-dashboard",
};
_Static_assert(ARRAY_SIZE(names) == PROGRAM_NUM, "one name per program");

const char program_mark[] = "SLUICE_BUILD=" SLUICE_REVISION;

const char *program_name(enum program p)
{
	return names[p];
}

static bool is_ours(const struct stat *st, const struct stat *self)
{
	return S_ISREG(st->st_mode) && st->st_uid == self->st_uid &&
	       !(st->st_mode & ~self->st_mode & OTHERS_WRITE) &&
	       (!(st->st_mode & S_IWGRP) || st->st_gid == self->st_gid);
}

static int program_open(const char *path, const struct stat *self, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		err_sys(err, errno, "%s: a part of sluice", path);
		return -1;
	}
	if (!is_ours(&st, self)) {
		err_set(err, "%s: not a program of the owner of sluice, or writable by others "
			"(install sluice anew)", path);
		return -1;
	}
	return TAKE_FD(fd);
}

bool programs_open(const char *folder, struct programs *ret_programs, struct err *err)
{
	struct programs p = PROGRAMS_NONE;
	char path[PATH_MAX];
	struct stat self;

	if (stat("/proc/self/exe", &self))
		return err_sys(err, errno, "/proc/self/exe");
	for (size_t i = 0; i < PROGRAM_NUM; i++) {
		int len = snprintf(path, sizeof(path), "%s/%s", folder, names[i]);

		p.fd[i] = len < (int)sizeof(path) ? program_open(path, &self, err) : -1;
		if (p.fd[i] < 0) {
			programs_close(&p);
			return false;
		}
	}
	*ret_programs = p;
	return true;
}

void programs_close(struct programs *p)
{
	for (size_t i = 0; i < PROGRAM_NUM; i++)
		DROP_FD(p->fd[i]);
}

const char *program_path(int fd, char ret_path[PROGRAM_PATH_MAX])
{
	snprintf(ret_path, PROGRAM_PATH_MAX, "/proc/self/fd/%d", fd);
	return ret_path;
}

bool program_is_marked(char *const *envp)
{
	return envp[0] && !strcmp(envp[0], program_mark);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/role.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HIGH_FD 64	/* above every target */

void role_complain(const char *role, const char *why)
{
	char line[ERR_TEXT_MAX];
	int len = snprintf(line, sizeof(line), "sluice: %s: %s\n", role, why);

	if (len > 0 && write(STDERR_FILENO, line, strlen(line)) < 0)
		return;
}

bool role_user_find(const char *name, struct role_user *ret, struct err *err)
{
	const struct passwd *p = getpwnam(name);

	if (!p || p->pw_uid == 0)
		return err_set(err, "user %s: %s (useradd --system --shell /usr/sbin/nologin %s)", name,
			       p ? "is root" : "no such user, and the gate is not to be root", name);
	*ret = (struct role_user){ p->pw_uid, p->pw_gid };
	return true;
}

/* Out of the way first: the numbers of some may be among the targets */
static bool place_fds(const struct role_plan *r, int *ret_program)
{
	int high[ROLE_FDS_MAX];

	*ret_program = fcntl(r->program, F_DUPFD_CLOEXEC, HIGH_FD);
	if (*ret_program < 0)
		return false;
	for (size_t i = 0; i < r->fd_count; i++) {
		high[i] = fcntl(r->fds[i], F_DUPFD_CLOEXEC, HIGH_FD);
		if (high[i] < 0)
			return false;
	}
	for (size_t i = 0; i < r->fd_count; i++)
		if (dup2(high[i], ROLE_FD + (int)i) < 0)
			return false;
	return close_range(ROLE_FD + (unsigned)r->fd_count, ~0u, CLOSE_RANGE_CLOEXEC) == 0;
}

/* The bare calls: libc's would change every thread of the process whose memory this is */
static bool become_user(const struct role_user *u)
{
	return syscall(SYS_setgroups, 0, NULL) == 0 &&
	       syscall(SYS_setresgid, u->gid, u->gid, u->gid) == 0 &&
	       syscall(SYS_setresuid, u->uid, u->uid, u->uid) == 0;
}

static _Noreturn void become_role(const struct role_plan *r, pid_t parent)
{
	const char *const env[] = { program_mark, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), program;
	char path[PROGRAM_PATH_MAX];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (r->alone && syscall(SYS_unshare, CLONE_NEWNET) < 0)
		_exit(1);
	if (r->user && !become_user(r->user))
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* after it: a change of user clears it */
	if (getppid() != parent || setsid() < 0 || null < 0 || dup2(null, 0) < 0 ||
	    dup2(null, 1) < 0 || !place_fds(r, &program))
		_exit(1);
	execve(program_path(program, path), (char *const *)(uintptr_t)r->argv,
	       (char *const *)(uintptr_t)env);
	_exit(1);
}

/* The child does nothing but exec, in our memory: no page is copied */
static __attribute__((noinline)) pid_t start_role(const struct role_plan *r, pid_t parent)
{
	pid_t pid = vfork();

	if (pid == 0)
		become_role(r, parent);
	return pid;
}

pid_t role_spawn(const struct role_plan *r, struct err *err)
{
	pid_t pid;

	assert(r->fd_count <= ROLE_FDS_MAX);
	pid = start_role(r, getpid());
	if (pid < 0)
		err_sys(err, errno, "cannot start %s", r->argv[1]);
	return pid;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/role.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SELF "/proc/self/exe"

void role_complain(const char *role, const char *why)
{
	char line[ERR_TEXT_MAX];
	int len = snprintf(line, sizeof(line), "sluice: %s: %s\n", role, why);

	if (len > 0 && write(STDERR_FILENO, line, strlen(line)) < 0)
		return;
}

/* Move the descriptors out of the way first: their numbers may be among the targets */
static bool place_fds(const int *fds, size_t count)
{
	int high[ROLE_FDS_MAX];

	for (size_t i = 0; i < count; i++) {
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
		if (high[i] < 0)
			return false;
	}
	for (size_t i = 0; i < count; i++)
		if (dup2(high[i], ROLE_FD + (int)i) < 0)
			return false;
	return close_range(ROLE_FD + (unsigned)count, ~0u, 0) == 0;
}

static _Noreturn void become_role(const char *const argv[], const int *fds, size_t count, pid_t parent)
{
	char *const no_env[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || setsid() < 0 || null < 0 || dup2(null, 0) < 0 ||
	    dup2(null, 1) < 0 || !place_fds(fds, count))
		_exit(1);
	execve(SELF, (char *const *)(uintptr_t)argv, no_env);
	_exit(1);
}

pid_t role_spawn(const char *const argv[], const int *fds, size_t fd_count, struct err *err)
{
	pid_t parent = getpid(), pid;

	assert(fd_count <= ROLE_FDS_MAX);
	pid = fork();
	if (pid < 0)
		err_sys(err, errno, "cannot start %s", argv[1]);
	if (pid == 0)
		become_role(argv, fds, fd_count, parent);
	return pid;
}

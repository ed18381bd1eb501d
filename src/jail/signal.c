/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "jail/jail.h"

/* The command is the first child of the jail's init, which bwrap keeps as reaper */
static pid_t command_of(pid_t init)
{
	char path[64];
	int pid = -ESRCH;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)init, (int)init);
	AUTO_FCLOSE FILE *f = fopen(path, "re");

	if (!f || fscanf(f, "%d", &pid) != 1)
		return -ESRCH;
	return pid;
}

int jail_signal(const struct jail *jail, int number)
{
	pid_t pid = jail->init > 0 ? command_of(jail->init) : -ESRCH, again;
	AUTO_CLOSE int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd < 0)
		return -ESRCH;
	again = command_of(jail->init);	/* the number was not taken by another meanwhile */
	if (again != pid)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) < 0 ? -errno : 0;
}

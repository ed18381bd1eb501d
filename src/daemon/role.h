/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role.h - start a process of our own in a role
 *
 * Fork and exec of this very program with a role word: the child has a fresh
 * address space and nothing but the descriptor it was given.
 */
#ifndef SLUICE_DAEMON_ROLE_H
#define SLUICE_DAEMON_ROLE_H

#include <sys/types.h>

#include "base/err.h"

#define ROLE_FD 3		/* where a role finds its socket */
#define ROLE_FDS_MAX 4

/*
 * role_spawn() - start `sluice WORD ARGS...`
 * @argv:	as the program's main() sees it: "sluice", the role word, ..., NULL
 * @fds:	become descriptors 3, 4, ... of the role; the caller keeps its own
 *
 * The role is killed when we end, is in a session of its own (Ctrl-C does not
 * reach it), has stdin and stdout on /dev/null and an empty environment.
 */
pid_t role_spawn(const char *const argv[], const int *fds, size_t fd_count, struct err *err);

/* One line on stderr, "sluice: ROLE: WHY" */
void role_complain(const char *role, const char *why);

#endif

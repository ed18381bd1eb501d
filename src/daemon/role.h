/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role.h - start a process of our own in a role
 *
 * Fork and exec of the role's own program (jail/program.h): the child has a fresh
 * address space and nothing but the descriptors it was given.
 */
#ifndef SLUICE_DAEMON_ROLE_H
#define SLUICE_DAEMON_ROLE_H

#include <sys/types.h>

#include "base/err.h"
#include "jail/program.h"

#define ROLE_FD 3		/* where a role finds its socket */
#define ROLE_FDS_MAX 4
#define ROLE_USER "sluice"	/* whom the roles of root's keepers run as */

/* An account without rights of its own */
struct role_user {
	uid_t		uid;
	gid_t		gid;
};

struct role_plan {
	int			 program;	/* O_PATH */
	const char *const	*argv;		/* "sluice", the role word, ..., NULL */
	const int		*fds;		/* become descriptors 3, 4, ...; the caller keeps its own */
	size_t			 fd_count;
	const struct role_user	*user;		/* whom it runs as, with no other group; NULL: as we do */
	bool			 alone;		/* in a network namespace of its own: for root's */
};

/*
 * role_spawn() - start a role
 *
 * It is killed when we end, is in a session of its own (Ctrl-C does not reach
 * it), has stdin and stdout on /dev/null, and program_mark for an environment.
 * Return: its pid, a child of the caller; or -1 and @err.
 */
pid_t role_spawn(const struct role_plan *r, struct err *err);

/* The account @name, which must not be root.  Return: false and @err */
bool role_user_find(const char *name, struct role_user *ret, struct err *err);

/* One line on stderr, "sluice: ROLE: WHY" */
void role_complain(const char *role, const char *why);

#endif

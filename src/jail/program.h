/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - sluice's own programs besides `sluice`: one for each wall
 *
 *	sluice-jail	shim and broker: with the agent, and beside it
 *	sluice-gate	gate: hostile bytes of the agent and of servers
 *	sluice-resolver	resolver: hostile answers of name servers
 *	sluice-exporter	exporter: whoever asks for /metrics
 *	sluice-courier	courier: answers of the webhook
 *	sluice-dashboard	dashboard: whoever asks the daemon for its page
 *
 * They are programs of their own so that each holds only the code and loads only the
 * libraries that its role needs: less to attack, and less to load at a start.
 * They lie together in one folder, are opened before anything starts, and run from those
 * descriptors: neither a mask nor a newer file of that name can come between.
 */
#ifndef SLUICE_JAIL_PROGRAM_H
#define SLUICE_JAIL_PROGRAM_H

#include "base/err.h"

enum program { PROGRAM_JAIL, PROGRAM_GATE, PROGRAM_RESOLVER, PROGRAM_EXPORTER, PROGRAM_COURIER,
	       PROGRAM_DASHBOARD, PROGRAM_NUM };

/* Of none of them a descriptor */
#define PROGRAMS_NONE { { [0 ... PROGRAM_NUM - 1] = -1 } }

#define PROGRAM_PATH_MAX 64	/* bytes of program_path() */

struct programs {
	int	fd[PROGRAM_NUM];	/* O_PATH */
};

const char *program_name(enum program p);	/* of its file: "sluice-gate" */

/*
 * programs_open() - open each of them in @folder
 *
 * One that somebody else than the owner of the running program could have put there or
 * changed is refused: it must have the same owner, and be no more writable.
 * Return: false and @err, nothing open.
 */
bool programs_open(const char *folder, struct programs *ret_programs, struct err *err);
void programs_close(struct programs *p);

/* What execve(2) takes for an O_PATH descriptor, also in a child */
const char *program_path(int fd, char ret_path[PROGRAM_PATH_MAX]);

/*
 * The first word of a role's environment: it serves its starter only if both were
 * built of the same revision.  shim and gate share structs, not a stable protocol.
 */
extern const char program_mark[];	/* "SLUICE_BUILD=REVISION" */
bool program_is_marked(char *const *envp);

#endif

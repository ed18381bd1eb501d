/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - which process of the jail holds a socket
 *
 * Found by socket diagnostics in the jail's network namespace (its inode) and
 * the jail's own /proc (who holds that inode).  It informs and is no part of any
 * verdict: a process may pass its socket on, and name its program as it likes.
 * Bounded: looking at every process costs at most 5 ms of the caller's time at
 * once and a twentieth of all time; what was not found in that is unknown.
 */
#ifndef SLUICE_JAIL_PROCESS_H
#define SLUICE_JAIL_PROCESS_H

#include <sys/types.h>

#include "base/addr.h"
#include "policy/policy.h"

#define PROCESS_EXE_MAX 1024	/* bytes of a program's path that are kept */

/* A socket of the jail's, by what it is connected to */
struct socket_key {
	struct addr	 client, server;	/* its own address and its peer's */
	uint16_t	 client_port;		/* 0: no such socket is known */
	uint16_t	 server_port;
	enum transport	 transport;
};

struct process {
	pid_t		 pid;		/* as the jail counts; 0: unknown */
	size_t		 exe_len;	/* 0: unknown */
	char		 exe[PROCESS_EXE_MAX];	/* chosen by the agent: any bytes, no NUL */
};

struct processes;

/*
 * processes_new() - begin
 * @diag_fd:	JAIL_DIAG; borrowed
 * @init:	the jail's init, as seen from here
 *
 * Return: NULL when the jail's /proc can't be read; then nobody is ever found.
 */
struct processes *processes_new(int diag_fd, pid_t init);
void processes_free(struct processes *p);	/* NULL is fine */

/* Return: false, and ret->pid 0, if nobody was found.  @p may be NULL. */
bool process_of_socket(struct processes *p, const struct socket_key *key, struct process *ret);

/*
 * process_of_thread() - the jail's number of the process of a thread, by ours
 *
 * Return: 0 if it is gone.
 */
pid_t process_of_thread(pid_t tid);

/* diag.c: the inode of a socket, or 0.  Never blocks. */
uint32_t diag_inode(int diag_fd, const struct socket_key *key);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.h - start bwrap, with nothing of ours but what it needs */
#ifndef SLUICE_JAIL_SPAWN_H
#define SLUICE_JAIL_SPAWN_H

#include "jail/plan.h"

#define BWRAP "/usr/bin/bwrap"

/* Pipes and sockets between the keeper, bwrap, setup and the shim; -1: none */
struct spawn {
	int	info[2];	/* bwrap writes, setup reads */
	int	block[2];	/* bwrap reads, the keeper writes */
	int	shim[2];	/* [0] the keeper's, [1] the shim's */
	int	outer, inner;	/* user namespaces for root */
};

bool spawn_open(struct spawn *s, struct err *err);
void spawn_close(struct spawn *s);

/*
 * spawn_bwrap() - fork and exec
 * Return: the pid, a child of the caller; or -1 and @err.
 */
pid_t spawn_bwrap(const struct jail_plan *plan, struct view *view, const struct spawn *s,
		  struct err *err);

/* A sealed-off file in memory with @bytes in it, at its start.  -1 and errno. */
int spawn_memfd(const char *name, const void *bytes, size_t len);

#endif

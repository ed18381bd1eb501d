/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - from what the jail shall be to bwrap's arguments; pure */
#ifndef SLUICE_JAIL_PLAN_H
#define SLUICE_JAIL_PLAN_H

#include "base/buf.h"
#include "jail/jail.h"
#include "jail/view.h"

#define PLAN_ARGS_MAX 9000	/* bwrap's own limit on what comes by --args */
#define PLAN_BYTES_MAX (4u << 20) /* more than the kernel lets an environment be */

/* Descriptors that bwrap gets; it finds them under these numbers */
struct plan_fds {
	int	info;			/* --info-fd: it tells its child's pid */
	int	block;			/* --block-fd: it waits here before the first program */
	int	outer, inner;		/* user namespaces for root; -1: bwrap makes its own */
};

/*
 * plan_args() - bwrap's options, each ending in NUL, for --args
 *
 * Texts of @view have their descriptors already.
 * Return: false and @err when bwrap could not take them.
 */
bool plan_args(const struct jail_plan *plan, const struct view *view, const struct plan_fds *fds,
	       struct buf *ret_args, struct err *err);

#endif

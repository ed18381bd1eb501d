/* SPDX-License-Identifier: Apache-2.0 */
/* controlled.h - what a running session answers on its control socket (control/request.h) */
#ifndef SLUICE_DAEMON_CONTROLLED_H
#define SLUICE_DAEMON_CONTROLLED_H

#include "daemon/keeper.h"
#include "daemon/reload.h"

struct controlled_plan {
	const char	*folder;	/* of its socket; NULL: there is none */
	const char	*session;
	const char	*command;	/* its name alone */
	bool		 proxy;
};

struct controlled;

/*
 * controlled_new() - listen
 * @plan:	borrowed
 *
 * Return: NULL: there is none, which is said on stderr if one was wanted.
 */
struct controlled *controlled_new(const struct controlled_plan *plan, struct keeper *k,
				  struct reload *reload);
void controlled_free(struct controlled *c);	/* NULL is fine */

/* A reload is over; @why: it failed, or NULL */
void controlled_reloaded(struct controlled *c, const char *why);

#endif

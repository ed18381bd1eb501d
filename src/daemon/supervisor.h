/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor.h - the sessions of `sluice daemon`
 *
 * Each is a keeper of its own (`sluice hold`), with its roles: what happens to one does not happen to
 * the others, nor does the daemon's end.  It starts them, starts them again when they have died,
 * and knows which there are; it decides nothing, and no byte of an agent's comes near it.
 *
 * Between a keeper's death and the next one's word that it serves, the namespace has its rules and
 * nobody behind them: everything is refused.
 */
#ifndef SLUICE_DAEMON_SUPERVISOR_H
#define SLUICE_DAEMON_SUPERVISOR_H

#include <event2/event.h>

#include "base/err.h"
#include "daemon/exported.h"

#define SUPERVISOR_SESSIONS_MAX 4096

/* What `sluice hold` says to the daemon, and its exit code */
#define HOLD_READY '+'		/* on --ready-fd: the walls stand, and it serves; else it is why not */
#define HOLD_LIMIT 3		/* the policy's limits ended it: it is not to be held again */

struct supervisor_plan {
	const char	*folder;	/* of control sockets; held/ is made in it */
	const char	*policies;	/* where a policy NAME is NAME.yaml */
	const char	*program;	/* sluice itself */
	const char	*version;
	struct exported_plan metrics;	/* of all sessions */
	const struct page_at *dashboard;	/* NULL: there is none */
	gid_t		 group;		/* whose members may ask; CONTROL_GROUP_NONE */
};

struct supervisor;

/*
 * supervisor_new() - listen, and take over what an earlier daemon left
 * @plan:	borrowed
 *
 * Sessions whose keeper lives go on; whose has died is held again; whose namespace has gone is
 * forgotten.  Return: NULL and @err.
 */
struct supervisor *supervisor_new(struct event_base *loop, const struct supervisor_plan *plan,
				  struct err *err);

/* Is it one of its sessions? */
bool supervisor_holds(const struct supervisor *s, const char *session);

/* Return: how many sessions go on without it */
size_t supervisor_free(struct supervisor *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attendant.h - a role of the daemon's own, which is started again when it has ended
 *
 * Nothing hangs on it: sessions go on without.
 */
#ifndef SLUICE_DAEMON_ATTENDANT_H
#define SLUICE_DAEMON_ATTENDANT_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/types.h>

#include "base/err.h"

struct attendant {
	const char	*name;		/* as stderr has it */
	pid_t		(*spawn)(void *arg, struct err *err);	/* role_spawn(); or -1 and @err */
	void		(*ended)(void *arg);	/* it has, or could not be watched: let go what was its; or NULL */
	void		*arg;
	/* its own */
	struct event_base *loop;
	pid_t		 pid;		/* 0: it does not run */
	int		 pidfd;
	struct event	 ended_ev, timer;
};

/* The fields above "its own" are set.  attendant_stop() in any case.  Return: false and @err */
bool attendant_start(struct attendant *a, struct event_base *loop, struct err *err);

/* It is started anew as if it had ended */
void attendant_kill(struct attendant *a);
void attendant_stop(struct attendant *a);

#endif

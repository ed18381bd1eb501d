/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exported.h - the numbers of all of a daemon's sessions: their board, and the exporter that serves it
 *
 * The board (watch/board.h) is a file of the daemon's folder, also where nobody serves it: sessions
 * outlive a daemon, and the next one may.  An exporter that has died is started again.
 */
#ifndef SLUICE_DAEMON_EXPORTED_H
#define SLUICE_DAEMON_EXPORTED_H

#include <event2/event.h>

#include "daemon/doors.h"
#include "daemon/role.h"

#define EXPORTED_FILE "counters"	/* in the daemon's folder */

struct exported_plan {
	const char	*folder;	/* of the daemon */
	struct page_at *at;		/* NULL: nobody serves them */
	const char	*programs;	/* folder of sluice's own programs */
	const char	*version;
	const struct role_user *user;	/* whom the exporter runs as */
};

struct exported;

/* @plan: borrowed.  Return: NULL and @err */
struct exported *exported_new(struct event_base *loop, const struct exported_plan *plan, struct err *err);
void exported_free(struct exported *x);	/* or NULL; a board with sessions stays */

/* The place of @session, given to it if it has none.  Return: BOARD_NONE: there is none left */
size_t exported_place(struct exported *x, const char *session);
void exported_drop(struct exported *x, const char *session);

/* Places of sessions that @is_kept does not know are nobody's from now on */
void exported_sweep(struct exported *x, bool (*is_kept)(void *arg, const char *session), void *arg);

#endif

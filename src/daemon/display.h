/* SPDX-License-Identifier: Apache-2.0 */
/*
 * display.h - the daemon's end of the dashboard
 *
 * Makes its socket and its token, starts it (dashboard.h), starts it again, and passes it
 * connections to sessions, which have said "web" (control/request.h) before they are passed.
 */
#ifndef SLUICE_DAEMON_DISPLAY_H
#define SLUICE_DAEMON_DISPLAY_H

#include "daemon/doors.h"
#include "daemon/role.h"
#include "daemon/supervisor.h"

struct display_plan {
	struct page_at	 at;		/* where it listens: loopback or a Unix socket */
	const char		*folder;	/* of control sockets; the address with the token is there too */
	const char		*programs;	/* folder of sluice's own */
	const struct role_user	*user;		/* whom it runs as */
};

struct display;

/* @plan, @s: borrowed.  Return: NULL and @err */
struct display *display_new(struct event_base *loop, struct display_plan *plan,
			    const struct supervisor *s, struct err *err);
void display_free(struct display *d);	/* NULL is fine */

#endif

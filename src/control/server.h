/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h - a session's control socket, on the keeper's loop
 *
 * Whoever connects must be this user or root (SO_PEERCRED), or in a group that may (SO_PEERGROUPS).  Requests come one a line, and are
 * answered in order.  Bounds: CONTROL_CLIENTS_MAX connections, CONTROL_LINE_MAX bytes a
 * request, CONTROL_IDLE_S without one.
 */
#ifndef SLUICE_CONTROL_SERVER_H
#define SLUICE_CONTROL_SERVER_H

#include <event2/event.h>

#include "control/request.h"

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_IDLE_S 60
#define CONTROL_WEB_MAX 2	/* connections that said "web": they leave room for others */
#define CONTROL_GROUP_MAX 12	/* of who is only of the group: for root there is always room */

#define CONTROL_GROUP_NONE ((gid_t)-1)

/* Whom an answer that comes later is for */
struct control_ticket {
	unsigned	slot;
	uint32_t	serial;
	bool		privileged;	/* the asker is this user or root, not just of the group */
	uid_t		uid;		/* who it is */
	bool		web;		/* it said so: only what control_request_is_web() passes comes */
};

/*
 * Write one JSON object to @answer, without a newline
 *
 * Return: false: control_answer() will follow; @r lives only until this returns
 */
typedef bool control_handle(void *arg, const struct control_request *r,
			    const struct control_ticket *t, struct buf *answer);

struct control_server;

/*
 * control_server_new() - begin
 * @fd:		listens (control/place.h); it is taken
 * @group:	whose members may ask too, or CONTROL_GROUP_NONE
 *
 * Return: NULL: out of memory, and @fd is closed
 */
struct control_server *control_server_new(struct event_base *loop, int fd, gid_t group,
					  control_handle *handle, void *arg);

/* What was to come later.  Nothing happens if the asker has gone. */
void control_answer(struct control_server *s, const struct control_ticket *t, struct span answer);
void control_server_free(struct control_server *s);

/* "{"ok":false,"error":...}" */
void control_refuse(struct buf *answer, const char *why);

#endif

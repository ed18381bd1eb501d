/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h - a session's control socket, on the keeper's loop
 *
 * Whoever connects must be this user or root (SO_PEERCRED).  Requests come one a line, and are
 * answered in order.  Bounds: CONTROL_CLIENTS_MAX connections, CONTROL_LINE_MAX bytes a
 * request, CONTROL_IDLE_S without one.
 */
#ifndef SLUICE_CONTROL_SERVER_H
#define SLUICE_CONTROL_SERVER_H

#include <event2/event.h>

#include "control/request.h"

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_IDLE_S 60

/* Write one JSON object to @answer, without a newline */
typedef void control_handle(void *arg, const struct control_request *r, struct buf *answer);

struct control_server;

/* @fd: listens (control/place.h); it is taken.  NULL: out of memory, and it is closed */
struct control_server *control_server_new(struct event_base *loop, int fd, control_handle *handle,
					  void *arg);
void control_server_free(struct control_server *s);

/* "{"ok":false,"error":...}" */
void control_refuse(struct buf *answer, const char *why);

#endif

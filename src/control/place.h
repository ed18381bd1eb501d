/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - where the sockets of running sessions are: FOLDER/SESSION.sock */
#ifndef SLUICE_CONTROL_PLACE_H
#define SLUICE_CONTROL_PLACE_H

#include "base/err.h"

#define CONTROL_ENDING ".sock"
#define CONTROL_NAME_MAX 64	/* bytes of a session's name */
#define CONTROL_DAEMON "control"	/* the daemon's socket; no session's */

/* May a session, or a policy of the daemon's, be called so?  Letters, digits, '.', '_', '-'; not
 * CONTROL_DAEMON */
bool control_name_is_valid(const char *name);

/*
 * control_connect() - to the socket of session @name in @folder
 *
 * Return: a descriptor, or negative errno: -ENOENT or -ECONNREFUSED if no such session runs.
 */
int control_connect(const char *folder, const char *name);

/* The same, non-blocking; -EAGAIN if it would have to wait */
int control_connect_now(const char *folder, const char *name);

/*
 * control_listen() - make that socket, 0600, in a folder that exists
 *
 * One that a session left behind that is dead takes no connection, and is replaced.
 * Return: a descriptor that listens, or -1 and @err; -EADDRINUSE as errno if the session lives.
 */
int control_listen(const char *folder, const char *name, struct err *err);

/* Remove it; nothing happens if it is not there */
void control_remove(const char *folder, const char *name);

#endif

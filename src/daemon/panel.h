/* SPDX-License-Identifier: Apache-2.0 */
/*
 * panel.h - what the dashboard knows of the daemon's sessions
 *
 * Asks the daemon which there are and each what it does, for as long as somebody looks.  What
 * they answer is passed on as it is.  To reach one it writes its name to the daemon (one packet) and
 * gets a packet back, struct panel_open, with a socket if it is there.
 */
#ifndef SLUICE_DAEMON_PANEL_H
#define SLUICE_DAEMON_PANEL_H

#include <poll.h>

#include "control/place.h"
#include "control/request.h"

#define PANEL_SESSIONS_MAX 512	/* that are looked at; of others there are the names alone, and their number */
#define PANEL_STATE_MAX (64u << 20)	/* bytes of panel_state() */

struct panel_open {
	char	name[CONTROL_NAME_MAX + 1];
	int32_t	error;		/* errno; 0: a socket comes with it */
};

/* Whom an answer of a session's is for */
typedef void panel_told(void *arg, unsigned slot, uint32_t serial, struct span answer);

struct panel;

/* @link: to the daemon.  NULL: out of memory */
struct panel *panel_new(int link, panel_told *told, void *arg);

/* Somebody looks, now */
void panel_look(struct panel *p);

/* Descriptors to wait for, at most PANEL_SESSIONS_MAX + 2; then all of them back */
size_t panel_gather(struct panel *p, struct pollfd *ret);
/* Return: false: the daemon has gone */
bool panel_turn(struct panel *p, const struct pollfd *polled, size_t count);

/* All as one JSON object, with the events after @after */
void panel_state(const struct panel *p, uint64_t after, struct buf *b);

/* Hand over what was decided: panel_told comes later.  Return: false: that session is not there */
bool panel_decide(struct panel *p, const char *session, const struct control_request *r,
		  unsigned slot, uint32_t serial);

#endif

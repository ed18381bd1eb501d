/* SPDX-License-Identifier: Apache-2.0 */
/*
 * screen.h - what a command has made of a terminal, so that others can write on it for a while
 *
 * Follows what the command writes as far as it changes what outlasts a line: which screen it
 * is on, and the modes that change what keys send or how text lands.
 */
#ifndef SLUICE_PROTO_SCREEN_H
#define SLUICE_PROTO_SCREEN_H

#include "base/buf.h"
#include "proto/escape.h"

#define SCREEN_TEXT_MAX 512	/* bytes of either text */

struct screen {
	struct escape	escape;
	uint32_t	changed;	/* rows of the table that are not as they are at first */
	unsigned	keys;		/* xterm's modifyOtherKeys */
	bool		protocol;	/* kitty's keyboard protocol was spoken of */
};

void screen_follow(struct screen *s, struct span bytes);	/* a zeroed screen at first */

/*
 * screen_leave() - what brings an empty line that shows text as it is, to the end of the screen
 *
 * It does not trust what was followed: whatever hides text, keeps it to a part of the screen,
 * swallows it, or makes the terminal say more than keys is undone also where no such thing was
 * seen, for terminals read broken sequences each in its own way.  What stood above stays.
 */
void screen_leave(const struct screen *s, struct buf *to);

/* What makes it again what it was for the command, which has to paint anew */
void screen_return(const struct screen *s, struct buf *to);

#endif

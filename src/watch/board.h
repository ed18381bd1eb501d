/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board.h - the counters of all of a daemon's sessions, in one piece of shared memory
 *
 * A page of it each: the daemon gives it out and takes it back, the session's keeper writes its
 * counters there (shared.h), others map the whole for reading alone.  It is a file, so a keeper
 * goes on writing while there is no daemon, and the next daemon finds what is whose.
 */
#ifndef SLUICE_WATCH_BOARD_H
#define SLUICE_WATCH_BOARD_H

#include "watch/shared.h"

#define BOARD_PAGE 4096		/* bytes of a place; a keeper maps its own alone */
#define BOARD_PLACES 4096
#define BOARD_SIZE ((size_t)(BOARD_PLACES + 1) * BOARD_PAGE)
#define BOARD_NAME_MAX 64	/* bytes of a session's name */
#define BOARD_NONE ((size_t)-1)

union board_place {
	struct {
		char	session[BOARD_NAME_MAX + 1];	/* "": nobody's */
		struct shared_counters shared;
	};
	char	page[BOARD_PAGE];
};

struct board {
	union {
		struct {
			char	 mark[64];	/* of the build: another one's places may look different */
			uint64_t used;		/* places that were ever given out: those beyond take no memory */
		};
		char	page[BOARD_PAGE];
	};
	union board_place place[BOARD_PLACES];
};

struct board_copy {
	char		session[BOARD_NAME_MAX + 1];
	struct counters	counters;
};

/* Is it of this build?  @mark: program_mark */
bool board_is_ours(const struct board *b, const char *mark);
void board_begin(struct board *b, const char *mark);	/* all places are nobody's */

/* Places from here on are nobody's */
size_t board_end(const struct board *b);

/* Return: the place of @session, BOARD_NONE if it has none */
size_t board_find(const struct board *b, const char *session);

/* A place for @session with counters of zero, or the one it has.  Return: BOARD_NONE: all are taken */
size_t board_take(struct board *b, const char *session);
void board_drop(struct board *b, const char *session);

/*
 * board_read() - copies of what all sessions have counted
 *
 * One whose writer was stopped in the midst of its work is left out.
 * Return: to be freed, *ret_count of them; NULL if memory is out
 */
struct board_copy *board_read(const struct board *b, size_t *ret_count);

/* Where the place is in the file */
#define board_offset(place) (((place) + 1) * BOARD_PAGE)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held.h - a session of the daemon as it stands on disk: FOLDER/held/SESSION.json
 *
 * It is written before the session's keeper starts and goes when the session is over, so what is
 * found there by a daemon that starts must be closed, or held again.  Whoever keeps the session has
 * the file locked (flock): that tells a keeper that lives, whose daemon has ended, from one that has
 * died.  A number of a process is not enough to find a namespace again: it may be another's by now.
 */
#ifndef SLUICE_DAEMON_HELD_H
#define SLUICE_DAEMON_HELD_H

#include <limits.h>
#include <sys/types.h>

#include "base/err.h"
#include "control/place.h"
#include "control/request.h"

#define HELD_WORD_MAX 128
#define HELD_BYTES_MAX 16384	/* of the file */

struct held {
	char			 session[CONTROL_NAME_MAX + 1];
	char			 netns[PATH_MAX];	/* "": the one of @pid */
	pid_t			 pid;
	uint64_t		 started;	/* when @pid did, in ticks since boot */
	uint64_t		 device, inode;	/* of the namespace */
	char			 boot[40];	/* the machine's start that all this is of */
	char			 mode[HELD_WORD_MAX], guest[HELD_WORD_MAX];	/* as they were said; "" */
	bool			 uplink;	/* it is on an engine's network: there is a wall around its port */
	struct control_words	 policies;	/* names or paths, as they were said */
	struct control_words	 labels, publish;
	json_t			*object;	/* that the words lie in */
};

/*
 * held_find() - look at the namespace that @r names, now
 *
 * Return: false and @err: there is none, or it is the machine's own.  held_done() in any case.
 */
bool held_find(const struct control_request *r, struct held *ret, struct err *err);

/* Is it still there, and the same? */
bool held_is_there(const struct held *h);

bool held_write(const char *folder, const struct held *h, struct err *err);
bool held_read(const char *folder, const char *session, struct held *ret, struct err *err);
void held_forget(const char *folder, const char *session);

/* Return: a descriptor that holds the lock until all its copies are closed; -EWOULDBLOCK: a keeper
 * lives; other negative errno */
int held_lock(const char *folder, const char *session);

void held_done(struct held *h);

#endif

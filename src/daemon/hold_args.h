/* SPDX-License-Identifier: Apache-2.0 */
/* hold_args.h - the command line of a session's keeper: sluice hold, as the daemon starts it */
#ifndef SLUICE_DAEMON_HOLD_ARGS_H
#define SLUICE_DAEMON_HOLD_ARGS_H

#include "daemon/held.h"

#define HOLD_READY_FD 3		/* where the keeper says that it serves, or why not */
#define HOLD_ARGS_MAX (24 + 6 * CONTROL_WORDS_MAX)

/* What the session's own description does not tell */
struct hold_facts {
	const char	*policies;	/* the folder of those that have a name */
	size_t		 place;		/* on the board; BOARD_NONE */
	bool		 again;		/* it was held before */
	struct control_ports spare;	/* no host port may lead there */
};

struct hold_args {
	const char	*at[HOLD_ARGS_MAX];	/* up to NULL; of the struct held, ours, or constant */
	size_t		 count;
	char		 pid[12], place[24], port[CONTROL_PORTS_MAX][8];
	char		 path[CONTROL_WORDS_MAX][PATH_MAX];
};

/* hold_args_make() - pure.  *@ret is large, must not move, and needs *@h for as long as it is used */
void hold_args_make(const struct held *h, const struct hold_facts *facts, struct hold_args *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selftest.h - attempts to escape: what they aim at, and the tables they are in
 *
 * An attempt is a function that says whether it worked.  The same function runs
 * in the jail, where it must not work, and outside, where it should: an attempt
 * that fails everywhere proves nothing.  What can be seen from outside is not
 * left to the attempt's own word: targets of selftest's own wait on the host,
 * and each message carries the run's token, the place it comes from and the
 * attempt's number.
 */
#ifndef SLUICE_CLI_SELFTEST_H
#define SLUICE_CLI_SELFTEST_H

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/err.h"

#define SELFTEST_TOKEN 16	/* hexadecimal digits that no stray client knows */
#define SELFTEST_MESSAGE 64	/* bytes of a message with NUL */
#define SELFTEST_MAX 128	/* attempts in all tables */
#define SELFTEST_FOLDER 64	/* bytes of the scratch folder's path with NUL */
#define SELFTEST_SIGNAL SIGURG	/* is ignored by whoever gets it by mistake */

/* Addresses of the host that targets wait on */
enum spot { SPOT_LOOP4, SPOT_LOOP6, SPOT_LAN4, SPOT_LAN6, SPOT_NUM };

enum place { PLACE_OUTSIDE, PLACE_INSIDE, PLACE_NUM };

/* Handed to the jail on its standard input: no pointers */
struct aim {
	char		token[SELFTEST_TOKEN + 1];
	enum place	place;
	unsigned	number;			/* of the attempt under way */
	struct {
		struct addr	addr;
		uint16_t	tcp, udp;	/* 0: the host has no such address */
	}		spot[SPOT_NUM];
	uint16_t	host_port;		/* the policy opens this one, and only this one */
	char		folder[SELFTEST_FOLDER];	/* scratch, the user's own */
	char		policy[SELFTEST_FOLDER + 32];	/* in a folder of its own in there */
	char		config[PATH_MAX], state[PATH_MAX], data[PATH_MAX], self[PATH_MAX];
	char		programs[PATH_MAX];	/* folder of the others */
	pid_t		sentinel;		/* a process of ours outside */
	uintptr_t	memory;			/* where its secret is */
};

#define SENTINEL_NAME "sluice-sentinel"	/* as /proc shows it; at most 15 bytes */
#define SENTINEL_SECRET "what no process of the jail has at this address"

enum control {
	CONTROL_MUST,	/* works outside, or the attempt proves nothing and selftest fails */
	CONTROL_MAY,	/* works outside with some kernels, rights and settings */
	CONTROL_NEVER,	/* is not tried outside: it would do harm, or bother strangers */
	CONTROL_ALLOWED,	/* no attempt: must work in the jail */
};

struct attempt {
	const char	*name;
	const char	*what;
	enum control	 control;
	bool		(*try)(const struct aim *aim);	/* has a process of its own */
	bool		(*possible)(const struct aim *aim);	/* NULL: always */
};

/* One table a file; each ends with name NULL */
extern const struct attempt selftest_net[], selftest_unix[], selftest_kernel[], selftest_files[];

/* The attempt of that number through all tables, or NULL behind the last */
const struct attempt *selftest_attempt(unsigned number);

/*
 * selftest_perform() - make the attempts, one after the other, each in a process of its own
 * @to:	"ready", then one line an attempt, "NUMBER 1" if it worked, "NUMBER 0" if not
 *
 * Outside only those that have a control there.
 */
void selftest_perform(const struct aim *aim, FILE *to);

/* The message of the attempt under way, for targets.  Return: its length */
size_t selftest_message(const struct aim *aim, char ret_text[SELFTEST_MESSAGE]);

/*
 * selftest_nested_root() - become root of a user namespace of one's own, as sandboxes in the jail do
 * @also:	CLONE_NEW* of further namespaces
 */
bool selftest_nested_root(int also);

/* ---- what waits outside; selftest_targets.c ---- */

#define TARGETS_MAX 16		/* sockets and pipes watched */

enum target_shape { TARGET_LISTENER, TARGET_DATAGRAM, TARGET_NOTES };

struct targets {
	struct {
		int			fd;
		enum target_shape	shape;
	}		at[TARGETS_MAX];
	size_t		count;
	pid_t		sentinel;
	bool		arrived[PLACE_NUM][SELFTEST_MAX];
	const char	*token;		/* borrowed from the aim */
};

/* Open all targets and fill in @aim.  Return: false and @err; targets_close() in any case. */
bool targets_open(struct targets *t, struct aim *aim, struct err *err);
void targets_close(struct targets *t, const struct aim *aim);

/* A Unix listener, FOLDER/latePLACE, that appears when the attempts of that place have begun */
bool targets_open_late(struct targets *t, const struct aim *aim, struct err *err);

/*
 * targets_serve() - take what has arrived, from each target one message
 * @also:	a descriptor to wait for as well; -1: none
 *
 * Return: false if nothing came within @limit_ms.
 */
bool targets_serve(struct targets *t, int also, int limit_ms);

#endif

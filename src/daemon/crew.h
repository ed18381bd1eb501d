/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.h - the roles that serve one session, from their start to their end
 *
 * Each is a process of its own (role.h). A session has a gate and a resolver always; a broker
 * if it jails a command; an exporter and a courier if they are wanted.
 */
#ifndef SLUICE_DAEMON_CREW_H
#define SLUICE_DAEMON_CREW_H

#include "daemon/keeper.h"
#include "daemon/role.h"
#include "jail/jail.h"

enum role { ROLE_GATE, ROLE_RESOLVER, ROLE_BROKER, ROLE_EXPORTER, ROLE_COURIER, ROLE_NUM };

struct crew {
	struct keeper	*keeper;
	struct programs	 programs;
	const struct role_user *user;	/* whom they run as; NULL: as we do */
	pid_t		 pid[ROLE_NUM];	/* 0: not running */
	int		 resolver;	/* its end of the link, until it is started; -1 */
	int		 notes;		/* what the broker tells; -1 */
	struct event	 note_ev;
	bool		 broker_ready;	/* it is confined and serves */
};

/* @folder: of sluice's own programs.  crew_stop() in any case. */
bool crew_begin(struct crew *c, struct keeper *k, const char *folder, const struct role_user *user,
		struct err *err);

/*
 * crew_pair() - a link to a role that is started later
 *
 * Return: our end, and in *ret_theirs the role's; or -1 and @err
 */
int crew_pair(enum role role, int *ret_theirs, struct err *err);

/* What starts is alone with its end of a pair, *@theirs, which is closed here */
bool crew_gate(struct crew *c, int *theirs, struct err *err);
bool crew_courier(struct crew *c, int *theirs, struct err *err);
/* crew.resolver is its end */
bool crew_resolver(struct crew *c, struct err *err);
/* Takes the jail's notifications */
bool crew_broker(struct crew *c, struct jail *jail, const struct jail_plan *plan, struct err *err);

struct exporter_plan {
	int		 listening;	/* borrowed */
	bool		 local;		/* page_at.local */
	const char	*session, *version;
};
bool crew_exporter(struct crew *c, const struct exporter_plan *plan, struct err *err);

/* Take in what the broker has to say now.  Return: false: it says no more */
bool crew_hear(struct crew *c);

/* One that has ended and was not told of yet.  Return: false: none */
bool crew_ended(struct crew *c, enum role *ret_role);

const char *crew_name(enum role role);
/* What to say when it has ended and nothing hangs on it; NULL: the session does */
const char *crew_spare(enum role role);

/* End them all */
void crew_stop(struct crew *c);

#endif

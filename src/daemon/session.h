/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - one jailed command, one proxy or one namespace that is held, from start to end
 *
 * Order: the log and its key; the roles; the jail with its sockets; the gate
 * serves; the probe proves the walls; session.start is written; the command
 * runs.  Anything that fails before that ends with nothing running.
 */
#ifndef SLUICE_DAEMON_SESSION_H
#define SLUICE_DAEMON_SESSION_H

#include "audit/audit.h"
#include "audit/summary.h"
#include "daemon/alarm.h"
#include "daemon/controlled.h"
#include "daemon/doors.h"
#include "daemon/reload.h"
#include "daemon/role.h"
#include "daemon/terminal.h"
#include "jail/jail.h"

#define EXIT_SLUICE 125		/* sluice failed before the command started, lost a role, or ended it
				 * for a limit */

/* `sluice proxy` */
struct listen_plan {
	struct listen_at at[LISTEN_NUM];
	/* It serves.  @at: with the ports that were free; @ca: PEM of the session's, or NULL.
	 * Return: false and @err: end it. */
	bool		(*ready)(void *arg, const struct listen_at *at, const char *ca,
				 struct err *err);
	void		*arg;
};

/* `sluice hold` */
struct hold_plan {
	int		 net;		/* the network namespace; borrowed */
	pid_t		 init;		/* the first process of what lives in it; 0: unknown */
	int		 pidfd;		/* of it: its end is the session's; borrowed; -1 */
	int		 counters;	/* the daemon's board (watch/board.h); borrowed; -1: not counted there */
	size_t		 counters_at;	/* our place, bytes from its start */
	/* The walls stand and it serves.  Return: false and @err: end it. */
	bool		(*ready)(void *arg, const char *ca, struct err *err);
	void		*arg;
};

struct session_plan {
	struct jail_plan	 jail;
	struct listen_plan	*listen;	/* not NULL: there is no jail but a proxy; of `jail`
						 * argv, policy and session count */
	const struct hold_plan	*hold;		/* not NULL: there is no command but a namespace that
						 * others made; of `jail` as of listen, and pools */
	int			 policy_fd;	/* of the same policy, see share.h; borrowed */
	int			 secrets_fd;	/* of what its inject puts there; borrowed; -1: nothing */
	const char		*proxy_credentials;	/* for upstream_proxy; NULL: none */
	const char		*log_path, *key_path;
	bool			 copies[COPY_NUM];	/* of the log's lines (audit/copy.h) */
	const char		*webhook, *webhook_key;	/* URL and path of its key; NULL: none */
	const struct audit_label *labels;
	size_t			 label_count;
	const char		*version;
	const char		*programs;	/* folder of sluice's own (jail/program.h) */
	const struct role_user	*role_user;	/* whom the roles run as; NULL: as we do */
	struct page_at	*metrics;	/* where they are served; NULL: nowhere */
	struct alarm_plan	 alarm;
	struct summary		*summary;	/* denials are added to it */
	struct controlled_plan	 control;
	struct terminal		*terminal;	/* of jail_plan.terminal; NULL: the command has ours */
	/* What waits for an answer has changed; or NULL */
	void			(*questions)(void *arg, struct keeper *k);
	void			*questions_arg;
	/* keeper.keep_always; or NULL */
	bool			(*keep_always)(void *arg, const struct approval_question *q,
					       struct err *err);
	void			*keep_arg;
	int64_t			 ask_ms;	/* how long a question waits; 0: APPROVAL_WAIT_MS */
	struct reload_source	 reload;	/* load NULL: the policy stays as it is */
};

struct session_result {
	int		exit_code;	/* the command's, 128 + its signal, or EXIT_SLUICE; a proxy's: 0 */
	bool		started;	/* the command ran, the proxy served */
	bool		killed;		/* the policy's limits have ended it */
	uint64_t	denied;
};

/* Blocking.  Return: false and @err if the command did not start. */
bool session_run(const struct session_plan *plan, struct session_result *ret_result,
		 struct err *err);

#endif

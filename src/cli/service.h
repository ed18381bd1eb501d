/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h - a session, from the words of its command line to its end: what run, proxy and hold share
 */
#ifndef SLUICE_CLI_SERVICE_H
#define SLUICE_CLI_SERVICE_H

#include "cli/judge.h"
#include "cli/listen.h"
#include "cli/naming.h"
#include "cli/reread.h"
#include "daemon/session.h"

#define SUMMARY_LINES 5		/* of what was denied, at the end */

struct service {
	struct judge_options	 judge;
	struct judged		 judged;
	struct shared_policy	 shared;
	struct reread		 reread;
	struct secret_store	 secrets;
	struct naming		 naming;
	struct metrics_options	 metrics;
	bool			 quiet, watch;
	char			 root[PATH_MAX];	/* of the project, for approvals */
	const char		*control_folder;	/* NULL: no control socket */
	char			 programs[PATH_MAX], run_folder[PATH_MAX];
	char			 ca_path[PATH_MAX];	/* what clients shall trust; "": nothing */
	struct summary		 summary;
	struct session_result	 result;	/* of service_run() */
	const char		*word;		/* the command's name; the user's, or sluice's own */
	char			 name[16];	/* in place of a command of the user's */
	char			*argv[2];
};

#define SERVICE_OPTIONS(s) \
	JUDGE_OPTIONS(&(s)->judge), \
	{ 'q', "quiet", OPTION_FLAG, NULL, "say nothing of denials at the end", &(s)->quiet }, \
	{ 0, "watch", OPTION_FLAG, NULL, \
	  "reload when a policy file changes (SIGHUP reloads always)", &(s)->watch }, \
	METRICS_OPTIONS(&(s)->metrics), \
	NAMING_OPTIONS(&(s)->naming)

/* In turn: judge the policy; share it, and find folders.  service_done() in any case. */
bool service_judge(struct service *s, const char *word, struct err *err);
bool service_share(struct service *s, struct err *err);

/* Both, for a session that serves others and starts no command: nobody in it writes files that decide */
bool service_prepare(struct service *s, const char *word, struct err *err);

/* What of a session's plan is alike */
void service_plan(struct service *s, struct session_plan *plan);

/*
 * service_write_ca() - the session's CA, with what is trusted without it, for clients to read
 *
 * In FOLDER/SESSION-ca.pem, of which service.ca_path tells, for those whom @mode lets.  Its key is the gate's.
 */
bool service_write_ca(struct service *s, const char *pem, mode_t mode, struct err *err);

/* Return: the exit code; what is to be said was said */
int service_run(struct service *s, struct session_plan *plan, struct err *err);

void service_done(struct service *s);

#endif

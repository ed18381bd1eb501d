/* SPDX-License-Identifier: Apache-2.0 */
/* naming.h - what a session is called, where its log is, and its labels */
#ifndef SLUICE_CLI_NAMING_H
#define SLUICE_CLI_NAMING_H

#include <limits.h>

#include "audit/audit.h"
#include "cli/options.h"
#include "control/place.h"

struct naming {
	const char		*session, *log;		/* options; NULL: not said */
	struct option_list	 labels;
	bool			 copies[COPY_NUM];	/* of the log: options */
	char			 name[CONTROL_NAME_MAX + 1];
	char			 state[PATH_MAX], log_path[PATH_MAX], key_path[PATH_MAX],
				 webhook_key[PATH_MAX];
	struct audit_label	*label;			/* labels.count of them */
};

/* Rows to put into a command's own table */
#define NAMING_OPTIONS(n) \
	{ 0, "log", OPTION_TEXT, "FILE", "audit log (default: in sluice's state folder)", \
	  &(n)->log }, \
	{ 0, "syslog", OPTION_FLAG, NULL, "copy the log's records to syslog", \
	  &(n)->copies[COPY_SYSLOG] }, \
	{ 0, "journald", OPTION_FLAG, NULL, "copy the log's records to systemd's journal", \
	  &(n)->copies[COPY_JOURNALD] }, \
	{ 0, "session", OPTION_TEXT, "NAME", "name of the session", &(n)->session }, \
	{ 0, "label", OPTION_LIST, "K=V", "label of the session, in the log; may repeat", \
	  &(n)->labels }

/*
 * naming_words() - name and labels; a session without a name gets one made of @command
 *
 * Return: false and @err if an option is not what it should be.
 */
bool naming_words(struct naming *n, const char *command, struct err *err);

/* The log and the key that signs it; their folders are made */
bool naming_paths(struct naming *n, struct err *err);

/*
 * naming_true_path() - a file's folder in its one true form, and its name
 *
 * The file itself must not be a link to another; it need not be there.
 */
bool naming_true_path(const char *path, char ret[PATH_MAX], struct err *err);

void naming_done(struct naming *n);

#endif

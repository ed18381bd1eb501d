/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.h - copies of the log's lines for syslog and journald
 *
 * The file is the record; these are for those who look elsewhere, and nothing waits for them: a line
 * that a daemon does not take at once is not copied, and counted.  Lines go out after they are in
 * the file.
 *
 * syslog: "<PRI>sluice[PID]: LINE", facility authpriv, as syslog(3) puts it without the time,
 * which LINE has.  journald: its native protocol (systemd, docs/JOURNAL_NATIVE_PROTOCOL.md), a
 * datagram of fields: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, SLUICE_SESSION.
 * Denials are notices, alerts warnings, all else is information.
 */
#ifndef SLUICE_AUDIT_COPY_H
#define SLUICE_AUDIT_COPY_H

#include "base/buf.h"
#include "base/err.h"

enum copy_to { COPY_SYSLOG, COPY_JOURNALD, COPY_NUM };

struct copy {
	enum copy_to	 to;
	const char	*path;		/* of the daemon's socket */
	int		 fd;		/* owned; -1: closed */
	struct buf	 datagram;	/* scratch */
	const char	*session;	/* borrowed */
	uint64_t	 lost;		/* lines that were not taken */
};

/*
 * copy_open() - reach the daemon
 * @path:	of its socket; NULL: where it is on a usual system
 * @session:	must outlive the copy
 *
 * Return: false and @err if nobody listens there.
 */
bool copy_open(struct copy *c, enum copy_to to, const char *path, const char *session,
	       struct err *err);
void copy_close(struct copy *c);

/* Whole lines, each with its newline */
void copy_lines(struct copy *c, struct span lines);

/* "syslog", "journald" */
const char *copy_name(enum copy_to to);

#endif

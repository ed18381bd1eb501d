/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - what the jail sees of the host's files: a list, in mounting order
 *
 * The host's whole tree is bound first, so the list holds only the differences.
 * Made from the plan and the machine before anything starts; printed by
 * --dry-run, turned into bwrap's arguments by plan.c.
 */
#ifndef SLUICE_JAIL_VIEW_H
#define SLUICE_JAIL_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "jail/mounts.h"

struct jail_plan;

#define VIEW_MAX 2048		/* operations: 2-4 each of the 9000 arguments that bwrap takes */

enum view_kind {
	VIEW_PIN,		/* bound onto itself: can't be moved aside */
	VIEW_DEVICES,		/* a fresh minimal /dev */
	VIEW_DEVICE,		/* a device of the host */
	VIEW_PROC,		/* a fresh /proc */
	VIEW_FRESH,		/* an empty directory in memory instead of the host's */
	VIEW_DIR,		/* a directory made in a fresh one */
	VIEW_SOCKET,		/* a host socket let through */
	VIEW_TEXT,		/* a file of our own instead of the host's */
	VIEW_READ,		/* read-only */
	VIEW_SEAL,		/* a fresh directory that is complete: read-only from now on */
	VIEW_HIDE_FILE,		/* a file that can't be opened */
	VIEW_HIDE_DIR,		/* an empty directory that can't be written */
	VIEW_KIND_NUM
};

struct view_op {
	enum view_kind	 kind;
	char		*path;		/* canonical; owned */
	unsigned	 perms;		/* VIEW_FRESH, VIEW_DIR */
	char		*text;		/* VIEW_TEXT; owned, may hold NUL */
	size_t		 text_len;	/* bytes */
	int		 text_fd;	/* VIEW_TEXT: a memfd with it, owned; -1: not made yet */
};

struct view {
	struct view_op	*ops;		/* owned */
	size_t		 count;
	bool		 spent;		/* memory or VIEW_MAX ran out: the view can't be used */
};

/* What the machine is; tests make their own */
struct view_facts {
	struct mounts	 mounts;
	unsigned	 uid;
	const char	*home;		/* of the command's environment, or NULL */
	const char	*ssh_agent;	/* SSH_AUTH_SOCK of the command's environment, or NULL */
	char		 hostname[256];
};

bool view_facts_read(const struct jail_plan *plan, struct view_facts *ret_facts, struct err *err);
void view_facts_done(struct view_facts *f);

/*
 * view_prepare() - make the directories of @plan->protect_hide that don't exist, 0700
 *
 * Otherwise the jail could make them, for the host.  What can't be made, the
 * jail can't make either.
 */
void view_prepare(const struct jail_plan *plan);

/* view_make() - the list of differences; changes nothing */
bool view_make(const struct jail_plan *plan, const struct view_facts *facts,
	       struct view *ret_view, struct err *err);
void view_done(struct view *v);

/*
 * view_resolv_conf() - the jail's resolv.conf
 * @host:	text of the host's, or ""
 *
 * One nameserver, @dns; search, domain and options lines are the host's.
 * Return: owned text, or NULL.
 */
char *view_resolv_conf(const char *host, const char *dns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload.h - read the policy's files again while the session runs
 *
 * They are read and compiled by a child, which hands the image over and ends: the
 * keeper serves the jail meanwhile, and nothing is left behind.  Files that are being
 * written are waited for.
 */
#ifndef SLUICE_DAEMON_RELOAD_H
#define SLUICE_DAEMON_RELOAD_H

#include <event2/event.h>

#include "daemon/share.h"

enum loaded { LOADED, LOADED_BUSY, LOADED_BAD };	/* BUSY: a file is not whole yet */

struct reload_source {
	/* In the child.  Not LOADED: @err */
	enum loaded	 (*load)(void *arg, struct shared_policy *ret_shared, struct err *err);
	void		*arg;
	const char *const *watch;	/* files and folders; a change of one reloads */
	size_t		 watch_count;
};

struct reload;

/* @new: the callee's, or NULL and @err.  @asked: somebody asked for it, else a file has changed */
typedef void reload_done(void *arg, struct shared_policy *new, const struct err *err, bool asked);

/*
 * reload_new() - begin
 * @source:	borrowed
 *
 * What cannot be watched is said on stderr.  Return: NULL if memory is out.
 */
struct reload *reload_new(struct event_base *loop, const struct reload_source *source,
			  reload_done *done, void *arg);
void reload_free(struct reload *r);	/* ends the child too; NULL is fine */

/* Read them; one more request while that goes on is another one after it */
void reload_ask(struct reload *r);

/* fixed.c: can the jail that was built with @old have @new?  Return: false and @err: what cannot change */
bool reload_fits(const struct policy *old, const struct policy *new, struct err *err);

#endif

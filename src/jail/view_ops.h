/* SPDX-License-Identifier: Apache-2.0 */
/* view_ops.h - how the files that make a view add to it; nobody else needs it */
#ifndef SLUICE_JAIL_VIEW_OPS_H
#define SLUICE_JAIL_VIEW_OPS_H

#include "jail/jail.h"
#include "jail/view.h"

/* Add an operation; takes @text over.  If there is no room, @v is spent. */
void view_add(struct view *v, enum view_kind kind, const char *path, unsigned perms, char *text);

bool view_has(const struct view *v, enum view_kind kind, const char *path);

/* Is @path at or below a directory that an operation of @kind covers? */
bool view_covers(const struct view *v, enum view_kind kind, const char *path);

/*
 * view_text() - a file of ours over what @path resolves to
 * @text:	taken over; NULL: memory is out
 *
 * Where the host has none, the jail has none: making one would need a file on the host to
 * mount it on.
 */
void view_text(struct view *v, const char *path, char *text);

/* The value of a variable of the command's, borrowed, or NULL */
const char *view_env(const struct jail_plan *plan, const char *name);

#endif

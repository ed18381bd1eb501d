/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrets.h - the values that inject names: variables, files, what commands print
 *
 * Each is read once at the start.  Later, for a reload, nothing new can be had: what was not
 * masked or hidden when the jail was made lies in it.  Files are read again, if they are the
 * files that were hidden; a command is never run again, since the jail may have changed what
 * it is by then.
 */
#ifndef SLUICE_CLI_SECRETS_H
#define SLUICE_CLI_SECRETS_H

#include "base/err.h"
#include "policy/load.h"

struct secret_source;

struct secret_store {			/* begins as zeroes */
	struct secret_source *list;
	size_t	 count;
	bool	 later;		/* it is a reload */
	bool	 anybody;	/* there is no jail: any file will do */
	bool	 dry;		/* nothing is started: a command's value is a stand-in */
};

/* No core file of this process: values are in its memory.  Nothing is done if there are none. */
void secret_store_guard(const struct secret_store *s);

void secret_store_done(struct secret_store *s);		/* wipes */

/* policy_input.secret, with the store for @arg; @err: what went wrong besides, if anything */
bool secret_store_find(struct secret_store *s, enum secret_kind kind, const char *text,
		       const char *file, struct secret_found *ret_found, struct err *err);

/* The @i-th file, absolute, or NULL behind the last one: out of the jail's reach */
const char *secret_store_file(const struct secret_store *s, size_t i);

/*
 * secret_store_mask() - an entry of the environment ("NAME=VALUE") as the jail may have it
 *
 * A variable that inject names holds its placeholder, and so does what another one has of a
 * value.  Return: owned, or NULL: no memory.
 */
char *secret_store_mask(const struct secret_store *s, const char *entry);

/* Does the text hold a value?  The source's own words "env:NAME", or NULL */
const char *secret_store_shows(const struct secret_store *s, const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust_store.h - trust.json in the state folder: what the user accepted
 *
 *	{"version": 1,
 *	 "projects": {"/home/u/repo": {"sha256": "…", "accepted": "2026-11-27T10:00:00Z",
 *	                               "text": "version: 1\n…"}},
 *	 "configured": {"npm": ["npm.corp.example:443"]}}
 *
 * A project is known by the true path of its folder.  `text` is the file as it was
 * accepted, to tell what a changed one newly opens.  The file is written beside
 * itself and renamed, 0600, and whoever changes it holds a lock from before the
 * reading until after the writing; readers need none.
 */
#ifndef SLUICE_CLI_TRUST_STORE_H
#define SLUICE_CLI_TRUST_STORE_H

#include <limits.h>

#include "base/err.h"
#include "base/span.h"
#include "cli/configured.h"

#define TRUST_HEX 65			/* a SHA-256 in hex, with NUL */
#define TRUST_TEXT_MAX (256u << 10)	/* bytes of a file that are kept; of a larger one none */

struct json_t;

struct trust_store {
	struct json_t	*root;
	char		 path[PATH_MAX];
	int		 lock;		/* -1: opened for reading */
};

/* Read it; one that is not there is empty.  Return: false and @err, and nothing to free */
bool trust_store_read(struct trust_store *t, struct err *err);

/* The same, and hold the lock until trust_store_done().  Makes the state folder. */
bool trust_store_change(struct trust_store *t, struct err *err);
void trust_store_done(struct trust_store *t);

/* The hash under which @project was accepted, or NULL */
const char *trust_store_hash(const struct trust_store *t, const char *project);

/* The file's text at that time; empty if it was not kept */
struct span trust_store_text(const struct trust_store *t, const char *project);

/* These write the file, and need the lock.  Return: false and @err */
bool trust_store_accept(struct trust_store *t, const char *project, const char *sha256,
			struct span text, struct err *err);
/* @ret_known: was there anything to forget? */
bool trust_store_forget(struct trust_store *t, const char *project, bool *ret_known,
			struct err *err);

/* Each project in the order of their paths */
bool trust_store_each(const struct trust_store *t,
		      void (*show)(void *arg, const char *project, const char *sha256,
				   const char *accepted), void *arg);

/* Add the hosts that were recorded for a package manager */
void trust_store_hosts(const struct trust_store *t, const char *manager, struct configured *c);

/* Record them instead of what was; none forgets the manager.  Needs the lock. */
bool trust_store_record(struct trust_store *t, const char *manager, const struct configured *c,
			struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * project.h - the .sluice.yaml that a repository brings along, and whether it is trusted
 *
 * What it denies holds at once; what it allows holds when its hash, over the file
 * and the lists that it names, is the one in trust.json.
 */
#ifndef SLUICE_CLI_PROJECT_H
#define SLUICE_CLI_PROJECT_H

#include <limits.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/trust_store.h"

#define PROJECT_FILE ".sluice.yaml"

enum trust { TRUST_NONE, TRUST_CHANGED, TRUST_HOLDS };

/* A list that the file names, as it was hashed: what is hashed is what holds */
struct project_list {
	char		*name;		/* as it is written; owned */
	struct buf	 bytes;
};

struct project_lists {			/* begins as zeroes */
	struct project_list *at;
	size_t		 count;
};
void project_lists_done(struct project_lists *l);

struct project {
	bool		found;
	char		path[PATH_MAX];		/* of the file, by the way it was found */
	char		folder[PATH_MAX];	/* the folder's true path */
	struct buf	text;
	struct project_lists lists;
	char		sha256[TRUST_HEX];
	enum trust	trust;
	struct buf	accepted;		/* TRUST_CHANGED: the text that was, if it was kept */
};

/*
 * project_find() - the project's file, from @folder up
 *
 * One that is a link to a place outside of its folder is an error, and so are
 * sluice's own folders inside the project: it could bring its own trust along.
 * Return: false and @err; none found is no error.  Free with project_done() in any case.
 */
bool project_find(struct project *p, const char *folder, struct err *err);
void project_done(struct project *p);

/*
 * project_hash() - SHA-256 over the file and the lists that its rules name
 * @folder:	what relative names of lists begin at
 * @keep:	takes the lists that were read; or NULL
 *
 * A text that is no YAML names no lists.
 */
bool project_hash(const char *folder, const char *path, struct span text,
		  struct project_lists *keep, char ret_hex[TRUST_HEX], struct err *err);

/* The bytes of a list that was hashed; @path: the file's folder and the name.  NULL: none was */
const struct buf *project_list_of(const struct project *p, const char *path);

#endif

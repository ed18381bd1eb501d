/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approved.h - approved.yaml: what was approved always, for a project
 *
 *	version: 1
 *	projects:
 *	  - root: "/home/me/project"
 *	    allow:
 *	      - {host: "example.org", ports: [443]}
 *
 * A project is known by the true path of its root: the folder of its .sluice.yaml, or the
 * working directory if there is none.
 */
#ifndef SLUICE_CLI_APPROVED_H
#define SLUICE_CLI_APPROVED_H

#include "cli/project.h"
#include "policy/approval.h"

#define APPROVED_BYTES_MAX (4u << 20)	/* of the file */

/* Its path, of PATH_MAX bytes */
bool approved_path(char ret[PATH_MAX], struct err *err);

/* The root for @folder (NULL: the working directory), whose project @p was looked for */
bool approved_root(const struct project *p, const char *folder, char ret[PATH_MAX], struct err *err);

/* The root for the working directory; looks for its project */
bool approved_root_here(char ret[PATH_MAX], struct err *err);

/*
 * approved_add() - write one more down; what is there already stays as it is
 *
 * There is always a whole file.  Return: false and @err, also if the file as it is cannot be
 * added to (a person wrote it otherwise).
 */
bool approved_add(const char *root, const struct approval_question *q, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * configured.h - the registry hosts that this machine's package managers are
 * set up to use (use_configured of a preset)
 *
 * Their configuration files are read here; the package manager is never run,
 * since it would read the project's files and the environment as well.  Only
 * files that belong to root and that nobody else can write count: what a
 * package manager believes, an agent may have written.  Of the user's own files
 * the hosts count that `sluice trust --configured` recorded, see trust_store.h.
 */
#ifndef SLUICE_CLI_CONFIGURED_H
#define SLUICE_CLI_CONFIGURED_H

#include "base/err.h"
#include "cli/file.h"
#include "policy/load.h"

#define CONFIGURED_HOSTS_MAX 256	/* of one package manager; what is beyond is not opened */

struct configured {
	struct extra_host	at[CONFIGURED_HOSTS_MAX];	/* names are owned */
	size_t			count;
};

void configured_done(struct configured *c);

/*
 * configured_url() - add the host of "http://HOST[:PORT]/..." or https
 *
 * Anything else adds nothing: another scheme, userinfo, an address, a variable,
 * a port that is sluice's own.
 */
void configured_url(struct configured *c, struct span url);

/* npmrc: "registry = URL" and "@scope:registry = URL", before any [section] */
void configured_npmrc(struct configured *c, struct span text);

/* sources.list(5), one line style: "deb [OPTIONS] URI SUITE ..." */
void configured_apt_lines(struct configured *c, struct span text);

/* sources.list(5), deb822 style: stanzas with Types, URIs, Enabled */
void configured_apt_stanzas(struct configured *c, struct span text);

/*
 * configured_read() - add what the files of @manager ("npm", "apt") name
 * @files:	the files that were read are added
 *
 * Return: false and @err if a file of root's could not be read.
 */
bool configured_read(struct configured *c, const char *manager, struct path_list *files,
		     struct err *err);

/* The package managers that are known */
#define CONFIGURED_MANAGERS 2
extern const char *const configured_managers[CONFIGURED_MANAGERS];

/*
 * configured_read_own() - add what the user's own files name, for him to accept
 *
 * Return: false and @err if a file could not be read.
 */
bool configured_read_own(struct configured *c, const char *manager, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostconf.h - how this machine resolves names: resolv.conf(5) and hosts(5)
 *
 * Read as libc reads them: a line that is no such line is skipped.  (libunbound
 * has readers of its own, but one odd line in hosts makes it refuse the whole.)
 */
#ifndef SLUICE_DAEMON_HOSTCONF_H
#define SLUICE_DAEMON_HOSTCONF_H

#include "base/addr.h"
#include "base/err.h"

#define HOSTCONF_SERVERS_MAX 3	/* MAXNS: libc takes no notice of more */
#define HOSTCONF_SERVER_MAX 64	/* bytes of an address with its zone and NUL */
#define HOSTCONF_HOSTS_MAX 1000000 /* names of a hosts file; the largest have half of it */

struct hostconf_servers {
	char	text[HOSTCONF_SERVERS_MAX][HOSTCONF_SERVER_MAX];	/* perhaps with "%eth0" */
	size_t	count;
};

/*
 * hostconf_servers() - the name servers, in the order in which they are to be asked
 *
 * 127.0.0.1 when the file names none, or there is no file, as libc does.
 * Return: false and @err if there is a file that cannot be read.
 */
MUST_CHECK bool hostconf_servers(const char *path, struct hostconf_servers *ret_servers,
				 struct err *err);

/*
 * hostconf_hosts() - every (name, address) of a hosts file
 * @add:	@name is in letters, digits, '-', '_' and '.', labels and whole in
 *		the bounds of RFC 1035; false ends the reading with @err
 *
 * No file is an empty file.  Return: false and @err.
 */
MUST_CHECK bool hostconf_hosts(const char *path,
			       bool (*add)(void *arg, const char *name, const struct addr *addr),
			       void *arg, struct err *err);

/* Whether @name can be asked for: dots between labels of 1 to 63 plain octets, 253 in all */
bool hostconf_plain(struct span name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostnames.h - the names of hosts(5), kept in memory
 *
 * They mean their addresses whatever name server is asked for the others, and are
 * never asked for upstream.
 */
#ifndef SLUICE_DAEMON_HOSTNAMES_H
#define SLUICE_DAEMON_HOSTNAMES_H

#include "base/addr.h"
#include "base/err.h"

struct hostnames;

/* Return: NULL and @err if the file cannot be read; no file is an empty one */
struct hostnames *hostnames_read(const char *path, struct err *err);
void hostnames_free(struct hostnames *h);

/* The addresses of a name in small letters, in the order of the file.  Return: how many, at most @max */
size_t hostnames_find(const struct hostnames *h, const char *name, struct addr *ret_addrs,
		      size_t max);

#endif

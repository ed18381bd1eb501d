/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup.h - the short-lived process that furnishes the jail's network
 *
 * It reads the child's pid from bwrap, enters the jail's namespaces, sets up
 * addresses, routes, ruleset and sockets, and reports.  Or it is told of a
 * namespace that others made, and finds it as they left it.
 */
#ifndef SLUICE_JAIL_SETUP_H
#define SLUICE_JAIL_SETUP_H

#include "jail/guest.h"
#include "jail/jail.h"
#include "jail/link.h"
#include "jail/namespace.h"
#include "jail/pass.h"
#include "jail/uplink.h"

#define SETUP_SLOT_PORTS JAIL_FD_NUM	/* then two a host port: 127.0.0.1 and ::1 */
#define SETUP_SLOT_PORTER (SETUP_SLOT_PORTS + 2 * JAIL_HOST_PORTS_MAX)
#define SETUP_SLOTS (SETUP_SLOT_PORTER + 1)

struct setup {
	int			 info;		/* read end of bwrap's --info-fd; -1: there is no bwrap */
	int			 held;		/* else this network namespace */
	int			 report;	/* where the report goes */
	int			 ruleset;	/* memfd with the text for nft -f - */
	const char		*nft;		/* absolute path */
	struct net		 pool4, pool6;
	struct namespace_settings settings;
	const struct port_map	*host_ports;
	size_t			 host_port_count;
	const struct jail_guest	*guest;		/* of a held one; NULL */
	bool			 again;		/* of one that was held before */
	const struct jail_uplink *uplink;	/* the same */
	bool			 porter;	/* leave a process behind that makes sockets */
};

/* The report: this, and the descriptors of the slots named */
struct setup_report {
	bool		ok;
	struct err	err;		/* if not ok */
	pid_t		init;		/* bwrap's; else 0 */
	uint16_t	slots[SETUP_SLOTS];	/* of each descriptor, in order */
	size_t		count;
};

/* In a process of its own.  Return: exit status. */
int setup_run(const struct setup *s);

#endif

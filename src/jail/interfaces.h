/* SPDX-License-Identifier: Apache-2.0 */
/* interfaces.h - what an interface is, by the kernel's word and not by its name */
#ifndef SLUICE_JAIL_INTERFACES_H
#define SLUICE_JAIL_INTERFACES_H

#include <libmnl/libmnl.h>
#include <net/if.h>
#include <stdbool.h>

enum interface_is {
	INTERFACE_LO,		/* loopback, called lo */
	INTERFACE_INSIDE,	/* a tunnel that carries through this very namespace */
	INTERFACE_NOWHERE,	/* its root's own toy, as long as no end of it is elsewhere */
	INTERFACE_WAY_OUT,	/* anything else, and what cannot be read */
};

/* interface_read() - one RTM_NEWLINK message (rtnetlink(7)).  Pure. */
enum interface_is interface_read(const struct nlmsghdr *h, char ret_name[IFNAMSIZ]);

/* The one that may be there: a guest's, an uplink.  Once it was seen it is known by its number: when it has gone
 * another one may get its name. */
struct interface_kept {
	const char	*name;		/* NULL: there is none */
	int		 index;		/* 0: it was not seen yet */
};

/*
 * interfaces_changed() - something was said on @fd: is there a way out now?
 * @fd:		the jail's JAIL_LINKS
 * @ret_name:	the way out, if there is one; also if the kernel does not tell
 *
 * All are looked at, since moving the other end of a veth is told there alone.
 */
bool interfaces_changed(int fd, struct interface_kept *but, char ret_name[IFNAMSIZ]);

/* interfaces_cut() - remove every way out, or at least set it down, until the kernel tells of none.
 * Return: none is left */
bool interfaces_cut(int fd, struct interface_kept *but);

/* The same in the network namespace that we are in */
bool namespace_cut(const char *but);

#endif

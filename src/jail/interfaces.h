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
	INTERFACE_WAY_OUT,	/* anything else, and what cannot be read */
};

/* interface_read() - one RTM_NEWLINK message (rtnetlink(7)).  Pure. */
enum interface_is interface_read(const struct nlmsghdr *h, char ret_name[IFNAMSIZ]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* namespace.h - enter the jail's namespaces from outside, and their settings */
#ifndef SLUICE_JAIL_NAMESPACE_H
#define SLUICE_JAIL_NAMESPACE_H

#include <sys/types.h>

#include "base/err.h"

/* What bwrap says on --info-fd: its child's pid.  Reads to the end of the stream. */
bool namespace_info(int info_fd, pid_t *ret_pid, struct err *err);

/* The network namespace of @pid: a descriptor, or negative errno */
int namespace_of(pid_t pid);

/*
 * namespace_is_of() - is it this user's own?
 *
 * Whoever made the user namespace that owns it, or one above that, could do to it what he likes
 * (ioctl_ns(2), NS_GET_OWNER_UID).  False also if that can't be told.
 */
bool namespace_is_of(int net, uid_t uid);

/* The one that we are in ourselves?  True also if that can't be told. */
bool namespace_is_ours(int net);

/*
 * namespace_enter() - enter a network namespace and the user namespace that owns it
 *
 * The user namespace is the one that owns the network namespace
 * (NS_GET_USERNS), not @pid's own, which may be a child of it without rights.
 * The caller has all capabilities there afterwards; programs that it runs need
 * not (nft.c): it may be nobody there until the maps are written.
 */
bool namespace_enter(int net, struct err *err);
bool namespace_join(pid_t pid, struct err *err);	/* that of @pid */

/*
 * namespace_is_bare() - lo is all it has, but for what the kernel puts into every one, and @but
 * @but:	name of an interface, or NULL
 *
 * In the namespace that was entered.  Any other interface could be a way out beside the gate.
 * What it is called does not count, but for lo and @but; see interfaces.c.
 */
bool namespace_is_bare(const char *but, struct err *err);

/* namespace_raise_lo() - set lo up, in a namespace that nobody else furnishes */
bool namespace_raise_lo(struct err *err);

/*
 * namespace_wait_lo() - wait until somebody else has set lo up
 *
 * bwrap speaks on --info-fd before it has done so, and dies if it finds the
 * address there already.  Link up is the last thing it does to the network.
 */
bool namespace_wait_lo(struct err *err);

/* namespace_wait_groups() - wait until bwrap has mapped users and groups, which comes after lo */
bool namespace_wait_groups(struct err *err);

/* Settings that start at the kernel's defaults in a new network namespace */
struct namespace_settings {
	unsigned	 port_start;	/* ip_unprivileged_port_start */
};
struct namespace_settings namespace_settings_of_host(void);
/* After namespace_wait_groups(): some are group ids */
void namespace_settings_apply(const struct namespace_settings *s);

/* Clear disable_ipv6, where a host has it set for new namespaces */
void namespace_enable_ipv6(void);

/* Can sockets of the IPv6 family be made here at all? */
bool namespace_has_ipv6(void);

/*
 * namespace_make() - two user namespaces, one in the other, with every id mapped to itself
 *
 * For root: the outer one is to own the jail's network, mounts and processes,
 * the inner one is where the command runs, with capabilities over files and
 * ids but none over what the outer one owns.
 */
bool namespace_make(int *ret_outer, int *ret_inner, struct err *err);

#endif

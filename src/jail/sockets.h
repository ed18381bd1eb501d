/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockets.h - the sockets that are made inside the jail's network and held outside
 *
 * Called in the jail's namespaces with CAP_NET_ADMIN there.
 */
#ifndef SLUICE_JAIL_SOCKETS_H
#define SLUICE_JAIL_SOCKETS_H

#include "jail/jail.h"

#define GATE_PORT 1		/* privileged: nobody in the jail can join or take it */
#define GATE_MARK 0x51		/* of what the gate sends; the ruleset lets it pass to the jail */
#define NFLOG_GROUP 5

/*
 * sockets_make() - everything of enum jail_fd
 *
 * @ret_fd is filled with descriptors (non-blocking, CLOEXEC) or -1; on failure
 * what was made stays in it, for the caller to close.
 */
bool sockets_make(const struct net *pool4, const struct net *pool6, bool ipv6,
		  int ret_fd[JAIL_FD_NUM], struct err *err);

/* Of enum jail_fd those that only look: where no gate serves */
bool sockets_watch(int ret_fd[JAIL_FD_NUM], struct err *err);

/* A listener on 127.0.0.1 or [::1].  Return: descriptor or negative errno. */
int sockets_listen_local(int family, uint16_t port);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * porter.h - a process in the jail's network that makes sockets there
 *
 * For publish only: a connection to a server in the jail must begin inside.
 * Holds: one socket to its master.  Should: connect to 127.0.0.1 or ::1, or to a guest.
 * Mustn't: anything else; it has no capability and a handful of system calls.
 */
#ifndef SLUICE_JAIL_PORTER_H
#define SLUICE_JAIL_PORTER_H

#include "base/addr.h"
#include "base/err.h"

/*
 * porter_start() - leave a porter behind
 *
 * Called in the jail's namespaces.  It lives until the other end of its socket
 * is closed.
 * @guest:	IPv4 address that it connects to instead of loopback; NULL
 *
 * Return: that other end, or -1 and @err.
 */
int porter_start(const struct addr *guest, struct err *err);

#endif

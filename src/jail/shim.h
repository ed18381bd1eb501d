/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim.h - the jail's first program: filter, permission, command
 *
 *	role-shim SOCKFD -- COMMAND [ARG...]
 *
 * SOCKFD (above 2) is one end of a stream or SEQPACKET socketpair.  On it the
 * shim sends one byte SHIM_LISTENER together with the notification descriptor, and waits for one
 * byte SHIM_GO.  Anything else, or the end of the stream: exit 125, nothing ran.
 */
#ifndef SLUICE_JAIL_SHIM_H
#define SLUICE_JAIL_SHIM_H

#include <stdbool.h>

#define SHIM_LISTENER 'N'
#define SHIM_GO 'G'

/*
 * shim_stdio_ok() - may the jail inherit @fd as one of its descriptors 0 to 2?
 *
 * Anything but a socket may.  Of sockets only connected stream and SEQPACKET Unix
 * sockets: a network socket would be a way out, a Unix datagram socket can send to
 * any path, and an unconnected one of any type belongs to the host's network
 * namespace and reaches its abstract names.  A closed descriptor is fine.
 */
bool shim_stdio_ok(int fd);

#endif

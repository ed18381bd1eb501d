/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.h - the process that connects on the jail's behalf
 *
 *	role-broker [--allow-unix PATH]...
 *
 * Descriptors: BROKER_NOTIFY_FD, what the shim handed over; BROKER_NOTES_FD, one
 * end of a SEQPACKET socketpair, the other is the keeper's.  All others above 2 are closed.
 * It sends one note with pid 0 when it is confined and serves: wait for it
 * before SHIM_GO.  It ends with the jail, with the keeper, or by SIGTERM.
 */
#ifndef SLUICE_JAIL_BROKER_H
#define SLUICE_JAIL_BROKER_H

#include <sys/types.h>

#include "jail/process.h"

#define BROKER_NOTIFY_FD 3
#define BROKER_NOTES_FD 4

/*
 * A Unix socket that was refused here, or a TCP connection that the kernel refused: who
 * asked can be told only while it waits.  One datagram each; dropped while the keeper is slow.
 * @path and @exe are the agent's texts, any bytes, NUL-padded, and not always NUL-terminated.
 */
struct broker_note {
	pid_t		pid;		/* thread that asked, as seen from here; 0: ready */
	char		path[108];	/* of the socket found, as the jail sees it; cut if longer */
	uint16_t	port;		/* 0: it is about a Unix socket, else TCP to @server */
	struct addr	server;
	char		exe[PROCESS_EXE_MAX];	/* its program */
};

#endif

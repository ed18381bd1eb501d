/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dashboard.h - the role that serves the daemon's page
 *
 * Holds	the listening socket, the daemon's socket, connections to sessions that say "web"
 * Should	show what sessions do, and hand them what a person decides
 * Mustn't	reach another process, a file, the network; change more of a session than an answer to
 *		a question that it names
 * Accepts	HTTP requests of whoever reaches the socket, answers only those with the token
 *
 * The daemon reads nothing of a browser's: it takes names of sessions here, and passes sockets
 * that are connected to them.  It starts this process again when it has ended.
 */
#ifndef SLUICE_DAEMON_DASHBOARD_H
#define SLUICE_DAEMON_DASHBOARD_H

#define DASHBOARD_LINK_FD 3	/* the daemon: first the token, then see panel.h */
#define DASHBOARD_LISTEN_FD 4
#define DASHBOARD_TOKEN_BYTES 32
#define DASHBOARD_TOKEN_LEN (2 * DASHBOARD_TOKEN_BYTES)	/* in hexadecimal */

/* [--port N]: on loopback; without: a Unix socket */
int dashboard_main(int argc, char **argv);

#endif

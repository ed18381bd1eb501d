/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter.h - the role that serves /metrics: of a session, or of all that a daemon has
 *
 * Holds	the listening socket, a mapping of the counters for reading alone
 * Should	answer GET /metrics
 * Mustn't	reach the keeper, any other process, a file, the network
 * Accepts	HTTP heads of whoever reaches the socket
 *
 * The keeper parses nothing of the network's, and so does not serve.  It never waits for this
 * process either; should it die the session goes on without metrics.
 */
#ifndef SLUICE_DAEMON_EXPORTER_H
#define SLUICE_DAEMON_EXPORTER_H

#define EXPORTER_COUNTERS_FD 3	/* see watched_share(); with --board: watch/board.h */
#define EXPORTER_LISTEN_FD 4

/* --session NAME | --board, --version TEXT [--local]: only for requests to a loopback address */
int exporter_main(int argc, char **argv);

#endif

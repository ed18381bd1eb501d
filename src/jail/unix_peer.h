/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unix_peer.h - which Unix sockets with a path are the jail's own
 */
#ifndef SLUICE_JAIL_UNIX_PEER_H
#define SLUICE_JAIL_UNIX_PEER_H

#include "jail/unix_path.h"

struct unix_peers;

/* Return: NULL when out of memory or descriptors.  Safe for several threads. */
struct unix_peers *unix_peers_new(void);
void unix_peers_free(struct unix_peers *p);

/*
 * unix_peers_learn() - a process of the jail is about to listen on @sock
 *
 * @sock: a duplicate of its socket, borrowed.  One without a path is ignored.
 */
void unix_peers_learn(struct unix_peers *p, int sock);

/* Was the socket bound to @f learnt? */
bool unix_peers_know(struct unix_peers *p, const struct unix_file *f);

/*
 * unix_peers_dead() - does no socket stand behind the socket file @fd any more?
 *
 * Asks without touching the one that may.  In doubt (no permission): false.
 */
bool unix_peers_dead(const struct unix_peers *p, int fd);

#endif

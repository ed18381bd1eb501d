/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wall.h - what stands on this machine around a container that is on an engine's network
 *
 * Beside the rules around its port (jail/uplink.h) there are a few in the chain that Docker leaves to others,
 * DOCKER-USER, or in one of our own where that is not there: what is of the container's address is not
 * routed, out of its bridge or into it.  A comment names the session.  IPv4 and IPv6, by the programs that
 * Docker uses as well.
 */
#ifndef SLUICE_DAEMON_WALL_H
#define SLUICE_DAEMON_WALL_H

#include "base/buf.h"
#include "base/err.h"
#include "jail/uplink.h"

#define WALL_TEXT_MAX (16u << 20)	/* bytes of a machine's rules */

/*
 * wall_text() - what iptables-restore --noflush is told: pure
 * @saved:	what iptables-save -t filter says
 * @u:		rules for it; NULL: only take away those of the session
 * @v6:		the rules are ip6tables'
 *
 * Rules of the session that are there go, in the same step.  Nothing to do: no text.
 */
void wall_text(struct span saved, const char *session, const struct jail_uplink *u, bool v6, struct buf *to);

/* wall_raise() - put the rules into both families.  @folder: of this machine's sessions, for a lock */
bool wall_raise(const char *folder, const struct jail_uplink *u, struct err *err);

/* wall_remove() - the port, its wall and the rules of @session go, whichever of them are there */
void wall_remove(const char *folder, const char *session);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.h - what this machine is: its own addresses and the networks it is on
 *
 * policy_address() keeps a jail away from both, whatever they look like.  They
 * change while a session runs (a laptop moves, a VPN comes up), so they are read
 * again when asked for, at most once a second.
 */
#ifndef SLUICE_DAEMON_PLACE_H
#define SLUICE_DAEMON_PLACE_H

#include "base/err.h"
#include "policy/policy.h"

#define PLACE_NETS_MAX 16384	/* of each kind; a cluster's load balancer has thousands */
#define PLACE_FRESH_MS 1000	/* a reading is good for this long */

/* All zero before the first reading */
struct place_store {
	struct net	*own, *connected;	/* owned */
	struct place	 place;			/* over those two */
	int64_t		 read_ms;		/* when place_now() read it last */
	bool		 known;			/* the last reading worked */
};

/*
 * place_read() - read the addresses of all interfaces now
 *
 * Own: every address, and what always means this machine (127.0.0.0/8, ::1,
 * 0.0.0.0, ::).  Connected: the network of every address and of the far end of
 * a point-to-point link; an address of full length has no network beside itself.
 * Return: false and @err (also above PLACE_NETS_MAX); the store then knows nothing.
 */
MUST_CHECK bool place_read(struct place_store *store, struct err *err);

/*
 * place_now() - the place, read again if it is older than PLACE_FRESH_MS
 * @now_ms:	a monotonic clock
 *
 * Return: borrowed until the next call; NULL if it could not be read: then no
 *         address can be judged, and the caller must deny.
 */
const struct place *place_now(struct place_store *store, int64_t now_ms);

void place_done(struct place_store *store);

#endif

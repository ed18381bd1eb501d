/* SPDX-License-Identifier: Apache-2.0 */
/* litter.h - files that were made for a session that never was */
#ifndef SLUICE_DAEMON_LITTER_H
#define SLUICE_DAEMON_LITTER_H

#include <stdbool.h>

#define LITTER_AGE_S 60		/* an engine's hook runs sooner, or never */

/*
 * litter_sweep() - remove SESSION-ca.pem of @folder where there is no session
 * @is_kept:	does the daemon have one of that name?
 *
 * `sluice runtime` makes the file before the true runtime starts; if that fails before the hook, nobody
 * else knows of it.  One that is younger than LITTER_AGE_S may wait for its hook yet.  A session that is not the
 * daemon's has its control socket beside it.
 */
void litter_sweep(const char *folder, bool (*is_kept)(void *arg, const char *session), void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* drops.h - packets that the kernel's rules refused, as nfnetlink_log tells of them */
#ifndef SLUICE_PROXY_DROPS_H
#define SLUICE_PROXY_DROPS_H

#include "proxy/proxy.h"

/* Read the log socket (bound to its group already) for as long as the gate lives */
void drops_start(struct proxy *x, int fd);

/* Tell of all that was refused before: the gate ends, and nobody reads it later.  Without drops_start(): nothing */
void drops_finish(struct proxy *x);

#endif

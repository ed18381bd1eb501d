/* SPDX-License-Identifier: Apache-2.0 */
/* denial.h - what a denied request is answered with */
#ifndef SLUICE_DAEMON_DENIAL_H
#define SLUICE_DAEMON_DENIAL_H

#include "daemon/keeper.h"

/* The object of `sluice check`, appended to @b */
void denial_body(struct buf *b, struct keeper *k, const struct question *q,
		 const struct verdict *v);

/* The status of HTTP that says most of the reason */
uint16_t denial_status(enum reason reason);

#endif

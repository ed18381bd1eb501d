/* SPDX-License-Identifier: Apache-2.0 */
/* probed.h - do the walls hold?  Before the command runs */
#ifndef SLUICE_DAEMON_PROBED_H
#define SLUICE_DAEMON_PROBED_H

#include "daemon/keeper.h"
#include "jail/jail.h"

/*
 * probed() - try the jail from within (jail_probe()), while its gate serves
 * @failed:	a role was lost meanwhile
 *
 * The probe blocks, and is served by the keeper's loop: so it runs in a child.
 * Return: false and @err: nothing may be started.
 */
bool probed(struct keeper *k, const struct jail *jail, const bool *failed, struct err *err);

#endif

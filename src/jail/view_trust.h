/* SPDX-License-Identifier: Apache-2.0 */
/* view_trust.h - files by which programs in the jail trust the session's CA; part of a view */
#ifndef SLUICE_JAIL_VIEW_TRUST_H
#define SLUICE_JAIL_VIEW_TRUST_H

#include "jail/jail.h"
#include "jail/view.h"

/*
 * view_trust() - add what makes them trust plan->trusted_ca, if there is one
 *
 * What the host does not have, or what is not as expected, is left as it is: the programs
 * that read it refuse what is inspected then.
 */
void view_trust(struct view *v, const struct jail_plan *plan, const struct view_facts *facts);

#endif

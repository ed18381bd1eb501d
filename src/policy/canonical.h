/* SPDX-License-Identifier: Apache-2.0 */
/* canonical.h - a policy as lines that say what it decides; for the files of policy/ only */
#ifndef SLUICE_POLICY_CANONICAL_H
#define SLUICE_POLICY_CANONICAL_H

#include "policy/draft.h"

/*
 * canonical_lines() - append one line for each thing that decides
 *
 * In the order of the draft; ids, reasons and layers decide nothing and are not
 * there; of lists there is a hash of what they hold.  Sorted, and each line once,
 * they are what policy_sha256() is made of.
 *
 * Return: false if lists cannot be hashed.
 */
bool canonical_lines(struct buf *lines, const struct draft *d);

#endif

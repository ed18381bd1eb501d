/* SPDX-License-Identifier: Apache-2.0 */
/* fixed.h - what the jail was built with cannot change while it stands */
#ifndef SLUICE_DAEMON_FIXED_H
#define SLUICE_DAEMON_FIXED_H

#include "base/err.h"
#include "policy/policy.h"

/* May @new take the place of @old?  Return: false and @err: what is another in it */
bool fixed_check(const struct policy *old, const struct policy *new, struct err *err);

#endif

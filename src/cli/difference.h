/* SPDX-License-Identifier: Apache-2.0 */
/* difference.h - policy_compare() with a stranger that nobody can have named, and its lines kept */
#ifndef SLUICE_CLI_DIFFERENCE_H
#define SLUICE_CLI_DIFFERENCE_H

#include "base/err.h"
#include "policy/compare.h"

struct difference {
	char	**lines[2];	/* by enum change; owned */
	size_t	  count[2];
};

/* A random label: a name that nobody can have listed */
bool stranger_make(char ret[STRANGER_MAX + 1], struct err *err);

/* Return: false and @err; free with difference_done() in any case */
bool difference_make(struct difference *d, const struct policy *before,
		     const struct policy *after, struct err *err);
void difference_done(struct difference *d);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* share.h - one copy of a policy, which keeper and gate both map */
#ifndef SLUICE_DAEMON_SHARE_H
#define SLUICE_DAEMON_SHARE_H

#include "base/err.h"
#include "policy/load.h"

struct shared_policy {
	const struct policy	*policy;
	size_t			 len;	/* bytes of the mapping */
	int			 fd;	/* a sealed memfd: nobody can change it any more */
	int			 secrets;	/* another one: what its inject puts there; -1: nothing */
};

/*
 * share_policy() - move a policy there
 * @p:		freed in any case
 * @ret_shared:	for share_done(), if it is true
 *
 * There is never much more than one copy: what is moved is given back piece by piece.
 * Return: false and @err.
 */
bool share_policy(struct policy *p, struct shared_policy *ret_shared, struct err *err);

/* What goes with it to the gate, for policy_secrets_unpack().  Return: false and @err. */
bool share_secrets(const struct policy_secrets *secrets, struct shared_policy *s, struct err *err);

/* Nothing happens if it is all zeroes */
void share_done(struct shared_policy *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* lint.h - rules of a policy that do more, or less, than they seem to */
#ifndef SLUICE_POLICY_LINT_H
#define SLUICE_POLICY_LINT_H

#include "policy/policy.h"

struct lint {
	const struct policy *policy;
	const char	*stranger;	/* a label that no name has; see compare.h */
	int64_t		 now_s;
	/* What is known of a name, in words, or NULL; lower case, without "*." or "." */
	const char	*(*shared)(void *known, const char *name);	/* strangers have names below it */
	const char	*(*leaks)(void *known, const char *name);	/* data can be left with it */
	const char	*(*fronts)(void *known, const char *name);	/* its servers answer for others */
	void		*known;
	/* A warning about a rule; @text ends with the call */
	void		(*tell)(void *arg, uint32_t rule, const char *text);
	void		*arg;
};

void policy_lint(const struct lint *l);

#endif

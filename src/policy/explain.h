/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - a verdict in words: the message and the line that would allow it */
#ifndef SLUICE_POLICY_EXPLAIN_H
#define SLUICE_POLICY_EXPLAIN_H

#include "policy/policy.h"

/* "No rule matches evil.com (default deny)"; appended to @b */
void explain_message(struct buf *b, const struct policy *p, const struct question *q,
		     const struct verdict *v);

/*
 * explain_suggest() - the flag or rule that would allow it, appended to @b
 *
 * "--allow evil.com", "--allow db.example:5432", "--private-network h=10.0.0.0/8" ...
 * @preset: whose rule stopped it: explain_preset()
 * @a:	the address that was refused, for special_address; may be NULL
 * Return: false, nothing appended, if nothing a user can add would.
 */
bool explain_suggest(struct buf *b, enum reason reason, struct span preset, struct span host,
		     const struct addr *a, uint16_t port, enum transport transport);

/* "npm" of the id "preset:npm[2]": whose rule it is; empty: of no preset, or one that was narrowed */
struct span explain_preset(struct span rule_id);

/*
 * explain_suggest_type() - the dns: mapping that would also answer this type, in YAML
 *
 * The types that are allowed now stay; the other keys of dns: are for the user to keep.
 * Return: false, nothing appended, if no policy opens the type.
 */
bool explain_suggest_type(struct buf *b, const struct policy *p, uint16_t dns_type);

/* "user", "admin" or "nobody" */
const char *explain_fixable(const struct policy *p, const struct verdict *v);

#endif

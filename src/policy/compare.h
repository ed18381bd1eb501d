/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare.h - what one policy opens or closes beside another, in words
 *
 * Both are asked the same questions, with policy_decide() and policy_address().
 */
#ifndef SLUICE_POLICY_COMPARE_H
#define SLUICE_POLICY_COMPARE_H

#include "policy/policy.h"

#define STRANGER_MAX 40		/* bytes of a stranger's label */

enum change { CHANGE_OPENS, CHANGE_CLOSES };

/* @words: "api.example.com:443", "*.example.com:80,443"; they end with the call */
typedef void change_teller(void *arg, enum change change, const char *words);

/*
 * policy_compare() - tell what @after opens that @before did not, and what it closes
 * @stranger:	a label that no name in either policy has, of at most STRANGER_MAX
 *		bytes.  It stands for all names that nobody listed, so whoever writes a
 *		policy must not be able to guess it: random, but in tests.
 *
 * @now_s:	seconds since 1970, for expires
 *
 * Exact for host names, addresses and ports, by examples for methods and paths: see
 * the theory in compare.c.
 * Of what passes on both sides the bounds are compared, and what may be let through
 * unseen; of settings limits, private_networks, host_ports, publish, peers and dns.types,
 * others as far as they decide.  Of bounds neither of which holds all that the other
 * does it is told that they open.  Return: false if memory is out.
 */
bool policy_compare(const struct policy *before, const struct policy *after,
		    const char *stranger, int64_t now_s, change_teller *tell, void *arg);

/*
 * policy_probe() - judge @q as if the client then said what agrees with it
 * @q:	nothing was seen yet; what was said is in it afterwards
 *
 * TLS with the name, or HTTP with the host, as the rules want to see it.
 * Return: a verdict that is ANSWER_DENY or an answer; never ANSWER_NEED.
 */
struct verdict policy_probe(const struct policy *p, struct question *q);

#endif

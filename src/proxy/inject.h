/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject.h - what rules put into requests, and how a server's answer is kept from telling it
 *
 * The gate alone has the values.  They go into a request that was judged, inside of TLS
 * to a server that was verified, and nowhere else.  A server for which there are
 * values is asked for answers that can be read: not compressed, not in parts; what it says
 * back of a value is overwritten, on all of its inspected connections.
 */
#ifndef SLUICE_PROXY_INJECT_H
#define SLUICE_PROXY_INJECT_H

#include "policy/policy.h"
#include "policy/secret.h"
#include "proto/http_edit.h"
#include "proto/scrub.h"

struct flow;
struct injects;

/*
 * injects_new() - for one policy
 * @secrets:	taken, in any case
 *
 * Return: NULL if they are not those of the policy's rules, or memory is out.
 */
struct injects *injects_new(struct policy_secrets *secrets, const struct policy *p);
void injects_free(struct injects *x);	/* NULL is fine */

/* Is there a value for each rule that wants one?  @x: NULL: there are none */
bool injects_fit(const struct injects *x, const struct policy *p);

/*
 * inject_edits() - the fields to replace in a request that @p lets pass
 * @x:	of that policy; NULL: nothing is injected
 * @q:	as it was judged
 *
 * Every allow rule that lets it pass puts its field there; of two for one field, the first.
 * Spans into @x and @p.  Return: false if there are too many.
 */
bool inject_edits(const struct injects *x, const struct policy *p, const struct question *q,
		  struct http_edits *ret);

/* What the host's answers must not say, borrowed; NULL: nothing */
struct scrub_set *inject_hides(const struct injects *x, struct span host);

/*
 * inject_look() - a request that was judged: does it say a placeholder?
 * @head:	as it was sent; empty: unknown
 * @edits:	fields that are replaced, where it may stand; NULL: it does not go on, or as it is
 *
 * An alert is told, at most one a minute.
 */
void inject_look(struct flow *f, struct span head, const struct http_edits *edits);

/* The same without a flow: is there one? */
bool inject_misplaced(const struct injects *x, struct span head, const struct http_edits *edits);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* narrow.h - what a rule says of requests and of time; for the files of policy/ only */
#ifndef SLUICE_POLICY_NARROW_H
#define SLUICE_POLICY_NARROW_H

#include "policy/image.h"
#include "policy/path.h"

/* A question, with what is worked out once for all rules */
struct case_of {
	const struct question *q;
	bool		 is_http;	/* a request was seen: method, path, host are known */
	enum reason	 bound;		/* does what was seen name the right host? */
	struct path	 path;		/* only if is_http */
};

void case_open(struct case_of *c, const struct question *q);

/* Is the rule over?  An unknown time is after the end of what allows, before that of what denies */
bool rule_is_over(const struct policy *p, const struct image_rule *r, int64_t now_s);

/* Does the rule say which requests it is for? */
static inline bool more_narrows(const struct image_more *m)
{
	return m && (m->methods.count || m->paths.count);
}

/* Can what the rule says be held without sight of the request? */
static inline bool more_needs_http(const struct image_more *m)
{
	return m && (m->methods.count || m->paths.count || m->digests.count ||
		     m->max_request != AMOUNT_NONE || m->inject_header);
}

/* Does TLS stay closed, by the rule or as a whole? */
static inline bool more_is_closed(const struct policy *p, const struct image_more *m)
{
	return p->inspect == INSPECT_NEVER || (m && m->inspect == INSPECT_NEVER);
}

/* Does what the request does suit the rule: by its method, and by what else it may mean? */
bool more_has_method(const struct policy *p, const struct image_more *m, const struct question *q);
/* The best of the patterns; PATH_YES if there are none */
enum path_match more_path(const struct policy *p, const struct image_more *m,
			  const struct path *path);
bool more_has_credential(const struct policy *p, const struct image_more *m,
			 const struct question *q);

/* How far a deny rule holds */
enum hold {
	HOLD_NO,
	HOLD_HANGS,		/* on a request that nobody knows (question.any_request) */
	HOLD_UNSEEN,		/* it may, but the request is not seen */
	HOLD_DOUBT,		/* it holds for one reading of the path */
	HOLD_YES,
};
enum hold deny_holds(const struct policy *p, const struct image_rule *r,
		     const struct case_of *c);

#endif

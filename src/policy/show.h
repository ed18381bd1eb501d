/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show.h - a policy as the text of a policy file
 *
 * What loads from it never lets more pass, and shows as the same text, but for the
 * comments: all rules come from one file then.  What their layers decided is said by keys
 * (over_lists, under_ceiling); where lists are of several layers that is stricter.  The
 * value that inject puts into requests is in no image: a variable stands for it.
 */
#ifndef SLUICE_POLICY_SHOW_H
#define SLUICE_POLICY_SHOW_H

#include "policy/policy.h"

/*
 * policy_show() - append the text to @b
 * @comments:	before each rule its layer, and the file and line that it comes from
 */
void policy_show(struct buf *b, const struct policy *p, bool comments);

/* A text in double quotes, as YAML reads it back */
void quoted_words(struct buf *b, struct span s);

/* "30/min"; and of several "[1/s, 600/h]" */
void rate_words(struct buf *b, const struct rate *r);
void rates_words(struct buf *b, const struct rates *r);

/* One rule's pattern, ports and requests in words: "GET,HEAD /v1/x on a.test:80,443" */
void rule_words(struct buf *b, const struct rule_view *v);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn_path.h - the requests that were made of one place, as few patterns
 *
 * A tree of path segments, in bounded memory whatever is put in.  A segment that looks
 * like one of many (a number, a hash, a version, what the log redacted) becomes '*' at
 * once; more than LEARN_CHILDREN_MAX names under one segment become '*' together; what is
 * deeper than LEARN_DEPTH_MAX, or does not fit any more, becomes two stars.  So every
 * request that was put in is matched by the patterns that come out (policy/path.h), and
 * none of them ever gets narrower by one that is put in later.
 */
#ifndef SLUICE_WATCH_LEARN_PATH_H
#define SLUICE_WATCH_LEARN_PATH_H

#include "base/buf.h"

#define LEARN_SEGMENT_MAX 48	/* bytes of a segment that is kept as it is; longer ones are ids */
#define LEARN_CHILDREN_MAX 6	/* names under one segment: more are "one of many" */
#define LEARN_DEPTH_MAX 10	/* segments of a pattern; with their bytes below PATTERN_MAX */
#define LEARN_PATTERNS_MAX 8	/* of one rule: what a person reads at a glance */
#define LEARN_TREE_MAX 1024	/* nodes of one place's tree */
#define LEARN_NODES_MAX 262144	/* nodes of all trees together: about 18 MB */

struct requests {
	struct buf	 nodes;		/* struct node; the first is the root */
	uint32_t	 unused;	/* list of nodes to be used again; 0: none */
	uint32_t	 blind;		/* methods with a path that no pattern can be made of */
	uint32_t	*left;		/* nodes that all trees together may still take */
};

/* @left: shared by all trees, LEARN_NODES_MAX at first; lives as long as they */
void requests_init(struct requests *r, uint32_t *left);
void requests_done(struct requests *r);

/*
 * requests_add() - one request
 * @methods:	bits; which method is which is the caller's business
 * @path:	as the log has it: perhaps redacted ("***" for a segment), perhaps cut
 *		("..." at its end), perhaps with a query
 */
void requests_add(struct requests *r, uint32_t methods, struct span path);

/* Everything of @from into @r as well */
void requests_merge(struct requests *r, const struct requests *from);

/* Bits of all methods that were put in */
uint32_t requests_methods(const struct requests *r);

/*
 * requests_patterns() - what matches all requests with one of @methods
 * @ret_patterns:	patterns in normal form, each with a NUL; appended
 *
 * Return: how many, at most LEARN_PATTERNS_MAX; 0: no pattern narrows, every path is meant.
 */
size_t requests_patterns(const struct requests *r, uint32_t methods, struct buf *ret_patterns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - YAML text as a tree in which every node knows its line and column
 *
 * A policy needs little of YAML, and the rest is where two readers of one file
 * come to two results: anchors, aliases, tags, several documents, and control
 * characters in values are errors.
 */
#ifndef SLUICE_POLICY_TREE_H
#define SLUICE_POLICY_TREE_H

#include "base/err.h"
#include "policy/arena.h"

#define TREE_DEPTH_MAX 16		/* lists and mappings inside each other; a policy needs 6 */
#define TREE_NODES_MAX 4000000		/* 100,000 rules of 20 keys and values, twice */

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind	 kind;
	bool		 plain;		/* a text without quotes: may be a number, true, null */
	unsigned	 line, column;	/* from 1 */
	struct span	 text;
	/* of a list its items, of a mapping: key, value, key, value */
	struct node	*first, *last, *next;
};

/* Where something was found, for messages */
struct spot {
	const char	*file;		/* or "--allow" and the like */
	unsigned	 line, column;	/* 0: a flag */
};

/* err_set() with "FILE:LINE:COLUMN: " or "--allow: " in front.  Return: false */
bool spot_bad(const struct spot *s, struct err *err, const char *fmt, ...) PRINTF(3, 4);

/*
 * tree_read() - the tree of @text
 * @file:	as messages name it
 * @arena:	what the tree and its texts live in
 *
 * Return: the root, or NULL and @err.
 */
struct node *tree_read(const char *file, struct span text, struct arena *arena, struct err *err);

/* The value of a key that is written as @name, or NULL */
const struct node *tree_get(const struct node *map, const char *name);

/* A plain text that says nothing: empty, ~, null */
bool tree_is_null(const struct node *n);
/* A plain true or false */
bool tree_is_bool(const struct node *n, bool *ret_value);
/* A plain number, as YAML 1.2's core schema has them */
bool tree_is_number(const struct node *n);

#endif

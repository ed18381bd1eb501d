/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists.h - deny rules about many: category, host_list, ip_list
 *
 * A rule uses one list or, for a category that takes in others, several.  The
 * lists lie in the image; which rule uses which is a table of its own (struct
 * image_use), sorted so that the strongest layer comes first.
 */
#ifndef SLUICE_POLICY_LISTS_H
#define SLUICE_POLICY_LISTS_H

#include "policy/loader.h"

/* Setters of deny rules, see schema.c.  Each reads the list unless that is done already. */
bool list_set_category(struct loader *l, const struct node *value);
bool list_set_hosts(struct loader *l, const struct node *value);
bool list_set_addrs(struct loader *l, const struct node *value);

/*
 * list_path() - the path of a file that the one that is being read names, NUL-terminated
 *
 * A repository's file may name only what comes with it.  Return: false if it is none.
 */
#define LIST_PATH_MAX 4095	/* bytes */
bool list_path(struct loader *l, const struct node *value, struct buf *ret_path);

/*
 * category_open() - the lists of a category and of those that it takes in, to the rule that
 * is being read
 * @spot:	where it is named, for messages
 */
bool category_open(struct loader *l, struct span name, const struct spot *spot);

/* Setters of a category's file */
bool category_set_name(struct loader *l, const struct node *value);
bool category_set_host(struct loader *l, const struct node *value);
bool category_set_include(struct loader *l, const struct node *value);

/* The number of the list of that kind and name, or LIST_NONE */
#define LIST_NONE UINT32_MAX
uint32_t list_find(const struct draft *d, enum form form, struct span name);

/*
 * list_begin() - a new list of names, at the end of the image
 *
 * One at a time: what is appended to draft.image until list_end() are its records.
 * Return: its number, or LIST_NONE and l->err.
 */
uint32_t list_begin(struct loader *l, enum form form, struct span name);
void list_end(struct draft *d, uint32_t list);

/* The rule that is being read uses the list; twice is once */
void list_use(struct draft *d, uint32_t list);

/*
 * lists_hash() - SHA-256 of what each list holds, in the order of its file
 * @ret_hex:	one text for each list
 *
 * Return: false if the library fails.
 */
bool lists_hash(const struct draft *d, char (*ret_hex)[SHA256_HEX + 1]);

/* lists_build() - the tables over the lists, and who uses them, to the end of the image */
void lists_build(struct draft *d, struct buf *image, struct policy *head);

/* By what two rules say, but for host, address or list; 0 only if they say the same */
int rule_content_order(const struct draft *d, const struct image_rule *a,
		       const struct image_rule *b);

/* A section of 8-byte alignment at the end of the image; @bytes NULL: zeroes */
struct slice image_section(struct buf *image, const void *bytes, size_t count, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostlist.h - a million host names in few bytes, and whether a name is among them
 *
 * A name of a list stands for itself and everything below it, "*.NAME" for what
 * is below it alone.  Exact: no filter that is wrong now and then.
 */
#ifndef SLUICE_POLICY_HOSTLIST_H
#define SLUICE_POLICY_HOSTLIST_H

#include "base/buf.h"
#include "base/hash.h"
#include "policy/policy.h"

#define HOSTLIST_PAIRS_MAX ((HOST_MAX + 2) / 3)		/* octet pairs of the longest name */
#define HOSTLIST_RECORD_MAX (1 + 2 * HOSTLIST_PAIRS_MAX)	/* bytes */

/*
 * Records of the names one after the other, and an open hash table over them: of
 * each slot a tag (0: free) and where the record begins.  The table has free
 * slots, or none at all.
 */
struct hostlist {
	const uint8_t	*records;
	const uint8_t	*tags;
	const uint32_t	*slots;
	uint32_t	 slot_count;
};

/* A name as it is looked for: once for all lists that have the same seed */
struct hostlist_key {
	uint64_t	hash;
	uint8_t		record[HOSTLIST_RECORD_MAX];	/* packed, as in a list */
};

/*
 * hostlist_key() - @name packed and hashed
 * @name:	normal form (host_normal()), not empty
 */
void hostlist_key(const struct seed *seed, struct span name, struct hostlist_key *ret_key);

/*
 * hostlist_has() - is the name in the list?
 * @below:	the key is a parent of what was asked for, and not that itself
 */
bool hostlist_has(const struct hostlist *l, const struct hostlist_key *key, bool below);

/*
 * hostlist_add() - append the record of NAME, .NAME (the same) or *.NAME
 * @text:	as written: U-labels or A-labels, any case, at most one trailing dot
 *
 * Return: false if it is none of these.  @records may be full afterwards.
 */
bool hostlist_add(struct buf *records, struct span text);

/* What a line of a list was not, in words; the column is in bytes from 1 */
struct list_error {
	unsigned	 column;
	struct span	 found;		/* in the line */
	const char	*accepted;
};

/*
 * hostlist_line() - append the names of one line of a list file
 * @line:	without its newline; may end in CR
 * @ret_error:	set if false is returned
 *
 * Blank, or "#" and a comment, or a name, or a line of hosts(5): an address,
 * then names.  What stands behind "#" is a comment.  Which address it is does
 * not matter.  Of hosts(5) lines the names that such a file has for the machine
 * itself (localhost, ip6-allnodes ..., 0.0.0.0) are left out.
 *
 * Return: false for what is neither: a wrong name, an address alone, several
 *         names without an address, "*.NAME" in a line of hosts(5), the syntax of
 *         filters for browsers.
 */
bool hostlist_line(struct buf *records, struct span line, struct list_error *ret_error);

/* How many records there are */
uint32_t hostlist_count(struct span records);

/* Slots that a table of @count records needs */
uint32_t hostlist_slots(uint32_t count);

/*
 * hostlist_index() - make the table
 * @records:	a "*.NAME" that stands there as NAME too becomes NAME
 * @tags:	@slot_count zeroes
 * @slots:	@slot_count
 */
void hostlist_index(const struct seed *seed, uint8_t *records, size_t len, uint8_t *tags,
		    uint32_t *slots, uint32_t slot_count);

#endif

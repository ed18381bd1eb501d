/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlist.h - many networks, and whether an address is in one of them
 *
 * What is looked through are ranges that do not touch, in ascending order: those
 * of IPv4 in 8 bytes each, and others.  A network that holds ::ffff:0:0/96 holds
 * every IPv4 address, as it does in an ip rule.
 */
#ifndef SLUICE_POLICY_NETLIST_H
#define SLUICE_POLICY_NETLIST_H

#include "base/addr.h"
#include "base/buf.h"
#include "policy/hostlist.h"

struct range4 {
	uint32_t	first, last;	/* host order, inclusive */
};

struct range6 {
	struct addr	first, last;
};

struct netlist {
	const struct range4	*v4;
	const struct range6	*v6;
	uint32_t		 v4_count, v6_count;
};

bool netlist_has(const struct netlist *l, const struct addr *a);
/* The last address of a range that has @a.  Return: false if none has */
bool netlist_last(const struct netlist *l, const struct addr *a, struct addr *ret_last);

/* Append the range of @n to its buffer (struct range4, struct range6); either may be full then */
void netlist_add(struct buf *v4, struct buf *v6, const struct net *n);

/*
 * netlist_line() - append what one line of a list file names
 * @line:	without its newline; may end in CR
 * @ret_error:	set if false is returned
 *
 * Blank, a comment, or an address or network (net_parse()); "#" begins a comment
 * anywhere, ";" at the front or behind a blank.
 */
bool netlist_line(struct buf *v4, struct buf *v6, struct span line, struct list_error *ret_error);

/* Sort and unite: what netlist_has() needs */
void netlist_tidy(struct buf *v4, struct buf *v6);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* host.h - host names beyond host_normal(): patterns, suffixes, names that are ours */
#ifndef SLUICE_POLICY_HOST_H
#define SLUICE_POLICY_HOST_H

#include "policy/policy.h"

#define HOST_LABELS_MAX 127	/* labels that fit into HOST_MAX octets */

/* What a rule's subject is */
enum form {
	FORM_EXACT,		/* "example.com": this name */
	FORM_BELOW,		/* "*.example.com": any depth below it, not itself */
	FORM_BOTH,		/* ".example.com": itself and any depth below */
	FORM_NET,		/* no name: a network */
	/* many, in deny rules; see lists.h */
	FORM_CATEGORY,
	FORM_HOST_LIST,
	FORM_IP_LIST,
};

/*
 * Every name: below the root, whose name is "".  A rule's subject and nothing else: in a
 * list of names it would be the end of the network by one line.
 */
#define HOST_ANY "*"

static inline bool form_is_list(unsigned form)
{
	return form >= FORM_CATEGORY;
}

/*
 * host_pattern() - read one of the three forms of a host in a rule
 * @ret_name:	the name without "*." or ".", in normal form
 *
 * Return: false if it is none of them.
 */
bool host_pattern(struct span text, enum form *ret_form, char ret_name[HOST_MAX + 1]);

/*
 * host_is_suffix() - is it a public suffix, under which strangers register names?
 * @name:	normal form
 *
 * A single label always is, known or not: a top-level domain may be younger than the list.
 * So is the root, "".
 */
bool host_is_suffix(const char *name);

/*
 * host_is_own() - localhost, anything below it, and sluice.internal
 * @name:	normal form
 *
 * These mean something inside the jail and are answered there; no rule touches them.
 */
bool host_is_own(struct span name);

/* Where the jail may read what holds for it: over HTTP, see daemon/notice.h */
#define NOTICE_HOST "sluice.internal"
#define WISH_PATH "/requests"	/* POST: ask for approval */
#define NOTICE_PORT 80

/*
 * host_same() - does a name that was seen on the wire stand for @host?
 * @wire:	as sent, in SNI or Host
 * @host:	normal form
 *
 * Only ASCII can: of a raw U-label two IDNA implementations may make two names.
 */
bool host_same(struct span wire, struct span host);

/* host_normal(), but of ASCII only: for names seen on the wire */
bool host_normal_wire(struct span wire, char ret_host[HOST_MAX + 1]);

/* What follows the first label and its dot; empty for a single label */
struct span host_parent(struct span host);

#endif

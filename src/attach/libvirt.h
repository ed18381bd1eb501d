/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvirt.h - a guest as libvirt describes it
 *
 * Its domain's XML tells by which interface it has its network, and whether it has any other way
 * out than that.  Pure.
 */
#ifndef SLUICE_ATTACH_LIBVIRT_H
#define SLUICE_ATTACH_LIBVIRT_H

#include "base/err.h"
#include "base/span.h"

#define LIBVIRT_XML_MAX (4u << 20)	/* bytes of a domain's description */
#define LIBVIRT_WORD_MAX 256
/* <metadata><sluice:guest xmlns:sluice="..." policy="NAME,NAME" mode="MODE"
 * publish="[ADDR:]PORT[:INSIDE],..." down="10mbit" up="1mbit"/></metadata> */
#define LIBVIRT_METADATA "https://sluice.internal/guest"

struct libvirt_guest {
	char	name[LIBVIRT_WORD_MAX];
	char	link[LIBVIRT_WORD_MAX];		/* the host's end of its interface; "": it does not run */
	char	mac[LIBVIRT_WORD_MAX];
	uint64_t down, up;			/* bytes a second: what metadata and <bandwidth> say, the less; 0: nothing */
	char	network[LIBVIRT_WORD_MAX];	/* of libvirt's that the interface is on; "": none */
	char	policies[LIBVIRT_WORD_MAX];	/* as its metadata says; "": nothing */
	char	publish[LIBVIRT_WORD_MAX];	/* the same */
	char	mode[LIBVIRT_WORD_MAX];		/* the same, or that of the network; "": nothing */
	bool	is_ours;			/* metadata or network say that it is to be attached */
	char	other[LIBVIRT_WORD_MAX];	/* what else would lead out of it; "": nothing */
	size_t	interfaces;
};

/* Return: false and @err: not a domain's description */
bool libvirt_guest_read(struct span xml, struct libvirt_guest *ret, struct err *err);

/* Can it be attached?  One interface, a tap of the host's, and no other way out.  False and @err. */
bool libvirt_guest_check(const struct libvirt_guest *g, struct err *err);

#endif

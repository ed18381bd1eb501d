/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest.h - a virtual machine's end of its network: an interface in a namespace of our own
 *
 * What is lo to a jail is, to a guest, the tap that QEMU reads and writes (or a veth): see guest.c.
 */
#ifndef SLUICE_JAIL_GUEST_H
#define SLUICE_JAIL_GUEST_H

#include <net/if.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define GUEST_MAC_TEXT_MAX 18	/* "52:54:00:12:34:56" and its NUL */

struct jail_guest {
	char	link[IFNAMSIZ];			/* the interface's name in the namespace */
	char	mac[GUEST_MAC_TEXT_MAX];	/* the guest's own, in small letters */
	uint64_t down, up;			/* bytes a second into the guest, out of it; 0: no bound */
};

/*
 * guest_parse() - LINK=MAC[,down=BYTES][,up=BYTES]
 *
 * Return: false: not one, or a MAC that stands for several, or a bound that is none
 */
bool guest_parse(struct span text, struct jail_guest *ret);

/* What nft is told beside the rules of link.c: pure.  @anew: in the place of what stands */
void guest_rules(const struct jail_guest *g, bool anew, struct buf *to);

/* The part of them that goes into `table inet sluice`, behind the chains gate and refuse */
struct link_rules;
void guest_chains(const struct link_rules *rules, struct buf *to);

/* guest_up() - the gate's address, the guest's MAC, link up; in the namespace, once the rules stand */
bool guest_up(const struct jail_guest *g, struct err *err);

/* guest_pace() - bytes a second that leave by the interface @link, of the caller's namespace, at most */
bool guest_pace(const char *link, uint64_t rate, struct err *err);

/* guest_move() - the interface @link of the caller's namespace goes into @net; it is down there */
bool guest_move(const char *link, int net, struct err *err);

#endif

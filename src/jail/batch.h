/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.h - one change of nf_tables, whole or not at all
 *
 * A change is a batch of netlink messages (linux/netfilter/nfnetlink.h): begin, one or more, end.  Each that
 * asks for an acknowledgement gets one; a refusal of any undoes them all.
 */
#ifndef SLUICE_JAIL_BATCH_H
#define SLUICE_JAIL_BATCH_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

struct batch {
	char		*at;		/* the caller's, aligned to 8 */
	size_t		 len, size;
	uint32_t	 seq;
	uint32_t	 acks;		/* that are awaited */
	uint8_t		 family;	/* NFPROTO_* of its messages */
};

/* All of @size is the caller's to bound: what does not fit is a mistake of ours, and asserted */
void batch_begin(struct batch *b, void *at, size_t size, uint8_t family);

/* batch_add() - the next message, NFT_MSG_*, which is acknowledged; put its attributes, then batch_added() */
struct nlmsghdr *batch_add(struct batch *b, int message, uint16_t flags);
void batch_added(struct batch *b, const struct nlmsghdr *h);

/* batch_send() - the end of it, and what the kernel says.  Return: 0 or negative errno, then nothing has changed */
int batch_send(struct batch *b, int fd);

#endif

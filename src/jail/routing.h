/* SPDX-License-Identifier: Apache-2.0 */
/* routing.h - a batch of rtnetlink messages, sent at once and acknowledged one by one */
#ifndef SLUICE_JAIL_ROUTING_H
#define SLUICE_JAIL_ROUTING_H

#include <libmnl/libmnl.h>

#include "base/addr.h"
#include "base/err.h"

#define ROUTING_BYTES_MAX 2048	/* of a batch */

struct routing {
	char		 bytes[ROUTING_BYTES_MAX] __attribute__((aligned(8)));
	size_t		 len;
	uint32_t	 count;
};

/*
 * routing_add() - begin a message with its head of @head bytes; it replaces what is there
 *
 * Attributes follow, then routing_end().
 */
struct nlmsghdr *routing_add(struct routing *r, uint16_t type, void **ret_head, size_t head);
void routing_end(struct routing *r, const struct nlmsghdr *h);

void routing_put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *a);

/* In the network namespace of the caller.  @what: for @err */
bool routing_send(const struct routing *r, const char *what, struct err *err);

#endif

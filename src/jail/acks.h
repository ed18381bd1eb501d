/* SPDX-License-Identifier: Apache-2.0 */
/* acks.h - what the kernel says of netlink messages that asked for an acknowledgement */
#ifndef SLUICE_JAIL_ACKS_H
#define SLUICE_JAIL_ACKS_H

#include <stdint.h>

#define ACK_LIMIT_MS 1000	/* the kernel answers within the call; this bounds a broken one */

/* Wait for @count of them.  Return: 0, or the first refusal as a negative errno. */
int acks_wait(int fd, uint32_t count);

#endif

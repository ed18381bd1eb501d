/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timeline.h - how much happened when, in so many equal slots, however long it took
 *
 * A slot is as many seconds wide as it must be for all to fit: when something comes that lies
 * outside, two become one until it does.  Memory is fixed.
 */
#ifndef SLUICE_CLI_TIMELINE_H
#define SLUICE_CLI_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#define TIMELINE_SLOTS 30

struct timeline_slot {
	uint64_t	connections, denied, bytes;	/* allowed; of all kinds; both ways, as they ended */
};

/* All zero is empty */
struct timeline {
	int64_t		width_s;	/* 0: empty */
	int64_t		first;		/* the number of slots[0]: its start is first * width_s */
	size_t		count;		/* slots from the first to the last in which something was */
	struct timeline_slot slots[TIMELINE_SLOTS];
};

void timeline_add(struct timeline *t, int64_t at_s, const struct timeline_slot *more);

#endif

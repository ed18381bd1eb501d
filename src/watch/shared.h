/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared.h - counters in memory that one process writes and others read
 *
 * A sequence lock: @turn is odd while the writer is at work, and another one after it.  The
 * reader takes a copy and keeps it if no turn began meanwhile.  The writer never waits for a
 * reader, and a reader can do nothing to it: it maps the memory for reading alone.
 */
#ifndef SLUICE_WATCH_SHARED_H
#define SLUICE_WATCH_SHARED_H

#include "watch/counters.h"

struct shared_counters {
	uint64_t	turn;
	struct counters	counters;
};

/* There is one writer */
void shared_write(struct shared_counters *to, const struct counters *from);

/* Return: false if no whole copy could be had: the writer was stopped in the midst of its work */
bool shared_read(const struct shared_counters *from, struct counters *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watched.h - the keeper's counters (watch/counters.h), and what is odd (watch/anomaly.h)
 *
 * They are fed by the audit with every event.  Others may read a copy in shared memory, if there
 * is one: it changes when records have been written, so it never tells of what is not in the
 * log yet, and once a second.  All functions do nothing for a keeper without them.
 */
#ifndef SLUICE_DAEMON_WATCHED_H
#define SLUICE_DAEMON_WATCHED_H

#include "daemon/keeper.h"

/* Count from now on.  Return: false and @err if memory is out */
bool watched_start(struct keeper *k, struct err *err);
void watched_free(struct keeper *k);

/*
 * watched_share() - a copy for others
 *
 * Return: a descriptor that can be mapped for reading alone, owned by the keeper; or -1 and @err.
 */
int watched_share(struct keeper *k, struct err *err);

/* The same, in the page at @offset of a file: a daemon's board (watch/board.h).  @fd is borrowed. */
bool watched_share_there(struct keeper *k, int fd, size_t offset, struct err *err);

void watched_raise(struct keeper *k);		/* alerts to what the events show: before they are written */
void watched_publish(struct keeper *k);		/* records were written */
void watched_tick(struct keeper *k);		/* once a second */

/* Times, of the monotonic clock */
uint64_t watched_now_us(void);
void watched_decided(struct keeper *k, uint64_t since_us);
void watched_connected(struct keeper *k, uint64_t since_us);

/* Alerts that the webhook has taken, and those that it will never get */
void watched_webhook(struct keeper *k, uint64_t sent, uint64_t lost);

void watched_failed(struct keeper *k);		/* everything is denied from now on */

#endif

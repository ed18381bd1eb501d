/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the time that waits and cached answers are measured with */
#ifndef SLUICE_DAEMON_CLOCK_H
#define SLUICE_DAEMON_CLOCK_H

#include <stdint.h>
#include <sys/time.h>
#include <time.h>

/* Milliseconds since some fixed point; never goes back */
static inline int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* For event_add(); a time that has passed already becomes zero */
static inline struct timeval clock_timeval(int64_t ms)
{
	if (ms < 0)
		ms = 0;
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alarm.h - alerts told to the person at the terminal
 *
 * One line on stderr each, one a second at most: those that come between are counted, and the
 * next line, or the one at the end, says how many.
 */
#ifndef SLUICE_DAEMON_ALARM_H
#define SLUICE_DAEMON_ALARM_H

#include <stdint.h>

#include "base/span.h"

struct alarm_plan {
	bool		 quiet;		/* tell nothing */
	const char	*begin, *end;	/* colour of a line; or NULL */
};

struct alarm {
	struct alarm_plan plan;
	int64_t		 told_ms;	/* the last line; 0: none yet */
	unsigned	 untold;	/* since */
};

/* @message: printable */
void alarm_tell(struct alarm *a, struct span message, int64_t now_ms);
void alarm_end(struct alarm *a);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* event.h - an event of a log, from its text */
#ifndef SLUICE_TESTS_WATCH_EVENT_H
#define SLUICE_TESTS_WATCH_EVENT_H

#include <jansson.h>
#include <stdarg.h>

#include "../unit.h"

PRINTF(1, 0)
static inline json_t *event_of(const char *fmt, va_list ap)
{
	char line[8192];
	json_t *e;

	vsnprintf(line, sizeof(line), fmt, ap);
	e = json_loads(line, JSON_ALLOW_NUL, NULL);
	assert_non_null(e);
	return e;
}

#endif

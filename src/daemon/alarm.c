/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/alarm.h"

#include <stdio.h>
#include <unistd.h>

#include "base/err.h"

#define TELL_EVERY_MS 1000

/* In one write(2): the command writes there too */
static void say(const struct alarm *a, const char *text)
{
	const char *begin = a->plan.begin ? a->plan.begin : "";
	const char *end = a->plan.end ? a->plan.end : "";
	char line[ERR_TEXT_MAX];
	int len = snprintf(line, sizeof(line), "%ssluice: alert: %s%s\n", begin, text, end);

	if (len > 0 && write(STDERR_FILENO, line, (size_t)len < sizeof(line) ? (size_t)len
									    : sizeof(line) - 1) < 0)
		return;		/* nobody reads it: the log has it */
}

void alarm_tell(struct alarm *a, struct span message, int64_t now_ms)
{
	char text[ERR_TEXT_MAX / 2];

	if (a->plan.quiet)
		return;
	if (a->told_ms && now_ms - a->told_ms < TELL_EVERY_MS) {
		a->untold++;
		return;
	}
	message = span_head(message, sizeof(text) - 64);
	snprintf(text, sizeof(text), SPAN_FMT, SPAN_ARG(message));
	if (a->untold)
		snprintf(text + message.len, sizeof(text) - message.len,
			 " (and %u more before it)", a->untold);
	say(a, text);
	a->told_ms = now_ms;
	a->untold = 0;
}

void alarm_end(struct alarm *a)
{
	char text[64];

	if (!a->untold)
		return;
	snprintf(text, sizeof(text), "%u more (sluice report shows all)", a->untold);
	say(a, text);
	a->untold = 0;
}

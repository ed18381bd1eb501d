/* SPDX-License-Identifier: Apache-2.0 */
/* log_filter.h - which events of a log are wanted */
#ifndef SLUICE_CLI_LOG_FILTER_H
#define SLUICE_CLI_LOG_FILTER_H

#include <jansson.h>

#include "cli/options.h"

/* Each list is of alternatives; what all lists that are not empty want is shown */
struct log_filter {
	struct option_list hosts, verdicts, events;
};

/* Rows to put into a command's own table */
#define LOG_FILTER_OPTIONS(f) \
	{ 0, "host", OPTION_LIST, "HOST", "show, follow: only this name (*.NAME, .NAME) or address; " \
	  "may repeat", &(f)->hosts }, \
	{ 0, "verdict", OPTION_LIST, "VERDICT", "show, follow: only allow or deny; may repeat", \
	  &(f)->verdicts }, \
	{ 0, "event", OPTION_LIST, "EVENT", "show, follow: only events of this kind, such as " \
	  "conn.open; may repeat", &(f)->events }

/* Return: false and @err if a value is none that an event could have */
bool log_filter_check(const struct log_filter *f, struct err *err);

bool log_filter_wants(const struct log_filter *f, const json_t *event);

static inline bool log_filter_any(const struct log_filter *f)
{
	return f->hosts.count || f->verdicts.count || f->events.count;
}

void log_filter_done(struct log_filter *f);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.h - events of the audit log as people read them; for log and report
 *
 * A log may have been made by anybody: whatever it holds is printed so that no
 * terminal obeys it.
 */
#ifndef SLUICE_CLI_EVENTS_H
#define SLUICE_CLI_EVENTS_H

#include "audit/reader.h"

#define EVENTS_SUFFIX ".jsonl"

/*
 * events_newest() - the log written last in the state folder
 * @ret:	PATH_MAX bytes
 */
bool events_newest(char *ret, struct err *err);

/* One line of a table: time, event, verdict, what, more */
void events_print(FILE *to, const json_t *event);

/* Is there such an event?  Is it a denial, though it has no verdict? */
bool events_known(const char *name);
bool events_is_denial(struct span name);

/* "512 B", "2.1 kB", "12 MB": thousands, as in policies */
#define BYTES_TEXT_MAX 24
const char *bytes_text(uint64_t bytes, char dst[BYTES_TEXT_MAX]);

/* "230 ms", "1.5 s", "3 m 20 s", "2 h 5 m" */
#define DURATION_TEXT_MAX 48
const char *duration_text(uint64_t ms, char dst[DURATION_TEXT_MAX]);

#endif

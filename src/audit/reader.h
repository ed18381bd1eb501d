/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - the events of a log, for showing and counting them
 *
 * Proves nothing (audit/verify does) and trusts nothing: any value may be of
 * the wrong type or missing, and text may hold anything that JSON can.
 */
#ifndef SLUICE_AUDIT_READER_H
#define SLUICE_AUDIT_READER_H

#include <jansson.h>

#include "audit/lines.h"
#include "audit/pieces.h"

struct reader {
	struct pieces	 pieces;	/* owned */
	uint64_t	 bad;		/* lines that were no JSON object, so far */
	bool		 torn;		/* what came last has no newline yet */
	struct span	 text;		/* the line that reader_next() returned; borrowed */
	struct lines	*lines;		/* owned */
};

/* A log with all its pieces; "-" is standard input */
bool reader_open(struct reader *r, const char *path, struct err *err);
/* Only what is in the file itself, and what it becomes */
bool reader_open_last(struct reader *r, const char *path, struct err *err);
void reader_done(struct reader *r);

/*
 * reader_next() - the next event
 *
 * Return: an object to json_decref(); NULL at the end, or when reading failed
 *         (then @err has a text).  At the end it may be called again when the
 *         file has grown.
 */
json_t *reader_next(struct reader *r, struct err *err);

/* A member as text ("" if it is missing or no string), a number (0 likewise) */
struct span event_text(const json_t *event, const char *key);
uint64_t event_uint(const json_t *event, const char *key);

#endif

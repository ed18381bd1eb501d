/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary.h - which denials there were, and what would allow each
 *
 * Counts in memory, for the lines that run prints at the end and for the
 * report.  Hosts come from the wire: everything printed is escaped, and a
 * suggestion that a shell would read as more than words is not made.
 */
#ifndef SLUICE_AUDIT_SUMMARY_H
#define SLUICE_AUDIT_SUMMARY_H

#include "base/hash.h"
#include "policy/policy.h"

#define SUMMARY_MAX 1000	/* distinct denials kept; about 420 kB */
#define SUMMARY_PRESET_MAX 64	/* bytes of a preset's name */
#define SUMMARY_SLOTS 2048	/* a hash table at most half full */

/* What was denied; the same but for @times is the same denial */
struct denied {
	struct span	 host;		/* empty: @addr's text stands in */
	const struct addr *addr;	/* that was refused, or NULL */
	uint16_t	 port;		/* 0: the name was denied already */
	enum transport	 transport;
	enum reason	 reason;
	struct span	 preset;	/* whose rule denied it, of the first of them: explain_preset() */
	uint64_t	 times;
	bool		 unix_socket;	/* host is the path of one; reason is not looked at */
	bool		 literal;	/* summary_at(): host is @addr's text */
};

struct summary_row {
	uint8_t		 host[HOST_MAX];	/* cut, not NUL-terminated, as it came */
	uint8_t		 host_len, preset_len;
	uint8_t		 preset[SUMMARY_PRESET_MAX];
	struct addr	 addr;
	struct denied	 denied;	/* its host and addr are in this row: see summary_at() */
};

struct summary {
	struct summary_row *rows;	/* owned; in order of arrival until summary_sort() */
	size_t		 count;
	uint64_t	 others;	/* denials beyond SUMMARY_MAX distinct ones */
	struct seed	 seed;
	uint16_t	 slots[SUMMARY_SLOTS];	/* index of a row + 1; 0: free */
};

/* All zero is an empty summary; then summary_done() is fine too */
void summary_done(struct summary *s);

/* Out of memory: counted in others */
void summary_add(struct summary *s, const struct denied *d);

struct denied summary_at(const struct summary *s, size_t index);

/* The most frequent first.  Nothing can be added after it. */
void summary_sort(struct summary *s);

/* What would allow it, appended to @b.  Return: false, nothing appended, if nothing would */
bool summary_suggest(struct buf *b, const struct denied *d);

/*
 * summary_print() - sort, and print the most frequent denials in at most @max_lines lines
 *
 * If there are more the last line says how many.
 *
 *	sluice: denied evil.com:443 (no_rule, 3 times): --allow evil.com
 */
void summary_print(struct summary *s, FILE *to, size_t max_lines);

/* Bytes for a terminal: printable ASCII as it is, the rest as \xNN */
void text_escape(struct buf *b, struct span s);

#endif

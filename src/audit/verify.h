/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - prove a log: shape, seq, chain, signatures, completeness
 *
 * What is proved.  Every line up to the last checkpoint is as the holder of
 * the key wrote it, in that order, none missing before or between.  Lines
 * behind it are chained but unsigned.  What a log alone can never prove is
 * that nothing was cut off at its end: for that --head compares with a hash
 * noted elsewhere, and "complete" tells whether the end is a regular one.
 *
 * Which key.  Without keys of the caller the first session.start names the
 * key, and every later one must name the same; that shows tampering by whoever
 * does not hold a key, but not a log made anew with another.  With the
 * caller's keys every key_id must be one of theirs.
 */
#ifndef SLUICE_AUDIT_VERIFY_H
#define SLUICE_AUDIT_VERIFY_H

#include "audit/key.h"
#include "audit/lines.h"
#include "audit/pieces.h"

struct verify_options {
	const char	*head;		/* hex hash that the last line must have; NULL: any */
	const struct public_key *keys;	/* the caller's; none: the one in the log */
	size_t		 key_count;
	bool		 strict;	/* an incomplete or torn log is bad too */
};

struct verify_result {
	bool		 ok;
	bool		 complete;	/* ends in session.end and its checkpoint */
	bool		 torn;		/* the last line has no end: a crash; the rest holds */
	uint64_t	 lines;		/* whole lines that were found good */
	uint64_t	 signed_lines;	/* up to and with the last good checkpoint */
	uint64_t	 sessions;
	uint64_t	 bad_line;	/* from 1; 0: no line but the log as a whole */
	char		 why[160];	/* what is wrong with it; empty if ok */
	char		 head[HASH_HEX + 1];	/* hash of the last whole good line */
	char		 key_id[KEY_ID_HEX + 1];	/* of the last session.start */
	struct chain	 chain;		/* where the log goes on */
	uint64_t	 end;		/* offset behind the last whole good line */
};

/* Return: ret->ok.  Memory: one line, twice. */
bool verify_stream(lines_read *read, void *arg, const struct verify_options *o,
		   struct verify_result *ret);

/* From the current position of @fd to its end */
bool verify_fd(int fd, const struct verify_options *o, struct verify_result *ret);

/* All pieces, to the end of the last */
bool verify_pieces(struct pieces *p, const struct verify_options *o, struct verify_result *ret);

#endif

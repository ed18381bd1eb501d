/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h - paths of requests in the one form in which rules compare them
 *
 * Theory
 *
 * The normal form of a path: what is printable ASCII is written as itself, also
 * where it came as %XX, but '%', '/', '?', '#' and the blank, which would mean
 * something else; every other octet is %XX with capital digits.  That is wider
 * than RFC 3986 6.2.2, for servers compare paths when they have undone all
 * escapes.  What they read differently is not repaired but told: a server that
 * undoes an escape once more than we did, or resolves "..", would get another
 * path than the rule was asked about.
 *
 *   bad        NUL, control characters, '\' (all of them also as %XX), a broken
 *              escape, octets that are not ASCII, a segment that is ".." or ".", with or
 *              without ";...", a form that is no path
 *   doubtful   as good, but for a "." written as such (apt asks for /./), an encoded slash, an escape of an escape (%252e), UTF-8
 *              that is longer than it must be (%C0%AE), or too long to be compared: whoever
 *              compares paths must refuse it, whoever does not may pass it (npm
 *              writes @scope%2fname)
 *   other      "*" of OPTIONS, or nothing: no path, and no pattern matches it
 *
 * Empty segments: some servers merge slashes and some do not.  So a path with
 * "//" is matched in both readings; what allows must match in both, what
 * denies holds if one does.  So it is with ';' and what follows it in a segment, which
 * some servers leave out, unless the pattern itself has a ';'.
 */
#ifndef SLUICE_POLICY_PATH_H
#define SLUICE_POLICY_PATH_H

#include "base/span.h"

#define PATH_MAX_BYTES 2047	/* of a path that can be compared: what the keeper is told is cut
				 * behind one more (TALK_PATH_MAX), and both must judge alike */
#define PATTERN_MAX 1024	/* bytes of a pattern */
#define PATH_STEPS_MAX 65536	/* comparisons for one match; honest ones need some hundred */

enum path_kind { PATH_OTHER, PATH_GOOD, PATH_DOUBTFUL, PATH_BAD };

struct path {
	enum path_kind	 kind;
	bool		 doubled;	/* holds "//" */
	bool		 parameters;	/* holds ';' */
	size_t		 len;
	uint8_t		 at[PATH_MAX_BYTES];
};

/* @text: as sent, without query */
void path_normal(struct span text, struct path *ret_path);

/*
 * path_pattern() - the normal form of a pattern
 *
 * Begins with '/'; '*' stands for any run without '/', two stars for any run, and
 * as a whole segment also for no segment.  It is PATH_GOOD, at most PATTERN_MAX
 * bytes, and without "//", '?', '#' and an escaped star.
 * @ret:	PATTERN_MAX bytes
 * Return: its length, or 0 if it is none.
 */
size_t path_pattern(struct span text, uint8_t *ret);

enum path_match {
	PATH_NO,
	PATH_YES,
	PATH_UNSURE,		/* one reading matches and another does not, or it took too long */
};

/* @pattern: normal.  @path: PATH_GOOD; of PATH_OTHER nothing matches. */
enum path_match path_match(struct span pattern, const struct path *path);

#endif

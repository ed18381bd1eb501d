/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact.h - a request path as the log may keep it (log.paths: redact)
 *
 * Query and fragment go.  A segment becomes "***" if
 *  - it follows a segment named token, key, secret, password or the like, or
 *  - it has 20 bytes or more, all of them letters, digits or one of "_=+~%:-",
 *    and holds a digit or both cases: what random tokens look like and words
 *    joined by dashes do not, or
 *  - it has 20 bytes or more and begins with "eyJ": a JSON web token.
 * A dot saves file names with versions in them.  In doubt too much goes.
 */
#ifndef SLUICE_AUDIT_REDACT_H
#define SLUICE_AUDIT_REDACT_H

#include "base/buf.h"

#define REDACT_TOKEN_MIN 20	/* bytes: 120 bits of base64, more than words have */

/* Appends the redacted path to @b */
void redact_path(struct buf *b, struct span path);

#endif

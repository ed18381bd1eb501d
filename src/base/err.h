/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err.h - what went wrong, in one line that a person can act on
 *
 * Functions that can fail for reasons a user must read take a struct err.
 * The text has no trailing newline and no "sluice: " prefix; the caller that
 * gives up prints it.  The form is WHAT: WHY (HINT).
 * Control characters in it become '?'.
 */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#include <stdbool.h>

#include "base/auto.h"

#define ERR_TEXT_MAX 512	/* bytes with NUL; longer texts are cut */

struct err {
	char text[ERR_TEXT_MAX];
};

/*
 * err_set() - write the text, unless one stands already (the first cause wins)
 *
 * Return: always false, so that "return err_set(...)" reads well.
 */
bool err_set(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* The same, and ": " strerror(@errnum) after it */
bool err_sys(struct err *e, int errnum, const char *fmt, ...) PRINTF(3, 4);

#endif

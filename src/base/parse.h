/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h - the three results of every parser of hostile bytes */
#ifndef SLUICE_BASE_PARSE_H
#define SLUICE_BASE_PARSE_H

enum parse {
	PARSE_OK,	/* whole and with one reading; outputs are filled */
	PARSE_MORE,	/* right so far, not all there; outputs are untouched */
	PARSE_BAD,	/* broken, beyond a bound, or could be read in two ways */
};

#endif

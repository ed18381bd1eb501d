/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escape.h - where in a terminal's bytes a sequence begins and ends
 *
 * ECMA-48, section 5: a byte is one of its own (a letter, a control character), or part of an escape
 * sequence, a control sequence or a control string.  Terminals differ in what ends a broken one;
 * here any control character does.  Of both directions: what a program writes, and what a terminal
 * says, where keys and reports are such sequences too.
 */
#ifndef SLUICE_PROTO_ESCAPE_H
#define SLUICE_PROTO_ESCAPE_H

#include <stdbool.h>
#include <stdint.h>

#define ESCAPE_PARAMS_MAX 16	/* more are read, and forgotten */
#define ESCAPE_PARAM_MAX 65535	/* a larger one counts as this */

enum escape_is {
	ESCAPE_BYTE,	/* it stands for itself */
	ESCAPE_PART,	/* of a sequence, or the end of a string or a broken one */
	ESCAPE_END,	/* the sequence is whole: @kind and what follows it tell of it */
};

enum escape_kind { ESCAPE_SHORT, ESCAPE_CONTROL };	/* ESC x; ESC [ ... x */

struct escape {
	bool		 says;		/* set by the caller: bytes that a terminal says */
	unsigned	 state;		/* private; 0 at first */
	unsigned	 skip;		/* private: bytes that follow as they are */
	enum escape_kind kind;
	char		 marker;	/* ? > < = at the front, or 0 */
	char		 between;	/* the last intermediate byte (0x20 to 0x2f), or 0 */
	char		 final;
	unsigned	 count;		/* parameters; 0: none was given */
	unsigned	 param[ESCAPE_PARAMS_MAX];
};

enum escape_is escape_next(struct escape *e, uint8_t byte);

#endif

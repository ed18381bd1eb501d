/* SPDX-License-Identifier: Apache-2.0 */
/* print.h - text for people, on what may be a terminal */
#ifndef SLUICE_CLI_PRINT_H
#define SLUICE_CLI_PRINT_H

#include <stdio.h>

#include "base/span.h"

/*
 * print_safe() - text that may come from a stranger
 *
 * Control characters (C0, DEL, C1, and those that turn the direction of writing)
 * and bytes that are no UTF-8 are written as \xHH: nothing that a terminal obeys
 * gets through.
 */
void print_safe(FILE *to, struct span s);

enum colour { COLOUR_PLAIN, COLOUR_GOOD, COLOUR_BAD, COLOUR_WAIT, COLOUR_STRONG, COLOUR_NUM };

/* The sequence that begins @c, COLOUR_PLAIN ends it; "" if @to is no terminal or NO_COLOR is set */
const char *print_colour(FILE *to, enum colour c);

/*
 * print_afresh() - if @to is a terminal, undo what a command may have left there that
 * makes text unreadable: the other screen, concealing, line-drawing letters, margins
 *
 * The cursor stays where it is.
 */
void print_afresh(FILE *to);

#endif

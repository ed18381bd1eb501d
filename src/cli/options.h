/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - options are a table; parsing, --help, completion come from it
 */
#ifndef SLUICE_CLI_OPTIONS_H
#define SLUICE_CLI_OPTIONS_H

#include <stdio.h>

#include "base/err.h"

enum option_kind {
	OPTION_FLAG,		/* bool *: set true */
	OPTION_TEXT,		/* const char **: the last one wins */
	OPTION_LIST,		/* struct option_list *: each one is added */
	OPTION_MAYBE,		/* const char **: --name or --name=VALUE; "" without a value */
};

struct option_list {
	char	**at;		/* NULL-terminated, borrowed strings; the array is owned */
	size_t	  count;
};

struct option {
	char		 letter;	/* 0: none */
	const char	*name;		/* without "--" */
	enum option_kind kind;
	const char	*arg;		/* "FILE"; NULL for flags */
	const char	*help;
	void		*into;
};

/*
 * options_parse() - read options up to the first operand or "--"
 * @rows:	ends with a row whose name is NULL; --help/-h is known to all
 * @ret_rest:	index of the first operand
 *
 * Unknown, ambiguous or incomplete options: false and @err.  --help: prints and
 * sets *ret_help.
 */
bool options_parse(int argc, char **argv, const struct option *rows, int *ret_rest,
		   bool *ret_help, struct err *err);
void options_print(const struct option *rows, FILE *to);	/* the option lines of --help */

struct command {
	const char	*name;		/* "run", "log" ... */
	const char	*usage;		/* "[OPTIONS] [--] COMMAND [ARG...]" */
	const char	*summary;	/* one line */
	int		(*main)(int argc, char **argv);	/* argv[0] is the command's name */
};
extern const struct command commands[];	/* ends with name NULL; cli/main.c */

/* "sluice: " text on stderr.  Return: 125 */
int complain(const struct err *err);

#endif

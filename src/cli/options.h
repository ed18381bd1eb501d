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
	const char	*name;		/* without "--"; "NAME=WORD": --NAME=WORD with its own value */
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
 * Names are never abbreviated: what is unambiguous today is another option
 * tomorrow.  Letters may be bundled, the last one with its value: -qp FILE.
 * Unknown or incomplete options: false and @err.  --help sets *ret_help; the
 * caller then returns command_help().
 */
bool options_parse(int argc, char **argv, const struct option *rows, int *ret_rest,
		   bool *ret_help, struct err *err);

/*
 * options_parse_mixed() - the same where options may follow operands (all commands but run)
 * @ret_count:	operands; they are argv[1] to argv[@ret_count] now, and NULL after them
 */
bool options_parse_mixed(int argc, char **argv, const struct option *rows, int *ret_count,
			 bool *ret_help, struct err *err);
void options_print(const struct option *rows, FILE *to);	/* the option lines of --help */

/* Return: false and @err if memory is out */
bool option_list_add(struct option_list *l, char *value, struct err *err);

/* Free the array; the list is empty again */
void option_list_done(struct option_list *l);

struct command {
	const char	*name;		/* "run", "log" ... */
	const char	*usage;		/* "[OPTIONS] [--] COMMAND [ARG...]" */
	const char	*summary;	/* one line */
	int		(*main)(int argc, char **argv);	/* argv[0] is the command's name */
};
extern const struct command commands[];	/* ends with name NULL; cli/main.c */

/* The row of that name, or NULL */
const struct command *command_find(const char *name);

/*
 * command_help() - print usage, summary and options of a command on stdout
 *
 * Return: 0, for the command to exit with.
 */
int command_help(const char *name, const struct option *rows);

/*
 * command_read() - the options of a command, which may follow its operands
 * @ret_count:	as of options_parse_mixed()
 * @ret_code:	what the command is to exit with at once: --help was printed, or what is wrong
 *
 * Return: false: do so.
 */
bool command_read(int argc, char **argv, const struct option *rows, int *ret_count, int *ret_code);

/* The same of a command without operands; @why: "it takes no argument", and what it takes */
bool command_alone(int argc, char **argv, const struct option *rows, const char *why, int *ret_code);

/*
 * command_options() - hand a command's rows to @show, as --help would print them
 *
 * Runs the command with --help alone; @show borrows the rows for the call.
 */
void command_options(const struct command *c,
		     void (*show)(void *arg, const struct option *rows), void *arg);

/* "sluice: " text on stderr, control characters escaped.  Return: 125 */
int complain(const struct err *err);

#endif

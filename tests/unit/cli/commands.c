/* SPDX-License-Identifier: Apache-2.0 */
/* The table that src/cli/main.c has in the program */
#include "cli/options.h"

static int try_main(int argc, char **argv)
{
	static bool flag;
	static const struct option rows[] = {
		{ 'f', "flag", OPTION_FLAG, NULL, "a flag", &flag },
		{ .name = NULL },
	};
	struct err err = { "" };
	bool help = false;
	int rest;

	if (!options_parse(argc, argv, rows, &rest, &help, &err))
		return 1;
	return help ? command_help("try", rows) : 2;
}

const struct command commands[] = {
	{ "try", "[OPTIONS]", "Try it", try_main },
	{ NULL, NULL, NULL, NULL },
};

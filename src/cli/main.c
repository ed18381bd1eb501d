/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the table of commands, and the roles that sluice starts itself in */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "daemon/gate.h"
#include "daemon/resolve.h"
#include "jail/jail.h"

const struct command commands[] = {
	{ "run", "[OPTIONS] [--] COMMAND [ARG...]", "Jail a command; no root, no daemon",
	  run_main },
	{ "check", "[OPTIONS] TARGET...", "What would the policy say, and why", check_main },
	{ "presets", "[OPTIONS] [NAME]", "List the presets, or show one", presets_main },
	{ "log", "show|verify|follow [OPTIONS] [FILE]", "Read and prove the audit log", log_main },
	{ "report", "[OPTIONS] [FILE...]", "What was reached, what was denied", report_main },
	{ "doctor", "[OPTIONS]", "What this kernel and machine can do", doctor_main },
	{ "selftest", "[OPTIONS]", "Try to escape; print a table", selftest_main },
	{ "completion", "bash|zsh|fish", "Print a completion script", completion_main },
	{ NULL, NULL, NULL, NULL },
};

/*
 * Processes that sluice makes of itself by fork and exec.  They are no commands:
 * each expects the descriptors that its starter hands it.
 */
static const struct role {
	const char	*word;
	int		(*main)(int argc, char **argv);
} roles[] = {
	{ "role-gate", gate_main },
	{ "role-resolver", resolver_main },
	{ "role-broker", broker_main },
	{ "role-shim", shim_main },
	{ "role-selftest", selftest_role_main },
	{ NULL, NULL },
};

static void usage_print(FILE *to)
{
	fputs("Usage: sluice COMMAND [OPTIONS] [ARG...]\n"
	      "The network a policy names, and nothing else.\n\nCommands:\n", to);
	for (const struct command *c = commands; c->name; c++)
		fprintf(to, "  %-12s%s\n", c->name, c->summary);
	fputs("\nsluice COMMAND --help tells more; sluice --version prints the version.\n", to);
}

/* What was printed must have been written: a full disk is no success */
static int flushed(int code)
{
	struct err err = { "" };

	if (!fflush(stdout) && !ferror(stdout))
		return code;
	err_set(&err, "standard output: cannot write");
	return complain(&err);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "--help";
	const struct command *c = command_find(word);
	struct err err = { "" };

	for (const struct role *r = roles; r->word; r++)
		if (!strcmp(r->word, word))
			return r->main(argc - 1, argv + 1);
	if (c)
		return flushed(c->main(argc - 1, argv + 1));
	if (!strcmp(word, "--version")) {
		version_print(stdout);
		return flushed(0);
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
		usage_print(argc > 1 ? stdout : stderr);
		return flushed(argc > 1 ? 0 : EXIT_SLUICE);
	}
	err_set(&err, "%s: no such command (see sluice --help)", word);
	return complain(&err);
}

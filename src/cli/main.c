/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the table of commands */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

const struct command commands[] = {
	{ "run", "[OPTIONS] [--] COMMAND [ARG...]", "Jail a command; no root, no daemon",
	  run_main },
	{ "check", "[OPTIONS] TARGET...", "What would the policy say, and why", check_main },
	{ "policy", "lint|show|test|diff [OPTIONS] FILE...", "Work on policy files", policy_main },
	{ "presets", "[OPTIONS] [NAME]", "List the presets, or show one", presets_main },
	{ "trust", "[OPTIONS] [DIR]", "Accept what a repository's .sluice.yaml opens", trust_main },
	{ "log", "show|verify|follow [OPTIONS] [FILE]", "Read and prove the audit log", log_main },
	{ "report", "[OPTIONS] [FILE...]", "What was reached, what was denied", report_main },
	{ "learn", "[OPTIONS] LOG...", "The policy that would have allowed what logs tell", learn_main },
	{ "proxy", "[OPTIONS]", "A cooperative HTTP and SOCKS5 proxy with DNS; no jail", proxy_main },
	{ "hold", "[OPTIONS] --pid N | --netns PATH", "The gate of a network namespace that others made",
	  hold_main },
	{ "daemon", "[OPTIONS]", "Long-lived sessions for containers and machines", daemon_main },
	{ "attach", "[OPTIONS] --pid N | --netns PATH | --container NAME | --vm DOMAIN",
	  "Put a network namespace behind a gate",
	  attach_main },
	{ "detach", "SESSION", "End an attached session; its namespace stays closed", detach_main },
	{ "runtime", "[OPTIONS] -- ARG...", "An OCI runtime that attaches the containers it makes",
	  runtime_main },
	{ "sessions", "[OPTIONS]", "List the sessions that run", sessions_main },
	{ "reload", "SESSION", "Let a session read its policy again", reload_main },
	{ "approvals", "[OPTIONS] [SESSION...]", "List what waits for a decision", approvals_main },
	{ "approve", "[OPTIONS] ID", "Let pass what waits", approve_main },
	{ "reject", "[OPTIONS] ID", "Deny what waits", reject_main },
	{ "top", "[OPTIONS]", "The sessions that run, live", top_main },
	{ "export", "[OPTIONS] FORMAT", "Config for other enforcement planes", export_main },
	{ "doctor", "[OPTIONS]", "What this kernel and machine can do", doctor_main },
	{ "selftest", "[OPTIONS]", "Try to escape; print a table", selftest_main },
	{ "completion", "bash|zsh|fish", "Print a completion script", completion_main },
	{ NULL, NULL, NULL, NULL },
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
	const char *self = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *word = argc > 1 ? argv[1] : "--help";
	const struct command *c = command_find(word);
	struct err err = { "" };

	/* openssl.cnf and OPENSSL_CONF can name code to load; nothing here needs them */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (argc > 0 && !strcmp(self ? self + 1 : argv[0], "sluice-runc"))
		return runc_main(argc, argv);
	if (!strcmp(word, "role-selftest"))	/* by `sluice selftest`: makes the attempts */
		return selftest_role_main(argc - 1, argv + 1);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - one function a command, one file a function; main.c has the table */
#ifndef SLUICE_CLI_COMMANDS_H
#define SLUICE_CLI_COMMANDS_H

#include <stdio.h>

#include "base/span.h"
#include "cli/options.h"

struct policy;

#define EXIT_SLUICE 125		/* sluice failed; as in daemon/session.h */

int run_main(int argc, char **argv);
int check_main(int argc, char **argv);
int presets_main(int argc, char **argv);
int policy_main(int argc, char **argv);
int trust_main(int argc, char **argv);
int log_main(int argc, char **argv);
int report_main(int argc, char **argv);
int learn_main(int argc, char **argv);
int proxy_main(int argc, char **argv);
int hold_main(int argc, char **argv);
int daemon_main(int argc, char **argv);
const char *runtime_find(void);	/* the true runtime, or NULL; runtime.c */
int runtime_main(int argc, char **argv);
int runc_main(int argc, char **argv);	/* of the name sluice-runc */
int attach_main(int argc, char **argv);
int detach_main(int argc, char **argv);
int sessions_main(int argc, char **argv);
int approvals_main(int argc, char **argv);
int approve_main(int argc, char **argv);
int reject_main(int argc, char **argv);
int top_main(int argc, char **argv);
int reload_main(int argc, char **argv);
int export_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int selftest_main(int argc, char **argv);
int completion_main(int argc, char **argv);

int selftest_role_main(int argc, char **argv);	/* the part of selftest that runs in the jail */

struct ability;

/* doctor_engines.c: what the daemon needs and meets here.  Return: rows */
size_t engine_abilities(struct ability *ret, size_t max);

/* The folder for control sockets, made if it is not there; NULL: it cannot be, as stderr says.
 * control.c */
const char *control_folder_make(const char *folder);

/* Is this process in a jail of sluice's?  run.c */
bool run_in_a_jail(void);

/*
 * run_alone() - jail @argv under the policy file @policy_path and no other layer, quietly
 *
 * Return: as `sluice run` exits.
 */
int run_alone(char *policy_path, char *const *argv);

/*
 * check_answer() - what `sluice check` says of @target; check.c
 * @ret_reason:	the reason's code
 *
 * Return: "allow", "deny", "ask"; or NULL, and @ret_reason is what is wrong with the target.
 */
const char *check_answer(const struct policy *p, struct span target, const char **ret_reason);

/* Version, git revision, and the libraries that were loaded; version.c */
void version_print(FILE *to);

/* The report on a log, "text" or "json"; report.c.  Return: 0, or the code to exit with */
int report_print(const char *log_path, const char *format, FILE *to);

#endif

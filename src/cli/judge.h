/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.h - the options that every command that judges shares, and the policy
 * that they and the policy files make together
 */
#ifndef SLUICE_CLI_JUDGE_H
#define SLUICE_CLI_JUDGE_H

#include "cli/folders.h"
#include "cli/options.h"
#include "cli/project.h"
#include "cli/secrets.h"
#include "policy/load.h"

struct judge_options {
	struct option_list policies, presets, allows, denies, private_networks;
	struct option_list host_ports, publishes;
	const char	*mode;
	bool		 only;
	bool		 inspect, no_inspect;
	bool		 ask;			/* --ask, and there is somebody to ask */
	bool		 proxy_variables;	/* http_proxy and the like count, as in run */
	/* for lint: "env:NAME", "file:PATH" that inject names and that are not there; NULL: nobody
	 * asks */
	struct path_list *unset;
	struct secret_store *secrets;	/* for run: the values are wanted, and kept here; or NULL */
	bool		 alone;		/* no option: not even the system's layer (selftest) */
};

/* Rows to put into a command's own table */
#define JUDGE_OPTIONS(o) \
	{ 'p', "policy", OPTION_LIST, "FILE", \
	  "a policy file; may repeat, later ones add to earlier", &(o)->policies }, \
	{ 0, "only", OPTION_FLAG, NULL, \
	  "no user or project layer: just the system's, --policy and flags", &(o)->only }, \
	{ 0, "preset", OPTION_LIST, "NAME", "allow what a preset reads, NAME:write all; may repeat", \
	  &(o)->presets }, \
	{ 0, "allow", OPTION_LIST, "HOST[:PORT[,PORT...]]", "allow a host; may repeat", \
	  &(o)->allows }, \
	{ 0, "deny", OPTION_LIST, "HOST", "deny a host; may repeat", &(o)->denies }, \
	{ 0, "private-network", OPTION_LIST, "[HOST=]CIDR", \
	  "special-purpose addresses that exactly allowed hosts may resolve to; may repeat", \
	  &(o)->private_networks }, \
	{ 0, "mode", OPTION_TEXT, "MODE", "filtered (nat-filtered) | isolated (none) | " \
	  "internal | monitor (bridge)", &(o)->mode }, \
	{ 0, "inspect", OPTION_FLAG, NULL, "decrypt all TLS", &(o)->inspect }, \
	{ 0, "no-inspect", OPTION_FLAG, NULL, \
	  "decrypt none; rules that need it deny (inspection_required)", &(o)->no_inspect }

void judge_options_done(struct judge_options *o);	/* frees the lists */

/* The files that decided, for the jail's protection and for messages */
struct judged {
	struct policy	*policy;	/* free with judge_done() */
	/*
	 * Absolute paths of every file read: policies, presets, categories, lists,
	 * the package managers' configuration.  One that was reached through a link is there
	 * twice, as it was named and as it is.
	 */
	char		**files;
	size_t		 file_count;
	char		**folders;	/* that decide and exist: presets, sluice's config */
	size_t		 folder_count;
	char		*proxy_credentials;	/* of upstream_proxy; NULL: none */
	char		*webhook;	/* of alerts; NULL: none */
	struct policy_secrets secrets;	/* if they were wanted */
};

/*
 * host_proxy() - the variable with the proxy that programs on this machine use
 *
 * Return: its name and in *ret_value its value, or NULL.
 */
const char *host_proxy(const char **ret_value);

/*
 * judge() - read files, find presets (data directory of the build or of the
 * installation, then presets.d), compile
 *
 * Of a project's file that is not trusted it says one line on stderr, if the file
 * would open anything.  Return: false and @err.
 */
bool judge(const struct judge_options *o, struct judged *ret_judged, struct err *err);
void judge_done(struct judged *j);

/*
 * What it would mean to trust a project's file
 *
 * `now` and `trusted` are told at their widest (policy_file.widest): a file's own denials
 * must not make what it opens look smaller.  Nor must rules of others that end or have a
 * bound, which the file's have not: `now` is without them (policy_input.lasting).
 */
struct judged_project {
	struct project	 project;
	struct policy	*now;		/* all layers, and of the file what holds untrusted */
	struct policy	*trusted;	/* all layers, and the whole file */
	struct policy	*old;		/* the same with the text that was accepted; NULL: none known */
};

/* @folder: where to look for the file, from there up.  Return: false and @err. */
bool judge_project(const struct judge_options *o, const char *folder,
		   struct judged_project *ret_project, struct err *err);
void judge_project_done(struct judged_project *p);

#endif

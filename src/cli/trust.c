/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.c - `sluice trust`: what a repository's file would open, and the user's word on it
 *
 * What is recorded is the hash of the bytes that were read before the question was
 * asked: a file that changes meanwhile is not the one that was accepted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/difference.h"
#include "cli/judge.h"
#include "cli/print.h"

#define EXIT_NO 1	/* the answer was no */

struct trust_command {
	bool	yes, revoke, list, configured;
};

static void print_lines(char *const *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fputs("    ", stdout);
		print_safe(stdout, span_str(lines[i]));
		putchar('\n');
	}
}

/*
 * The user's answer
 *
 * Return: 0 for yes, EXIT_NO, or EXIT_SLUICE and @err if nobody can be asked.
 */
static int ask(const struct trust_command *t, const char *question, struct err *err)
{
	char line[16] = "";

	fflush(stdout);
	if (t->yes)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		err_set(err, "trust: no terminal to ask on (--yes accepts what is shown)");
		return EXIT_SLUICE;
	}
	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(line, sizeof(line), stdin))
		fputc('\n', stderr);
	return !strcmp(line, "y\n") || !strcmp(line, "yes\n") || !strcmp(line, "Y\n") ? 0 : EXIT_NO;
}

/* ---- a project ---- */

static bool show_opened(const char *title, const char *nothing, const struct policy *before,
			const struct policy *after, struct err *err)
{
	struct difference d;
	bool ok = difference_make(&d, before, after, err);

	if (ok && d.count[CHANGE_OPENS])
		puts(title);
	else if (ok)
		puts(nothing);
	if (ok)
		print_lines(d.lines[CHANGE_OPENS], d.count[CHANGE_OPENS]);
	difference_done(&d);
	return ok;
}

static bool show_project(const struct judged_project *j, struct err *err)
{
	print_safe(stdout, span_str(j->project.path));
	putchar('\n');
	if (!show_opened("It would open, beyond what holds now:",
			 "It opens nothing beyond what holds now.", j->now, j->trusted, err))
		return false;
	if (j->project.trust == TRUST_CHANGED && !j->old)
		puts("It has changed since it was trusted; what it opened then is not known any more.");
	return !j->old ||
	       show_opened("It has changed since it was trusted, and newly opens:",
			   "It has changed since it was trusted, and opens nothing new.", j->old,
			   j->trusted, err);
}

static bool accept_project(const struct project *p, struct err *err)
{
	struct trust_store store;
	bool ok;

	if (!trust_store_change(&store, err))
		return false;
	ok = trust_store_accept(&store, p->folder, p->sha256, buf_span(&p->text), err);
	trust_store_done(&store);
	return ok;
}

static int trust_project(const struct trust_command *t, const char *folder, struct err *err)
{
	const struct judge_options options = { .only = false };
	struct judged_project j;
	int code = EXIT_SLUICE;

	if (!judge_project(&options, folder, &j, err))
		return code;
	if (j.project.trust == TRUST_HOLDS) {
		print_safe(stdout, span_str(j.project.path));
		puts(": trusted already, as it is now");
		code = 0;
	} else if (show_project(&j, err)) {
		code = ask(t, "Trust it?", err);
		if (!code && !accept_project(&j.project, err))
			code = EXIT_SLUICE;
	}
	judge_project_done(&j);
	return code;
}

/* A folder that is gone is forgotten by the name that it is given */
static int revoke_project(const char *folder, struct err *err)
{
	struct trust_store store;
	struct project p;
	struct err ignored = { "" };
	char path[PATH_MAX];
	bool known = false, ok;

	project_find(&p, folder, &ignored);
	ok = span_copy(span_str(p.found ? p.folder : folder), path, sizeof(path)) ||
	     err_set(err, "%s: path too long", folder);
	project_done(&p);
	if (!ok || !trust_store_change(&store, err))
		return EXIT_SLUICE;
	ok = trust_store_forget(&store, path, &known, err);
	trust_store_done(&store);
	if (!ok)
		return EXIT_SLUICE;
	print_safe(stdout, span_str(path));
	puts(known ? ": trusted no more" : ": was not trusted");
	return 0;
}

static void list_one(void *arg, const char *project, const char *sha256, const char *accepted)
{
	static const char *const words[] = {
		[TRUST_NONE] = "gone", [TRUST_CHANGED] = "changed", [TRUST_HOLDS] = "trusted",
	};
	struct err ignored = { "" };
	struct project p;
	bool ok = project_find(&p, project, &ignored) && p.found && !strcmp(p.folder, project);

	(void)arg;
	(void)sha256;
	printf("%-8s %-20s ", ok ? words[p.trust] : words[TRUST_NONE], accepted);
	print_safe(stdout, span_str(project));
	putchar('\n');
	project_done(&p);
}

static int list_projects(struct err *err)
{
	struct trust_store store;
	bool ok;

	if (!trust_store_read(&store, err))
		return EXIT_SLUICE;
	ok = trust_store_each(&store, list_one, NULL) || err_set(err, "out of memory");
	trust_store_done(&store);
	return ok ? 0 : EXIT_SLUICE;
}

/* ---- the user's own configuration of package managers ---- */

static bool has_host(const struct configured *c, const struct extra_host *host)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->at[i].port == host->port && !strcmp(c->at[i].host, host->host))
			return true;
	return false;
}

/* The hosts of @c that @other has not.  Return: how many */
static size_t print_hosts(const struct configured *c, const struct configured *other,
			  const char *title)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++)
		if (!has_host(other, &c->at[i]))
			printf("%s    %s:%u\n", count++ ? "" : title, c->at[i].host,
			       c->at[i].port);
	return count;
}

static bool record(const char *manager, const struct configured *c, struct err *err)
{
	struct trust_store store;
	bool ok;

	if (!trust_store_change(&store, err))
		return false;
	ok = trust_store_record(&store, manager, c, err);
	trust_store_done(&store);
	return ok;
}

static int trust_manager(const struct trust_command *t, const char *manager, struct err *err)
{
	AUTO_FREE struct configured *now = calloc(1, sizeof(*now));
	AUTO_FREE struct configured *old = calloc(1, sizeof(*old));
	struct trust_store store;
	int code = EXIT_SLUICE;
	size_t changed;

	if (!now || !old) {
		err_set(err, "out of memory");
		return code;
	}
	if (!trust_store_read(&store, err))
		return code;
	trust_store_hosts(&store, manager, old);
	trust_store_done(&store);
	if (t->revoke || configured_read_own(now, manager, err)) {
		printf("Registries of your own configuration of %s:", manager);
		changed = print_hosts(now, old, "\n  new, opened with a preset that uses it:\n");
		changed += print_hosts(old, now, changed ? "  opened no more:\n"
							 : "\n  opened no more:\n");
		if (!changed)
			puts(now->count ? " as recorded" : " none");
		code = changed && !t->revoke ? ask(t, "Record it?", err) : 0;
		if (changed && !code && !record(manager, now, err))
			code = EXIT_SLUICE;
	}
	configured_done(now);
	configured_done(old);
	return code;
}

static int trust_configured(const struct trust_command *t, struct err *err)
{
	int code = 0;

	for (size_t i = 0; i < CONFIGURED_MANAGERS && !code; i++)
		code = trust_manager(t, configured_managers[i], err);
	return code;
}

/* ---- the command ---- */

static int trust(const struct trust_command *t, const char *folder, struct err *err)
{
	char here[PATH_MAX];

	if (run_in_a_jail()) {
		err_set(err, "trust: not from inside a jail (ask the person outside)");
		return EXIT_SLUICE;
	}
	if (t->list)
		return list_projects(err);
	if (t->configured)
		return trust_configured(t, err);
	if (!realpath(folder ? folder : ".", here)) {
		if (t->revoke && errno == ENOENT && folder && folder[0] == '/')
			return revoke_project(folder, err);
		err_sys(err, errno, "%s", folder ? folder : "the working directory");
		return EXIT_SLUICE;
	}
	return t->revoke ? revoke_project(here, err) : trust_project(t, here, err);
}

int trust_main(int argc, char **argv)
{
	struct trust_command t = { .yes = false };
	const struct option rows[] = {
		{ 0, "yes", OPTION_FLAG, NULL, "accept what is shown without being asked", &t.yes },
		{ 0, "revoke", OPTION_FLAG, NULL, "trust it no more", &t.revoke },
		{ 0, "list", OPTION_FLAG, NULL, "list what is trusted", &t.list },
		{ 0, "configured", OPTION_FLAG, NULL,
		  "record the registries that your own configuration of npm names", &t.configured },
		{ .name = NULL },
	};
	struct err err = { "" };
	int count, code;

	if (!command_read(argc, argv, rows, &count, &code))
		return code;
	if (count > 1)
		err_set(&err, "trust: one DIR at a time");
	else if (count && (t.list || t.configured))
		err_set(&err, "trust: DIR does not go with --list or --configured");
	else if (t.list && (t.configured || t.revoke || t.yes))
		err_set(&err, "trust: --list goes with nothing else");
	if (err.text[0])
		return complain(&err);
	code = trust(&t, argv[1], &err);
	return err.text[0] ? complain(&err) : code;
}

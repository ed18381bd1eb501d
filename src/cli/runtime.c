/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime.c - `sluice runtime`: an OCI runtime that holds the containers it makes
 *
 * It stands in front of the true runtime (runc): what is to be created is looked at and changed
 * (attach/oci.h), then the true one takes our place.  So does it for everything else, unchanged.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attach/oci.h"
#include "cli/ask_daemon.h"
#include "cli/commands.h"
#include "cli/judge.h"
#include "cli/runtime_files.h"
#include "cli/runtime_pins.h"
#include "cli/runtime_start.h"
#include "control/place.h"
#include "jail/trusted_ca.h"
#include "policy/loader.h"

#define CA_INSIDE "/etc/sluice-ca.pem"	/* in the container: what it trusts, and the session's CA */

struct runtime_command {
	const char		*runc, *mode;
	struct option_list	 allow_unix;
	struct option_list	 policies;	/* the administrator's: then the container's word counts not */
	char			 program[PATH_MAX], bundle[PATH_MAX], session[65], ca[PATH_MAX];
	const char		*id;
	bool			 starts_later;	/* by a command of its own */
	char			 words[PATH_MAX];	/* of the container's, cut into policies */
};

#define NETWORK_OURS "the container has the machine's own network (--network none)"
#define ISO_TIME_MAX 32

static const char *iso_time(char dst[ISO_TIME_MAX])
{
	time_t now = time(NULL);
	struct tm tm;

	strftime(dst, ISO_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	return dst;
}

/* ---- the true runtime's arguments ---- */

/* Global options of runc(8) and crun(1) that take a value as the next argument */
static bool takes_value(const char *option)
{
	static const char *const names[] = { "--root", "--log", "--log-format", "--rootless", "--criu",
					     "--cgroup-manager", "--log-level" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(option, names[i]))
			return true;
	return false;
}

/* The index of the command's word; @argc: there is none */
static int command_at(int argc, char *const *argv)
{
	int i = 0;

	while (i < argc && argv[i][0] == '-')
		i += takes_value(argv[i]) ? 2 : 1;
	return i < argc ? i : argc;
}

/* The value of an option, said as the next argument or behind '=', after one '-' or two: runc(8) minds neither.
 * NULL: it is not there. */
static const char *option_of(int argc, char *const *argv, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i] + strspn(argv[i], "-");
		size_t dashes = (size_t)(word - argv[i]);

		if (dashes < 1 || dashes > 2 || strncmp(word, name, len) != 0)
			continue;
		if (!word[len])
			return i + 1 < argc ? argv[i + 1] : NULL;
		if (word[len] == '=')
			return word + len + 1;
	}
	return NULL;
}

static const char *bundle_of(int argc, char *const *argv)
{
	const char *path = option_of(argc, argv, "bundle");

	if (!path)
		path = option_of(argc, argv, "b");
	return path ? path : ".";
}

/* Engines read a failed runtime's words in the file that they named for its log, not on stderr */
static int refuse(int argc, char *const *argv, const struct err *err)
{
	const char *path = option_of(argc, argv, "log"), *format = option_of(argc, argv, "log-format");
	AUTO_FCLOSE FILE *f = path ? fopen(path, "ae") : NULL;
	char time[ISO_TIME_MAX];
	json_t *line;

	if (f && format && !strcmp(format, "json")) {
		line = json_pack("{s:s, s:s+, s:s}", "level", "error", "msg", "sluice: ", err->text,
				 "time", iso_time(time));
		json_dumpf(line, f, JSON_COMPACT);
		json_decref(line);
	} else if (f) {
		fprintf(f, "level=error msg=\"sluice: %s\"", err->text);
	}
	if (f)
		fputc('\n', f);
	return complain(err);
}

/* ---- the session's CA ---- */

static bool ca_path(const char *folder, const char *session, char ret[PATH_MAX], struct err *err)
{
	return snprintf(ret, PATH_MAX, "%s/%s-ca.pem", folder, session) < PATH_MAX ||
	       err_set(err, "%s: path too long", folder);
}

static bool set_trust(json_t *config, struct err *err)
{
	for (size_t i = 0; trusted_ca_variable(i); i++)
		if (!oci_set_variable(config, trusted_ca_variable(i), CA_INSIDE, err))
			return false;
	return true;
}

/* Where the CA of @session is for us; false: it has none, or @err */
static bool find_ca(const char *session, char ret[PATH_MAX], struct err *err)
{
	char folder[PATH_MAX];

	return folder_run(folder, err) && ca_path(folder, session, ret, err) && access(ret, F_OK) == 0;
}

/* ---- a container that is to be ---- */

/* Of another container's namespace that container's session is the gate: there must be one */
static bool check_joined(json_t *config, const char *path, struct err *err)
{
	const char *name;
	char ca[PATH_MAX];
	json_t *one;
	bool ok;

	if (runtime_is_ours(path, "net"))
		return err_set(err, NETWORK_OURS);
	one = runtime_session_of(path, err);
	if (!one)
		return err_set(err, "the network that the container joins is under no session (start that one "
			       "with this runtime too)");
	name = json_string_value(json_object_get(one, "session"));
	ok = !json_is_true(json_object_get(one, "uplink")) || oci_check_uplink(config, err);
	if (ok && name && find_ca(name, ca, err))
		ok = oci_add_file(config, ca, CA_INSIDE, err) && set_trust(config, err);
	json_decref(one);
	return ok && !err->text[0];
}

/* The administrator's word counts.  A container's own, or its image's, can be stricter than the policy
 * and no more: what is weaker judge() refuses, and that nothing is refused it cannot say. */
static bool take_mode(const struct runtime_command *c, const json_t *config, struct oci_hook *hook,
		      struct err *err)
{
	const char *said = oci_mode(config);
	enum mode mode;

	hook->mode = c->mode ? c->mode : said;
	if (!hook->mode)
		return true;
	if (!mode_from(span_str(hook->mode), &mode))
		return err_set(err, "%s %s: accepted: " ACCEPTS_MODE, c->mode ? "--mode" : OCI_MODE_VARIABLE,
			       hook->mode);
	return c->mode || mode != MODE_MONITOR ||
	       err_set(err, OCI_MODE_VARIABLE " %s: a container does not say so itself (runtime --mode)", said);
}

static bool add_policy(struct oci_hook *hook, const char *word, struct err *err)
{
	if (!*word)
		return err_set(err, "policy: an empty name (" OCI_POLICY_VARIABLE "=NAME,NAME)");
	if (!control_name_is_valid(word))
		return err_set(err, "policy %s: not a name (of a file in /etc/sluice/policies.d, without "
			       ".yaml)", word);
	if (hook->policy_count == OCI_POLICIES_MAX)
		return err_set(err, "more than %d policies", OCI_POLICIES_MAX);
	hook->policies[hook->policy_count++] = word;
	return true;
}

static bool take_policies(struct runtime_command *c, const json_t *config, struct oci_hook *hook,
			  struct err *err)
{
	const char *said = oci_policy(config);
	char *rest = c->words, *word;

	for (size_t i = 0; i < c->policies.count; i++)
		if (!add_policy(hook, c->policies.at[i], err))
			return false;
	if (c->policies.count || !said)
		return true;
	if (!span_copy(span_str(said), c->words, sizeof(c->words)))
		return err_set(err, OCI_POLICY_VARIABLE ": too long");
	while ((word = strsep(&rest, ",")))
		if (!add_policy(hook, word, err))
			return false;
	return true;
}

/* By its path */
static bool check_joined_kinds(const json_t *config, struct err *err)
{
	static const struct { const char *kind, *why; } rows[] = {
		{ "ipc", "the shared memory of the machine's processes (no --ipc host)" },
		{ "cgroup", "the machine's control groups (no --cgroupns of its processes)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *path = oci_joined(config, rows[i].kind);

		if (path && runtime_is_ours(path, rows[i].kind))
			return err_set(err, "the container has %s", rows[i].why);
	}
	return true;
}

static bool check(const struct runtime_command *c, const json_t *config, struct err *err)
{
	AUTO_FREE const char **allow = calloc(c->allow_unix.count + 1, sizeof(*allow));
	AUTO_FREE char *paths = calloc(c->allow_unix.count + 1, PATH_MAX);
	const char *pid = oci_joined(config, "pid");

	if (!allow || !paths)
		return err_set(err, "out of memory");
	/* Mounts are called by their true paths */
	for (size_t i = 0; i < c->allow_unix.count; i++)
		allow[i] = realpath(c->allow_unix.at[i], paths + i * PATH_MAX) ? paths + i * PATH_MAX :
										 c->allow_unix.at[i];
	return check_joined_kinds(config, err) && oci_check(config, err) && runtime_check_mounts(config, c->program, allow, err) &&
	       (!pid || runtime_check_processes(pid, oci_joined(config, "network"), err));
}

/* ---- what it finds inside ---- */

/* Any address will do: the gate answers for all.  What is there already is the same. */
static bool write_resolver(const char *path, struct err *err)
{
	static const char text[] = "nameserver 28.0.0.2\n";
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

	return (fd >= 0 && fchmod(fd, 0644) == 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text)) ||
	       err_sys(err, errno, "%s", path);
}

/* The keeper writes the session's CA into that very file, before the container's first process starts */
static bool add_ca(json_t *config, const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 || fchmod(fd, 0644))
		return err_sys(err, errno, "%s", path);
	return oci_add_file(config, path, CA_INSIDE, err) && set_trust(config, err);
}

/* What the policy wants of the container */
struct wanted {
	bool	inspects;	/* it looks inside TLS */
	bool	internal;	/* the container may stay on its engine's network */
};

/* Read here, a bad one is told of before anything is made */
static bool read_wanted(const struct oci_hook *hook, struct wanted *ret, struct err *err)
{
	AUTO_FREE char *paths = calloc(OCI_POLICIES_MAX, PATH_MAX);
	struct judge_options options = { .only = true, .mode = hook->mode };
	struct judged judged = { NULL };
	bool ok = paths || err_set(err, "out of memory");

	for (size_t i = 0; ok && i < hook->policy_count; i++) {
		char *path = paths + i * PATH_MAX;

		snprintf(path, PATH_MAX, FOLDER_SYSTEM "/policies.d/%s.yaml", hook->policies[i]);
		ok = option_list_add(&options.policies, path, err);
	}
	ok = ok && judge(&options, &judged, err);
	if (ok)
		*ret = (struct wanted){ policy_may_inspect(judged.policy),
					policy_mode(judged.policy) == MODE_INTERNAL };
	judge_done(&judged);
	judge_options_done(&options);
	return ok;
}

/* What was made for a rootless engine's container, root's keeper cannot remove */
static void forget(const char *id)
{
	char folder[PATH_MAX], path[PATH_MAX], session[CONTROL_NAME_MAX + 1];
	struct err err = { "" };

	oci_session(id, session);
	if (folder_run(folder, &err) && strcmp(folder, FOLDER_RUN_ROOT) != 0 &&
	    ca_path(folder, session, path, &err))
		unlink(path);
}

/* Its engine's names are looked up in the file that the engine made */
static bool furnish(struct runtime_command *c, json_t *config, struct oci_hook *hook, struct err *err)
{
	char folder[PATH_MAX], path[PATH_MAX];
	struct wanted wanted;

	if (!read_wanted(hook, &wanted, err))
		return false;
	hook->uplink = wanted.internal;
	hook->defer = wanted.internal && c->starts_later;
	if (wanted.internal)
		return oci_check_uplink(config, err);
	if (!folder_run(folder, err) || !folder_make(folder, err))
		return false;
	if (!folder_join(path, folder, "resolv.conf", err) || !write_resolver(path, err) ||
	    !oci_add_file(config, path, "/etc/resolv.conf", err))
		return false;
	if (!wanted.inspects)
		return true;
	if (!ca_path(folder, c->session, c->ca, err) || !add_ca(config, c->ca, err))
		return false;
	/* A rootless engine's folder is not the daemon's */
	hook->ca = strcmp(folder, FOLDER_RUN_ROOT) ? c->ca : NULL;
	return true;
}

static bool change(struct runtime_command *c, json_t *config, struct err *err)
{
	struct oci_hook hook = { .program = c->program, .session = c->session, .id = c->id };
	const char *path;

	if (!runtime_pin(config, err) || !check(c, config, err) || !oci_confine(config, err))
		return false;
	switch (oci_network(config, &path)) {
	case OCI_NETWORK_HOST:
		return err_set(err, NETWORK_OURS);
	case OCI_NETWORK_JOINED:
		return check_joined(config, path, err);
	case OCI_NETWORK_OWN:
		break;
	}
	oci_session(c->id, c->session);
	return take_policies(c, config, &hook, err) && take_mode(c, config, &hook, err) && furnish(c, config, &hook, err) &&
	       oci_add_hook(config, &hook, err);
}

/* There is always a whole file */
static bool write_config(const json_t *config, const char *path, struct err *err)
{
	char new[PATH_MAX];
	bool ok;
	int fd;

	if (snprintf(new, sizeof(new), "%s.sluice", path) >= PATH_MAX)
		return err_set(err, "%s: path too long", path);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	ok = fd >= 0 && json_dumpfd(config, fd, JSON_COMPACT) == 0;
	if (fd >= 0)
		ok = close(fd) == 0 && ok;
	return (ok && rename(new, path) == 0) || err_sys(err, errno, "%s", path);
}

static bool prepare(struct runtime_command *c, int argc, char *const *argv, bool starts_later, struct err *err)
{
	char path[PATH_MAX];
	json_error_t error;
	json_t *config;
	bool ok;

	c->id = argv[argc - 1];
	c->starts_later = starts_later;
	if (snprintf(path, sizeof(path), "%s/config.json", bundle_of(argc, argv)) >= PATH_MAX ||
	    !realpath("/proc/self/exe", c->program))
		return err_set(err, "the bundle's path is too long");
	config = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!config)
		return err_set(err, "%s: %s", path, error.text);
	ok = change(c, config, err) && write_config(config, path, err);
	json_decref(config);
	return ok;
}

/* Engines tell of one more process with the variables and capabilities that they know, not with ours */
static bool change_process(const char *path, const char *id, struct err *err)
{
	char session[CONTROL_NAME_MAX + 1], ca[PATH_MAX];
	json_t *config = json_pack("{s:o}", "process", json_load_file(path, JSON_REJECT_DUPLICATES, NULL));
	bool ok = config;

	oci_session(id, session);
	if (ok)
		oci_lessen(config);
	if (ok && find_ca(session, ca, err))
		ok = set_trust(config, err);
	ok = ok && !err->text[0] && write_config(json_object_get(config, "process"), path, err);
	json_decref(config);
	return ok || err_set(err, "%s: cannot be read", path);
}

/* ---- the true one ---- */

const char *runtime_find(void)
{
	static const char *const places[] = { "/usr/bin/runc", "/usr/sbin/runc", "/usr/local/sbin/runc",
					      "/usr/local/bin/runc", "/usr/bin/crun" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static int runtime(struct runtime_command *c, int argc, char **argv, struct err *err)
{
	const char *runc = c->runc ? c->runc : runtime_find();
	int at = command_at(argc - 1, argv + 1) + 1;
	const char *word = at < argc ? argv[at] : "";
	const char *process = option_of(argc - at, argv + at, "process");	/* of an engine's exec */
	bool is_new = !strcmp(word, "create") || !strcmp(word, "run");

	if (!runc)
		err_set(err, "runtime: no runc (install runc, or say --runc PATH)");
	else if (!strcmp(word, "restore"))
		err_set(err, "runtime: a container that is restored would have its old network (start it "
			"anew)");
	else if ((is_new || !strcmp(word, "exec")) &&
		 !runtime_check_descriptors(option_of(argc - at, argv + at, "preserve-fds"), err))
		;	/* it is told below */
	else if (!strcmp(word, "start"))
		runtime_check_start(runc, at, argv, argv[argc - 1], err);
	else if (!strcmp(word, "exec") && process)
		(void)(runtime_check_exec(runc, at, argv, process, argv[argc - 1], err) &&
		       change_process(process, argv[argc - 1], err));
	else if (is_new)
		prepare(c, argc - at, argv + at, !strcmp(word, "create"), err);
	else if (!strcmp(word, "delete"))
		forget(argv[argc - 1]);
	if (err->text[0])
		return refuse(argc, argv, err);
	argv[0] = (char *)(uintptr_t)runc;
	execv(runc, argv);
	err_sys(err, errno, "%s", runc);
	return complain(err);
}

/* Under the name sluice-runc every argument is the true runtime's */
int runc_main(int argc, char **argv)
{
	static struct runtime_command c;
	struct err err = { "" };

	return runtime(&c, argc, argv, &err);
}

int runtime_main(int argc, char **argv)
{
	static struct runtime_command c;
	const struct option rows[] = {
		{ 0, "runc", OPTION_TEXT, "PATH", "the true runtime (default: the runc that is installed)",
		  &c.runc },
		{ 0, "mode", OPTION_TEXT, "MODE", "none | internal | restricted, whatever the container's "
		  OCI_MODE_VARIABLE " says", &c.mode },
		{ 'p', "policy", OPTION_LIST, "NAME", "of /etc/sluice/policies.d, whatever the container's "
		  OCI_POLICY_VARIABLE " says; may repeat", &c.policies },
		{ 0, "allow-unix", OPTION_LIST, "PATH", "a Unix socket of the machine that may be mounted; "
		  "may repeat", &c.allow_unix },
		{ .name = NULL },
	};
	struct err err = { "" };
	bool help = false;
	int rest;

	if (!options_parse(argc, argv, rows, &rest, &help, &err))
		return complain(&err);
	if (help)
		return command_help("runtime", rows);
	return runtime(&c, argc - rest + 1, argv + rest - 1, &err);
}

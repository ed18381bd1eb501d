/* SPDX-License-Identifier: Apache-2.0 */
/* attach.c - `sluice attach` and `sluice detach`: sessions of the daemon */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/engine.h"
#include "attach/oci.h"
#include "cli/ask_daemon.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/guest.h"
#include "cli/naming.h"
#include "jail/guest.h"
#include "jail/namespace.h"
#include "jail/uplink.h"
#include "policy/loader.h"
#include "policy/ports.h"

#define CA_CHUNK (1u << 20)	/* bytes that are copied at once */

struct attach_command {
	const char		*pid, *netns, *container, *session;
	struct option_list	 policies, labels, publish;
	char			*path[CONTROL_WORDS_MAX];	/* of policies that are files */
	char			 netns_path[PATH_MAX];
	char			 name[CONTROL_NAME_MAX + 1];
	bool			 oci;		/* we are a hook */
	const char		*vm, *mode;
	const char		*ca;		/* a hook's: where the session's CA goes */
	bool			 uplink;	/* of a hook: it may stay on its engine's network */
	bool			 defer;		/* and its engine may connect it only later */
	bool			 deferred;	/* it was shut instead */
	bool			 hook;		/* we are one of libvirt's */
	pid_t			 room;		/* with the guest's interface; 0: none was made */
	struct libvirt_guest	 guest;
	char			 link[3 * LIBVIRT_WORD_MAX];	/* LINK=MAC of it */
};

static bool is_file(const char *word)
{
	size_t len = strlen(word);

	return strchr(word, '/') || (len > 5 && !strcmp(word + len - 5, ".yaml"));
}

/* A file by its whole path: the daemon has another working directory */
static bool take_policies(struct attach_command *a, struct control_words *ret, struct err *err)
{
	if (a->policies.count > CONTROL_WORDS_MAX)
		return err_set(err, "attach: more than %d policies", CONTROL_WORDS_MAX);
	for (size_t i = 0; i < a->policies.count; i++) {
		const char *word = a->policies.at[i];

		if (is_file(word)) {
			a->path[i] = realpath(word, NULL);
			if (!a->path[i])
				return err_sys(err, errno, "--policy %s", word);
			word = a->path[i];
		}
		ret->at[ret->count++] = word;
	}
	return true;
}

static bool take_labels(const struct attach_command *a, struct control_words *ret, struct err *err)
{
	if (a->labels.count > CONTROL_WORDS_MAX)
		return err_set(err, "attach: more than %d labels", CONTROL_WORDS_MAX);
	for (size_t i = 0; i < a->labels.count; i++) {
		const char *eq = strchr(a->labels.at[i], '=');

		if (!eq || eq == a->labels.at[i])
			return err_set(err, "--label %s: not KEY=VALUE", a->labels.at[i]);
		ret->at[ret->count++] = a->labels.at[i];
	}
	return true;
}

static bool take_publish(const struct attach_command *a, struct control_words *ret, struct err *err)
{
	struct port_map map;

	if (a->publish.count > CONTROL_WORDS_MAX)
		return err_set(err, "attach: more than %d ports to publish", CONTROL_WORDS_MAX);
	for (size_t i = 0; i < a->publish.count; i++) {
		if (!port_map_publish(span_str(a->publish.at[i]), &map))
			return err_set(err, "--publish %s: accepted: " ACCEPTS_PUBLISH, a->publish.at[i]);
		ret->at[ret->count++] = a->publish.at[i];
	}
	return true;
}

/* There is no network yet: it comes before the start, or never.  `sluice runtime` asks again then. */
static bool shut_if_bare(struct attach_command *a, json_int_t pid, struct err *err)
{
	AUTO_CLOSE int net = namespace_of((pid_t)pid);
	struct jail_uplink u;

	if (net < 0)
		return err_sys(err, -net, "the container's network");
	return uplink_look(net, &u, &a->deferred, err) && (!a->deferred || uplink_shut(net, err));
}

/* A hook finds the container's state on its standard input (OCI runtime specification, runtime.md,
 * "State"): its first process is there, and has not begun to be the container's */
static bool take_state(struct attach_command *a, struct control_request *r, struct err *err)
{
	json_t *state = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL);
	json_int_t pid = json_integer_value(json_object_get(state, "pid"));

	json_decref(state);
	if (a->pid || a->netns || a->container || !a->session)
		return err_set(err, "attach: --oci goes with --session, and no other namespace");
	if (pid < 1 || pid > INT32_MAX)
		return err_set(err, "--oci: standard input is no state of a container");
	r->pid = (uint32_t)pid;
	r->uplink = a->uplink;
	r->session = a->session;
	return !a->defer || shut_if_bare(a, pid, err);
}

/* ---- a virtual machine ---- */

/* Words with commas between them, where the command line has none */
static bool take_list(struct option_list *l, char *text, struct err *err)
{
	char *left = l->count ? NULL : text, *word;

	while ((word = strsep(&left, ",")))
		if (*word && !option_list_add(l, word, err))
			return false;
	return true;
}

/* What its metadata says, where nothing was said here */
static bool take_metadata(struct attach_command *a, struct err *err)
{
	if (!a->mode && a->guest.mode[0])
		a->mode = a->guest.mode;
	return take_list(&a->policies, a->guest.policies, err) &&
	       take_list(&a->publish, a->guest.publish, err);
}

static bool take_vm(struct attach_command *a, struct control_request *r, struct err *err)
{
	struct jail_guest g;
	int at;

	if (a->pid || a->netns || a->container || a->oci)
		return err_set(err, "attach: --vm goes with no other namespace");
	if (a->hook && !a->guest.is_ours)
		return true;
	if (!libvirt_guest_check(&a->guest, err) || !take_metadata(a, err))
		return false;
	at = snprintf(a->link, sizeof(a->link), "%s=%s", a->guest.link, a->guest.mac);
	if (a->guest.down)
		at += snprintf(a->link + at, sizeof(a->link) - (size_t)at, ",down=%" PRIu64, a->guest.down);
	if (a->guest.up)
		snprintf(a->link + at, sizeof(a->link) - (size_t)at, ",up=%" PRIu64, a->guest.up);
	if (!guest_parse(span_str(a->link), &g))
		return err_set(err, "guest %s: %s: no interface with a MAC of its own", a->guest.name, a->link);
	r->guest = a->link;
	r->session = a->session ? a->session : a->guest.name;
	return true;
}

/* One of --pid and --netns, and a name for the session if none was said */
static bool take_target(struct attach_command *a, struct control_request *r, struct err *err)
{
	uint64_t pid = 0;

	if (a->vm)
		return take_vm(a, r, err);
	if (a->oci)
		return take_state(a, r, err);
	if (a->uplink)
		return err_set(err, "attach: --uplink goes with --oci: it is known before the container starts");
	if (!!a->pid + !!a->netns + !!a->container != 1)
		return err_set(err, "attach: one of --pid, --netns, --container and --vm");
	if (a->container) {
		pid = (uint64_t)engine_init_of(a->container, err);
		if (!pid)
			return false;
	}
	if (a->pid && (!span_u64(span_str(a->pid), INT32_MAX, &pid) || !pid))
		return err_set(err, "--pid %s: not a process", a->pid);
	/* A link, as those of /proc, may lead elsewhere by the time it is held again */
	if (a->netns && (access(a->netns, F_OK) || !naming_true_path(a->netns, a->netns_path, err)))
		return err->text[0] ? false : err_sys(err, errno, "--netns %s", a->netns);
	if (a->container)
		oci_session(a->container, a->name);
	else if (a->pid)
		snprintf(a->name, sizeof(a->name), "pid-%s", a->pid);
	else
		snprintf(a->name, sizeof(a->name), "%.*s", CONTROL_NAME_MAX,
			 strrchr(a->netns_path, '/') + 1);
	r->pid = (uint32_t)pid;
	r->netns = a->netns ? a->netns_path : NULL;
	r->session = a->session ? a->session : a->name;
	return true;
}

static bool take_mode(const struct attach_command *a, struct control_request *r, struct err *err)
{
	enum mode mode;

	r->mode = a->mode;
	return !a->mode || mode_from(span_str(a->mode), &mode) ||
	       err_set(err, "--mode %s: accepted: " ACCEPTS_MODE, a->mode);
}

/* What can be wrong with what was said is looked at first: from then on a guest has no network
 * but the gate's */
static bool ask(struct attach_command *a, struct control_request *r, struct err *err)
{
	json_t *answer;

	if (!take_target(a, r, err) || !take_policies(a, &r->policies, err) ||
	    !take_labels(a, &r->labels, err) || !take_publish(a, &r->publish, err) ||
	    !take_mode(a, r, err))
		return false;
	if (!r->session || a->deferred)	/* a hook's guest that is not ours */
		return true;
	if (r->guest && !guest_room(&a->guest, &a->room, err))
		return false;
	if (r->guest)
		r->pid = (uint32_t)a->room;
	answer = ask_daemon(r, err);
	if (answer && !a->oci && !a->hook)
		puts(r->session);
	json_decref(answer);
	return answer;
}

static void warn_of_mode(const char *word)
{
	enum mode mode;

	if (word && mode_from(span_str(word), &mode) && mode == MODE_MONITOR)
		fprintf(stderr, "sluice: mode monitor: every public destination passes and is logged\n");
}

static void ca_path(const struct attach_command *a, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, FOLDER_RUN_ROOT "/%s-ca.pem", a->session);
}

/* What root's keeper has written for root's engine, a rootless one's container finds in a file of its own */
static bool take_ca(const struct attach_command *a, struct err *err)
{
	AUTO_CLOSE int to = open(a->ca, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC), from = -1;
	char path[PATH_MAX];
	ssize_t n;

	ca_path(a, path);
	from = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0 || from < 0)
		return err_sys(err, errno, "--ca %s: %s", a->ca, to < 0 ? "it" : path);
	while ((n = sendfile(to, from, NULL, CA_CHUNK)) > 0)
		;
	return n == 0 || err_sys(err, errno, "--ca %s", a->ca);
}

/* What has happened to the file that is watched.  Return: false: it has gone, whatever has its name by now */
static bool wait_for_change(int changes)
{
	char events[4096] __attribute__((aligned(8)));
	ssize_t n = read(changes, events, sizeof(events));
	uint32_t what = 0;

	for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(struct inotify_event) +
						     ((const struct inotify_event *)(const void *)(events + at))->len))
		what |= ((const struct inotify_event *)(const void *)(events + at))->mask;
	return what && !(what & IN_IGNORED);
}

/* Another keeper has another CA, and writes it into the same file; with the session the file goes */
static _Noreturn void follow_ca(const struct attach_command *a, int changes)
{
	char path[PATH_MAX];
	struct err err = { "" };

	ca_path(a, path);
	while (take_ca(a, &err) && wait_for_change(changes) && access(path, R_OK) == 0)
		;
	_exit(0);
}

/* A process of the user's own stays, for as long as the session: root writes no file of his.  Who starts
 * the hook waits for all that have its standard descriptors. */
static bool leave_follower(const struct attach_command *a, struct err *err)
{
	int changes = inotify_init1(IN_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char path[PATH_MAX];
	pid_t pid = -1;

	ca_path(a, path);
	if (changes >= 0 && null >= 0 &&
	    inotify_add_watch(changes, path, IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF) >= 0)
		pid = fork();
	if (pid == 0) {
		setsid();
		if (dup2(null, 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2)
			follow_ca(a, changes);
		_exit(1);
	}
	if (pid < 0)
		err_sys(err, errno, "--ca %s", path);
	DROP_FD(changes);
	DROP_FD(null);
	return pid > 0;
}

static int attach(struct attach_command *a, struct err *err)
{
	struct control_request r = { .what = CONTROL_ATTACH };
	bool ok = (!a->vm || guest_find(a->vm, a->hook, &a->guest, err)) && ask(a, &r, err);

	/* A guest that starts does not.  One that runs keeps its room, and has no network in it until it
	 * is attached again. */
	if (!ok && a->room > 0 && a->hook) {
		kill(a->room, SIGKILL);
		waitpid(a->room, NULL, 0);
	}
	ok = ok && (!a->ca || (take_ca(a, err) && leave_follower(a, err)));
	if (ok)
		warn_of_mode(a->mode);
	for (size_t i = 0; i < CONTROL_WORDS_MAX; i++)
		free(a->path[i]);
	return ok ? 0 : complain(err);
}

int attach_main(int argc, char **argv)
{
	static struct attach_command a;
	const struct option rows[] = {
		{ 0, "pid", OPTION_TEXT, "N", "the network namespace of this process, until it ends",
		  &a.pid },
		{ 0, "netns", OPTION_TEXT, "PATH", "a network namespace, as /run/netns/NAME", &a.netns },
		{ 0, "container", OPTION_TEXT, "NAME", "the one of a container of Docker or Podman that runs",
		  &a.container },
		{ 0, "oci", OPTION_FLAG, NULL, "as a hook of a container: its state is on standard input",
		  &a.oci },
		{ 0, "uplink", OPTION_FLAG, NULL,
		  "with --oci: it may stay on an internal network of Docker's, in mode internal", &a.uplink },
		{ 0, "defer", OPTION_FLAG, NULL,
		  "with --uplink: if it has no network yet shut it, for sluice runtime to attach at its start",
		  &a.defer },
		{ 0, "ca", OPTION_TEXT, "FILE",
		  "with --oci: write the session's CA there, for a rootless engine", &a.ca },
		{ 0, "vm", OPTION_TEXT, "DOMAIN", "a guest of libvirt's, by its name", &a.vm },
		{ 0, "hook", OPTION_FLAG, NULL,
		  "as libvirt's hook: the guest's description is on standard input", &a.hook },
		{ 0, "mode", OPTION_TEXT, "MODE", "filtered | isolated | internal | monitor (bridge)", &a.mode },
		{ 'p', "policy", OPTION_LIST, "FILE|NAME",
		  "a policy file, or one of /etc/sluice/policies.d by its name; may repeat", &a.policies },
		{ 0, "session", OPTION_TEXT, "NAME", "name of the session", &a.session },
		{ 0, "publish", OPTION_LIST, "[ADDR:]PORT[:INSIDE]",
		  "the host's 127.0.0.1:PORT (or ADDR) reaches a server inside; may repeat", &a.publish },
		{ 0, "label", OPTION_LIST, "K=V", "label of the session, in the log; may repeat",
		  &a.labels },
		{ .name = NULL },
	};
	struct err err = { "" };
	int code;

	if (!command_alone(argc, argv, rows,
			   "it takes no argument (--pid, --netns, --container or --vm)", &code))
		return code;
	code = attach(&a, &err);
	option_list_done(&a.policies);
	option_list_done(&a.labels);
	option_list_done(&a.publish);
	return code;
}

int detach_main(int argc, char **argv)
{
	const struct option rows[] = { { .name = NULL } };
	struct control_request r = { .what = CONTROL_DETACH };
	struct err err = { "" };
	json_t *answer = NULL;
	int count, code;

	if (!command_read(argc, argv, rows, &count, &code))
		return code;
	r.session = argv[1];
	if (count != 1)
		err_set(&err, "detach: one SESSION (see sluice sessions)");
	else
		answer = ask_daemon(&r, &err);
	json_decref(answer);
	return answer ? 0 : complain(&err);
}

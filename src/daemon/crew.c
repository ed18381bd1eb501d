/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/crew.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <openssl/x509.h>

#include "daemon/courier.h"
#include "daemon/exporter.h"
#include "daemon/watched.h"
#include "jail/broker.h"
#include "policy/upstream.h"

static const struct {
	const char	*name, *word;
	enum program	 program;
	const char	*spare;		/* nothing hangs on it: what is said when it has ended */
} roles[ROLE_NUM] = {
	[ROLE_GATE] = { "gate", "role-gate", PROGRAM_GATE },
	[ROLE_RESOLVER] = { "resolver", "role-resolver", PROGRAM_RESOLVER },
	[ROLE_BROKER] = { "broker", "role-broker", PROGRAM_JAIL },
	[ROLE_EXPORTER] = { "exporter", "role-exporter", PROGRAM_EXPORTER,
			    "the exporter is gone: metrics are served no more" },
	[ROLE_COURIER] = { "courier", "role-courier", PROGRAM_COURIER,
			   "the courier is gone: alerts go to the webhook no more" },
};

const char *crew_name(enum role role)
{
	return roles[role].name;
}

const char *crew_spare(enum role role)
{
	return roles[role].spare;
}

bool crew_begin(struct crew *c, struct keeper *k, const char *folder, const struct role_user *user,
		struct err *err)
{
	*c = (struct crew){ .keeper = k, .user = user, .programs = PROGRAMS_NONE, .resolver = -1,
			    .notes = -1 };
	return programs_open(folder, &c->programs, err);
}

static bool spawn(struct crew *c, enum role role, const char *const argv[], const int *fds,
		  size_t fd_count, struct err *err)
{
	struct role_plan plan = { .program = c->programs.fd[roles[role].program], .argv = argv,
				  .fds = fds, .fd_count = fd_count, .user = c->user };

	c->pid[role] = role_spawn(&plan, err);
	return c->pid[role] > 0;
}

int crew_pair(enum role role, int *ret_theirs, struct err *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		err_sys(err, errno, "cannot start the %s", roles[role].name);
		return -1;
	}
	*ret_theirs = ends[1];
	return ends[0];
}

/* Start a role that has nothing but its end of a pair, which is closed here */
static bool spawn_paired(struct crew *c, enum role role, const char *const argv[], int *theirs,
			 struct err *err)
{
	bool ok = spawn(c, role, argv, theirs, 1, err);

	DROP_FD(*theirs);
	return ok;
}

/* ---- the broker ---- */

bool crew_hear(struct crew *c)
{
	struct broker_note note;
	ssize_t n;

	while ((n = recv(c->notes, &note, sizeof(note), MSG_DONTWAIT)) == sizeof(note)) {
		if (note.pid == 0)
			c->broker_ready = true;
		else if (note.port)
			refusal_note(c->keeper, &note);
		else
			conn_unix_denied(c->keeper, &note);
	}
	return n != 0;
}

static void on_note(evutil_socket_t fd, short what, void *arg)
{
	struct crew *c = arg;

	(void)fd, (void)what;
	/* Its end would be ready for ever, and a loop that runs until nothing is would not return */
	if (!crew_hear(c))
		event_del(&c->note_ev);
}

bool crew_broker(struct crew *c, struct jail *jail, const struct jail_plan *plan, struct err *err)
{
	const char **argv = calloc(2 * plan->allow_unix_count + 3, sizeof(*argv));
	int notes[2], fds[2];
	bool ok;

	if (!argv || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, notes) < 0) {
		free(argv);
		return err_sys(err, errno, "cannot start the broker");
	}
	argv[0] = "sluice";
	argv[1] = roles[ROLE_BROKER].word;
	for (size_t i = 0; i < plan->allow_unix_count; i++) {
		argv[2 + 2 * i] = "--allow-unix";
		argv[3 + 2 * i] = plan->allow_unix[i];
	}
	fds[BROKER_NOTIFY_FD - ROLE_FD] = jail->notify;
	fds[BROKER_NOTES_FD - ROLE_FD] = notes[1];
	ok = spawn(c, ROLE_BROKER, argv, fds, ARRAY_SIZE(fds), err);
	free(argv);
	close(notes[1]);
	DROP_FD(jail->notify);
	c->notes = notes[0];
	event_assign(&c->note_ev, c->keeper->loop, c->notes, EV_READ | EV_PERSIST, on_note, c);
	event_add(&c->note_ev, NULL);
	return ok;
}

/* ---- the others ---- */

#define TRUST_ARGS 4	/* that add_trust() adds */

/* Roles have no environment: what counts of ours is said in words */
static size_t add_trust(const char **argv, size_t argc)
{
	const char *cert_file = secure_getenv(X509_get_default_cert_file_env());
	const char *cert_dir = secure_getenv(X509_get_default_cert_dir_env());

	if (cert_file) {
		argv[argc++] = "--cert-file";
		argv[argc++] = cert_file;
	}
	if (cert_dir) {
		argv[argc++] = "--cert-dir";
		argv[argc++] = cert_dir;
	}
	return argc;
}

bool crew_gate(struct crew *c, int *theirs, struct err *err)
{
	const char *argv[2 + TRUST_ARGS + 1] = { "sluice", roles[ROLE_GATE].word };

	add_trust(argv, 2);
	return spawn_paired(c, ROLE_GATE, argv, theirs, err);
}

bool crew_courier(struct crew *c, int *theirs, struct err *err)
{
	const char *argv[2 + TRUST_ARGS + 1] = { "sluice", roles[ROLE_COURIER].word };

	add_trust(argv, 2);
	return spawn_paired(c, ROLE_COURIER, argv, theirs, err);
}

bool crew_resolver(struct crew *c, struct err *err)
{
	const char *argv[2 + 2 * UPSTREAMS_MAX + TRUST_ARGS + 1] = { "sluice",
								     roles[ROLE_RESOLVER].word };
	const struct policy *p = c->keeper->policy;
	size_t argc = 2;

	for (size_t i = 0; i < policy_settings(p).upstream_count && i < UPSTREAMS_MAX; i++) {
		argv[argc++] = "--upstream";
		argv[argc++] = policy_upstream(p, i);
	}
	add_trust(argv, argc);
	return spawn_paired(c, ROLE_RESOLVER, argv, &c->resolver, err);
}

bool crew_exporter(struct crew *c, const struct exporter_plan *plan, struct err *err)
{
	const char *argv[] = { "sluice", roles[ROLE_EXPORTER].word, "--session", plan->session,
			       "--version", plan->version, plan->local ? "--local" : NULL, NULL };
	int fds[2];

	fds[EXPORTER_COUNTERS_FD - ROLE_FD] = watched_share(c->keeper, err);
	fds[EXPORTER_LISTEN_FD - ROLE_FD] = plan->listening;
	return fds[EXPORTER_COUNTERS_FD - ROLE_FD] >= 0 &&
	       spawn(c, ROLE_EXPORTER, argv, fds, ARRAY_SIZE(fds), err);
}

/* ---- the end ---- */

bool crew_ended(struct crew *c, enum role *ret_role)
{
	for (int r = 0; r < ROLE_NUM; r++) {
		if (c->pid[r] <= 0 || waitpid(c->pid[r], NULL, WNOHANG) <= 0)
			continue;
		c->pid[r] = 0;
		*ret_role = (enum role)r;
		return true;
	}
	return false;
}

void crew_stop(struct crew *c)
{
	for (int r = 0; r < ROLE_NUM; r++) {
		if (c->pid[r] <= 0)
			continue;
		kill(c->pid[r], SIGKILL);
		waitpid(c->pid[r], NULL, 0);
		c->pid[r] = 0;
	}
	programs_close(&c->programs);
	DROP_FD(c->resolver);
	if (c->notes >= 0)
		event_del(&c->note_ev);
	DROP_FD(c->notes);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - `sluice daemon`: long-lived sessions for containers and machines */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/listen.h"
#include "control/server.h"
#include "daemon/display.h"
#include "daemon/notify.h"
#include "daemon/supervisor.h"

#define GROUP "sluice"

struct daemon_command {
	struct supervisor_plan	 plan;
	bool			 foreground;
	struct metrics_options	 dashboard;
	struct display_plan	 display;
	char			 folder[PATH_MAX], policies[PATH_MAX], program[PATH_MAX], programs[PATH_MAX];
	struct metrics_options	 metrics;
	struct role_user	 user;
	int			 parent;	/* it waits for a byte: we serve; -1: there is none */
};

static bool prepare(struct daemon_command *d, struct err *err)
{
	const struct group *group = getgrnam(GROUP);
	ssize_t len = readlink("/proc/self/exe", d->program, sizeof(d->program) - 1);

	if (geteuid() != 0)
		return err_set(err, "daemon: only root holds namespaces of others (sluice hold is for "
			       "one's own)");
	if (len < 0)
		return err_sys(err, errno, "/proc/self/exe");
	d->program[len] = '\0';
	if (!folder_run(d->folder, err) || !folder_make(d->folder, err) ||
	    !folder_join(d->policies, FOLDER_SYSTEM, "policies.d", err) ||
	    !folder_programs(d->programs, err) || !metrics_where(&d->metrics, err) ||
	    !role_user_find(ROLE_USER, &d->user, err))
		return false;
	d->plan = (struct supervisor_plan){
		.folder = d->folder, .policies = d->policies, .program = d->program,
		.version = SLUICE_VERSION, .group = group ? group->gr_gid : CONTROL_GROUP_NONE,
		.metrics = { d->folder, d->metrics.plan, d->programs, SLUICE_VERSION, &d->user },
	};
	return true;
}

/* Loopback, with a port, or a Unix socket: an account without rights serves it */
static bool prepare_dashboard(struct daemon_command *d, struct err *err)
{
	if (!d->dashboard.at)
		return true;
	if (!metrics_where(&d->dashboard, err))
		return err_set(err, "--dashboard %s: not 127.0.0.1:PORT, [::1]:PORT or unix:PATH",
			       d->dashboard.at);
	if (!d->dashboard.where.path && !d->dashboard.where.listen.port)
		return err_set(err, "--dashboard %s: which port?", d->dashboard.at);
	d->display = (struct display_plan){ d->dashboard.where, d->folder, d->programs, &d->user };
	d->plan.dashboard = &d->display.at;
	return true;
}

/*
 * go_behind() - leave the terminal
 *
 * The first process stays until the second one serves, and ends as that one's start did.
 */
static bool go_behind(struct daemon_command *d, struct err *err)
{
	int ends[2], null;
	char byte;
	pid_t pid;

	d->parent = -1;
	if (d->foreground)
		return true;
	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return err_sys(err, errno, "daemon");
	if (pid > 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 1 ? 0 : EXIT_SLUICE);
	}
	close(ends[0]);
	d->parent = ends[1];
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (setsid() < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || chdir("/") < 0)
		return err_sys(err, errno, "daemon");
	return true;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	event_base_loopexit(arg, NULL);
}

/* Return: false: memory is out */
static bool watch_signal(struct event_base *loop, int number)
{
	struct event *e = evsignal_new(loop, number, on_signal, loop);

	return e && event_add(e, NULL) == 0;	/* for as long as the program lives */
}

/* Whoever waits for us to serve: a terminal, systemd, nobody */
static void tell_ready(struct daemon_command *d)
{
	int r = notify_ready();

	if (r < 0)
		fprintf(stderr, "sluice: daemon: $NOTIFY_SOCKET: %s: systemd does not hear that it serves\n", strerror(-r));
	if (d->foreground)
		fprintf(stderr, "sluice: daemon: serves at %s/control.sock\n", d->folder);
	else if (write(d->parent, "+", 1) != 1)
		fprintf(stderr, "sluice: daemon: nobody waited for it to start\n");
	DROP_FD(d->parent);
}

static int serve(struct daemon_command *d, struct err *err)
{
	struct event_base *loop = event_base_new();
	struct supervisor *s;
	struct display *display = NULL;
	size_t left;

	signal(SIGPIPE, SIG_IGN);
	if (!loop || !watch_signal(loop, SIGTERM) || !watch_signal(loop, SIGINT)) {
		err_set(err, "out of memory");
		return complain(err);
	}
	s = supervisor_new(loop, &d->plan, err);
	if (!s)
		return complain(err);
	if (d->dashboard.at)
		display = display_new(loop, &d->display, s, err);
	if (d->dashboard.at && !display) {
		supervisor_free(s);
		return complain(err);
	}
	tell_ready(d);
	event_base_dispatch(loop);
	display_free(display);
	left = supervisor_free(s);
	if (left)
		fprintf(stderr, "sluice: daemon: %zu sessions go on without it (sluice daemon takes "
			"them over again)\n", left);
	return 0;
}

int daemon_main(int argc, char **argv)
{
	static struct daemon_command d;
	const struct option rows[] = {
		{ 0, "foreground", OPTION_FLAG, NULL, "stay in the foreground, as under systemd",
		  &d.foreground },
		{ 0, "dashboard", OPTION_TEXT, "ADDR",
		  "serve a page of all sessions on 127.0.0.1:PORT or unix:PATH", &d.dashboard.at },
		METRICS_OPTIONS(&d.metrics),
		{ .name = NULL },
	};
	struct err err = { "" };
	int code;

	if (!command_alone(argc, argv, rows, "it takes no argument", &code))
		return code;
	if (!prepare(&d, &err) || !prepare_dashboard(&d, &err) || !go_behind(&d, &err))
		return complain(&err);
	return serve(&d, &err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/display.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "control/place.h"
#include "control/request.h"
#include "daemon/attendant.h"
#include "daemon/clock.h"
#include "daemon/dashboard.h"
#include "daemon/panel.h"
#include "jail/pass.h"

#define OPENS_MAX 256		/* connections that are made in a second: no session is kept busy */
#define URL_FILE "dashboard.url"

struct display {
	struct display_plan *plan;
	const struct supervisor *supervisor;
	struct event_base *loop;
	struct programs	 programs;
	int		 listening, link;	/* -1 */
	struct attendant dashboard;
	struct event	 link_ev;
	char		 token[DASHBOARD_TOKEN_LEN + 1];
	int64_t		 second;	/* of the clock */
	unsigned	 opens;		/* in it */
};

/* ---- a session's socket for it ---- */

/* It is of a connection that is new: there is room */
static bool say_web(int fd)
{
	const struct control_request r = { .what = CONTROL_WEB };
	struct buf line = buf_new(CONTROL_LINE_MAX);
	ssize_t n;

	control_request_write(&r, &line);
	n = send(fd, line.at, line.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	n = n >= 0 && (size_t)n == line.len;
	buf_done(&line);
	return n;
}

static int open_for(struct display *d, const char *name)
{
	int64_t second = clock_ms() / 1000;
	int fd;

	if (second != d->second)
		d->opens = 0;
	d->second = second;
	if (d->opens++ >= OPENS_MAX)
		return -EAGAIN;
	if (strcmp(name, CONTROL_DAEMON) != 0 && !supervisor_holds(d->supervisor, name))
		return -ENOENT;
	fd = control_connect_now(d->plan->folder, name);
	if (fd >= 0 && !say_web(fd)) {
		close(fd);
		return -EAGAIN;
	}
	return fd;
}

static void on_link(evutil_socket_t link, short what, void *arg)
{
	struct panel_open open = { .error = 0 };
	struct display *d = arg;
	ssize_t n = recv(link, open.name, sizeof(open.name) - 1, MSG_DONTWAIT | MSG_TRUNC);
	bool whole = n > 0 && strlen(open.name) == (size_t)n;	/* not the head of another name */
	int fd;

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {	/* its end is seen by its pidfd */
		event_del(&d->link_ev);
		return;
	}
	fd = whole ? open_for(d, open.name) : -EINVAL;
	open.error = fd < 0 ? -fd : 0;
	if (pass_send(link, &open, sizeof(open), &fd, fd >= 0) < 0)
		attendant_kill(&d->dashboard);	/* it does not read: started anew it does */
	DROP_FD(fd);
}

/* ---- the process ---- */

static pid_t spawn(void *arg, struct err *err)
{
	struct display *d = arg;
	char port[8];
	const char *argv[] = { "sluice", "role-dashboard", d->plan->at.path ? NULL : "--port", port, NULL };
	int ends[2], fds[2];
	const struct role_plan plan = { .program = d->programs.fd[PROGRAM_DASHBOARD], .argv = argv,
					.fds = fds, .fd_count = 2, .alone = true, .user = d->plan->user };
	pid_t pid;

	snprintf(port, sizeof(port), "%u", d->plan->at.listen.port);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		err_sys(err, errno, "cannot start the dashboard");
		return -1;
	}
	d->link = ends[0];
	event_assign(&d->link_ev, d->loop, d->link, EV_READ | EV_PERSIST, on_link, d);
	event_add(&d->link_ev, NULL);
	fds[DASHBOARD_LINK_FD - ROLE_FD] = ends[1];
	fds[DASHBOARD_LISTEN_FD - ROLE_FD] = d->listening;
	pid = send(d->link, d->token, DASHBOARD_TOKEN_LEN, MSG_NOSIGNAL) == DASHBOARD_TOKEN_LEN ?
	      role_spawn(&plan, err) : -1;
	close(ends[1]);
	fcntl(d->link, F_SETFL, O_NONBLOCK);
	return pid;
}

static void ended(void *arg)
{
	struct display *d = arg;

	if (d->link >= 0)
		event_del(&d->link_ev);
	DROP_FD(d->link);
}

/* ---- the whole ---- */

static bool make_token(struct display *d, struct err *err)
{
	uint8_t bytes[DASHBOARD_TOKEN_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return err_sys(err, errno, "no random numbers");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(d->token + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

/* For root's eyes: whoever has it may decide what waits */
static bool write_url(const struct display *d, struct err *err)
{
	const struct listen_at *at = &d->plan->at.listen;
	char path[PATH_MAX], text[ADDR_TEXT_MAX], host[ADDR_TEXT_MAX + 8] = "localhost";
	FILE *file = NULL;
	int fd;

	addr_text(&at->addr, text);
	if (!d->plan->at.path)
		snprintf(host, sizeof(host), addr_is_v4(&at->addr) ? "%s:%u" : "[%s]:%u", text, at->port);
	snprintf(path, sizeof(path), "%s/" URL_FILE, d->plan->folder);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		file = fdopen(fd, "w");
	if (!file || fprintf(file, "http://%s/#%s\n", host, d->token) < 0 || fclose(file))
		return err_sys(err, errno, "%s", path);
	fprintf(stderr, "sluice: dashboard: http://%s/ (whole, with its token: %s)\n", host, path);
	return true;
}

struct display *display_new(struct event_base *loop, struct display_plan *plan,
			    const struct supervisor *s, struct err *err)
{
	struct display *d = calloc(1, sizeof(*d));

	if (!d) {
		err_set(err, "out of memory");
		return NULL;
	}
	*d = (struct display){ .plan = plan, .supervisor = s, .loop = loop, .programs = PROGRAMS_NONE,
			       .listening = -1, .link = -1 };
	d->dashboard = (struct attendant){ .name = "dashboard", .spawn = spawn, .ended = ended, .arg = d };
	d->listening = make_token(d, err) && programs_open(plan->programs, &d->programs, err) ?
		       doors_of_page(&plan->at, NULL, err) : -1;
	if (d->listening >= 0 && write_url(d, err) && attendant_start(&d->dashboard, loop, err))
		return d;
	display_free(d);
	return NULL;
}

void display_free(struct display *d)
{
	char path[PATH_MAX];

	if (!d)
		return;
	attendant_stop(&d->dashboard);
	if (d->listening >= 0) {
		snprintf(path, sizeof(path), "%s/" URL_FILE, d->plan->folder);
		unlink(path);
		doors_forget_page(&d->plan->at);
	}
	DROP_FD(d->listening);
	programs_close(&d->programs);
	free(d);
}

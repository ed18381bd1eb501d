/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/attendant.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "daemon/clock.h"
#include "daemon/role.h"

#define AGAIN_MS 500		/* after it has ended */

static void on_ended(evutil_socket_t fd, short what, void *arg);

static void let_go(struct attendant *a)
{
	if (a->pidfd >= 0)
		event_del(&a->ended_ev);
	if (a->pid > 0) {
		kill(a->pid, SIGKILL);
		waitpid(a->pid, NULL, 0);
	}
	a->pid = 0;
	DROP_FD(a->pidfd);
	if (a->ended)
		a->ended(a->arg);
}

static bool begin(struct attendant *a, struct err *err)
{
	a->pid = a->spawn(a->arg, err);
	a->pidfd = a->pid > 0 ? (int)syscall(SYS_pidfd_open, a->pid, 0) : -1;
	if (a->pidfd < 0) {
		if (!err->text[0])
			err_sys(err, errno, "cannot start the %s", a->name);
		let_go(a);
		return false;
	}
	event_assign(&a->ended_ev, a->loop, a->pidfd, EV_READ, on_ended, a);
	event_add(&a->ended_ev, NULL);
	return true;
}

static void again(struct attendant *a, const char *why)
{
	const struct timeval later = clock_timeval(AGAIN_MS);

	role_complain(a->name, why);
	event_add(&a->timer, &later);
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct attendant *a = arg;

	(void)fd, (void)what;
	let_go(a);
	again(a, "it has ended, and is started again");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct attendant *a = arg;
	struct err err = { "" };

	(void)fd, (void)what;
	if (!begin(a, &err))
		again(a, err.text);
}

bool attendant_start(struct attendant *a, struct event_base *loop, struct err *err)
{
	a->loop = loop;
	a->pid = 0;
	a->pidfd = -1;
	event_assign(&a->timer, loop, -1, 0, on_timer, a);
	return begin(a, err);
}

void attendant_kill(struct attendant *a)
{
	if (a->pid > 0)
		kill(a->pid, SIGKILL);
}

void attendant_stop(struct attendant *a)
{
	if (!a->loop)
		return;
	event_del(&a->timer);
	let_go(a);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/role.h"
#include "jail/pass.h"

#define LOAD_LIMIT_S 60		/* for the child: ten million names take a tenth of it */
#define BUSY_RETRIES 20		/* while a file is being written */
#define BUSY_MS 250
#define SETTLE_MS 100		/* after a change, for its companions */
#define EVENT_BYTES 16384	/* of inotify, read at once */

#define FILE_CHANGES (IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)
#define FOLDER_CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)

struct reload {
	struct event_base *loop;
	const struct reload_source *source;
	reload_done	*done;
	void		*arg;
	pid_t		 child;		/* 0: none runs */
	int		 report;	/* from it; -1 */
	int		 notify;	/* inotify; -1 */
	unsigned	 retries;
	bool		 asked;		/* the one that runs was asked for */
	bool		 again, again_asked;	/* one more is wanted after it */
	struct event	 report_ev, notify_ev, timer;
};

/* What the child has to say, with the image's descriptor */
struct report {
	enum loaded	 result;
	size_t		 len;		/* of the image */
	struct err	 err;
};

/* Everything of the keeper's is let go: a child that hangs must hold nothing up */
static _Noreturn void child(const struct reload *r, pid_t parent, int report)
{
	struct shared_policy shared = { .fd = -1 };
	struct report say = { .result = LOADED_BAD };
	int fds[2];
	size_t count;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGIO, SIG_IGN);
	if (getppid() != parent || dup2(report, 3) != 3 || close_range(4, UINT32_MAX, 0))
		_exit(1);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	say.result = r->source->load(r->source->arg, &shared, &say.err);
	say.len = say.result == LOADED ? shared.len : 0;
	fds[0] = shared.fd;
	fds[1] = shared.secrets;
	count = say.result != LOADED ? 0 : shared.secrets < 0 ? 1 : 2;
	_exit(pass_send(3, &say, sizeof(say), fds, count) != 0);
}

static void begin(struct reload *r, bool asked);

static void child_end(struct reload *r)
{
	if (r->report >= 0) {
		event_del(&r->report_ev);
		DROP_FD(r->report);
	}
	if (r->child > 0) {
		kill(r->child, SIGKILL);
		waitpid(r->child, NULL, 0);
	}
	r->child = 0;
}

static bool map(const struct pass *p, size_t len, struct shared_policy *ret)
{
	void *at = mmap(NULL, len, PROT_READ, MAP_SHARED, p->fds[0], 0);

	*ret = (struct shared_policy){ .len = len, .fd = p->fds[0],
				       .secrets = p->fd_count > 1 ? p->fds[1] : -1 };
	ret->policy = at == MAP_FAILED ? NULL : policy_attach(span_of(at, len));
	if (!ret->policy && at != MAP_FAILED)
		munmap(at, len);
	return ret->policy;
}

/* A request that came meanwhile is next */
static void over(struct reload *r, struct shared_policy *new, const struct err *err)
{
	bool asked = r->asked;

	r->retries = 0;
	r->done(r->arg, new, err, asked);
	if (!r->again)
		return;
	r->again = false;
	begin(r, r->again_asked);
}

static void later(struct reload *r, unsigned ms)
{
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(&r->timer, &wait);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	struct report say = { .result = LOADED_BAD };
	struct pass p = { .bytes = &say, .size = sizeof(say) };
	struct shared_policy new;
	struct reload *r = arg;
	ssize_t n = what & EV_READ ? pass_receive(fd, &p) : -1;

	child_end(r);
	if (n != sizeof(say) || !p.fd_count != (say.result != LOADED) || p.fd_count > 2) {
		say.result = LOADED_BAD;
		err_set(&say.err, what & EV_READ ? "reading the policy failed"
						 : "reading the policy took too long");
	}
	if (say.result == LOADED && map(&p, say.len, &new)) {
		over(r, &new, NULL);
		return;
	}
	for (size_t i = 0; i < p.fd_count; i++)
		close(p.fds[i]);
	if (say.result == LOADED)
		err_set(&say.err, "out of memory");
	if (say.result == LOADED_BUSY && r->retries++ < BUSY_RETRIES)
		later(r, BUSY_MS);
	else
		over(r, NULL, &say.err);
}

static bool child_start(struct reload *r, struct err *err)
{
	const struct timeval limit = { .tv_sec = LOAD_LIMIT_S };
	pid_t parent = getpid();
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, errno, "cannot start a child");
	r->child = fork();
	if (r->child == 0)
		child(r, parent, ends[1]);
	close(ends[1]);
	if (r->child < 0) {
		r->child = 0;
		close(ends[0]);
		return err_sys(err, errno, "cannot start a child");
	}
	r->report = ends[0];
	event_assign(&r->report_ev, r->loop, r->report, EV_READ, on_report, r);
	event_add(&r->report_ev, &limit);
	return true;
}

static void begin(struct reload *r, bool asked)
{
	struct err err = { "" };

	r->asked = asked;
	if (!child_start(r, &err))
		r->done(r->arg, NULL, &err, asked);
}

static bool runs(const struct reload *r)
{
	return r->child || r->retries;
}

void reload_ask(struct reload *r)
{
	if (!runs(r)) {
		begin(r, true);
		return;
	}
	r->again = r->again_asked = true;
}

/* A file was being written, or has changed */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct reload *r = arg;

	(void)fd, (void)what;
	if (!r->child)
		begin(r, r->retries && r->asked);
}

/* Which file it was does not matter: all are read */
static void on_notify(evutil_socket_t fd, short what, void *arg)
{
	char bytes[EVENT_BYTES] __attribute__((aligned(8)));
	struct reload *r = arg;

	(void)what;
	if (read(fd, bytes, sizeof(bytes)) <= 0)
		return;
	if (!runs(r)) {
		later(r, SETTLE_MS);
	} else if (!r->again) {
		r->again = true;
		r->again_asked = false;
	}
}

static void watch(struct reload *r)
{
	const struct reload_source *s = r->source;

	if (!s->watch_count)
		return;
	r->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	for (size_t i = 0; i < s->watch_count; i++) {
		char why[ERR_TEXT_MAX];
		bool ok = r->notify >= 0 &&
			  (inotify_add_watch(r->notify, s->watch[i],
					     FOLDER_CHANGES | IN_ONLYDIR) >= 0 ||
			   inotify_add_watch(r->notify, s->watch[i], FILE_CHANGES) >= 0);

		if (ok || errno == ENOENT)
			continue;
		snprintf(why, sizeof(why), "%s cannot be watched: %s", s->watch[i],
			 strerror(errno));
		role_complain("reload", why);
	}
	if (r->notify < 0)
		return;
	event_assign(&r->notify_ev, r->loop, r->notify, EV_READ | EV_PERSIST, on_notify, r);
	event_add(&r->notify_ev, NULL);
}

struct reload *reload_new(struct event_base *loop, const struct reload_source *source,
			  reload_done *done, void *arg)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct reload){ .loop = loop, .source = source, .done = done, .arg = arg,
			      .report = -1, .notify = -1 };
	event_assign(&r->timer, loop, -1, 0, on_timer, r);
	watch(r);
	return r;
}

void reload_free(struct reload *r)
{
	if (!r)
		return;
	child_end(r);
	event_del(&r->timer);
	if (r->notify >= 0) {
		event_del(&r->notify_ev);
		close(r->notify);
	}
	free(r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.c - connects on the jail's behalf
 *
 * holds		the notification descriptor; O_PATH descriptors of the jail's Unix servers
 * should		duplicate the caller's socket, read its address once, connect
 * mustn't		make sockets, open files for reading or writing, exec
 * accepts		connect(2) and listen(2) notifications; nothing from the keeper
 *
 * Theory
 *
 * "Look, then let the call continue" is a race for every family: another
 * thread swaps the address, or with dup2 the socket, after the look.  So
 * the call never continues.  The broker takes a duplicate of the socket (pidfd_getfd), a
 * copy of the address (process_vm_readv), makes sure that the caller was
 * still there when both were taken (NOTIF_ID_VALID: its number was not reused),
 * and connects the duplicate to the copy.  The family is the socket's
 * (SO_DOMAIN), never the address's.  listen(2) alone continues, see unix_peer.c.
 *
 *	INET, INET6	as it is: every address is local to the jail's namespace
 *	NETLINK		to the kernel only; more needs rights that the broker has over
 *			the jail's namespace, and the caller has not
 *	UNIX, abstract	as it is: these names belong to the network namespace
 *	UNIX, path	found as the caller would find it, held O_PATH, connected through
 *			/proc/self/fd if the jail's own or allowed, else EACCES and a note
 *
 * Blocking.  Whether a connect waits (full backlog) is the socket's
 * O_NONBLOCK, which is shared with the caller: we can't set it for ourselves.
 * Handing every blocking connect to another thread costs a wake-up for calls that
 * nearly never wait.  So one thread leads: it takes notifications and answers them itself.
 * A clock of its own interrupts it while there is work, and if the second tick finds it in
 * the same connect, the thread passes the lead to another and stays with its caller, looking
 * up at each slower tick whether the caller still lives.  At BROKER_WORKERS_MAX the
 * lead can't be passed, and the connect that waits is refused.  Winding a timer for
 * every connect cost 4.5 us of 16: so it is wound once, repeats, and is stopped by
 * the tick that finds nothing to do.  It also ends a close(2) that lingers.
 *
 * What a jailed process can do to the broker is make it wait: memory or
 * directories served by a process of its own (FUSE, where the jail has it).
 * Then no connect of that jail is answered.  It harms itself; nobody
 * else is served here.
 *
 * When the broker dies the last copy of the listener closes, and the kernel answers
 * the jail's connects with ENOSYS: fail closed.  (Datagrams without a connect, and TCP by
 * MSG_FASTOPEN, never came here; they meet the gate.)
 *
 * Known losses: a server in the jail sees SO_PEERCRED pid 0; a signal does not interrupt
 * a waiting connect unless it kills; connect rules of a Landlock domain
 * that the agent made for its own child are judged for the broker, and so not
 * at all (the jail's own policy holds).
 *
 * Landlock can't confine the broker: a task in a domain must not read tasks
 * outside it (tests/kernel/seccomp_unix_inode.c), and reading them is the job.
 */
#include "jail/broker.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <malloc.h>
#include <linux/netlink.h>
#include <linux/un.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "jail/jail.h"
#include "jail/kernel_abi.h"
#include "jail/unix_peer.h"

#define BROKER_WORKERS_MAX 32	/* connects that may wait at once; a thread each */
#define WORKER_STACK_BYTES (128 * 1024)	/* two PATH_MAX buffers and room */
#define NOTIF_BYTES 512		/* a notification; 80 today, the kernel tells */
#define CALLERS 8		/* pidfds kept, by thread number modulo this */
#define ALLOW_MAX 64		/* --allow-unix */
#define TICK_MS 5		/* a connect that sees two ticks of this clock passes the lead on */
#define SLOW_TICK_MS 200	/* and then asks this often whether its caller lives */
#define FILES_WANTED 1024	/* RLIMIT_NOFILE: servers, workers, callers */

/* A Unix socket of the host that may be connected to */
struct allowed {
	char			*path;	/* looked at each time; NULL: only @file */
	int			 fd;	/* keeps @file what it is */
	struct unix_file	 file;
};

struct broker {
	struct unix_peers	*peers;
	struct allowed		 allowed[ALLOW_MAX];
	size_t			 allowed_count;
	bool			 thread_pidfd;	/* PIDFD_THREAD works */

	pthread_mutex_t		 lock;		/* for the rest */
	pthread_cond_t		 turn;
	bool			 led;		/* somebody takes notifications */
	unsigned		 idle, workers;
};

struct worker {
	struct broker	*b;
	bool		 leads;
	bool		 ticks;		/* the clock runs */
	timer_t		 clock;
	struct caller {
		pid_t	tid;
		int	pidfd;
	} callers[CALLERS];
	union {
		struct seccomp_notif	notif;
		char			bytes[NOTIF_BYTES];
	} req;
};

union reply {
	struct seccomp_notif_resp	resp;
	char				bytes[NOTIF_BYTES];
};

/* ---- lead ---------------------------------------------------------------- */

static void *worker_run(void *arg);

static bool worker_start(struct broker *b)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (b->workers == BROKER_WORKERS_MAX)
		return false;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, WORKER_STACK_BYTES);
	rc = pthread_create(&thread, &attr, worker_run, b);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		b->workers++;
	return rc == 0;
}

static void lead_take(struct worker *w)
{
	struct broker *b = w->b;

	pthread_mutex_lock(&b->lock);
	b->idle++;
	while (b->led)
		pthread_cond_wait(&b->turn, &b->lock);
	b->idle--;
	b->led = w->leads = true;
	pthread_mutex_unlock(&b->lock);
}

/* Return: false when nobody is left to take it; then @w still leads */
static bool lead_pass(struct worker *w)
{
	struct broker *b = w->b;
	bool passed;

	if (!w->leads)
		return true;
	pthread_mutex_lock(&b->lock);
	passed = b->idle > 0 || worker_start(b);
	if (passed) {
		b->led = w->leads = false;
		pthread_cond_signal(&b->turn);
	}
	pthread_mutex_unlock(&b->lock);
	return passed;
}

/* ---- caller -------------------------------------------------------------- */

/*
 * Before Linux 6.9 a pidfd is of a whole process: find the one that @tid is of.
 * Where its first thread has ended alone, there is no way to its descriptors,
 * and its connects fail.
 */
static pid_t thread_group(pid_t tid)
{
	char path[64], text[512];
	const char *line;
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	line = strstr(text, "\nTgid:");
	return line ? (pid_t)strtol(line + strlen("\nTgid:"), NULL, 10) : -1;
}

static int process_pidfd(pid_t tid)
{
	pid_t tgid = thread_group(tid);
	int fd = tgid < 0 ? -1 : (int)syscall(SYS_pidfd_open, tgid, 0);

	return fd;
}

/*
 * The caller's descriptor @n, duplicated; or negative errno
 *
 * A pidfd is kept for the next time: a number is not reused while its thread
 * lives, and when it is dead the pidfd says ESRCH.  A pidfd of a
 * whole process says nothing about the thread's number, so it is not kept.
 */
static int caller_descriptor(struct worker *w, pid_t tid, int n)
{
	struct caller *c = &w->callers[(unsigned)tid % CALLERS];
	int fd = -1;

	if (c->pidfd >= 0 && c->tid == tid && w->b->thread_pidfd) {
		fd = (int)syscall(SYS_pidfd_getfd, c->pidfd, n, 0);
		if (fd >= 0 || errno != ESRCH)
			return fd < 0 ? -errno : fd;
	}
	DROP_FD(c->pidfd);
	c->tid = tid;
	c->pidfd = w->b->thread_pidfd ? (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD) :
		   process_pidfd(tid);
	if (c->pidfd < 0)
		return -EACCES;
	fd = (int)syscall(SYS_pidfd_getfd, c->pidfd, n, 0);
	return fd < 0 ? -errno : fd;
}

/* SEND and ID_VALID take a lock, and a tick may find us there */
static int notify_call(unsigned long what, void *arg)
{
	int rc;

	do
		rc = ioctl(BROKER_NOTIFY_FD, what, arg);
	while (rc && errno == EINTR);
	return rc;
}

static bool caller_waits(const struct worker *w)
{
	uint64_t id = w->req.notif.id;

	return notify_call(SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

union address {
	struct sockaddr		any;
	struct sockaddr_nl	nl;
	struct sockaddr_un	un;
	struct sockaddr_storage	room;
	char			bytes[sizeof(struct sockaddr_storage)];
};

/* Copy the address out of the caller's memory, by the kernel's rules.  0 or negative errno */
static int caller_address(const struct worker *w, union address *ret_addr, socklen_t *ret_len)
{
	const struct seccomp_data *d = &w->req.notif.data;
	int len = (int)d->args[2];
	struct iovec to = { ret_addr, (size_t)len };
	struct iovec from = { (void *)(uintptr_t)d->args[1], (size_t)len };

	if (len < 0 || (size_t)len > sizeof(*ret_addr))
		return -EINVAL;
	memset(ret_addr, 0, sizeof(*ret_addr));
	*ret_len = (socklen_t)len;
	if (len == 0)
		return 0;
	return process_vm_readv((pid_t)w->req.notif.pid, &to, 1, &from, 1, 0) == len ? 0 : -EFAULT;
}

/* ---- connect ------------------------------------------------------------- */

/* Interrupt @w every @every_ms; 0: leave it alone */
static void clock_set(struct worker *w, long every_ms)
{
	const struct timespec every = { .tv_nsec = every_ms * 1000000 };
	const struct itimerspec t = { every, every };

	timer_settime(w->clock, 0, &t, NULL);
	w->ticks = every_ms != 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Has a connect begun at @since waited for as long as the socket's owner wants? */
static bool waited_enough(int sock, int64_t since_ms)
{
	struct timeval limit = { 0 };
	socklen_t len = sizeof(limit);

	if (getsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, &len))
		return false;
	if (limit.tv_sec == 0 && limit.tv_usec == 0)
		return false;
	return now_ms() - since_ms >= limit.tv_sec * 1000 + limit.tv_usec / 1000;
}

/* Give an unfinished connect up, so that nothing of it comes later */
static int connect_undo(int sock, int domain)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (domain == AF_UNIX)
		return -EAGAIN;		/* the kernel's answer for a full backlog */
	connect(sock, &none, sizeof(none));
	return -ETIMEDOUT;
}

/* connect(2), which may wait for as long as the caller would.  0 or negative errno */
static int worker_connect(struct worker *w, int sock, int domain, const union address *a,
			  socklen_t len)
{
	int64_t since_ms = 0;

	while (connect(sock, &a->any, len)) {
		if (errno != EINTR)
			return -errno;
		if (!since_ms) {	/* the first tick may have come at once */
			since_ms = now_ms();
			continue;
		}
		if (!caller_waits(w))
			return -EINTR;		/* dead: nobody reads this */
		if (!lead_pass(w))
			return connect_undo(sock, domain);
		clock_set(w, SLOW_TICK_MS);
		if (waited_enough(sock, since_ms))
			return domain == AF_UNIX ? -EAGAIN : -EINPROGRESS;
	}
	return 0;
}

static void note_send(struct broker_note *note)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/exe", note->pid);
	if (readlinkat(AT_FDCWD, path, note->exe, sizeof(note->exe)) <= 0)
		note->exe[0] = '\0';
	send(BROKER_NOTES_FD, note, sizeof(*note), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * Has the kernel refused the SYN?  It says so at once, since the network is memory; a caller
 * that does not wait is told later, and then the socket is closed already.
 */
static bool was_refused(int sock, int rc)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (rc != -EINPROGRESS)
		return rc == -ECONNREFUSED;
	return getsockopt(sock, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       info.tcpi_state == TCP_CLOSE;
}

static bool is_loopback(const struct addr *a)
{
	struct addr six = addr_from_in6(&in6addr_loopback);

	return addr_is_v4(a) ? a->b[12] == IN_LOOPBACKNET : addr_eq(a, &six);
}

/* Who asked is gone from every table of the kernel's by then: it is told from here.  On
 * loopback it was the jail's own doing. */
static void note_refused(const struct worker *w, const union address *a, socklen_t len)
{
	struct broker_note note = { .pid = (pid_t)w->req.notif.pid };

	if (addr_from_sockaddr(a, len, &note.server, &note.port) && note.port &&
	    !is_loopback(&note.server))
		note_send(&note);
}

/*
 * The note names the socket that was found, not the words that were asked: a
 * link of the agent's making would stand in the advice, and following that would
 * let the agent through to what it points to.
 */
static void note_denied(const struct worker *w, int found)
{
	struct broker_note note = { .pid = (pid_t)w->req.notif.pid };
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", found);
	if (readlinkat(AT_FDCWD, self, note.path, sizeof(note.path)) <= 0)
		note.path[0] = '?';
	note_send(&note);
}

static bool allowed_by_flag(const struct broker *b, const struct unix_file *f)
{
	for (size_t i = 0; i < b->allowed_count; i++) {
		const struct allowed *a = &b->allowed[i];
		struct unix_file now = a->file;
		AUTO_CLOSE int fd = -1;

		if (a->path) {
			fd = openat(AT_FDCWD, a->path, O_PATH | O_CLOEXEC);
			if (fd < 0 || unix_file_of(fd, &now))
				continue;
		}
		if (unix_file_same(&now, f))
			return true;
	}
	return false;
}

static int connect_unix(struct worker *w, int sock, const union address *a, socklen_t len)
{
	char path[UNIX_PATH_MAX + 1] = { 0 };
	AUTO_CLOSE int fd = -1;
	union address to = { .un.sun_family = AF_UNIX };
	struct unix_file file;

	if (len <= offsetof(struct sockaddr_un, sun_path) || len > sizeof(a->un) ||
	    a->un.sun_family != AF_UNIX)
		return -EINVAL;
	if (!a->un.sun_path[0])
		return worker_connect(w, sock, AF_UNIX, a, len);
	memcpy(path, a->un.sun_path, len - offsetof(struct sockaddr_un, sun_path));
	fd = unix_path_open((pid_t)w->req.notif.pid, path, &file);
	if (fd < 0)
		return TAKE_FD(fd);
	if (!file.is_socket)
		return -ECONNREFUSED;
	if (!unix_peers_know(w->b->peers, &file) && !allowed_by_flag(w->b, &file)) {
		if (unix_peers_dead(w->b->peers, fd))
			return -ECONNREFUSED;
		note_denied(w, fd);
		return -EACCES;
	}
	snprintf(to.un.sun_path, sizeof(to.un.sun_path), "/proc/self/fd/%d", fd);
	return worker_connect(w, sock, AF_UNIX, &to, sizeof(to.un));
}

static int connect_netlink(int sock, const union address *a, socklen_t len)
{
	if (a->any.sa_family != AF_UNSPEC && (a->nl.nl_pid || a->nl.nl_groups))
		return -EPERM;
	return connect(sock, &a->any, len) ? -errno : 0;
}

static int connect_as_caller(struct worker *w, int sock)
{
	int domain = -1;
	socklen_t domain_len = sizeof(domain), len;
	union address a;
	int rc;

	if (getsockopt(sock, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len))
		return -errno;
	rc = caller_address(w, &a, &len);
	if (rc)
		return rc;
	if (!caller_waits(w))
		return -ESRCH;
	switch (domain) {
	case AF_INET:
	case AF_INET6:
		rc = worker_connect(w, sock, domain, &a, len);
		if (rc && was_refused(sock, rc))
			note_refused(w, &a, len);
		return rc;
	case AF_UNIX:
		return connect_unix(w, sock, &a, len);
	case AF_NETLINK:
		return connect_netlink(sock, &a, len);
	default:
		return -EAFNOSUPPORT;
	}
}

/* ---- notifications ------------------------------------------------------- */

static void worker_answer(struct worker *w)
{
	const struct seccomp_notif *n = &w->req.notif;
	union reply reply = { .resp.id = n->id };
	int sock = caller_descriptor(w, (pid_t)n->pid, (int)n->data.args[0]);

	if (!w->ticks)
		clock_set(w, TICK_MS);
	if (n->data.nr == __NR_listen) {
		if (sock >= 0 && caller_waits(w))
			unix_peers_learn(w->b->peers, sock);
		reply.resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	} else {
		reply.resp.error = sock < 0 ? sock : connect_as_caller(w, sock);
	}
	/* May fail: the caller may have died */
	notify_call(SECCOMP_IOCTL_NOTIF_SEND, &reply);
	DROP_FD(sock);
}

static bool jail_is_gone(void)
{
	struct pollfd p = { BROKER_NOTIFY_FD, 0, 0 };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* No notification came: @why.  Go on, or end with the jail, or fail closed */
static void worker_excuse(struct worker *w, int why)
{
	if (why == EINTR)
		clock_set(w, 0);	/* a tick, and nothing to do */
	else if (jail_is_gone())
		_exit(0);
	else if (why != ENOENT && why != ENOMEM)	/* ENOENT: the caller died first */
		_exit(1);
}

static void worker_serve(struct worker *w)
{
	while (w->leads) {
		memset(&w->req, 0, sizeof(w->req));
		if (ioctl(BROKER_NOTIFY_FD, SECCOMP_IOCTL_NOTIF_RECV, &w->req))
			worker_excuse(w, errno);
		else
			worker_answer(w);
	}
	clock_set(w, 0);
}

static void *worker_run(void *arg)
{
	struct worker w = { .b = arg };
	struct sigevent to_me = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };

	to_me._sigev_un._tid = gettid();
	for (size_t i = 0; i < CALLERS; i++)
		w.callers[i].pidfd = -1;
	if (timer_create(CLOCK_MONOTONIC, &to_me, &w.clock))
		_exit(1);	/* without a timer one connect could stop all; none is safer */
	for (;;) {
		lead_take(&w);
		worker_serve(&w);
	}
	return NULL;
}

/* ---- start --------------------------------------------------------------- */

static void on_tick(int signo)
{
	(void)signo;
}

static void broker_signals(void)
{
	static const int terminal[] = { SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGPIPE };
	struct sigaction tick = { .sa_handler = on_tick };	/* no SA_RESTART: it must interrupt */

	for (size_t i = 0; i < ARRAY_SIZE(terminal); i++)
		signal(terminal[i], SIG_IGN);
	sigaction(SIGUSR1, &tick, NULL);
}

static void broker_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	if (files.rlim_cur < FILES_WANTED)
		files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
	setrlimit(RLIMIT_NOFILE, &files);
}

/* Could somebody with our rights write into @dir, now or after a chmod of their own? */
static bool dir_is_ours(const char *dir)
{
	struct stat st;

	return faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0 || stat(dir, &st) ||
	       st.st_uid == geteuid();
}

/* Could they put another file at @path, which has no links? */
static bool path_is_movable(const char *path)
{
	char dir[PATH_MAX];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	while ((slash = strrchr(dir, '/'))) {
		*slash = '\0';
		if (dir_is_ours(*dir ? dir : "/"))
			return true;
	}
	return false;
}

/*
 * A socket in a directory that the agent's user can write or owns is held as it is now:
 * the agent could move or link any other socket there.  Elsewhere its
 * server may be started again, and the name, free of links, counts.
 */
static bool broker_allow(struct broker *b, const char *path, struct err *err)
{
	struct allowed *a = &b->allowed[b->allowed_count];
	AUTO_FREE char *real = realpath(path, NULL);

	if (b->allowed_count == ALLOW_MAX)
		return err_set(err, "--allow-unix: more than %d", ALLOW_MAX);
	a->fd = real ? open(real, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (a->fd < 0 || unix_file_of(a->fd, &a->file))
		return err_sys(err, errno, "--allow-unix: %s", path);
	if (!a->file.is_socket)
		return err_set(err, "--allow-unix: %s: not a socket", path);
	a->path = path_is_movable(real) ? NULL : TAKE(real);
	b->allowed_count++;
	return true;
}

static bool broker_options(struct broker *b, int argc, char **argv, struct err *err)
{
	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "--allow-unix") != 0 || i + 1 == argc)
			return err_set(err, "role-broker: %s: unknown option", argv[i]);
		if (!broker_allow(b, argv[i + 1], err))
			return false;
	}
	return true;
}

static bool broker_kernel(struct broker *b, struct err *err)
{
	struct seccomp_notif_sizes sizes;
	int fd;

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes))
		return err_sys(err, errno, "seccomp notification");
	if (sizes.seccomp_notif > NOTIF_BYTES ||
	    sizes.seccomp_notif_resp > NOTIF_BYTES)
		return err_set(err, "seccomp notification: unknown size");
	/* 14 us a connect instead of 33; a kernel without it does as well */
	ioctl(BROKER_NOTIFY_FD, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	fd = (int)syscall(SYS_pidfd_open, gettid(), PIDFD_THREAD);
	b->thread_pidfd = fd >= 0;
	DROP_FD(fd);
	return true;
}

int broker_main(int argc, char **argv)
{
	static struct broker b = { .lock = PTHREAD_MUTEX_INITIALIZER,
				   .turn = PTHREAD_COND_INITIALIZER, .workers = 1 };
	struct broker_note ready = { 0 };
	struct err err = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	syscall(SYS_close_range, BROKER_NOTES_FD + 1u, ~0u, 0u);
	broker_signals();
	broker_limits();
	mallopt(M_ARENA_MAX, 1);	/* threads allocate next to nothing */
	b.peers = unix_peers_new();
	if (!b.peers)
		err_sys(&err, errno, "broker");
	else if (broker_options(&b, argc, argv, &err) && broker_kernel(&b, &err))
		confine_broker(&err);
	if (err.text[0]) {
		dprintf(STDERR_FILENO, "sluice: %s\n", err.text);
		return 125;
	}
	if (send(BROKER_NOTES_FD, &ready, sizeof(ready), MSG_NOSIGNAL) != sizeof(ready))
		return 125;
	worker_run(&b);
	return 0;
}

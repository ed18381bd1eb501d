/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_broker.c - an agent that connects, and one that does what it shouldn't
 *
 * Agent functions run jailed; what a test puts into `dir` before is the host's.
 * Run as root, everything is run a second time as an ordinary user.
 */
#include "agent.h"

#include <grp.h>
#include <limits.h>
#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "jail/kernel_abi.h"

/* ---- plain use ----------------------------------------------------------- */

static int agent_inet(void)
{
	struct sockaddr any = { .sa_family = AF_UNSPEC };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in to, shut;
	int server = tcp_listen(8, &to), closed = tcp_listen(8, &shut), fd = tcp(0), rc;

	close(closed);
	JAILED(server >= 0 && tcp_connect(fd, &to) == 0);
	JAILED(tcp_connect(fd, &to) == EISCONN);
	JAILED(write(fd, "x", 1) == 1);
	JAILED(tcp_connect(tcp(0), &shut) == ECONNREFUSED);
	fd = tcp(SOCK_NONBLOCK);
	rc = tcp_connect(fd, &to);
	JAILED(rc == EINPROGRESS || rc == 0);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	JAILED(tcp_connect(fd, &to) == 0);
	JAILED(connect(fd, &any, sizeof(any)) == 0);
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	JAILED(connect(fd, (struct sockaddr *)&six, sizeof(six)) == -1 && errno == ECONNREFUSED);
	return 0;
}

static int agent_netlink(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	JAILED(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	a.nl_pid = 4711;
	JAILED(connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1 && errno == EPERM);
	a = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_groups = 1 };
	JAILED(connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1 && errno == EPERM);
	return 0;
}

static int agent_unix(void)
{
	struct sockaddr_un abstract = { .sun_family = AF_UNIX, .sun_path = "\0sluice-test" };
	int server = un_listen("own", 8), fd, got;
	char byte = 0;

	JAILED(server >= 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	JAILED(un_connect_fd(fd, "own") == 0 && write(fd, "x", 1) == 1);
	got = accept(server, NULL, NULL);
	JAILED(read(got, &byte, 1) == 1 && byte == 'x');
	JAILED(un_connect_fd(fd, "own") == EISCONN);
	close(server);
	JAILED(un_connect("own") == ECONNREFUSED);
	JAILED(un_connect("nothing") == ENOENT);
	JAILED(un_connect("own/below") == ENOTDIR);
	JAILED(un_connect("own/") == ENOTDIR);

	server = socket(AF_UNIX, SOCK_STREAM, 0);
	JAILED(bind(server, (struct sockaddr *)&abstract, 14) == 0 && listen(server, 1) == 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	JAILED(connect(fd, (struct sockaddr *)&abstract, 14) == 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	JAILED(connect(fd, (struct sockaddr *)&abstract, 13) == -1 && errno == ECONNREFUSED);
	return 0;
}

/* The parent that called listen is gone when its daemon is asked */
static int agent_daemon(void)
{
	int done[2];
	char byte;

	JAILED(pipe(done) == 0);
	if (fork() == 0) {
		if (un_listen("daemon", 8) < 0)
			_exit(1);
		if (fork() == 0) {
			close(done[1]);
			pause();
		}
		_exit(0);
	}
	wait(NULL);
	close(done[1]);
	JAILED(read(done[0], &byte, 1) == 0);
	JAILED(un_connect("daemon") == 0);
	return 0;
}

static int agent_paths(void)
{
	char far[PATH_MAX], own[64];
	int fd;

	JAILED(chdir(dir) == 0 && mkdir("a", 0700) == 0 && mkdir("a/b", 0700) == 0);
	JAILED(un_listen("a/s", 64) >= 0);
	snprintf(far, sizeof(far), "%s/a/s", dir);
	JAILED(symlink(far, "absolute") == 0 && symlink("../a/s", "a/relative") == 0);
	JAILED(symlink("loop", "loop") == 0 && symlink("a", "dirlink") == 0);
	JAILED(un_connect("./a/s") == 0);
	JAILED(un_connect(".//a/.//b/../s") == 0);
	JAILED(un_connect("./absolute") == 0);
	JAILED(un_connect("./a/relative") == 0);
	JAILED(un_connect("./dirlink/s") == 0);
	JAILED(un_connect("./loop") == ELOOP);
	JAILED(un_connect("./a") == ECONNREFUSED);
	JAILED(un_connect("/") == ECONNREFUSED);
	JAILED(chdir("a/b") == 0);
	JAILED(un_connect("../s") == 0);
	JAILED(un_connect("../../a/s") == 0);
	fd = open("..", O_PATH | O_DIRECTORY);
	snprintf(own, sizeof(own), "/proc/self/fd/%d/s", fd);
	JAILED(un_connect(own) == 0);
	JAILED(un_connect("/proc/self/fd/999/s") == ENOENT);
	return 0;
}

/* A root of its own: the same words mean other files; ".." ends there */
static int agent_chroot(void)
{
	char path[PATH_MAX];

	JAILED(chdir(dir) == 0 && mkdir("new", 0700) == 0);
	JAILED(un_listen("new/s", 8) >= 0);
	if (fork() == 0) {
		/* in its own user namespace it may chroot */
		if (unshare(CLONE_NEWUSER) || chroot("new") || chdir("/"))
			_exit(10);
		if (un_connect("/s") || un_connect("/../../s") || un_connect("./../s"))
			_exit(11);
		snprintf(path, sizeof(path), "%s/new/s", dir);
		_exit(un_connect(path) == ENOENT ? 0 : 12);
	}
	int status;

	wait(&status);
	errno = 0;
	JAILED(WEXITSTATUS(status) == 0);
	return 0;
}

/* A sandbox inside: its servers are the jail's as well, from both sides */
static int agent_nested(void)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	JAILED(pipe(ready) == 0 && un_listen("outer", 8) >= 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS))
			_exit(20);
		if (fork() == 0) {
			if (un_listen("inner", 8) < 0 || un_connect("inner"))
				_exit(21);
			if (un_connect("outer"))
				_exit(22);
			if (un_connect("host") != EACCES)
				_exit(23);
			if (write(ready[1], "x", 1) != 1)
				_exit(24);
			pause();
		}
		close(ready[1]);
		wait(&status);
		_exit(WEXITSTATUS(status));
	}
	close(ready[1]);
	JAILED(read(ready[0], &byte, 1) == 1);
	JAILED(un_connect("inner") == 0);
	return 0;
}

static void *thread_connects(void *arg)
{
	return (void *)(intptr_t)un_connect(arg);
}

static void *thread_outlives(void *arg)
{
	usleep(20000);	/* the leader is a zombie by then */
	_exit(un_connect(arg) ? 30 : 0);
}

static int agent_threads(void)
{
	static char own[] = "own";
	pthread_t t;
	void *rc;

	JAILED(un_listen("own", 8) >= 0);
	JAILED(pthread_create(&t, NULL, thread_connects, own) == 0);
	JAILED(pthread_join(t, &rc) == 0 && rc == NULL);
	if (syscall(SYS_pidfd_open, getpid(), PIDFD_THREAD) < 0)
		return 0;	/* before Linux 6.9 the rest can't be */
	JAILED(pthread_create(&t, NULL, thread_outlives, own) == 0);
	pthread_exit(NULL);
}

/* ---- refused ------------------------------------------------------------- */

static int agent_host(void)
{
	char far[PATH_MAX];

	JAILED(un_listen("own", 8) >= 0 && un_connect("own") == 0);
	JAILED(un_connect("host") == EACCES);
	snprintf(far, sizeof(far), "%s/host", dir);
	JAILED(symlink(far, un("to-host").sun_path) == 0 && un_connect("to-host") == EACCES);
	JAILED(link(far, un("linked").sun_path) == 0 && un_connect("linked") == EACCES);
	JAILED(un_connect("stale") == ECONNREFUSED);
	JAILED(un_connect("file") == ECONNREFUSED);
	return 0;
}

static int agent_pointers(void)
{
	struct sockaddr_in to;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int server = tcp_listen(8, &to), fd = tcp(0), u = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr *edge = (struct sockaddr *)(page + 4096 - 8), *nowhere = NULL;

	JAILED(server >= 0 && munmap(page + 4096, 4096) == 0);
	memcpy(edge, &to, 8);
	__asm__("" : "+r"(nowhere));
	JAILED(connect(fd, nowhere, 16) == -1 && errno == EFAULT);
	JAILED(connect(fd, edge, 16) == -1 && errno == EFAULT);
	JAILED(syscall(SYS_connect, fd, ~0ul - 7, 16) == -1 && errno == EFAULT);
	JAILED(syscall(SYS_connect, fd, &to, 129) == -1 && errno == EINVAL);
	JAILED(syscall(SYS_connect, fd, &to, -1) == -1 && errno == EINVAL);
	JAILED(syscall(SYS_connect, fd, &to, 0) == -1 && errno == EINVAL);
	JAILED(syscall(SYS_connect, fd, &to, 3) == -1 && errno == EINVAL);
	JAILED(syscall(SYS_connect, -1, &to, 16) == -1 && errno == EBADF);
	JAILED(syscall(SYS_connect, 999, &to, 16) == -1 && errno == EBADF);
	fd = open("/dev/null", O_RDONLY);
	JAILED(syscall(SYS_connect, fd, &to, 16) == -1 && errno == ENOTSOCK);
	JAILED(connect(u, (struct sockaddr *)&a, 2) == -1 && errno == EINVAL);
	JAILED(connect(u, (struct sockaddr *)&to, sizeof(to)) == -1 && errno == EINVAL);
	JAILED(syscall(SYS_connect, u, &a, 111) == -1 && errno == EINVAL);
	/* garbage in the upper halves of int registers is not looked at */
	fd = tcp(0);
	JAILED(syscall(SYS_connect, 0x700000000ul | (unsigned)fd, &to, 0x900000010ul) == 0);
	return 0;
}

/* Longest names: 108 bytes, no NUL.  A bind on it, too, is the kernel's own reading */
static int agent_long_path(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t used = (size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s/", dir);
	int server = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(a.sun_path + used, 'x', sizeof(a.sun_path) - used);
	JAILED(bind(server, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(server, 1) == 0);
	JAILED(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	return 0;
}

/* ---- races --------------------------------------------------------------- */

#define RACE_SECONDS 0.7
static struct {
	struct sockaddr_un	own, host, link, spare;
	struct sockaddr_un	shared;		/* what connect points at */
	int			fd;		/* what connect names; tcp or unix by turns */
} race;
static volatile bool race_over;

static void *race_swap(void *arg)
{
	(void)arg;
	while (!race_over) {
		int t = tcp(0), u = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		unlink(race.spare.sun_path);
		if (symlink(race.host.sun_path, race.spare.sun_path) == 0)
			rename(race.spare.sun_path, race.link.sun_path);
		memcpy(&race.shared, &race.host, sizeof(race.host));
		dup2(t, race.fd);
		unlink(race.spare.sun_path);
		if (symlink(race.own.sun_path, race.spare.sun_path) == 0)
			rename(race.spare.sun_path, race.link.sun_path);
		memcpy(&race.shared, &race.own, sizeof(race.own));
		dup2(u, race.fd);
		close(t);
		close(u);
	}
	return NULL;
}

static int agent_races(void)
{
	int server = un_listen("own", 4096), reached = 0, tries = 0, drained;
	double until = now() + RACE_SECONDS;
	pthread_t t;

	race.own = un("own");
	race.host = un("host");
	race.link = un("link");
	race.spare = un("spare");
	race.shared = race.own;
	race.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fcntl(server, F_SETFL, O_NONBLOCK);
	JAILED(pthread_create(&t, NULL, race_swap, NULL) == 0);
	while (now() < until) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		tries++;
		reached += connect(fd, (struct sockaddr *)&race.link, sizeof(race.link)) == 0;
		reached += connect(race.fd, (struct sockaddr *)&race.shared,
				   sizeof(race.shared)) == 0;
		close(fd);
		while ((drained = accept4(server, NULL, NULL, SOCK_CLOEXEC)) >= 0)
			close(drained);
	}
	race_over = true;
	pthread_join(t, NULL);
	JAILED(tries > 100 && reached > 10);	/* it raced, and the allowed way worked */
	return 0;
}

/* ---- load ---------------------------------------------------------------- */

#define CROWD 500
static struct sockaddr_in crowd_to;

static void *crowd_member(void *arg)
{
	int fd = tcp(0), failed = 0;

	(void)arg;
	for (int i = 0; i < 4; i++) {
		failed += fd < 0 || tcp_connect(fd, &crowd_to) != 0;
		close(fd);
		failed += un_connect("own") != 0;
		fd = tcp(0);
	}
	close(fd);
	return (void *)(intptr_t)failed;
}

static void *crowd_drain(void *arg)
{
	struct pollfd p[2] = { { ((int *)arg)[0], POLLIN, 0 }, { ((int *)arg)[1], POLLIN, 0 } };

	for (;;) {
		poll(p, 2, -1);
		for (int i = 0; i < 2; i++)
			if (p[i].revents)
				close(accept4(p[i].fd, NULL, NULL, SOCK_CLOEXEC));
	}
	return NULL;
}

static int agent_crowd(void)
{
	static int servers[2];
	pthread_t crowd[CROWD], drain;
	pthread_attr_t small;
	intptr_t failed = 0;
	void *rc;

	servers[0] = tcp_listen(4096, &crowd_to);
	servers[1] = un_listen("own", 4096);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	JAILED(pthread_create(&drain, NULL, crowd_drain, servers) == 0);
	for (int i = 0; i < CROWD; i++)
		JAILED(pthread_create(&crowd[i], &small, crowd_member, NULL) == 0);
	for (int i = 0; i < CROWD; i++) {
		pthread_join(crowd[i], &rc);
		failed += (intptr_t)rc;
	}
	errno = 0;
	JAILED(failed == 0);
	return 0;
}

#define WAITERS 40	/* more than BROKER_WORKERS_MAX */
static int waiter_result[WAITERS];

static void *waiter(void *arg)
{
	*(int *)arg = un_connect("full");
	return NULL;
}

/* A server that never accepts: its callers wait, nobody else does */
static int agent_backlog(void)
{
	struct timeval limit = { .tv_usec = 300000 };
	struct sockaddr_in to;
	int server = un_listen("full", 0), other = tcp_listen(64, &to), refused = 0, fd;
	pthread_t t[WAITERS];
	double began;

	JAILED(server >= 0 && other >= 0 && un_connect("full") == 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	JAILED(un_connect_fd(fd, "full") == EAGAIN);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	began = now();
	JAILED(un_connect_fd(fd, "full") == EAGAIN);
	JAILED(now() - began > 0.25 && now() - began < 2);

	for (int i = 0; i < WAITERS; i++) {
		waiter_result[i] = -1;
		pthread_create(&t[i], NULL, waiter, &waiter_result[i]);
	}
	usleep(700000);
	for (int i = 0; i < WAITERS; i++)
		refused += waiter_result[i] == EAGAIN;
	JAILED(refused == WAITERS - 31);	/* one always leads */
	began = now();
	for (int i = 0; i < 100; i++) {
		fd = tcp(0);
		JAILED(tcp_connect(fd, &to) == 0);
		close(accept(other, NULL, NULL));
		close(fd);
	}
	JAILED(now() - began < 1);
	/* one place becomes free: one of them goes on */
	close(accept(server, NULL, NULL));
	usleep(400000);
	refused = 0;
	for (int i = 0; i < WAITERS; i++)
		refused += waiter_result[i] == 0;
	JAILED(refused == 1);
	close(server);
	for (int i = 0; i < WAITERS; i++)
		pthread_join(t[i], NULL);
	return 0;
}

/* Callers that die while they wait give their workers back */
static int agent_dies_waiting(void)
{
	pid_t pid[WAITERS];
	int server = un_listen("full", 0), fd;

	JAILED(un_connect("full") == 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 31; i++) {
			pid[i] = fork();
			if (pid[i] == 0)
				_exit(un_connect("full"));
		}
		usleep(400000);
		for (int i = 0; i < 31; i++)
			kill(pid[i], SIGKILL);
		for (int i = 0; i < 31; i++)
			JAILED(waitpid(pid[i], &fd, 0) == pid[i] && WIFSIGNALED(fd));
		usleep(500000);
	}
	close(server);
	JAILED(un_listen("own", 1) >= 0 && un_connect("own") == 0);
	return 0;
}

static int agent_dies_often(void)
{
	struct sockaddr_in to;
	int server = tcp_listen(4096, &to), status;

	JAILED(server >= 0);
	for (int i = 0; i < 300; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				tcp_connect(tcp(SOCK_NONBLOCK), &to);
		usleep((useconds_t)(i % 10) * 100);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	JAILED(un_listen("own", 1) >= 0 && un_connect("own") == 0);
	return 0;
}

/* 600 live servers: the table holds 512, and forgets what nobody used */
static int agent_servers(void)
{
	char name[16];
	int first = un_listen("first", 8), own;

	JAILED(first >= 0);
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		own = un_listen(name, 1);
		JAILED(own >= 0 && un_connect("first") == 0);
		close(accept(first, NULL, NULL));
	}
	JAILED(un_connect("s599") == 0);
	JAILED(un_connect("s0") == EACCES);
	return 0;
}

/* 3000 servers, one after the other: the dead make room */
static int agent_servers_come_and_go(void)
{
	int keep = un_listen("keep", 8), fd;

	JAILED(keep >= 0);
	for (int i = 0; i < 3000; i++) {
		unlink(un("brief").sun_path);
		fd = un_listen("brief", 1);
		JAILED(fd >= 0);
		close(fd);
	}
	JAILED(un_connect("keep") == 0);	/* never used before: only the dead were dropped */
	JAILED(un_connect("brief") == ECONNREFUSED);
	return 0;
}

static int agent_after_broker(void)
{
	struct sockaddr_in to;
	int server = tcp_listen(8, &to), rc = 0;

	JAILED(server >= 0 && tcp_connect(tcp(0), &to) == 0);
	JAILED(un_connect("signal") == EACCES);	/* the test kills the broker at this note */
	for (int i = 0; i < 200 && rc != ENOSYS; i++) {
		usleep(10000);
		rc = tcp_connect(tcp(SOCK_NONBLOCK), &to);
	}
	JAILED(rc == ENOSYS);
	JAILED(un_connect("signal") == ENOSYS);
	/* nor does the agent become its own broker */
	JAILED(seccomp_filter_install() == -EBUSY);
	return 0;
}

/* ---- allowed ------------------------------------------------------------- */

static int agent_allowed(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	JAILED(un_connect_fd(fd, "allowed") == 0 && write(fd, "x", 1) == 1);
	JAILED(un_connect("host") == EACCES);
	/* what is allowed is that socket, wherever it is, and not that name */
	JAILED(rename(un("allowed").sun_path, un("moved").sun_path) == 0);
	JAILED(rename(un("host").sun_path, un("allowed").sun_path) == 0);
	JAILED(un_connect("allowed") == EACCES);
	JAILED(un_connect("moved") == 0);
	return 0;
}

/* ---- tests --------------------------------------------------------------- */

static int test_setup(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int test_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void run_plain(int (*agent)(void))
{
	struct jailed j = { 0 };

	jailed_run(&j, agent);
	assert_int_equal(j.status, 0);
	assert_true(j.broker_well);
	assert_int_equal(j.note_count, 0);
}

#define PLAIN(name) static void test_##name(void **state) \
{ \
	(void)state; \
	run_plain(agent_##name); \
}
PLAIN(inet)
PLAIN(netlink)
PLAIN(unix)
PLAIN(daemon)
PLAIN(paths)
PLAIN(chroot)
PLAIN(threads)
PLAIN(pointers)
PLAIN(long_path)
PLAIN(crowd)
PLAIN(backlog)
PLAIN(dies_waiting)
PLAIN(dies_often)
PLAIN(servers_come_and_go)

static void test_nested(void **state)
{
	int host = un_listen("host", 8);
	struct jailed j = { 0 };

	(void)state;
	jailed_run(&j, agent_nested);
	assert_int_equal(j.status, 0);
	assert_false(readable(host));
	assert_int_equal(j.note_count, 1);
	close(host);
}

static void test_host(void **state)
{
	int host = un_listen("host", 8), stale = un_listen("stale", 8);
	int file = open(un("file").sun_path, O_CREAT | O_RDWR, 0600);
	struct jailed j = { 0 };

	(void)state;
	close(stale);
	close(file);
	jailed_run(&j, agent_host);
	assert_int_equal(j.status, 0);
	assert_false(readable(host));
	assert_int_equal(j.note_count, 3);
	assert_string_equal(j.notes[0].path, un("host").sun_path);
	assert_true(j.notes[0].pid > 1);
	/* Asked for by the link "to-host": the note names what was found */
	assert_string_equal(j.notes[1].path, un("host").sun_path);
	assert_int_equal(un_connect("host"), 0);	/* control: it does listen */
	assert_true(readable(host));
	close(host);
}

static void test_races(void **state)
{
	int host = un_listen("host", 8);
	struct jailed j = { 0 };

	(void)state;
	jailed_run(&j, agent_races);
	assert_int_equal(j.status, 0);
	assert_true(j.broker_well);
	assert_false(readable(host));
	assert_true(j.note_count > 0);		/* it was tried */
	close(host);
}

static void test_servers(void **state)
{
	struct jailed j = { 0 };

	(void)state;
	jailed_run(&j, agent_servers);
	assert_int_equal(j.status, 0);
	assert_int_equal(j.note_count, 1);
}

static void *kill_broker(void *arg)
{
	int host = *(int *)arg;

	(void)host;
	usleep(300000);
	kill(jailed_broker, SIGKILL);
	return NULL;
}

static void test_after_broker(void **state)
{
	int host = un_listen("signal", 8);
	struct jailed j = { 0 };
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, kill_broker, &host), 0);
	jailed_run(&j, agent_after_broker);
	pthread_join(t, NULL);
	assert_int_equal(j.status, 0);
	assert_false(j.broker_well);
	close(host);
}

static void test_allowed(void **state)
{
	char role[] = "role-broker", flag[] = "--allow-unix", path[128];
	char *argv[] = { role, flag, path, NULL };
	struct jailed j = { .broker_argv = argv };
	int host = un_listen("host", 8), allowed = un_listen("allowed", 8);

	(void)state;
	snprintf(path, sizeof(path), "%s/allowed", dir);
	jailed_run(&j, agent_allowed);
	assert_int_equal(j.status, 0);
	assert_false(readable(host));
	assert_true(readable(allowed));
	close(host);
	close(allowed);
}

static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, test_setup, test_teardown)
	T(inet), T(netlink), T(unix), T(daemon), T(paths), T(chroot), T(nested), T(threads),
	T(host), T(pointers), T(long_path), T(races), T(crowd), T(backlog), T(dies_waiting),
	T(dies_often), T(servers), T(servers_come_and_go), T(after_broker), T(allowed),
};

int main(int argc, char **argv)
{
	struct rlimit files = { 4096, 4096 };
	int status = 0;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);

	setrlimit(RLIMIT_NOFILE, &files);
	if (geteuid() == 0 && fork() == 0) {
		if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
		    setresuid(65534, 65534, 65534))
			return 1;
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		return cmocka_run_group_tests_name("ordinary user", tests, NULL, NULL);
	}
	if (geteuid() == 0)
		wait(&status);
	return cmocka_run_group_tests(tests, NULL, NULL) || status;
}

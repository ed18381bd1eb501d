/* SPDX-License-Identifier: Apache-2.0 */
/* The jail is this very machine: its network, its /proc, and processes that the test starts */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "jail/process.h"

static int diag = -1;

static struct addr any_of(int family)
{
	return family == AF_INET ? addr_v4(INADDR_LOOPBACK) : addr_from_in6(&in6addr_loopback);
}

/* A connected client's socket and its key; the server's end stays open */
struct pair {
	int		  client, server;
	struct socket_key key;
};

static struct pair pair_of(int family, int client_family, int type)
{
	struct addr at = any_of(family);
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(&at, 0, &sa), own;
	struct pair p = { .server = socket(family, type | SOCK_CLOEXEC, 0),
			  .client = socket(client_family, type | SOCK_CLOEXEC, 0),
			  .key.transport = type == SOCK_DGRAM ? TRANSPORT_UDP : TRANSPORT_TCP };

	assert_int_equal(bind(p.server, (struct sockaddr *)&sa, len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(p.server, 8), 0);
	own = sizeof(sa);
	assert_int_equal(getsockname(p.server, (struct sockaddr *)&sa, &own), 0);
	assert_true(addr_from_sockaddr(&sa, own, &p.key.server, &p.key.server_port));
	if (client_family != family) {
		uint16_t port = p.key.server_port;

		sa = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		memcpy(&sa.sin6_addr, p.key.server.b, 16);
		own = sizeof(sa);
	}
	assert_int_equal(connect(p.client, (struct sockaddr *)&sa, own), 0);
	own = sizeof(sa);
	assert_int_equal(getsockname(p.client, (struct sockaddr *)&sa, &own), 0);
	assert_true(addr_from_sockaddr(&sa, own, &p.key.client, &p.key.client_port));
	return p;
}

static void pair_done(struct pair *p)
{
	close(p->client);
	close(p->server);
}

static void every_kind_of_socket_is_found(void **state)
{
	static const struct { int family, client, type; } kinds[] = {
		{ AF_INET, AF_INET, SOCK_STREAM }, { AF_INET6, AF_INET6, SOCK_STREAM },
		{ AF_INET, AF_INET, SOCK_DGRAM }, { AF_INET6, AF_INET6, SOCK_DGRAM },
		{ AF_INET, AF_INET6, SOCK_STREAM },	/* a mapped address */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct pair p = pair_of(kinds[i].family, kinds[i].client, kinds[i].type);
		struct stat st;

		assert_int_equal(fstat(p.client, &st), 0);
		assert_int_equal(diag_inode(diag, &p.key), st.st_ino);
		close(p.client);
		assert_int_equal(diag_inode(diag, &p.key), 0);
		close(p.server);
	}
}

/* A UDP client that is not connected is known by its port alone */
static void a_datagram_socket_without_a_peer(void **state)
{
	struct addr at = any_of(AF_INET);
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(&at, 0, &sa), own = sizeof(sa);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct socket_key k = { .client = at, .server = addr_v4(0x08080808), .server_port = 53,
				.transport = TRANSPORT_UDP };
	struct stat st;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &own), 0);
	assert_true(addr_from_sockaddr(&sa, own, &at, &k.client_port));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(diag_inode(diag, &k), st.st_ino);
	close(fd);
}

/* The listener on the port that a connection once had is not its client */
static void a_listener_is_no_client(void **state)
{
	struct pair p = pair_of(AF_INET, AF_INET, SOCK_STREAM);
	struct socket_key k = { .client = p.key.server, .client_port = p.key.server_port,
				.server = addr_v4(0x08080808), .server_port = 80 };

	(void)state;
	assert_int_equal(diag_inode(diag, &k), 0);
	k.client_port = 0;
	assert_int_equal(diag_inode(diag, &k), 0);
	assert_int_equal(diag_inode(-1, &p.key), 0);
	pair_done(&p);
}

/* A machine with many processes is looked through a piece at a time */
static bool found_soon(struct processes *p, const struct socket_key *key, struct process *ret)
{
	for (int i = 0; i < 200; i++) {
		if (process_of_socket(p, key, ret))
			return true;
		usleep(10000);
	}
	return false;
}

static void this_process_is_found(void **state)
{
	struct processes *p = processes_new(diag, getpid());
	struct pair pair = pair_of(AF_INET, AF_INET, SOCK_STREAM);
	struct process found;
	char self[PROCESS_EXE_MAX] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	int moved;

	(void)state;
	assert_non_null(p);
	for (int i = 0; i < 2; i++) {
		assert_true(found_soon(p, &pair.key, &found));
		assert_int_equal(found.pid, getpid());
		assert_int_equal(found.exe_len, n);
		assert_memory_equal(found.exe, self, (size_t)n);
	}
	/* under another number it is still its own */
	moved = fcntl(pair.client, F_DUPFD_CLOEXEC, 100);
	close(pair.client);
	assert_true(process_of_socket(p, &pair.key, &found));
	close(moved);
	assert_false(process_of_socket(p, &pair.key, &found));
	assert_int_equal(found.pid, 0);
	assert_false(process_of_socket(NULL, &pair.key, &found));
	close(pair.server);
	processes_free(p);
}

static void copy_self(const char *to)
{
	char bytes[65536];
	AUTO_CLOSE int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
}

/* The name of a program may hold anything; when it is gone nobody is named */
static void a_program_with_a_hostile_name(void **state)
{
	static const char name[] = "/socket:[1]\n\x1b[2J";
	struct processes *p = processes_new(diag, getpid());
	struct pair pair = pair_of(AF_INET6, AF_INET6, SOCK_STREAM);
	char dir[] = "/tmp/process-XXXXXX", path[64];
	struct process found;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s%s", dir, name);
	copy_self(path);
	child = fork();
	if (child == 0) {
		fcntl(pair.client, F_SETFD, 0);
		execl(path, "x", "wait", NULL);
		_exit(1);
	}
	close(pair.client);
	for (int i = 0; i < 1000; i++) {
		if (process_of_socket(p, &pair.key, &found) && found.exe_len == strlen(path))
			break;
		usleep(5000);
	}
	assert_int_equal(found.pid, child);
	assert_int_equal(found.exe_len, strlen(path));
	assert_memory_equal(found.exe, path, found.exe_len);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_false(process_of_socket(p, &pair.key, &found));
	unlink(path);
	rmdir(dir);
	close(pair.server);
	processes_free(p);
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);	/* others may keep the machine busy */
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

#define CROWD 300
#define OPEN_EACH 200

static _Noreturn void crowd_member(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < OPEN_EACH; i++)
		if (dup(0) < 0)
			break;
	pause();
	_exit(0);
}

/* A descriptor in flight: the socket lives, and nobody holds it by a number */
static void send_away(int fd)
{
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	union {
		struct cmsghdr	head;
		char		room[CMSG_SPACE(sizeof(int))];
	} c = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
			    .msg_controllen = sizeof(c) };
	int ends[2];

	memcpy(CMSG_DATA(&c.head), &fd, sizeof(fd));
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	assert_int_equal(sendmsg(ends[0], &m, 0), 1);
}

/* Whatever the jail piles up, a look costs little, and little in all */
static void a_crowd_costs_no_more(void **state)
{
	struct processes *p = processes_new(diag, getpid());
	struct pair pair = pair_of(AF_INET, AF_INET, SOCK_STREAM);
	struct process found;
	pid_t crowd[CROWD];
	int64_t start, longest = 0, all;

	(void)state;
	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = fork();
		if (crowd[i] == 0)
			crowd_member();
	}
	usleep(100000);
	all = now_us();
	for (int i = 0; i < 200; i++) {
		start = now_us();
		process_of_socket(p, &pair.key, &found);
		start = now_us() - start;
		longest = start > longest ? start : longest;
		if (i == 0) {
			send_away(pair.client);
			close(pair.client);
			assert_int_not_equal(diag_inode(diag, &pair.key), 0);
		}
	}
	all = now_us() - all;
	for (size_t i = 0; i < CROWD; i++) {
		kill(crowd[i], SIGKILL);
		waitpid(crowd[i], NULL, 0);
	}
	/* 5 ms each, and what the machine does meanwhile; 200 of them unbounded would take seconds */
	assert_true(longest < 60000);
	assert_true(all < 1000000);
	close(pair.server);
	processes_free(p);
}

static int open_diag(void **state)
{
	(void)state;
	diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	return diag >= 0 ? 0 : -1;
}

static int close_diag(void **state)
{
	(void)state;
	return close(diag);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_socket_is_found),
		cmocka_unit_test(a_datagram_socket_without_a_peer),
		cmocka_unit_test(a_listener_is_no_client),
		cmocka_unit_test(this_process_is_found),
		cmocka_unit_test(a_program_with_a_hostile_name),
		cmocka_unit_test(a_crowd_costs_no_more),
	};

	if (argc == 2 && !strcmp(argv[1], "wait")) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		return 0;
	}
	return cmocka_run_group_tests(tests, open_diag, close_diag);
}

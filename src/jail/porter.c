/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/porter.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "jail/jail.h"
#include "jail/pass.h"

#define CONNECT_LIMIT_MS 500	/* loopback answers at once, but for a server with a full backlog;
				 * a guest that is loaded takes longer, and is tried again */
#define PORTER_LIMIT_MS 2000	/* both families, and a machine under load */

struct porter_request {
	uint32_t id;		/* comes back: an answer that was given up is told by it */
	uint16_t port;
};

struct porter_answer {
	uint32_t id;
	int	 error;		/* 0: a descriptor comes with it; else an errno */
};

/* What became of a connect that was begun; a closed port refuses at once */
static int connect_result(int fd)
{
	struct pollfd writable = { .fd = fd, .events = POLLOUT };
	int error = 0, r = poll(&writable, 1, CONNECT_LIMIT_MS);
	socklen_t len = sizeof(error);

	if (r <= 0)
		return r ? -errno : -ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? -errno : -error;
}

static int porter_connect(const struct addr *to, uint16_t port)
{
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(to, port, &sa);
	AUTO_CLOSE int fd = socket(sa.sin6_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = connect(fd, (struct sockaddr *)&sa, len);
	if (r)
		r = errno == EINPROGRESS ? connect_result(fd) : -errno;
	return r < 0 ? r : TAKE_FD(fd);
}

static void porter_serve(int sock, const struct addr *guest)
{
	const struct addr loopback4 = addr_v4(INADDR_LOOPBACK), loopback6 = { .b[15] = 1 };
	struct porter_request q;
	ssize_t n;

	while ((n = read(sock, &q, sizeof(q))) != 0) {
		struct porter_answer a = { .id = q.id };
		int fd;

		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(q))
			break;
		fd = porter_connect(guest ? guest : &loopback4, q.port);
		if (fd < 0 && !guest)
			fd = porter_connect(&loopback6, q.port);
		a.error = fd < 0 ? -fd : 0;
		if (pass_send(sock, &a, sizeof(a), &fd, fd >= 0) < 0)
			break;
		if (fd >= 0)
			close(fd);
	}
}

static bool porter_drop_caps(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	for (int cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EINVAL)
			return false;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
	       syscall(SYS_capset, &head, none) == 0 &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool porter_confine(void)
{
	static const int calls[] = {
		SCMP_SYS(read), SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(poll),
		SCMP_SYS(ppoll), SCMP_SYS(getsockopt), SCMP_SYS(sendmsg),
		SCMP_SYS(close), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
		SCMP_SYS(restart_syscall),
	};
	scmp_filter_ctx filter;
	int r = 0;

	if (!porter_drop_caps())
		return false;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r == 0;
}

/* No standard descriptors, no files of the keeper's: only @sock, as 0 */
static void porter_main(int sock, const struct addr *guest)
{
	sigset_t all;

	/* Ctrl-C in the terminal is for the command */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, 0);	/* of setup, which leaves; the socket's end is ours */
	if (dup2(sock, 0) != 0 || syscall(SYS_close_range, 1u, ~0u, 0u) || !porter_confine())
		_exit(1);
	porter_serve(0, guest);
	_exit(0);
}

int porter_start(const struct addr *guest, struct err *err)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		err_sys(err, errno, "porter: socketpair");
		return -1;
	}
	pid = fork();
	if (pid == 0)
		porter_main(pair[1], guest);
	close(pair[1]);
	if (pid > 0)
		return pair[0];
	close(pair[0]);
	err_sys(err, errno, "porter: fork");
	return -1;
}

/* The answer to @id; what an earlier caller gave up is thrown away */
static int porter_answer(int porter_fd, uint32_t id)
{
	struct porter_answer a = { 0 };
	struct pass p = { .bytes = &a, .size = sizeof(a) };
	struct pollfd readable = { .fd = porter_fd, .events = POLLIN };

	while (poll(&readable, 1, PORTER_LIMIT_MS) > 0) {
		ssize_t n = pass_receive(porter_fd, &p);

		if (n == sizeof(a) && a.id == id && a.error == 0 && p.fd_count == 1)
			return p.fds[0];
		for (size_t i = 0; n > 0 && i < p.fd_count; i++)
			close(p.fds[i]);
		if (n <= 0)
			return n ? (int)n : -EPIPE;
		if (n == sizeof(a) && a.id == id)
			return a.error > 0 ? -a.error : -EPROTO;
	}
	return -ETIMEDOUT;
}

int porter_socket(int porter_fd, uint16_t port)
{
	static uint32_t last;
	struct porter_request q = { .port = port };

	q.id = ++last;
	if (send(porter_fd, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return porter_answer(porter_fd, q.id);
}

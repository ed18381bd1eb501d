/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim.c - the jail's first program
 *
 * Theory
 *
 * The filter must be in place before the command's first instruction, and its
 * listener must be outside before that, or the first connect(2) hangs.  bwrap can load a
 * filter but can't hand out a listener, so this program stands between the two: filter,
 * hand over, wait for the word, exec.  After the filter is in, nothing here
 * calls connect or listen; nobody may be answering yet.
 *
 * It is also the jail's init.  bwrap's own would carry no filter, and whoever may
 * trace it makes any call in its name: it has the command's user, and a debugger
 * is allowed here.  So the filter comes before the fork, and every process that the
 * jail can see carries it.  The child speaks to the keeper, who learns the command's pid by that.
 *
 * Init holds its end of the keeper's socket until the end, and ends when the other
 * one closes: the keeper is gone, however it went, and the kernel kills the rest of the
 * jail.  bwrap's --die-with-parent would not do: between the birth of its child and its
 * first word to it, a death leaves the child waiting for ever.  So that nobody in the jail can
 * take the socket or stop the watch, init is not dumpable: it can't be traced.
 *
 * Signals: what the user's shell ignored stays ignored (nohup).  sluice itself
 * ignores SIGPIPE and may block signals while it starts things, and only those are undone.
 */
#include "jail/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "jail/jail.h"
#include "jail/seccomp_filter.h"

enum {
	EXIT_OURS = 125,	/* sluice failed before the command started */
	EXIT_CANNOT = 126,	/* found, not executable */
	EXIT_ABSENT = 127,
};

static int socket_option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) ? -1 : value;
}

bool shim_stdio_ok(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	struct stat st;
	int type;

	if (fstat(fd, &st))
		return errno == EBADF;
	if (!S_ISSOCK(st.st_mode))
		return true;
	type = socket_option(fd, SO_TYPE);
	return socket_option(fd, SO_DOMAIN) == AF_UNIX &&
	       (type == SOCK_STREAM || type == SOCK_SEQPACKET) &&
	       getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

/* Close everything above 2 but @keep, which will not survive the exec */
static bool shim_close_others(int keep)
{
	if (keep > 3 && syscall(SYS_close_range, 3u, (unsigned)keep - 1, 0u))
		return false;
	if (syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0u))
		return false;
	return fcntl(keep, F_SETFD, FD_CLOEXEC) == 0;
}

static void shim_reset_signals(void)
{
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);	/* ignored, it would break every wait(2) */
}

/* Nothing blocked but, for init, SIGCHLD, which it reads */
static void shim_mask(bool init)
{
	sigset_t set;

	sigemptyset(&set);
	if (init)
		sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static bool shim_hand_over(int sock, int listener)
{
	char byte = SHIM_LISTENER;
	struct iovec iov = { &byte, 1 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &listener, sizeof(int));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1;
}

static bool shim_wait_go(int sock)
{
	char byte = 0;
	ssize_t n;

	do
		n = read(sock, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 && byte == SHIM_GO;
}

static bool shim_number(const char *text, int *ret_fd)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n <= 2 || n > INT_MAX)
		return false;
	*ret_fd = (int)n;
	return true;
}

static int shim_fail(const char *what)
{
	dprintf(STDERR_FILENO, "sluice: %s: %s\n", what, strerror(errno));
	return EXIT_OURS;
}

/* In the child: say who is the command, wait for the word, be it */
static int shim_command(int sock, int listener, char **command)
{
	int why;

	if (!shim_hand_over(sock, listener))
		return errno == EPIPE ? EXIT_OURS : shim_fail("seccomp listener");
	close(listener);	/* also close-on-exec; an own copy would keep a dead broker's calls waiting */
	if (!shim_wait_go(sock))
		return EXIT_OURS;

	shim_mask(false);
	execvp(command[0], command);
	why = errno;
	dprintf(STDERR_FILENO, "sluice: %s: %s\n", command[0],
		why == ENOENT ? "not found" : strerror(why));
	return why == ENOENT ? EXIT_ABSENT : EXIT_CANNOT;
}

static int exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Wait until a child has ended.  Return: false once the keeper is gone. */
static bool shim_pause(int sock, int signals)
{
	struct pollfd on[] = { { .fd = sock }, { .fd = signals, .events = POLLIN } };
	struct signalfd_siginfo info;

	while (poll(on, ARRAY_SIZE(on), -1) < 0)
		if (errno != EINTR)
			return false;
	if (on[0].revents)
		return false;
	return read(signals, &info, sizeof(info)) == sizeof(info);
}

/* Bury orphans until the command ends, or the keeper; the kernel kills what is left then */
static int shim_init(pid_t command, int sock, int signals)
{
	int status;
	pid_t pid;

	do {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == command)
				return exit_code(status);
	} while (shim_pause(sock, signals));
	return EXIT_OURS;
}

/* The filter is in: from here on there are two, and the child becomes the command */
static int shim_part(int sock, int listener, char **command)
{
	sigset_t set;
	int signals;
	pid_t pid;

	shim_mask(true);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return shim_fail("init");
	pid = fork();
	if (pid < 0)
		return shim_fail("fork");
	if (pid == 0)
		return shim_command(sock, listener, command);
	close(listener);
	return shim_init(pid, sock, signals);
}

int shim_main(int argc, char **argv)
{
	int sock, listener;

	if (argc < 4 || !shim_number(argv[1], &sock) || strcmp(argv[2], "--") != 0) {
		dprintf(STDERR_FILENO, "sluice: role-shim: started by hand\n");
		return EXIT_OURS;
	}
	for (int fd = 0; fd <= 2; fd++) {
		if (shim_stdio_ok(fd))
			continue;
		dprintf(STDERR_FILENO, "sluice: descriptor %d: a network or"
			" unconnected socket (the jail would inherit it)\n", fd);
		return EXIT_OURS;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return shim_fail("no_new_privs");
	if (!shim_close_others(sock))
		return shim_fail("descriptors");
	shim_reset_signals();
	listener = seccomp_filter_install();
	if (listener < 0) {
		errno = -listener;
		return shim_fail("seccomp filter");
	}
	return shim_part(sock, listener, argv + 3);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jailed.h - run a function as the agent, under the real filter and the real broker
 *
 * The agent gets a user, network and pid namespace, lo up, the filter; the
 * broker runs beside the test, outside.  An agent function returns 0, or the
 * line that was not as expected (JAILED() below does that).
 */
#ifndef SLUICE_TESTS_JAILED_H
#define SLUICE_TESTS_JAILED_H

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../unit.h"

#include "jail/broker.h"
#include "jail/jail.h"
#include "jail/seccomp_filter.h"

#define JAILED(what) do { \
	if (!(what)) { \
		dprintf(2, "agent, line %d: %s (%s)\n", __LINE__, #what, strerror(errno)); \
		return 1; \
	} } while (0)

#define NOTES_KEPT 64
struct jailed {
	char		**broker_argv;
	int		 status;		/* of the agent's process */
	struct broker_note notes[NOTES_KEPT];
	size_t		 note_count;
	bool		 broker_well;		/* it serves still, or ended with the jail */
};

static pid_t jailed_broker;	/* while one runs */

static inline void jailed_map(const char *file, unsigned id)
{
	char text[64];
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	int n = snprintf(text, sizeof(text), "%u %u 1", id, id);

	if (fd < 0 || write(fd, text, (size_t)n) != n)
		_exit(99);
	close(fd);
}

static inline void jailed_namespaces(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	unsigned uid = geteuid(), gid = getegid();
	int fd;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID))
		_exit(98);
	fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "deny", 4) != 4)
		_exit(97);
	close(fd);
	jailed_map("/proc/self/uid_map", uid);
	jailed_map("/proc/self/gid_map", gid);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		_exit(96);
	close(fd);
}

static inline void jailed_send_fd(int sock, int fd)
{
	char byte = 'N', room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
			    .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	if (sendmsg(sock, &m, 0) != 1)
		_exit(95);
}

static inline int jailed_receive_fd(int sock)
{
	char byte, room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
			    .msg_controllen = sizeof(room) };
	int fd = -1;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

static inline pid_t jailed_agent(int (*agent)(void), int sock)
{
	pid_t pid = fork(), inner;
	int listener, status;
	char go;

	if (pid)
		return pid;
	jailed_namespaces();
	inner = fork();
	if (inner) {
		close(sock);
		waitpid(inner, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 94);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = seccomp_filter_install();
	if (listener < 0)
		_exit(93);
	jailed_send_fd(sock, listener);
	close(listener);
	if (read(sock, &go, 1) != 1)
		_exit(92);
	close(sock);
	_exit(agent());
}

static inline pid_t jailed_start_broker(struct jailed *j, int listener, int notes)
{
	static char *plain[] = { (char *)(uintptr_t)"role-broker", NULL };
	char **argv = j->broker_argv ? j->broker_argv : plain;
	pid_t pid = fork();
	int argc = 0, high, higher;

	if (pid)
		return pid;
	while (argv[argc])
		argc++;
	higher = fcntl(listener, F_DUPFD, 100);
	high = fcntl(notes, F_DUPFD, 100);
	if (dup2(higher, BROKER_NOTIFY_FD) < 0 || dup2(high, BROKER_NOTES_FD) < 0)
		_exit(91);
	_exit(broker_main(argc, argv));
}

/* Run @agent to its end; everything that was started is ended */
static inline void jailed_run(struct jailed *j, int (*agent)(void))
{
	int sock[2], notes[2], listener, end;
	struct broker_note note;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, notes), 0);
	pid = jailed_agent(agent, sock[1]);
	close(sock[1]);
	listener = jailed_receive_fd(sock[0]);
	assert_true(listener >= 0);
	jailed_broker = jailed_start_broker(j, listener, notes[1]);
	close(listener);
	close(notes[1]);
	assert_int_equal(recv(notes[0], &note, sizeof(note), 0), sizeof(note));
	assert_int_equal(note.pid, 0);
	assert_int_equal(write(sock[0], "G", 1), 1);
	waitpid(pid, &j->status, 0);
	while (j->note_count < NOTES_KEPT &&
	       recv(notes[0], &j->notes[j->note_count], sizeof(note), MSG_DONTWAIT) > 0)
		j->note_count++;
	j->broker_well = waitpid(jailed_broker, &end, WNOHANG) == 0;
	if (j->broker_well) {
		kill(jailed_broker, SIGKILL);
		waitpid(jailed_broker, NULL, 0);
	} else {
		j->broker_well = WIFEXITED(end) && WEXITSTATUS(end) == 0;
	}
	close(sock[0]);
	close(notes[0]);
}

#endif

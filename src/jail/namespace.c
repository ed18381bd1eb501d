/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <stdint.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/auto.h"
#include "jail/pass.h"

#define LO_WAIT_MS 2000		/* seen: 0.05 to 1.4; a machine under load gets a thousandfold */
#define LO_POLL_US 50
#define INFO_MAX 1024		/* bytes; bwrap writes a few numbers */
#define MAP_MAX 16384		/* bytes of a uid_map: 340 lines, in theirs and our form */

bool namespace_info(int info_fd, pid_t *ret_pid, struct err *err)
{
	static const char key[] = "\"child-pid\":";
	char text[INFO_MAX + 1];
	size_t len = 0;
	const char *at;
	ssize_t n;
	long pid;

	while (len < INFO_MAX) {
		n = read(info_fd, text + len, INFO_MAX - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (memchr(text, '}', len))
			break;
	}
	text[len] = '\0';
	at = strstr(text, key);
	pid = at ? strtol(at + sizeof(key) - 1, NULL, 10) : 0;
	if (pid <= 1 || pid > INT32_MAX)
		return err_set(err, "bwrap: could not make the namespaces (see sluice doctor)");
	*ret_pid = (pid_t)pid;
	return true;
}

int namespace_of(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Is @fd the namespace that the file @path stands for?  -1: it can't be told. */
static int is_namespace(int fd, const char *path)
{
	struct stat a, b;

	if (fstat(fd, &a) || stat(path, &b))
		return -1;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool namespace_is_ours(int net)
{
	return is_namespace(net, "/proc/self/ns/net") != 0;
}

bool namespace_is_of(int net, uid_t uid)
{
	int user = ioctl(net, NS_GET_USERNS), above;
	uid_t owner;
	bool is = false;

	while (user >= 0 && !is && ioctl(user, NS_GET_OWNER_UID, &owner) == 0) {
		is = owner == uid;
		above = ioctl(user, NS_GET_PARENT);
		close(user);
		user = above;
	}
	if (user >= 0)
		close(user);
	return is;
}

bool namespace_enter(int net, struct err *err)
{
	AUTO_CLOSE int user = ioctl(net, NS_GET_USERNS);

	if (user < 0)
		return err_sys(err, errno, "owner of the network namespace");
	/* Nobody may enter the one that he is in */
	if (is_namespace(user, "/proc/self/ns/user") != 1 && setns(user, CLONE_NEWUSER))
		return err_sys(err, errno, "enter the jail's user namespace");
	if (setns(net, CLONE_NEWNET))
		return err_sys(err, errno, "enter the jail's network namespace");
	return true;
}

bool namespace_join(pid_t pid, struct err *err)
{
	AUTO_CLOSE int net = namespace_of(pid);

	if (net < 0)
		return err_sys(err, -net, "/proc/%d/ns/net", (int)pid);
	return namespace_enter(net, err);
}

bool namespace_raise_lo(struct err *err)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = { .ifr_name = "lo" };

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) < 0)
		return err_sys(err, errno, "loopback of the namespace");
	lo.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &lo) == 0 || err_sys(err, errno, "loopback of the namespace");
}

bool namespace_wait_lo(struct err *err)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timespec pause = { .tv_nsec = LO_POLL_US * 1000 };
	struct ifreq lo = { .ifr_name = "lo" };

	if (fd < 0)
		return err_sys(err, errno, "socket in the jail");
	for (long us = 0; us < LO_WAIT_MS * 1000L; us += LO_POLL_US) {
		if (ioctl(fd, SIOCGIFFLAGS, &lo) == 0 && (lo.ifr_flags & IFF_UP))
			return true;
		nanosleep(&pause, NULL);
	}
	return err_set(err, "bwrap: the jail's loopback interface did not come up in %d ms",
		       LO_WAIT_MS);
}

bool namespace_wait_groups(struct err *err)
{
	struct timespec pause = { .tv_nsec = LO_POLL_US * 1000 };
	char byte;

	for (long us = 0; us < LO_WAIT_MS * 1000L; us += LO_POLL_US) {
		AUTO_CLOSE int fd = open("/proc/self/gid_map", O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return err_sys(err, errno, "/proc/self/gid_map");
		if (read(fd, &byte, 1) == 1)
			return true;
		nanosleep(&pause, NULL);
	}
	return err_set(err, "bwrap: no users were mapped in %d ms", LO_WAIT_MS);
}

static bool file_write(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);

	return fd >= 0 && write(fd, text, len) == (ssize_t)len;
}

struct namespace_settings namespace_settings_of_host(void)
{
	AUTO_FCLOSE FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	struct namespace_settings s = { .port_start = 1024 };

	/* Root binds any port outside; inside, its capability isn't over the network */
	if (getuid() == 0)
		s.port_start = 0;
	else if (f && fscanf(f, "%u", &s.port_start) != 1)
		s.port_start = 1024;
	return s;
}

void namespace_enable_ipv6(void)
{
	static const char *const switches[] = {
		"/proc/sys/net/ipv6/conf/all/disable_ipv6",
		"/proc/sys/net/ipv6/conf/default/disable_ipv6",
		"/proc/sys/net/ipv6/conf/lo/disable_ipv6",
	};

	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		file_write(switches[i], "0");
}

/* A kernel without one of these files is none the worse: nothing here guards */
void namespace_settings_apply(const struct namespace_settings *s)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", s->port_start);
	file_write("/proc/sys/net/ipv4/ip_unprivileged_port_start", text);
	/* In this user namespace group 0 is the user's own: ping(8) without capabilities */
	file_write("/proc/sys/net/ipv4/ping_group_range", "0 0");
}

bool namespace_has_ipv6(void)
{
	AUTO_CLOSE int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0;
}

/* "inside outside count" lines of our own map, as "inside inside count" */
static bool map_text(const char *path, char ret_text[MAP_MAX])
{
	AUTO_FCLOSE FILE *f = fopen(path, "re");
	unsigned inside, outside, count;
	size_t len = 0;

	if (!f)
		return false;
	while (fscanf(f, "%u %u %u", &inside, &outside, &count) == 3) {
		int n = snprintf(ret_text + len, MAP_MAX - len, "%u %u %u\n", inside, inside,
				 count);

		if (n < 0 || (size_t)n >= MAP_MAX - len)
			return false;
		len += (size_t)n;
	}
	return len > 0;
}

static bool map_write(pid_t pid, const char *kind)
{
	char path[64], own[64], text[MAP_MAX];

	snprintf(own, sizeof(own), "/proc/self/%s", kind);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, kind);
	return map_text(own, text) && file_write(path, text);
}

/* A process in a new user namespace, stopped on @ret_hold until that is closed */
static pid_t holder_fork(int *ret_hold)
{
	int ready[2], hold[2];
	char byte = 0;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		return -1;
	if (pipe2(hold, O_CLOEXEC)) {
		close(ready[0]);
		close(ready[1]);
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(hold[1]);
		if (unshare(CLONE_NEWUSER) == 0 && write(ready[1], "", 1) == 1)
			while (read(hold[0], &byte, 1) < 0 && errno == EINTR)
				;
		_exit(0);
	}
	close(ready[1]);
	close(hold[0]);
	if (pid > 0 && read(ready[0], &byte, 1) != 1) {
		close(hold[1]);
		waitpid(pid, NULL, 0);
		errno = EPERM;
		pid = -1;
	} else {
		*ret_hold = hold[1];
	}
	close(ready[0]);
	return pid;
}

/* A new namespace with an identity map, as a descriptor, or -1 and errno */
static int userns_make(void)
{
	int hold = -1, fd = -1, saved;
	pid_t pid = holder_fork(&hold);
	char path[64];

	if (pid < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (map_write(pid, "uid_map") && map_write(pid, "gid_map"))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	saved = errno;
	close(hold);
	waitpid(pid, NULL, 0);
	errno = saved;
	return fd;
}

/*
 * The inner namespace's map must be written by somebody in the outer one, so a
 * helper enters that, makes it there, and sends it back over @sock.
 */
static void inner_make(int outer, int sock)
{
	int fd;

	if (setns(outer, CLONE_NEWUSER))
		_exit(1);
	fd = userns_make();
	_exit(fd >= 0 && pass_send(sock, "", 1, &fd, 1) == 0 ? 0 : 1);
}

bool namespace_make(int *ret_outer, int *ret_inner, struct err *err)
{
	AUTO_CLOSE int outer = userns_make();
	char byte;
	struct pass p = { .bytes = &byte, .size = 1 };
	int sock[2];
	ssize_t n;
	pid_t pid;

	if (outer < 0)
		return err_sys(err, errno, "user namespace for root");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		return err_sys(err, errno, "socketpair");
	pid = fork();
	if (pid == 0)
		inner_make(outer, sock[1]);
	close(sock[1]);
	n = pid > 0 ? pass_receive(sock[0], &p) : -errno;
	close(sock[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (n <= 0 || p.fd_count != 1)
		return err_set(err, "inner user namespace for root: not allowed");
	*ret_outer = TAKE_FD(outer);
	*ret_inner = p.fds[0];
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_unix_inode.c - what src/jail/unix_peer.c believes of the kernel
 *
 *	1. A connect of the wrong type tells a live socket (EPROTOTYPE) from a dead
 *	   one (ECONNREFUSED) and the listener sees nothing of it.
 *	2. An inode never gets a second socket: bind(2) on an existing name fails.
 *	3. The owner of a user namespace, outside it, can ask a socket made inside
 *	   for its file (SIOCUNIXFILE), and gets the inode that stat(2) shows.
 *	4. A task outside a Landlock domain can't be read from inside it, so the
 *	   broker can't have one.
 *
 * Exit 0: as believed; 1: not so; 77: this kernel can't show it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/un.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(what) ((what) ? (void)0 : (printf("line %d: not so: %s (%s)\n", \
		     __LINE__, #what, strerror(errno)), exit(1)))

static struct sockaddr_un name = { .sun_family = AF_UNIX };

static int try_connect(int type)
{
	int fd = socket(AF_UNIX, type, 0);
	int rc = connect(fd, (struct sockaddr *)&name, sizeof(name)) ? errno : 0;

	close(fd);
	return rc;
}

static void check_probe(void)
{
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	struct pollfd p = { server, POLLIN, 0 };

	CHECK(bind(server, (struct sockaddr *)&name, sizeof(name)) == 0);
	CHECK(listen(server, 1) == 0);
	CHECK(try_connect(SOCK_DGRAM) == EPROTOTYPE);
	CHECK(poll(&p, 1, 0) == 0);
	CHECK(try_connect(SOCK_STREAM) == 0);
	CHECK(poll(&p, 1, 0) == 1);
	close(server);
	CHECK(try_connect(SOCK_DGRAM) == ECONNREFUSED);
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(server, (struct sockaddr *)&name, sizeof(name)) == -1 && errno == EADDRINUSE);
	close(server);
	unlink(name.sun_path);
}

/* A child in namespaces of its own makes a socket and says when it is done */
static pid_t start_inside(int ret_says[2])
{
	pid_t pid;
	int fd;

	CHECK(pipe(ret_says) == 0);
	pid = fork();
	if (pid)
		return pid;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		_exit(77);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) || dup2(fd, 100) < 0)
		_exit(1);
	if (write(ret_says[1], "x", 1) != 1)
		_exit(1);
	pause();
	_exit(0);
}

static void check_file_of(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int dup = (int)syscall(SYS_pidfd_getfd, pidfd, 100, 0);
	struct stat st, want;
	int file;

	CHECK(dup >= 0);
	file = ioctl(dup, SIOCUNIXFILE);
	CHECK(file >= 0);
	CHECK(fstat(file, &st) == 0 && stat(name.sun_path, &want) == 0);
	CHECK(st.st_ino == want.st_ino && st.st_dev == want.st_dev);
	close(file);
	close(dup);
	close(pidfd);
}

static void check_landlock(pid_t pid)
{
	struct { uint64_t fs, net, scoped; } all = { 1, 0, 0 };
	uint64_t got = 0;
	struct iovec to = { &got, 8 }, from = { &got, 8 };
	int set = (int)syscall(SYS_landlock_create_ruleset, &all, 8, 0);

	if (set < 0)
		exit(77);
	CHECK(process_vm_readv(pid, &to, 1, &from, 1, 0) == 8);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(syscall(SYS_landlock_restrict_self, set, 0) == 0);
	CHECK(process_vm_readv(pid, &to, 1, &from, 1, 0) == -1 && errno == EPERM);
	exit(0);
}

int main(void)
{
	char dir[] = "/tmp/sluice-kernel-XXXXXX", byte;
	int says[2], status = 0, inside_status;
	pid_t pid, child;

	CHECK(mkdtemp(dir));
	chmod(dir, 0755);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s/s", dir);
	check_probe();
	pid = start_inside(says);
	close(says[1]);
	if (read(says[0], &byte, 1) != 1) {
		waitpid(pid, &inside_status, 0);
		return WEXITSTATUS(inside_status);
	}
	check_file_of(pid);
	child = fork();
	if (!child)
		check_landlock(pid);
	waitpid(child, &status, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(name.sun_path);
	rmdir(dir);
	return WEXITSTATUS(status);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_confine.c - each role tries what it mustn't, and does what it should
 *
 * Every attempt is made six times: unconfined, where it has to work (so that a
 * failure means the walls and not the test), and in each role.
 */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "jail/jail.h"
#include "jail/kernel_abi.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Made before the walls, as the roles do */
static struct {
	int	listener, tcp, udp, file, pair[2], pipe[2], poll;
	struct sockaddr_in to;
} made;
static bool thread_pidfd;	/* Linux 6.9 */
static char file_name[] = "/tmp/sluice-confine-XXXXXX";

static int result(long rc)
{
	return rc < 0 ? errno : 0;
}

/* ---- attempts: errno, or 0 ----------------------------------------------- */

#define TRY(name, call) static int try_##name(void) { return result(call); }
TRY(tcp, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
TRY(udp6, socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0))
TRY(unix, socket(AF_UNIX, SOCK_STREAM, 0))
TRY(netlink, socket(AF_NETLINK, SOCK_RAW, 0))
TRY(pair, socketpair(AF_UNIX, SOCK_STREAM, 0, made.pair))
TRY(connect, connect(made.tcp, (struct sockaddr *)&made.to, sizeof(made.to)))
TRY(listen, listen(made.tcp, 1))
TRY(read_file, syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY))
TRY(write_file, syscall(SYS_openat, AT_FDCWD, file_name, O_WRONLY | O_TRUNC))
TRY(path_file, syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_PATH))
TRY(openat2, syscall(SYS_openat2, AT_FDCWD, "/etc/passwd",
		     (uint64_t[]){ O_RDONLY, 0, 0 }, 24))
TRY(unlink, syscall(SYS_unlinkat, AT_FDCWD, "/no/such/file", 0) && errno == ENOENT ? 0 : -1)
TRY(exec, execl("/bin/true", "true", NULL))
TRY(signal, syscall(SYS_kill, getppid(), 0))
TRY(signal_thread, syscall(SYS_tgkill, getppid(), getppid(), 0))
TRY(unshare, syscall(SYS_unshare, CLONE_FILES))
TRY(pidfd, syscall(SYS_pidfd_open, getpid(), 0))
TRY(code, mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	  MAP_FAILED ? -1 : 0)
TRY(memory, mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED ? -1 : 0)
TRY(map_file, mmap(NULL, 1, PROT_READ, MAP_PRIVATE, made.file, 0) == MAP_FAILED ? -1 : 0)
TRY(map_shared, mmap(NULL, 1, PROT_READ, MAP_SHARED, made.file, 0) == MAP_FAILED ? -1 : 0)
TRY(map_shared_code, mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_SHARED, made.file, 0) == MAP_FAILED
		     ? -1 : 0)
/* The file is open for reading only */
TRY(map_shared_write, mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, made.file, 0) ==
		      MAP_FAILED && errno != EACCES ? -1 : 0)
TRY(write, write(made.pair[0], "x", 1))
TRY(read, read(made.pair[1], (char[1]){ 0 }, 1))
TRY(send, send(made.pair[0], "x", 1, MSG_NOSIGNAL))
TRY(send_to, sendto(made.udp, "x", 1, 0, (struct sockaddr *)&made.to, sizeof(made.to)))
TRY(splice, splice(made.pair[1], NULL, made.pipe[1], NULL, 1, 0))
TRY(new_pipe, pipe2((int[2]){ 0 }, O_CLOEXEC))
TRY(pipe_size, fcntl(made.pipe[0], F_SETPIPE_SZ, 8192))
TRY(flags, fcntl(made.tcp, F_SETFL, O_NONBLOCK))
TRY(copy_fd, fcntl(made.tcp, F_DUPFD, 0))
TRY(available, ioctl(made.pair[1], FIONREAD, (int[1]){ 0 }))
TRY(terminal, ioctl(made.pair[1], TIOCSTI, "x") && errno == ENOTTY ? 0 : -1)
TRY(watch, epoll_ctl(made.poll, EPOLL_CTL_ADD, made.tcp, &(struct epoll_event){ 0 }))
TRY(option, setsockopt(made.tcp, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int)))
TRY(prctl, syscall(SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0))
TRY(limits, syscall(SYS_setrlimit, 4, (uint64_t[]){ 0, 0 }))
TRY(io_uring, syscall(SYS_io_uring_setup, 1, NULL) && errno == EFAULT ? 0 : -1)
TRY(peek, process_vm_readv(getpid(), &(struct iovec){ (char[1]){ 0 }, 1 }, 1,
			   &(struct iovec){ &made, 1 }, 1, 0))

static int bind_to(int fd)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return result(bind(fd, (struct sockaddr *)&any, sizeof(any)));
}

static int try_bind_udp(void)
{
	return bind_to(made.udp);
}

static int try_bind_tcp(void)
{
	return bind_to(made.tcp);
}

static int try_accept(void)
{
	return result(accept4(made.listener, NULL, NULL, SOCK_CLOEXEC));
}

static int try_fork(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int try_ptrace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

static int try_new_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static void *thread_nothing(void *arg)
{
	return arg;
}

static int try_thread(void)
{
	pthread_t t;
	int rc = pthread_create(&t, NULL, thread_nothing, NULL);

	return rc ? rc : pthread_join(t, NULL);
}

/* ---- table --------------------------------------------------------------- */

#define OK 0
#define DIES -1			/* by SIGSYS */
#define NO EACCES
#define NO_NEW -2		/* EACCES; before Linux 6.9 allowed (thread_group() in broker.c) */
#define DIES_NEW -4		/* the same, but dies */
#define NO_SANITIZED -5		/* EACCES; allowed in sanitizer builds */
#define SKIP_SANITIZED -3	/* dies; allowed in sanitizer builds */

static const struct attempt {
	const char	*name;
	int		(*try)(void);
	int		 gate, resolver, broker, exporter, courier, dashboard;
} attempts[] = {
#define A(name, gate, resolver, broker, exporter, courier, dashboard) \
	{ #name, try_##name, gate, resolver, broker, exporter, courier, dashboard }
	A(tcp,		DIES,	OK,	DIES, DIES, OK, DIES),
	A(udp6,		DIES,	OK,	DIES, DIES, OK, DIES),
	A(unix,		DIES,	DIES,	DIES, DIES, NO, DIES),
	A(netlink,	DIES,	DIES,	DIES, DIES, OK, DIES),
	A(pair,		DIES,	DIES,	DIES, DIES, OK, DIES),
	A(connect,	DIES,	OK,	OK, DIES, OK, DIES),
	A(bind_udp,	DIES,	OK,	DIES, DIES, OK, DIES),
	A(bind_tcp,	DIES,	NO,	DIES, DIES, NO, DIES),
	A(listen,	DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(accept,	OK,	DIES,	DIES, OK, DIES, OK),
	A(read_file,	NO,	NO,	NO_NEW, NO, OK, NO),
	A(write_file,	NO,	NO,	NO_NEW, NO, DIES, NO),
	A(path_file,	NO,	NO,	OK, NO, OK, NO),
	A(openat2,	DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(unlink,	DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(exec,		DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(fork,		DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(thread,	DIES,	DIES,	OK, DIES, OK, DIES),
	A(signal,	DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(signal_thread, DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(ptrace,	DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(unshare,	DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(pidfd,	DIES,	DIES,	OK, DIES, DIES, DIES),
	A(peek,		DIES,	DIES,	OK, DIES, DIES, DIES),
	A(code,		SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, NO_SANITIZED, SKIP_SANITIZED),
	A(map_file,	SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, OK, SKIP_SANITIZED),
	A(map_shared,	OK,	SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, OK, SKIP_SANITIZED),
	A(map_shared_code, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, NO_SANITIZED, SKIP_SANITIZED),
	A(map_shared_write, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED),
	A(new_code,	DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(memory,	OK,	OK,	OK, OK, OK, OK),
	A(write,	OK,	OK,	SKIP_SANITIZED, OK, OK, OK),
	A(read,		OK,	OK,	DIES_NEW, DIES, OK, DIES),
	A(send,		OK,	OK,	OK, OK, OK, OK),
	A(send_to,	OK,	OK,	DIES, OK, OK, OK),
	A(splice,	OK,	DIES,	DIES, DIES, DIES, DIES),
	A(new_pipe,	OK,	SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, OK, SKIP_SANITIZED),
	A(pipe_size,	OK,	DIES,	DIES, DIES, DIES, DIES),
	A(flags,	OK,	OK,	DIES, DIES, OK, DIES),
	A(copy_fd,	DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(available,	OK,	OK,	DIES, DIES, OK, DIES),
	A(terminal,	DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(watch,	OK,	OK,	DIES, DIES, OK, DIES),
	A(option,	OK,	OK,	DIES, DIES, OK, DIES),
	A(prctl,	SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED, SKIP_SANITIZED),
	A(limits,	DIES,	DIES,	DIES, DIES, DIES, DIES),
	A(io_uring,	DIES,	DIES,	DIES, DIES, DIES, DIES),
};

/* ---- driving ------------------------------------------------------------- */

static void prepare(void)
{
	socklen_t len = sizeof(made.to);
	int waiting = socket(AF_INET, SOCK_STREAM, 0);

	made.to = (struct sockaddr_in){ .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	made.listener = socket(AF_INET, SOCK_STREAM, 0);
	made.tcp = socket(AF_INET, SOCK_STREAM, 0);
	made.udp = socket(AF_INET, SOCK_DGRAM, 0);
	made.poll = epoll_create1(0);
	made.file = open("/etc/passwd", O_RDONLY);
	if (bind(made.listener, (struct sockaddr *)&made.to, len) || listen(made.listener, 8) ||
	    getsockname(made.listener, (struct sockaddr *)&made.to, &len) ||
	    connect(waiting, (struct sockaddr *)&made.to, len) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, made.pair) || pipe(made.pipe) ||
	    write(made.pair[0], "yz", 2) != 2)
		_exit(120);
}

static int child_of(bool (*confine)(struct err *), int (*try)(void))
{
	struct err err = { 0 };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		prepare();
		if (confine && !confine(&err)) {
			dprintf(2, "%s\n", err.text);
			_exit(121);
		}
		_exit(try());
	}
	waitpid(pid, &status, 0);
	return status;
}

static bool as_wanted(int want, int status)
{
	bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
	bool refused = WIFEXITED(status) && WEXITSTATUS(status) == EACCES;

	switch (want) {
	case DIES:
		return died;
	case SKIP_SANITIZED:
		return SANITIZED || died;
	case NO_SANITIZED:
		return SANITIZED || refused;
	case NO_NEW:
		return refused || !thread_pidfd;
	case DIES_NEW:
		return died || !thread_pidfd;
	default:
		return WIFEXITED(status) && WEXITSTATUS(status) == want;
	}
}

static void try_role(bool (*confine)(struct err *), size_t column)
{
	int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		const struct attempt *a = &attempts[i];
		int want = column == 0 ? OK : (&a->gate)[column - 1];
		int status = child_of(confine, a->try);

		if (as_wanted(want, status))
			continue;
		print_error("%s: wanted %d, status 0x%x\n", a->name, want, (unsigned)status);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void test_unconfined(void **state)
{
	(void)state;
	try_role(NULL, 0);
}

static void test_gate(void **state)
{
	(void)state;
	try_role(confine_gate, 1);
}

static void test_resolver(void **state)
{
	(void)state;
	try_role(confine_resolver, 2);
}

static void test_broker(void **state)
{
	(void)state;
	try_role(confine_broker, 3);
}

static void test_exporter(void **state)
{
	(void)state;
	try_role(confine_exporter, 4);
}

static bool confine_a_courier(struct err *err)
{
	return confine_courier((const char *const[]){ NULL }, err);
}

static void test_courier(void **state)
{
	(void)state;
	try_role(confine_a_courier, 5);
}

static void test_dashboard(void **state)
{
	(void)state;
	try_role(confine_dashboard, 6);
}

/* It reads what is in /etc, and not what is the user's */
static int try_read_own(void)
{
	return result(open(file_name, O_RDONLY));
}

static void test_courier_reads_no_file_of_the_user(void **state)
{
	int status = child_of(NULL, try_read_own);

	(void)state;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = child_of(confine_a_courier, try_read_own);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EACCES);
}

static int try_abort(void)
{
	abort();
}

static int try_wait(void)
{
	if (send(made.pair[0], "r", 1, 0) != 1)
		return 1;
	return poll(NULL, 0, 5000) == 0;
}

static void test_assert_is_seen(void **state)
{
	(void)state;
	assert_int_equal(WTERMSIG(child_of(confine_gate, try_abort)), SIGABRT);
}

static void read_proc(pid_t pid, const char *what, char *ret_text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, ret_text, size - 1);
	close(fd);
	ret_text[n < 0 ? 0 : n] = '\0';
}

/* What the world sees of a confined process */
static void test_rights(void **state)
{
	bool (*const roles[])(struct err *) = { confine_gate, confine_resolver, confine_broker,
						   confine_exporter, confine_a_courier, confine_dashboard };
	char text[4096];
	int said[2];
	char byte;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		struct err err = { 0 };
		pid_t pid;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, said), 0);
		pid = fork();
		if (pid == 0) {
			made.pair[0] = said[1];
			_exit(!roles[i](&err) || try_wait());
		}
		close(said[1]);
		assert_int_equal(read(said[0], &byte, 1), 1);
		read_proc(pid, "status", text, sizeof(text));
		assert_non_null(strstr(text, "CapPrm:\t0000000000000000"));
		assert_non_null(strstr(text, "CapEff:\t0000000000000000"));
		assert_non_null(strstr(text, "NoNewPrivs:\t1"));
		assert_non_null(strstr(text, "Seccomp:\t2"));
		read_proc(pid, "limits", text, sizeof(text));
		assert_non_null(strstr(text, "Max core file size        0 "));
		if (geteuid() != 0) {
			read_proc(pid, "environ", text, sizeof(text));
			assert_string_equal(text, "");
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(said[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unconfined),
		cmocka_unit_test(test_gate),
		cmocka_unit_test(test_resolver),
		cmocka_unit_test(test_broker),
		cmocka_unit_test(test_exporter),
		cmocka_unit_test(test_dashboard),
		cmocka_unit_test(test_courier),
		cmocka_unit_test(test_courier_reads_no_file_of_the_user),
		cmocka_unit_test(test_assert_is_seen),
		cmocka_unit_test(test_rights),
	};
	int status = 0, fd;

	/* As root, everything is done again as an ordinary user */
	if (geteuid() == 0 && fork() == 0) {
		if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
		    setresuid(65534, 65534, 65534))
			return 1;
	} else if (geteuid() == 0) {
		wait(&status);
	}
	fd = (int)syscall(SYS_pidfd_open, getpid(), PIDFD_THREAD);
	thread_pidfd = fd >= 0;
	close(fd);
	fd = mkstemp(file_name);
	close(fd);
	status |= cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file_name);
	return status != 0;
}

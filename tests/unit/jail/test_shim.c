/* SPDX-License-Identifier: Apache-2.0 */
/* test_shim.c - the filter call by call, and the program that loads it */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "jail/jail.h"
#include "jail/seccomp_filter.h"
#include "jail/shim.h"

#define HIGH (7ul << 32)	/* garbage above an int */
#define ANY -1			/* some errno that is not one of the filter's, or success */

/* ---- filter -------------------------------------------------------------- */

static const struct attempt {
	const char	*name;
	long		 nr;
	unsigned long	 arg[5];
	int		 want;		/* errno; 0: success; ANY */
} attempts[] = {
	{ "tcp", __NR_socket, { AF_INET, SOCK_STREAM }, 0 },
	{ "tcp6", __NR_socket, { AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK }, 0 },
	{ "udp", __NR_socket, { AF_INET, SOCK_DGRAM }, 0 },
	{ "udp6, high bits", __NR_socket, { HIGH | AF_INET6, HIGH | SOCK_DGRAM }, 0 },
	{ "unix stream", __NR_socket, { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC }, 0 },
	{ "unix seqpacket", __NR_socket, { AF_UNIX, SOCK_SEQPACKET }, 0 },
	{ "route netlink", __NR_socket, { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE }, 0 },
	{ "route netlink dgram", __NR_socket, { AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE }, 0 },

	{ "unix datagram", __NR_socket, { AF_UNIX, SOCK_DGRAM }, EPROTONOSUPPORT },
	{ "unix datagram, flags", __NR_socket, { AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK },
	  EPROTONOSUPPORT },
	{ "unix datagram, high bits", __NR_socket, { HIGH | AF_UNIX, HIGH | SOCK_DGRAM },
	  EPROTONOSUPPORT },
	{ "unix raw", __NR_socket, { AF_UNIX, SOCK_RAW }, EPROTONOSUPPORT },
	{ "raw", __NR_socket, { AF_INET, SOCK_RAW, IPPROTO_ICMP }, EPERM },
	{ "raw6", __NR_socket, { AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6 }, EPERM },
	{ "inet packet", __NR_socket, { AF_INET, SOCK_PACKET, 3 }, EPERM },
	{ "netfilter netlink", __NR_socket, { AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER },
	  EPROTONOSUPPORT },
	{ "sock_diag", __NR_socket, { AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG }, EPROTONOSUPPORT },
	{ "audit", __NR_socket, { AF_NETLINK, SOCK_RAW, NETLINK_AUDIT }, EPROTONOSUPPORT },
	{ "generic netlink", __NR_socket, { AF_NETLINK, SOCK_RAW, NETLINK_GENERIC },
	  EPROTONOSUPPORT },
	{ "packet", __NR_socket, { AF_PACKET, SOCK_RAW, 0 }, EAFNOSUPPORT },
	{ "vsock", __NR_socket, { 40, SOCK_STREAM, 0 }, EAFNOSUPPORT },
	{ "vsock, high bits", __NR_socket, { HIGH | 40, SOCK_STREAM, 0 }, EAFNOSUPPORT },
	{ "alg", __NR_socket, { 38, SOCK_SEQPACKET, 0 }, EAFNOSUPPORT },
	{ "xdp", __NR_socket, { 44, SOCK_RAW, 0 }, EAFNOSUPPORT },
	{ "unspec", __NR_socket, { AF_UNSPEC, SOCK_STREAM, 0 }, EAFNOSUPPORT },
	{ "none such", __NR_socket, { 0xffffffff, SOCK_STREAM, 0 }, EAFNOSUPPORT },

	{ "pair datagram", __NR_socketpair, { AF_UNIX, SOCK_DGRAM, 0, 1 }, EPROTONOSUPPORT },
	{ "pair raw", __NR_socketpair, { AF_UNIX, SOCK_RAW, 0, 1 }, EPROTONOSUPPORT },
	{ "pair inet", __NR_socketpair, { AF_INET, SOCK_STREAM, 0, 1 }, EAFNOSUPPORT },
	{ "pair tipc", __NR_socketpair, { 30, SOCK_STREAM, 0, 1 }, EAFNOSUPPORT },

	{ "TIOCSTI", __NR_ioctl, { 99, TIOCSTI, 0 }, EPERM },
	{ "TIOCSTI, high bits", __NR_ioctl, { 99, HIGH | TIOCSTI, 0 }, EPERM },
	{ "TIOCLINUX", __NR_ioctl, { 99, HIGH | TIOCLINUX, 0 }, EPERM },
	{ "another ioctl", __NR_ioctl, { 99, TIOCGWINSZ, 0 }, EBADF },

	{ "io_uring_setup", __NR_io_uring_setup, { 1, 0 }, ENOSYS },
	{ "io_uring_enter", __NR_io_uring_enter, { 99 }, ENOSYS },
	{ "io_uring_register", __NR_io_uring_register, { 99 }, ENOSYS },
	{ "add_key", __NR_add_key, { 0 }, ENOSYS },
	{ "request_key", __NR_request_key, { 0 }, ENOSYS },
	{ "keyctl", __NR_keyctl, { 0 }, ENOSYS },
	{ "bpf", __NR_bpf, { 0 }, EPERM },
	{ "perf_event_open", __NR_perf_event_open, { 0 }, EPERM },
	{ "userfaultfd", __NR_userfaultfd, { 0 }, EPERM },
	{ "kexec_load", __NR_kexec_load, { 0 }, EPERM },
	{ "kexec_file_load", __NR_kexec_file_load, { 99 }, EPERM },
	{ "init_module", __NR_init_module, { 0 }, EPERM },
	{ "finit_module", __NR_finit_module, { 99 }, EPERM },
	{ "delete_module", __NR_delete_module, { 0 }, EPERM },
	{ "open_by_handle_at", __NR_open_by_handle_at, { 99 }, EPERM },

	{ "getpid", __NR_getppid, { 0 }, 0 },
	{ "no such call", 600, { 0 }, ENOSYS },
	{ "bind", __NR_bind, { 99 }, EBADF },
	{ "mount", __NR_mount, { 0 }, ANY },
	{ "setns", __NR_setns, { 99 }, EBADF },
	{ "pidfd_getfd", __NR_pidfd_getfd, { 99 }, EBADF },
	{ "connect, nobody answers", __NR_connect, { 99 }, ENOSYS },
	{ "listen, nobody answers", __NR_listen, { 99 }, ENOSYS },
};

static int filter_child(int (*then)(void))
{
	int status, fd;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		fd = seccomp_filter_install();
		if (fd < 0)
			_exit(99);
		close(fd);
		_exit(then());
	}
	waitpid(pid, &status, 0);
	return status;
}

static bool filter_refuses(int e)
{
	return e == ENOSYS || e == EPROTONOSUPPORT || e == EAFNOSUPPORT;
}

static int try_all(void)
{
	int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		const struct attempt *a = &attempts[i];
		long rc = syscall(a->nr, a->arg[0], a->arg[1], a->arg[2], a->arg[3], a->arg[4]);
		int got = rc < 0 ? errno : 0;

		if (a->want == ANY ? !filter_refuses(got) : got == a->want)
			continue;
		dprintf(2, "%s: %s, not %s\n", a->name, strerror(got), strerror(a->want));
		wrong = 1;
	}
	return wrong;
}

static void test_filter_calls(void **state)
{
	(void)state;
	assert_int_equal(filter_child(try_all), 0);
}

static int try_pairs(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	       socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int try_tools(void)
{
	pid_t pid;
	int status;

	/* a debugger, and namespaces of one's own */
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(7);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 1;
	ptrace(PTRACE_CONT, pid, 0, 0);
	if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7)
		return 2;
	return unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) ? 3 : 0;
}

static void test_filter_lets_tools_work(void **state)
{
	(void)state;
	assert_int_equal(filter_child(try_pairs), 0);
	assert_int_equal(filter_child(try_tools), 0);
}

static int try_second_listener(void)
{
	struct sock_filter allow = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
	struct sock_fprog prog = { 1, &allow };

	/* the first is closed, so the kernel would not mind */
	if (seccomp_filter_install() != -EBUSY)
		return 1;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    HIGH | SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog) != -1 || errno != EBUSY)
		return 2;
	/* a filter without one may be added: browsers and sandboxes do */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) ? 3 : 0;
}

static void test_filter_second_listener(void **state)
{
	(void)state;
	assert_int_equal(filter_child(try_second_listener), 0);
}

#ifdef __x86_64__
static long i386_getpid(void)
{
	long rc = 20;

	__asm__ volatile("int $0x80" : "+a"(rc) : : "memory", "r8", "r9", "r10", "r11");
	return (int)rc;
}

static int try_foreign(void)
{
	errno = 0;
	return i386_getpid() != -ENOSYS ||
	       syscall(0x40000000l | __NR_getpid) != -1 || errno != ENOSYS;
}

static int control_foreign(void)
{
	return i386_getpid() == getpid() ? 0 : 77;
}

static void test_filter_foreign_abi(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(control_foreign());
	waitpid(pid, &status, 0);
	if (status != 0)
		skip();		/* a kernel without i386 */
	assert_int_equal(filter_child(try_foreign), 0);
}
#endif

/* Every jump goes forward and inside, every path ends in a return */
static void test_filter_is_sound(void **state)
{
	struct sock_filter insn[SECCOMP_FILTER_MAX];
	size_t len = seccomp_filter_build(insn);

	(void)state;
	assert_true(len > 40 && len <= SECCOMP_FILTER_MAX);
	for (size_t i = 0; i < len; i++) {
		if (BPF_CLASS(insn[i].code) == BPF_JMP) {
			assert_true(i + 1 + insn[i].jt < len && i + 1 + insn[i].jf < len);
			assert_true(insn[i].jt > 0);
		}
	}
	assert_int_equal(BPF_CLASS(insn[len - 1].code), BPF_RET);
}

/* ---- shim ---------------------------------------------------------------- */

struct run {
	int	(*prepare)(void);	/* in the child, before the shim */
	const char *answer;		/* sent for the listener; NULL: hang up */
	bool	leaves;			/* hang up after the answer */
	bool	listener;		/* out: it came */
	int	status;			/* out */
	char	text[4096];		/* out: stdout and stderr */
};

static bool run_receive(int sock)
{
	char byte = 0, room[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
			    .msg_controllen = sizeof(room) };
	int fd;

	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1 || byte != SHIM_LISTENER || !CMSG_FIRSTHDR(&m))
		return false;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	close(fd);
	return true;
}

static void run_child(const struct run *r, int sock, int out, char **command)
{
	char number[16], role[] = "role-shim", dashes[] = "--";
	char *argv[16] = { role, number, dashes };
	int argc = 3;

	dup2(out, 1);
	dup2(out, 2);
	for (; command[argc - 3]; argc++)
		argv[argc] = command[argc - 3];
	snprintf(number, sizeof(number), "%d", fcntl(sock, F_DUPFD, 20));
	if (r->prepare && r->prepare())
		_exit(98);
	_exit(shim_main(argc, argv));
}

static void run_shim(struct run *r, char **command)
{
	int sock[2], out[2];
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0)
		run_child(r, sock[1], out[1], command);
	close(sock[1]);
	close(out[1]);
	r->listener = run_receive(sock[0]);
	if (r->answer)
		assert_int_equal(send(sock[0], r->answer, 1, MSG_NOSIGNAL) == 1, r->listener);
	if (!r->answer || r->leaves)
		DROP_FD(sock[0]);
	while ((n = read(out[0], r->text + used, sizeof(r->text) - 1 - used)) > 0)
		used += (size_t)n;
	close(out[0]);
	waitpid(pid, &r->status, 0);
	DROP_FD(sock[0]);
	r->status = WIFEXITED(r->status) ? WEXITSTATUS(r->status) : 1000 + WTERMSIG(r->status);
}

#define COMMAND(...) ((char *[]){ __VA_ARGS__, NULL })
#define S(text) (char *)(uintptr_t)text

static void test_shim_runs(void **state)
{
	struct run r = { .answer = "G" };

	(void)state;
	run_shim(&r, COMMAND(S("sh"), S("-c"), S("echo $0 $1; exit 42"), S("a"), S("b c")));
	assert_true(r.listener);
	assert_string_equal(r.text, "a b c\n");
	assert_int_equal(r.status, 42);
}

static void test_shim_waits(void **state)
{
	struct run gone = { .answer = NULL }, wrong = { .answer = "X" };

	(void)state;
	run_shim(&gone, COMMAND(S("echo"), S("ran")));
	assert_true(gone.listener);
	assert_string_equal(gone.text, "");
	assert_int_equal(gone.status, 125);
	run_shim(&wrong, COMMAND(S("echo"), S("ran")));
	assert_string_equal(wrong.text, "");
	assert_int_equal(wrong.status, 125);
}

/* The keeper's end is what init watches for; in a jail the kernel then kills the rest */
static void test_shim_ends_with_the_keeper(void **state)
{
	struct run r = { .answer = "G", .leaves = true };
	pid_t command;

	(void)state;
	run_shim(&r, COMMAND(S("sh"), S("-c"), S("echo $$; exec sleep 60 >/dev/null 2>&1")));
	assert_int_equal(r.status, 125);
	command = (pid_t)strtol(r.text, NULL, 10);
	assert_true(command > 1);
	assert_int_equal(kill(command, SIGKILL), 0);
}

static void test_shim_cannot_exec(void **state)
{
	struct run absent = { .answer = "G" }, no = { .answer = "G" };

	(void)state;
	run_shim(&absent, COMMAND(S("/no/such/thing"), S("x")));
	assert_int_equal(absent.status, 127);
	assert_string_equal(absent.text, "sluice: /no/such/thing: not found\n");
	run_shim(&no, COMMAND(S("/etc/passwd")));
	assert_int_equal(no.status, 126);
	assert_string_equal(no.text, "sluice: /etc/passwd: Permission denied\n");
}

static int prepare_leaks(void)
{
	return dup2(2, 3) < 0 || dup2(2, 10) < 0 || dup2(2, 19) < 0 || dup2(2, 300) < 0;
}

static void test_shim_closes(void **state)
{
	struct run r = { .prepare = prepare_leaks, .answer = "G" };

	(void)state;
	/* 3 is the directory that ls itself reads */
	run_shim(&r, COMMAND(S("ls"), S("/proc/self/fd")));
	assert_string_equal(r.text, "0\n1\n2\n3\n");
}

static int prepare_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	return sigprocmask(SIG_SETMASK, &all, NULL);
}

static void test_shim_signals_and_privileges(void **state)
{
	struct run r = { .prepare = prepare_signals, .answer = "G" };

	(void)state;
	run_shim(&r, COMMAND(S("grep"), S("-E"), S("^(SigBlk|SigIgn|NoNewPrivs|Seccomp):"),
			     S("/proc/self/status")));
	assert_string_equal(r.text, "SigBlk:\t0000000000000000\n"
			    "SigIgn:\t0000000000000001\n"	/* nohup stays */
			    "NoNewPrivs:\t1\nSeccomp:\t2\n");
}

/* ---- descriptors 0 to 2 -------------------------------------------------- */

static int stdin_of(int family, int type)
{
	int fd = socket(family, type, 0);

	return dup2(fd, 0) < 0;
}

static int prepare_tcp(void) { return stdin_of(AF_INET, SOCK_STREAM); }
static int prepare_udp6(void) { return stdin_of(AF_INET6, SOCK_DGRAM); }
static int prepare_netlink(void) { return stdin_of(AF_NETLINK, SOCK_RAW); }
static int prepare_unix_datagram(void) { return stdin_of(AF_UNIX, SOCK_DGRAM); }

static int prepare_unix_unconnected(void) { return stdin_of(AF_UNIX, SOCK_STREAM); }

static int prepare_unix_listener(void)
{
	struct sockaddr name = { .sa_family = AF_UNIX };

	return stdin_of(AF_UNIX, SOCK_STREAM) || bind(0, &name, sizeof(name.sa_family)) ||
	       listen(0, 1);
}

static int prepare_unix_pair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || dup2(pair[0], 0) < 0;
}

static int prepare_closed(void)
{
	return close(0);
}

static void test_shim_stdio(void **state)
{
	static int (*const bad[])(void) = { prepare_tcp, prepare_udp6, prepare_netlink,
					    prepare_unix_datagram, prepare_unix_listener,
					    prepare_unix_unconnected };
	static int (*const good[])(void) = { prepare_unix_pair, prepare_closed, NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct run r = { .prepare = bad[i], .answer = "G" };

		run_shim(&r, COMMAND(S("true")));
		assert_false(r.listener);
		assert_int_equal(r.status, 125);
		assert_non_null(strstr(r.text, "sluice: descriptor 0"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct run r = { .prepare = good[i], .answer = "G" };

		run_shim(&r, COMMAND(S("true")));
		assert_int_equal(r.status, 0);
	}
}

static void test_shim_by_hand(void **state)
{
	char *bad[][5] = {
		{ S("role-shim"), NULL },
		{ S("role-shim"), S("2"), S("--"), S("true"), NULL },
		{ S("role-shim"), S("9x"), S("--"), S("true"), NULL },
		{ S("role-shim"), S("9"), S("true"), S("true"), NULL },
	};
	int saved = dup(2), null = open("/dev/null", O_WRONLY);

	(void)state;
	dup2(null, 2);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(shim_main(i ? 4 : 1, bad[i]), 125);
	dup2(saved, 2);
	close(saved);
	close(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter_is_sound),
		cmocka_unit_test(test_filter_calls),
		cmocka_unit_test(test_filter_lets_tools_work),
		cmocka_unit_test(test_filter_second_listener),
#ifdef __x86_64__
		cmocka_unit_test(test_filter_foreign_abi),
#endif
		cmocka_unit_test(test_shim_runs),
		cmocka_unit_test(test_shim_waits),
		cmocka_unit_test(test_shim_ends_with_the_keeper),
		cmocka_unit_test(test_shim_cannot_exec),
		cmocka_unit_test(test_shim_closes),
		cmocka_unit_test(test_shim_signals_and_privileges),
		cmocka_unit_test(test_shim_stdio),
		cmocka_unit_test(test_shim_by_hand),
	};

	/* A shell that started us in the background may have ignored these */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selftest_kernel.c - attempts through kernel interfaces, namespaces and other processes
 *
 * A call that the filter or the kernel refuses by right is told from one that
 * was let through and failed for its arguments: the arguments are such that it
 * always fails then, and does no harm if the jail is broken.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "cli/selftest.h"

#define FAMILY_MAX 64		/* more than Linux knows */
#define X32_BIT 0x40000000	/* of a system call's number */
#define KEXEC_TOO_MANY 17	/* segments: one more than the kernel takes */

/* Was it let through, whatever it then made of its arguments? */
static bool let_through(long result)
{
	return result >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS);
}

/* ---- sockets of other kinds ---- */

static bool opens(int family, int type, int protocol)
{
	AUTO_CLOSE int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	return fd >= 0;
}

static bool socket_raw(const struct aim *aim)
{
	(void)aim;
	return opens(AF_INET, SOCK_RAW, IPPROTO_RAW) || opens(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6) ||
	       opens(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static bool socket_packet(const struct aim *aim)
{
	(void)aim;
	return opens(AF_PACKET, SOCK_RAW, 0) || opens(AF_PACKET, SOCK_DGRAM, 0);
}

static bool socket_vsock(const struct aim *aim)
{
	(void)aim;
	return opens(AF_VSOCK, SOCK_STREAM, 0) || opens(AF_VSOCK, SOCK_DGRAM, 0);
}

static bool socket_bluetooth(const struct aim *aim)
{
	(void)aim;
	return opens(AF_BLUETOOTH, SOCK_RAW, 1 /* HCI */) ||
	       opens(AF_BLUETOOTH, SOCK_SEQPACKET, 0 /* L2CAP */);
}

static bool socket_alg(const struct aim *aim)
{
	(void)aim;
	return opens(AF_ALG, SOCK_SEQPACKET, 0);
}

static bool socket_can(const struct aim *aim)
{
	(void)aim;
	return opens(AF_CAN, SOCK_RAW, 1 /* CAN_RAW */);
}

/* Families are allowed by name, so that those to come are refused as well */
static bool socket_others(const struct aim *aim)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET };

	(void)aim;
	for (int family = 0; family < FAMILY_MAX; family++) {
		if (family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
		    family == AF_NETLINK)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(types); i++)
			if (opens(family, types[i], 0))
				return true;
	}
	return false;
}

static bool netlink_others(const struct aim *aim)
{
	(void)aim;
	for (int protocol = 0; protocol < MAX_LINKS; protocol++)
		if (protocol != NETLINK_ROUTE && opens(AF_NETLINK, SOCK_RAW, protocol))
			return true;
	return false;
}

static bool option_set(int level, int option, int value)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && !setsockopt(fd, level, option, &value, sizeof(value));
}

static bool socket_mark(const struct aim *aim)
{
	(void)aim;
	return option_set(SOL_SOCKET, SO_MARK, 0x51);
}

static bool socket_transparent(const struct aim *aim)
{
	(void)aim;
	return option_set(IPPROTO_IP, IP_TRANSPARENT, 1);
}

/* ---- namespaces ---- */

static bool write_text(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

bool selftest_nested_root(int also)
{
	char uid[32], gid[32];

	snprintf(uid, sizeof(uid), "0 %u 1", geteuid());
	snprintf(gid, sizeof(gid), "0 %u 1", getegid());
	return !unshare(CLONE_NEWUSER | also) && write_text("/proc/self/setgroups", "deny") &&
	       write_text("/proc/self/uid_map", uid) && write_text("/proc/self/gid_map", gid);
}

static bool nested_works(const struct aim *aim)
{
	(void)aim;
	return selftest_nested_root(CLONE_NEWNS);
}

/* lo's flags as they are: only the right to set them is tried */
static bool link_set(void)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = { .ifr_name = "lo" };

	return fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &lo) && !ioctl(fd, SIOCSIFFLAGS, &lo);
}

static bool nested_link(const struct aim *aim)
{
	(void)aim;
	return link_set() || (selftest_nested_root(0) && link_set());
}

/* Ask the kernel to take away a route that is not there.  Return: was it its only reason? */
static bool route_set(void)
{
	struct {
		struct nlmsghdr	head;
		struct rtmsg	route;
	} ask = {
		{ sizeof(ask), RTM_DELROUTE, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		{ .rtm_family = AF_INET, .rtm_table = 250 },
	};
	struct {
		struct nlmsghdr	head;
		struct nlmsgerr	error;
		char		rest[512];
	} answer = { .error.error = -EPERM };
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &ask, sizeof(ask), 0) < 0 || recv(fd, &answer, sizeof(answer), 0) <= 0)
		return false;
	return answer.head.nlmsg_type == NLMSG_ERROR && answer.error.error != -EPERM;
}

static bool nested_route(const struct aim *aim)
{
	(void)aim;
	return route_set() || (selftest_nested_root(0) && route_set());
}

static bool nested_firewall(const struct aim *aim)
{
	(void)aim;
	return selftest_nested_root(0) && opens(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
}

/* A network namespace of our own has a lo of its own, and nothing else */
static bool nested_network(const struct aim *aim)
{
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(&aim->spot[SPOT_LOOP4].addr, aim->spot[SPOT_LOOP4].tcp, &sa);
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	AUTO_CLOSE int fd = -1;

	if (!selftest_nested_root(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return !ioctl(fd, SIOCSIFFLAGS, &lo) && !connect(fd, (struct sockaddr *)&sa, len);
}

static bool joins(const char *path, int type)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && !setns(fd, type);
}

static bool join_first(const struct aim *aim)
{
	(void)aim;
	return joins("/proc/1/ns/net", CLONE_NEWNET) ||
	       (selftest_nested_root(0) && joins("/proc/1/ns/net", CLONE_NEWNET));
}

static bool join_sentinel(const struct aim *aim)
{
	char path[64];
	AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, aim->sentinel, 0);

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)aim->sentinel);
	return joins(path, CLONE_NEWNET) || (fd >= 0 && !setns(fd, CLONE_NEWNET));
}

/* ---- processes outside ---- */

/* Is there a process that shows @word in /proc/PID/@file? */
static bool shows(const char *file, const char *word)
{
	DIR *d = opendir("/proc");
	bool found = false;
	struct dirent *e;

	while (d && !found && (e = readdir(d))) {
		char path[300], text[4096];
		AUTO_CLOSE int fd = -1;
		ssize_t n;

		if (*e->d_name < '0' || *e->d_name > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/%s", e->d_name, file);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, text, sizeof(text));
		found = n > 0 && memmem(text, (size_t)n, word, strlen(word));
	}
	if (d)
		closedir(d);
	return found;
}

static bool see_processes(const struct aim *aim)
{
	(void)aim;
	return shows("comm", SENTINEL_NAME);
}

static bool see_roles(const struct aim *aim)
{
	(void)aim;
	return shows("cmdline", "role-gate") || shows("cmdline", "role-resolver") ||
	       shows("cmdline", "role-broker");
}

/* Whoever may trace a process makes any call in its name */
static bool unfiltered(const struct aim *aim)
{
	(void)aim;
	return shows("status", "\nSeccomp:\t0\n");
}

/* The sentinel tells whether it came: the number may be another's here */
static bool send_signal(const struct aim *aim)
{
	union sigval value = { .sival_int = (int)(aim->place * SELFTEST_MAX + aim->number) };

	sigqueue(aim->sentinel, SELFTEST_SIGNAL, value);
	return false;
}

static bool is_secret(const char *text)
{
	return !memcmp(text, SENTINEL_SECRET, sizeof(SENTINEL_SECRET));
}

static bool read_memory(const struct aim *aim)
{
	char text[sizeof(SENTINEL_SECRET)] = "";
	struct iovec here = { text, sizeof(text) };
	struct iovec there = { (void *)aim->memory, sizeof(text) };	/* of the other process */

	return process_vm_readv(aim->sentinel, &here, 1, &there, 1, 0) > 0 && is_secret(text);
}

static bool read_mem_file(const struct aim *aim)
{
	char path[64], text[sizeof(SENTINEL_SECRET)] = "";
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)aim->sentinel);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && pread(fd, text, sizeof(text), (off_t)aim->memory) > 0 && is_secret(text);
}

static bool trace(const struct aim *aim)
{
	long word;

	if (ptrace(PTRACE_ATTACH, aim->sentinel, NULL, NULL))
		return false;
	waitpid(aim->sentinel, NULL, __WALL);
	word = ptrace(PTRACE_PEEKDATA, aim->sentinel, (void *)aim->memory, NULL);
	ptrace(PTRACE_DETACH, aim->sentinel, NULL, NULL);
	return !memcmp(&word, SENTINEL_SECRET, sizeof(word));
}

static bool take_descriptor(const struct aim *aim)
{
	AUTO_CLOSE int process = (int)syscall(SYS_pidfd_open, aim->sentinel, 0);
	AUTO_CLOSE int fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, 0, 0);

	return fd >= 0 && read_memory(aim);	/* a process of the jail may have that number */
}

/* ---- system calls ---- */

static bool io_uring(const struct aim *aim)
{
	uint8_t params[120] = { 0 };

	(void)aim;
	return let_through(syscall(SYS_io_uring_setup, 1, params));
}

static bool call_bpf(const struct aim *aim)
{
	(void)aim;
	return let_through(syscall(SYS_bpf, 0, NULL, 0));
}

static bool call_perf(const struct aim *aim)
{
	(void)aim;
	return let_through(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static bool call_userfaultfd(const struct aim *aim)
{
	(void)aim;
	return let_through(syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */));
}

static bool call_keys(const struct aim *aim)
{
	(void)aim;
	return let_through(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0)) ||
	       let_through(syscall(SYS_add_key, NULL, NULL, NULL, 0, 0)) ||
	       let_through(syscall(SYS_request_key, NULL, NULL, NULL, 0));
}

static bool call_kexec(const struct aim *aim)
{
	(void)aim;
	return let_through(syscall(SYS_kexec_load, 0, KEXEC_TOO_MANY, NULL, 0));
}

static bool call_module(const struct aim *aim)
{
	(void)aim;
	return let_through(syscall(SYS_init_module, NULL, 0, "")) ||
	       let_through(syscall(SYS_finit_module, -1, "", 0));
}

static bool call_handle(const struct aim *aim)
{
	struct file_handle none = { .handle_bytes = 0 };

	(void)aim;
	return let_through(syscall(SYS_open_by_handle_at, AT_FDCWD, &none, O_RDONLY));
}

static bool call_listener(const struct aim *aim)
{
	(void)aim;	/* SECCOMP_SET_MODE_FILTER with a listener: to supervise a child's connects */
	return syscall(SYS_seccomp, 1, 8 /* NEW_LISTENER */, NULL) < 0 && errno == EFAULT;
}

#ifdef __x86_64__
/* getpid by the i386 ABI, whose numbers mean other things */
static bool abi_i386(const struct aim *aim)
{
	long result = 20;

	(void)aim;
	signal(SIGSEGV, SIG_DFL);	/* what a kernel without that ABI sends: no crash to tell of */
	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	return (int)result >= 0;
}

static bool abi_x32(const struct aim *aim)
{
	(void)aim;
	return syscall(X32_BIT | SYS_getpid) >= 0;
}
#endif

/* ---- terminals ---- */

/* A terminal of our own will do: it is the call that must be refused */
static int terminal(void)
{
	AUTO_CLOSE int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	AUTO_CLOSE int slave = -1;
	int zero = 0;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &zero))
		return -1;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_CLOEXEC);
	if (slave < 0 || ioctl(slave, TIOCSCTTY, 0))
		return -1;
	(void)TAKE_FD(master);	/* lives as long as this process */
	return TAKE_FD(slave);
}

static bool tty_push(const struct aim *aim)
{
	AUTO_CLOSE int fd = terminal();

	(void)aim;
	return fd >= 0 && (let_through(ioctl(fd, TIOCSTI, "x")) ||
			   let_through(syscall(SYS_ioctl, fd, (1ul << 32) | TIOCSTI, "x")));
}

static bool tty_paste(const struct aim *aim)
{
	AUTO_CLOSE int fd = terminal();
	char none = 0x7f;	/* no such function of TIOCLINUX */

	(void)aim;
	return fd >= 0 && let_through(ioctl(fd, TIOCLINUX, &none));
}

static bool tty_works(const struct aim *aim)
{
	AUTO_CLOSE int fd = terminal();

	(void)aim;
	return fd >= 0;
}

/* ---- what must work ---- */

static bool memory_program(const struct aim *aim)
{
	AUTO_CLOSE int program = memfd_create("program", 0);
	AUTO_CLOSE int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *argv[] = { (char[]){ "sluice" }, (char[]){ "--version" }, NULL };
	int status = -1;
	char bytes[65536];
	ssize_t n;
	pid_t pid;

	(void)aim;
	while ((n = read(self, bytes, sizeof(bytes))) > 0)
		if (write(program, bytes, (size_t)n) != n)
			return false;
	pid = fork();
	if (pid == 0) {
		close(STDOUT_FILENO);
		open("/dev/null", O_WRONLY);
		fexecve(program, argv, environ);
		_exit(1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

const struct attempt selftest_kernel[] = {
	{ "socket-raw", "raw sockets", CONTROL_MAY, socket_raw, NULL },
	{ "socket-packet", "packet sockets", CONTROL_MAY, socket_packet, NULL },
	{ "socket-vsock", "sockets to the machine that hosts this one (vsock)", CONTROL_MAY,
	  socket_vsock, NULL },
	{ "socket-bluetooth", "Bluetooth sockets", CONTROL_MAY, socket_bluetooth, NULL },
	{ "socket-alg", "sockets into the kernel's cryptography", CONTROL_MAY, socket_alg, NULL },
	{ "socket-can", "CAN bus sockets", CONTROL_MAY, socket_can, NULL },
	{ "socket-others", "every family but Unix, IPv4, IPv6, netlink", CONTROL_MAY, socket_others,
	  NULL },
	{ "netlink-others", "netlink: uevent, generic, xfrm, netfilter and all but route",
	  CONTROL_MUST, netlink_others, NULL },
	{ "socket-mark", "mark packets as the gate's (SO_MARK)", CONTROL_MAY, socket_mark, NULL },
	{ "socket-transparent", "take other addresses (IP_TRANSPARENT)", CONTROL_MAY,
	  socket_transparent, NULL },
	{ "nested-link", "set up the jail's lo as the root of a namespace", CONTROL_NEVER, nested_link,
	  NULL },
	{ "nested-route", "change the jail's routes as the root of a namespace", CONTROL_NEVER,
	  nested_route, NULL },
	{ "nested-firewall", "the jail's packet rules as the root of a namespace", CONTROL_NEVER,
	  nested_firewall, NULL },
	{ "nested-network", "leave through a network namespace of its own", CONTROL_NEVER,
	  nested_network, NULL },
	{ "join-first", "join the network of the jail's first process", CONTROL_NEVER, join_first,
	  NULL },
	{ "join-outside", "join the network of a process outside", CONTROL_NEVER, join_sentinel, NULL },
	{ "see-processes", "see a process outside in /proc", CONTROL_MUST, see_processes, NULL },
	{ "see-roles", "see the gate, the resolver, the broker", CONTROL_NEVER, see_roles, NULL },
	{ "unfiltered", "find a process that carries no filter, to act through it", CONTROL_MUST,
	  unfiltered, NULL },
	{ "signal", "send a signal to a process outside", CONTROL_MUST, send_signal, NULL },
	{ "read-memory", "process_vm_readv(2) on a process outside", CONTROL_MAY, read_memory, NULL },
	{ "read-mem-file", "/proc/PID/mem of a process outside", CONTROL_MAY, read_mem_file, NULL },
	{ "ptrace", "trace a process outside", CONTROL_MAY, trace, NULL },
	{ "take-descriptor", "pidfd_getfd(2) from a process outside", CONTROL_MAY, take_descriptor,
	  NULL },
	{ "io-uring", "io_uring, which filters do not see", CONTROL_MAY, io_uring, NULL },
	{ "bpf", "bpf(2)", CONTROL_MAY, call_bpf, NULL },
	{ "perf", "perf_event_open(2)", CONTROL_MAY, call_perf, NULL },
	{ "userfaultfd", "userfaultfd(2)", CONTROL_MAY, call_userfaultfd, NULL },
	{ "keys", "the kernel's keyrings", CONTROL_MAY, call_keys, NULL },
	{ "kexec", "kexec_load(2)", CONTROL_NEVER, call_kexec, NULL },
	{ "modules", "kernel modules", CONTROL_NEVER, call_module, NULL },
	{ "file-handles", "open_by_handle_at(2)", CONTROL_MAY, call_handle, NULL },
	{ "second-listener", "supervise connect(2) in the broker's place", CONTROL_MAY, call_listener,
	  NULL },
#ifdef __x86_64__
	{ "abi-i386", "system calls by int 0x80", CONTROL_MAY, abi_i386, NULL },
	{ "abi-x32", "system calls with the x32 bit", CONTROL_MAY, abi_x32, NULL },
#endif
	{ "tty-push", "type into a terminal (TIOCSTI)", CONTROL_MAY, tty_push, NULL },
	{ "tty-paste", "paste into a terminal (TIOCLINUX)", CONTROL_MAY, tty_paste, NULL },
	{ "tty", "a terminal of its own", CONTROL_ALLOWED, tty_works, NULL },
	{ "nested-sandbox", "user and mount namespaces of its own", CONTROL_ALLOWED, nested_works,
	  NULL },
	{ "memory-program", "a program in memory (memfd) runs", CONTROL_ALLOWED, memory_program,
	  NULL },
	{ NULL, NULL, CONTROL_NEVER, NULL, NULL },
};

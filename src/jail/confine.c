/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.c - each role gives up what it doesn't need
 *
 * Theory
 *
 * A role that parses hostile bytes may one day run hostile code.  What that
 * code can do is then the list of calls below and the descriptors that the role holds.
 * Five walls, each for what the others can't see:
 *
 *  - no_new_privs, no capabilities, not dumpable (nobody of the same user
 *    attaches to it or reads its memory), no core file with secrets in it;
 *  - Landlock without any rule: no file can be opened, made or removed, by whatever call.
 *    A kernel without Landlock has the calls that open files refused all the same;
 *  - Landlock, newer: no TCP bind, no signals or abstract sockets out of the role;
 *  - seccomp: what is not listed kills the process, and the jail is left without
 *    network.  EACCES instead only for what libraries try as an afterthought
 *    (time zones, message catalogues, fstat before the first line on stderr).
 *
 * mmap and mprotect never with PROT_EXEC: no new code.  fcntl and ioctl by command.
 *
 * Under AddressSanitizer a few more calls pass, for its reports; leak checks are switched
 * off in a confined process, as they need ptrace.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/un.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "base/auto.h"
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

#define TYPE_MASK 0xfu	/* of socket(2)'s type; above it are flags */

/* A call that passes, if up to two arguments are as said; several rows are alternatives */
struct pass {
	int			nr;
	unsigned		conds;
	struct scmp_arg_cmp	cond[2];
	bool			refuse;		/* EACCES instead */
};
#define CALL(name) { SCMP_SYS(name), 0, { { 0 } }, false }
#define CALL_IF(name, c) { SCMP_SYS(name), 1, { c }, false }
#define CALL_IF2(name, c, d) { SCMP_SYS(name), 2, { c, d }, false }
#define REFUSE_IF(name, c) { SCMP_SYS(name), 1, { c }, true }
#define MASKED(arg, mask, value) { arg, SCMP_CMP_MASKED_EQ, mask, value }
#define IS(arg, value) MASKED(arg, UINT32_MAX, value)	/* an int or unsigned */
#define NONE(arg) { arg, SCMP_CMP_EQ, 0, 0 }		/* a pointer: NULL */

/* Every role: memory, time, its own signals, the end */
static const struct pass any_role[] = {
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise),
	CALL_IF2(mmap, MASKED(2, PROT_EXEC, 0), MASKED(3, MAP_ANONYMOUS, MAP_ANONYMOUS)),
	CALL_IF(mprotect, MASKED(2, PROT_EXEC, 0)),
	CALL(futex), CALL(restart_syscall), CALL(sched_yield),
	CALL(clock_gettime), CALL(gettimeofday), CALL(time), CALL(clock_nanosleep),
	CALL(getpid), CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getrandom),
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack),
	CALL(exit), CALL(exit_group), CALL(close),
};

/* Tried by libraries in passing: refused, not deadly */
static const int refused[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(uname), SCMP_SYS(sysinfo),
	SCMP_SYS(prlimit64), SCMP_SYS(sched_getaffinity), SCMP_SYS(clone3),
};

/* An event loop with sockets: gate and resolver */
static const struct pass loop_role[] = {
	CALL(read), CALL(write), CALL(readv), CALL(writev),
	CALL(recvmsg), CALL(recvmmsg), CALL(recvfrom), CALL(sendmsg), CALL(sendmmsg), CALL(sendto),
	CALL(shutdown), CALL(getsockname), CALL(getpeername), CALL(getsockopt), CALL(setsockopt),
	CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2),
	CALL(poll), CALL(ppoll), CALL(timerfd_settime),
	CALL_IF(fcntl, IS(1, F_GETFL)), CALL_IF(fcntl, IS(1, F_SETFL)),
	CALL_IF(fcntl, IS(1, F_GETFD)), CALL_IF(fcntl, IS(1, F_SETFD)),
	CALL_IF(ioctl, IS(1, FIONREAD)), CALL_IF(ioctl, IS(1, FIONBIO)),
};

/*
 * gate
 * holds	the listeners, raw and log sockets made inside the jail, the keeper's socket
 * should	accept, sniff, relay, answer DNS and datagrams
 * mustn't	make, connect or bind a socket, open a file, exec, fork, signal, trace,
 *		enter a namespace
 * accepts	verdicts, connected descriptors and a new policy, which it maps for reading,
 *		from the keeper; any bytes from the jail and the network
 */
static const struct pass gate_role[] = {
	CALL(accept4), CALL(splice), CALL(pipe2),
	CALL_IF2(mmap, MASKED(2, ~(scmp_datum_t)PROT_READ, 0), MASKED(3, MAP_TYPE, MAP_SHARED)),
	CALL_IF(fcntl, IS(1, F_SETPIPE_SZ)), CALL_IF(fcntl, IS(1, F_GETPIPE_SZ)),
};

/*
 * resolver
 * holds	the keeper's socket, its sockets to upstream resolvers
 * should	ask upstream resolvers over UDP, TCP and TLS
 * mustn't	listen or accept, bind TCP, open a file, exec, fork, signal, trace,
 *		make any socket but INET and INET6 datagram and stream
 * accepts	questions from the keeper; any bytes from upstream
 */
#define SOCKET_OF(family, type) CALL_IF2(socket, IS(0, family), MASKED(1, TYPE_MASK, type))
static const struct pass resolver_role[] = {
	SOCKET_OF(AF_INET, SOCK_DGRAM), SOCKET_OF(AF_INET, SOCK_STREAM),
	SOCKET_OF(AF_INET6, SOCK_DGRAM), SOCKET_OF(AF_INET6, SOCK_STREAM),
	CALL(connect), CALL(bind),
};

/*
 * exporter
 * holds	a listening socket of the host's, the counters for reading
 * should	accept, read a request, write a page
 * mustn't	make, connect or bind a socket, open a file, exec, fork, signal, trace
 * accepts	any bytes from whoever reaches the socket
 */
static const struct pass exporter_role[] = {
	CALL(accept4), CALL(recvfrom), CALL(sendto), CALL(shutdown), CALL(poll), CALL(ppoll),
	CALL(write),
};

/*
 * dashboard
 * holds	a listening socket of the host's, the daemon's socket, connections to sessions
 *		that may only be read and answered with a name (control/request.h: "web")
 * should	accept, read requests, ask sessions, write pages
 * mustn't	make, connect or bind a socket, open a file, exec, fork, signal, trace
 * accepts	connected descriptors of the daemon; any bytes from whoever reaches the socket
 */
static const struct pass dashboard_role[] = {
	CALL(accept4), CALL(recvfrom), CALL(recvmsg), CALL(sendto), CALL(shutdown), CALL(poll),
	CALL(ppoll), CALL(write),
};

/*
 * courier
 * holds	the keeper's socket, its own to the webhook
 * should	look up a name as libc does, and talk TLS to the webhook
 * mustn't	listen or accept, open a file but name service's and certificates, write one, exec,
 *		fork, signal, trace
 * accepts	alerts of the keeper, any bytes of the webhook and of name servers
 *
 * clone makes threads only: lookups are done in one.
 */
#define THREAD_FLAGS (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)
static const struct pass courier_role[] = {
	SOCKET_OF(AF_INET, SOCK_DGRAM), SOCKET_OF(AF_INET, SOCK_STREAM),
	SOCKET_OF(AF_INET6, SOCK_DGRAM), SOCKET_OF(AF_INET6, SOCK_STREAM),
	CALL_IF2(socket, IS(0, AF_NETLINK), IS(2, 0)),	/* route: which addresses there are */
	REFUSE_IF(socket, IS(0, AF_UNIX)),		/* nscd */
	CALL_IF(socketpair, IS(0, AF_UNIX)), CALL(pipe2), CALL(eventfd2),
	CALL(connect), CALL(bind),
	CALL_IF(openat, MASKED(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)), CALL(fstat),
	CALL(newfstatat), CALL(lseek), CALL(pread64), CALL(getdents64),
	CALL_IF2(mmap, MASKED(2, PROT_EXEC | PROT_WRITE, 0), MASKED(3, MAP_ANONYMOUS, 0)),
	REFUSE_IF(mmap, MASKED(2, PROT_EXEC, PROT_EXEC)),
	CALL_IF(clone, MASKED(0, THREAD_FLAGS, THREAD_FLAGS)),
	CALL(set_robust_list), CALL(rseq), CALL_IF(fcntl, IS(1, F_DUPFD_CLOEXEC)),
};

/*
 * broker
 * holds	the notification descriptor, O_PATH descriptors, a datagram socket to
 *		probe with, the way to the keeper for notes
 * should	copy sockets and addresses out of the jail's processes, and connect
 * mustn't	make a socket, open anything but O_PATH (which can't be read or
 *		written), read, write, exec, fork, signal, enter a namespace
 * accepts	notifications of connect and listen
 *
 * Not in a Landlock domain: it would not be let near the jail's processes.
 * clone makes threads only; the one process that it is stays one.
 */
static const struct pass broker_role[] = {
	CALL_IF(ioctl, IS(1, SECCOMP_IOCTL_NOTIF_RECV)),
	CALL_IF(ioctl, IS(1, SECCOMP_IOCTL_NOTIF_SEND)),
	CALL_IF(ioctl, IS(1, SECCOMP_IOCTL_NOTIF_ID_VALID)),
	CALL_IF(ioctl, IS(1, SIOCUNIXFILE)),
	CALL(pidfd_open), CALL(pidfd_getfd), CALL(process_vm_readv),
	CALL(getsockopt), CALL(connect), CALL(poll), CALL(ppoll),
	CALL_IF(openat, MASKED(2, O_PATH, O_PATH)), CALL(statx), CALL(readlinkat),
	CALL_IF(sendto, NONE(4)),
	CALL(timer_create), CALL(timer_settime),
	CALL_IF(clone, MASKED(0, THREAD_FLAGS, THREAD_FLAGS)),
	CALL(set_robust_list), CALL(rseq),
};

/* Before Linux 6.9 it must read /proc/TID/status */
static const struct pass broker_before_6_9[] = {
	CALL_IF(openat, MASKED(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)), CALL(read),
};

static const struct pass broker_since_6_9[] = {
	REFUSE_IF(openat, MASKED(2, O_PATH, 0)),	/* malloc asks how many CPUs there are */
};

static const struct pass sanitizer[] = {
	CALL(mmap), CALL(write), CALL(prctl), CALL(getrusage), CALL(sched_getaffinity),
	CALL(pipe2), CALL(mincore),
	CALL_IF(ioctl, IS(1, 0x5401)),	/* TCGETS: may the report have colours? */
};

/* ---- seccomp ------------------------------------------------------------- */

struct calls {
	const struct pass	*pass;
	size_t			 count;
};
#define CALLS(table) { table, ARRAY_SIZE(table) }

static int filter_add(scmp_filter_ctx ctx, const struct calls *c)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct pass *p = &c->pass[i];
		int rc;

		/* negative: this machine has no such call */
		if (p->nr < 0)
			continue;
		rc = seccomp_rule_add_array(ctx, p->refuse ? SCMP_ACT_ERRNO(EACCES) :
					    SCMP_ACT_ALLOW, p->nr, p->conds, p->cond);
		if (rc)
			return rc;
	}
	return 0;
}

static bool calls_have(const struct calls *sets, size_t count, int nr)
{
	for (size_t s = 0; s < count; s++)
		for (size_t i = 0; i < sets[s].count; i++)
			if (sets[s].pass[i].nr == nr)
				return true;
	return false;
}

/* A call with conditional rows is left to them: what they don't match is deadly */
static int filter_refuse(scmp_filter_ctx ctx, const struct calls *sets, size_t count)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(refused); i++) {
		int soft = refused[i] == SCMP_SYS(clone3) ? ENOSYS : EACCES;

		if (refused[i] >= 0 && !calls_have(sets, count, refused[i]))
			rc = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((unsigned)soft),
						    refused[i], 0, NULL);
	}
	return rc;
}

/* abort(3), so that a failed assert says what it is */
static int filter_abort(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp self = IS(0, (scmp_datum_t)getpid());

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self);
}

static bool confine_calls(const struct calls *sets, size_t count, struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = -ENOMEM;

	if (!ctx)
		return err_set(err, "seccomp: out of memory");
	for (size_t i = 0; i < count; i++) {
		rc = filter_add(ctx, &sets[i]);
		if (rc)
			goto out;
	}
	rc = filter_refuse(ctx, sets, count);
	if (rc == 0)
		rc = filter_abort(ctx);
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = seccomp_load(ctx);
out:
	seccomp_release(ctx);
	return rc ? err_sys(err, -rc, "seccomp") : true;
}

/* ---- Landlock ------------------------------------------------------------ */

/* struct landlock_ruleset_attr of ABI 6; the headers here may be older */
struct ruleset {
	uint64_t	fs, net, scoped;
};
#define LANDLOCK_VERSION 1u	/* LANDLOCK_CREATE_RULESET_VERSION */
#define NET_BIND_TCP 1u
#define SCOPE_ABSTRACT_AND_SIGNAL 3u

/* All file rights that ABI n handles are the lowest bits; how many, by ABI */
static const unsigned fs_rights[] = { 0, 13, 14, 15, 15, 16 };
#define NET_SINCE 4
#define SCOPE_SINCE 6

/*
 * A right that this table does not know, of a later ABI, stays unhandled;
 * seccomp has the calls for it.
 */
static struct ruleset ruleset_for(long abi)
{
	size_t row = abi < (long)ARRAY_SIZE(fs_rights) ? (size_t)abi : ARRAY_SIZE(fs_rights) - 1;

	return (struct ruleset){
		.fs = (1ull << fs_rights[row]) - 1,
		.net = abi >= NET_SINCE ? NET_BIND_TCP : 0,
		.scoped = abi >= SCOPE_SINCE ? SCOPE_ABSTRACT_AND_SIGNAL : 0,
	};
}

static size_t ruleset_size(long abi)
{
	if (abi >= SCOPE_SINCE)
		return sizeof(struct ruleset);
	return abi >= NET_SINCE ? offsetof(struct ruleset, scoped) : offsetof(struct ruleset, net);
}

/* struct landlock_path_beneath_attr, which is packed */
struct beneath {
	uint64_t	fs;
	int32_t		parent;
} __attribute__((packed));
#define PATH_BENEATH 1u
#define READ_FILE (1u << 2)
#define READ_FOLDER (1u << 3)

/* What is not there needs no rule */
static bool allow_reading(int rules, const char *path)
{
	AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
	struct beneath rule = { READ_FILE, fd };
	struct stat st;

	/* a file has no right of folders */
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		rule.fs |= READ_FOLDER;
	return fd < 0 || syscall(SYS_landlock_add_rule, rules, PATH_BENEATH, &rule, 0) == 0;
}

/* @paths: folders that may be read, up to NULL; NULL: no file at all */
static bool confine_files(const char *const *paths, struct err *err)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
	struct ruleset rules;
	AUTO_CLOSE int fd = -1;

	if (abi < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		return true;	/* doctor says so; seccomp stands */
	if (abi < 1)
		return err_sys(err, errno, "Landlock");
	rules = ruleset_for(abi);
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, ruleset_size(abi), 0);
	for (; fd >= 0 && paths && *paths; paths++)
		if (!allow_reading(fd, *paths))
			return err_sys(err, errno, "Landlock: %s", *paths);
	if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0))
		return err_sys(err, errno, "Landlock");
	return true;
}

/* ---- roles --------------------------------------------------------------- */

static bool confined;

#if SANITIZED
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return confined;
}
#endif

static bool confine_rights(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
	const struct rlimit no_core = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(err, errno, "no_new_privs");
	if (syscall(SYS_capset, &header, none))
		return err_sys(err, errno, "capabilities");
	if (setrlimit(RLIMIT_CORE, &no_core) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return err_sys(err, errno, "core files");
	return true;
}

/* Two sets of each role, and what all have */
static bool confine_to(struct calls a, struct calls b, struct err *err)
{
	const struct calls sets[] = {
		CALLS(any_role), a, b, { sanitizer, SANITIZED ? ARRAY_SIZE(sanitizer) : 0 },
	};

	confined = confine_calls(sets, ARRAY_SIZE(sets), err);
	return confined;
}

bool confine_gate(struct err *err)
{
	return confine_rights(err) && confine_files(NULL, err) &&
	       confine_to((struct calls)CALLS(loop_role), (struct calls)CALLS(gate_role), err);
}

bool confine_resolver(struct err *err)
{
	return confine_rights(err) && confine_files(NULL, err) &&
	       confine_to((struct calls)CALLS(loop_role), (struct calls)CALLS(resolver_role), err);
}

bool confine_exporter(struct err *err)
{
	return confine_rights(err) && confine_files(NULL, err) &&
	       confine_to((struct calls)CALLS(exporter_role), (struct calls){ NULL, 0 }, err);
}

bool confine_dashboard(struct err *err)
{
	return confine_rights(err) && confine_files(NULL, err) &&
	       confine_to((struct calls)CALLS(dashboard_role), (struct calls){ NULL, 0 }, err);
}

bool confine_courier(const char *const *certificates, struct err *err)
{
	const char *paths[8] = { "/etc", "/usr/share", "/usr/lib/ssl", "/run/systemd/resolve",
				 "/run/resolvconf" };

	for (size_t i = 5; *certificates && i < ARRAY_SIZE(paths) - 1; i++)
		paths[i] = *certificates++;
	return confine_rights(err) && confine_files(paths, err) &&
	       confine_to((struct calls)CALLS(loop_role), (struct calls)CALLS(courier_role), err);
}

bool confine_broker(struct err *err)
{
	int fd = (int)syscall(SYS_pidfd_open, gettid(), PIDFD_THREAD);
	struct calls more = CALLS(broker_before_6_9);

	if (fd >= 0) {
		close(fd);
		more = (struct calls)CALLS(broker_since_6_9);
	}
	return confine_rights(err) &&
	       confine_to((struct calls)CALLS(broker_role), more, err);
}

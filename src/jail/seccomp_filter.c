/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_filter.c - the one filter that every process of the jail carries
 *
 * Theory
 *
 * The network namespace stops everything that needs a network device.  What is
 * left are families that ignore network namespaces (vsock), Unix sockets of
 * the host, and kernel interfaces that reach around a sandbox.  Families are
 * allowed by name and not forbidden by name: the kernel keeps growing them.
 *
 * A filter sees registers, never memory.  So it can decide socket(2), whose
 * arguments are values, and can't decide connect(2), whose address is behind a
 * pointer: connect goes to the broker.  listen(2) goes there as well, which is
 * how the broker knows the jail's own servers (unix_peer.c).  sendto(2) and
 * sendmsg(2) carry an address too, but only datagram sockets heed it: hence no
 * AF_UNIX datagrams, neither by socket(2) nor by socketpair(2), and no AF_UNIX
 * SOCK_RAW, which is the same thing by another name.
 *
 * One program, not two: the listener and the refusals are installed together,
 * so every call passes one filter.  Since 5.11 the kernel works out beforehand
 * which numbers are always allowed and runs no filter for them; the program
 * is kept to loads, comparisons and returns before the number is known, since
 * those are all that this analysis understands.  Older kernels walk a tree of
 * numbers, five comparisons deep.
 *
 * Arguments that the kernel takes as int are compared as their low 32 bits: the
 * upper half of the register is the caller's to fill with anything.
 *
 * Foreign ABIs (i386 and x32 on x86_64, arm on arm64) get ENOSYS for every call:
 * their numbers mean other things, and i386 has socketcall(2), whose arguments are behind
 * a pointer.  A static i386 program therefore dies at its first step.
 *
 * Stays allowed on purpose: mount, pivot_root, unshare, clone, setns (nested
 * sandboxes), ptrace and process_vm_* (debuggers; they end at the jail's pid
 * namespace), seccomp.
 *
 * A second listener is refused, with the kernel's own EBUSY.  The kernel refuses it only
 * while the first lives, and of two filters that notify, the newer one is
 * asked: after the death of the broker an agent could supervise its own child and
 * answer its connects with "continue".
 */
#include "jail/seccomp_filter.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "base/auto.h"
#include "jail/kernel_abi.h"

#define X32_BIT 0x40000000u	/* x86_64 numbers from here on are the x32 ABI's */
#define TYPE_MASK 0xfu		/* the kernel's SOCK_TYPE_MASK; above it are flags */
#define LEAF 4			/* numbers compared one after the other at a leaf */

enum label {
	NATIVE, ALLOW, NOTIFY,
	NO_CALL, NO_RIGHT, NO_SECOND,
	SOCKET, SOCKET_UNIX, SOCKET_INET, SOCKET_NETLINK, SOCKETPAIR, IOCTL, SECCOMP,
	LABEL_TREE,				/* from here on: nodes of the tree */
	LABEL_NUM = LABEL_TREE + 16
};

static const struct verdict {
	enum label	label;
	uint32_t	ret;
} verdicts[] = {
	{ ALLOW, SECCOMP_RET_ALLOW },
	{ NOTIFY, SECCOMP_RET_USER_NOTIF },
	{ NO_CALL, SECCOMP_RET_ERRNO | ENOSYS },
	{ NO_RIGHT, SECCOMP_RET_ERRNO | EPERM },
	{ NO_SECOND, SECCOMP_RET_ERRNO | EBUSY },
};

/* What is not here is allowed.  ENOSYS where programs have a fallback for it. */
struct call {
	uint32_t	nr;
	enum label	to;
};
static const struct call calls[] = {
	{ __NR_connect, NOTIFY },
	{ __NR_listen, NOTIFY },
	{ __NR_socket, SOCKET },
	{ __NR_socketpair, SOCKETPAIR },
	{ __NR_ioctl, IOCTL },
	{ __NR_seccomp, SECCOMP },
	{ __NR_io_uring_setup, NO_CALL },	/* sockets and connects unseen by filters */
	{ __NR_io_uring_enter, NO_CALL },
	{ __NR_io_uring_register, NO_CALL },
	{ __NR_add_key, NO_CALL },		/* keyrings outlive and cross the jail */
	{ __NR_request_key, NO_CALL },
	{ __NR_keyctl, NO_CALL },
	{ __NR_bpf, NO_RIGHT },
	{ __NR_perf_event_open, NO_RIGHT },
	{ __NR_userfaultfd, NO_RIGHT },		/* holds the broker's reads still */
	{ __NR_kexec_load, NO_RIGHT },
	{ __NR_kexec_file_load, NO_RIGHT },
	{ __NR_init_module, NO_RIGHT },
	{ __NR_finit_module, NO_RIGHT },
	{ __NR_delete_module, NO_RIGHT },
	{ __NR_open_by_handle_at, NO_RIGHT },	/* opens what no path leads to */
};

/* A program under construction: jumps name labels until all places are known */
struct prog {
	struct sock_filter	*insn;
	uint8_t			 jump_to[SECCOMP_FILTER_MAX];	/* label; only for jumps */
	uint8_t			 place[LABEL_NUM];
	size_t			 len;
	unsigned		 labels;	/* in use */
};

static void prog_op(struct prog *p, uint16_t code, uint32_t k)
{
	assert(p->len < SECCOMP_FILTER_MAX);
	p->insn[p->len++] = (struct sock_filter){ code, 0, 0, k };
}

/* If (A @test @k) go to @to, else fall through */
static void prog_jump(struct prog *p, uint16_t test, uint32_t k, unsigned to)
{
	prog_op(p, BPF_JMP | BPF_K | test, k);
	p->jump_to[p->len - 1] = (uint8_t)to;
}

static void prog_place(struct prog *p, unsigned label)
{
	p->place[label] = (uint8_t)p->len;
}

static void prog_load(struct prog *p, size_t offset)
{
	prog_op(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/* The low half of an argument */
static void prog_load_arg(struct prog *p, unsigned n)
{
	prog_load(p, offsetof(struct seccomp_data, args) + n * sizeof(uint64_t) +
			(BYTE_ORDER == BIG_ENDIAN ? sizeof(uint32_t) : 0));
}

static void prog_tree(struct prog *p, const struct call *c, size_t count)
{
	size_t half = count / 2;
	unsigned upper;

	if (count <= LEAF) {
		for (size_t i = 0; i < count; i++)
			prog_jump(p, BPF_JEQ, c[i].nr, c[i].to);
		prog_op(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		return;
	}
	upper = p->labels++;
	assert(upper < LABEL_NUM);
	prog_jump(p, BPF_JGE, c[half].nr, upper);
	prog_tree(p, c, half);
	prog_place(p, upper);
	prog_tree(p, c + half, count - half);
}

static void prog_arguments(struct prog *p)
{
	prog_place(p, SOCKETPAIR);	/* the other families can't do it anyway */
	prog_load_arg(p, 0);
	prog_jump(p, BPF_JEQ, AF_UNIX, SOCKET_UNIX);
	prog_op(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT);

	prog_place(p, SOCKET);
	prog_load_arg(p, 0);
	prog_jump(p, BPF_JEQ, AF_UNIX, SOCKET_UNIX);
	prog_jump(p, BPF_JEQ, AF_INET, SOCKET_INET);
	prog_jump(p, BPF_JEQ, AF_INET6, SOCKET_INET);
	prog_jump(p, BPF_JEQ, AF_NETLINK, SOCKET_NETLINK);
	prog_op(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT);

	prog_place(p, SOCKET_UNIX);
	prog_load_arg(p, 1);
	prog_op(p, BPF_ALU | BPF_AND | BPF_K, TYPE_MASK);
	prog_jump(p, BPF_JEQ, SOCK_STREAM, ALLOW);
	prog_jump(p, BPF_JEQ, SOCK_SEQPACKET, ALLOW);
	prog_op(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTONOSUPPORT);

	prog_place(p, SOCKET_INET);
	prog_load_arg(p, 1);
	prog_op(p, BPF_ALU | BPF_AND | BPF_K, TYPE_MASK);
	prog_jump(p, BPF_JEQ, SOCK_STREAM, ALLOW);
	prog_jump(p, BPF_JEQ, SOCK_DGRAM, ALLOW);
	prog_op(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);

	prog_place(p, SOCKET_NETLINK);
	prog_load_arg(p, 2);
	prog_jump(p, BPF_JEQ, NETLINK_ROUTE, ALLOW);
	prog_op(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTONOSUPPORT);

	prog_place(p, IOCTL);	/* both put input into a terminal that outlives the jail */
	prog_load_arg(p, 1);
	prog_jump(p, BPF_JEQ, TIOCSTI, NO_RIGHT);
	prog_jump(p, BPF_JEQ, TIOCLINUX, NO_RIGHT);
	prog_op(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	prog_place(p, SECCOMP);
	prog_load_arg(p, 1);
	prog_jump(p, BPF_JSET, SECCOMP_FILTER_FLAG_NEW_LISTENER, NO_SECOND);
	prog_op(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
}

static bool is_jump(const struct sock_filter *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP;
}

static void prog_link(struct prog *p)
{
	for (size_t i = 0; i < p->len; i++) {
		size_t to = p->place[p->jump_to[i]];

		if (!is_jump(&p->insn[i]))
			continue;
		assert(to > i && to - i - 1 <= UINT8_MAX);
		p->insn[i].jt = (uint8_t)(to - i - 1);
	}
}

static int call_compare(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

size_t seccomp_filter_build(struct sock_filter ret_insn[static SECCOMP_FILTER_MAX])
{
	struct prog p = { .insn = ret_insn, .labels = LABEL_TREE };
	struct call sorted[ARRAY_SIZE(calls)];

	memcpy(sorted, calls, sizeof(calls));
	qsort(sorted, ARRAY_SIZE(sorted), sizeof(sorted[0]), call_compare);

	prog_load(&p, offsetof(struct seccomp_data, arch));
	prog_jump(&p, BPF_JEQ, seccomp_arch_native(), NATIVE);
	prog_op(&p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	prog_place(&p, NATIVE);
	prog_load(&p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	prog_jump(&p, BPF_JGE, X32_BIT, NO_CALL);
#endif
	prog_tree(&p, sorted, ARRAY_SIZE(sorted));
	prog_arguments(&p);
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		prog_place(&p, verdicts[i].label);
		prog_op(&p, BPF_RET | BPF_K, verdicts[i].ret);
	}
	prog_link(&p);
	return p.len;
}

int seccomp_filter_install(void)
{
	struct sock_filter insn[SECCOMP_FILTER_MAX];
	struct sock_fprog prog = { (unsigned short)seccomp_filter_build(insn), insn };
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd;

	/* Without WAIT_KILLABLE_RECV, Go's preemption signals restart connects for ever */
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		     flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	return fd < 0 ? -errno : (int)fd;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn.c - start bwrap, with nothing of ours but what it needs
 *
 * Theory
 *
 *  - bwrap's own environment is empty: no variable of the user's may steer it.
 *    The command's goes in by --args, where ps(1) doesn't show it.
 *  - The shim is executed as /proc/self/fd/N, the file that was opened before anything
 *    was started: neither a mask nor a newer file under its name can come between.
 *  - bwrap stays in our process group, or job control would break, and so Ctrl-C
 *    reaches it too.  It would die of it, and the jail with it, while the
 *    command may want to go on.  So signals are blocked in bwrap; the shim
 *    unblocks them for the command.
 *    With a terminal of the command's own there is no such group: bwrap leads a session.
 *  - bwrap must not be killed when we are: its child may just have been born, and would
 *    wait for a word from it for ever.  It reads the end of our pipe as the word to go on, and then
 *    the shim finds us gone.  For the same reason it holds the reading end of the pipe that it
 *    tells its child's pid on: without a reader it would give up in between.
 */
#include "jail/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "jail/namespace.h"
#include "jail/program.h"

int spawn_memfd(const char *name, const void *bytes, size_t len)
{
	AUTO_CLOSE int fd = memfd_create(name, MFD_CLOEXEC);
	const char *at = bytes;

	if (fd < 0)
		return -1;
	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return lseek(fd, 0, SEEK_SET) ? -1 : TAKE_FD(fd);
}

bool spawn_open(struct spawn *s, struct err *err)
{
	int one = 1;

	*s = (struct spawn){ { -1, -1 }, { -1, -1 }, { -1, -1 }, -1, -1 };
	if (pipe2(s->info, O_CLOEXEC) || pipe2(s->block, O_CLOEXEC) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->shim) ||
	    setsockopt(s->shim[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)))
		return err_sys(err, errno, "jail: pipes");
	return getuid() != 0 || namespace_make(&s->outer, &s->inner, err);
}

void spawn_close(struct spawn *s)
{
	int *all[] = { &s->info[0], &s->info[1], &s->block[0], &s->block[1], &s->shim[0],
		       &s->shim[1], &s->outer, &s->inner };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		DROP_FD(*all[i]);
}

static bool texts_open(struct view *v)
{
	for (size_t i = 0; i < v->count; i++) {
		struct view_op *op = &v->ops[i];

		if (op->kind != VIEW_TEXT)
			continue;
		op->text_fd = spawn_memfd("text", op->text, op->text_len);
		if (op->text_fd < 0)
			return false;
	}
	return true;
}

/* bwrap's command line; the words of @head are borrowed, as the command's are */
static char **bwrap_argv(const struct jail_plan *plan, char *const *head, size_t head_count)
{
	size_t count = 0;
	char **argv;

	while (plan->argv[count])
		count++;
	argv = calloc(head_count + count + 1, sizeof(*argv));
	if (!argv)
		return NULL;
	memcpy(argv, head, head_count * sizeof(*argv));
	memcpy(argv + head_count, plan->argv, count * sizeof(*argv));
	return argv;
}

static bool fd_keep(int fd)
{
	return fd < 0 || fcntl(fd, F_SETFD, 0) == 0;
}

/* Its own terminal, in a session of its own */
static bool take_terminal(int terminal)
{
	bool ok = setsid() >= 0 && ioctl(terminal, TIOCSCTTY, 0) == 0;

	for (int fd = 0; fd <= 2; fd++)
		ok = ok && (!isatty(fd) || dup2(terminal, fd) == fd);
	return ok;
}

/* In the child, which ends either way: only what is named here passes the exec */
static _Noreturn void bwrap_exec(char **argv, const struct view *view, const struct spawn *s,
				 const int more[3])
{
	char *env[] = { NULL };
	bool ok = syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0;
	sigset_t all;

	ok = ok && (!more[2] || take_terminal(more[2]));
	ok = ok && fd_keep(more[0]) && fd_keep(more[1]) && fd_keep(s->info[0]) &&
	     fd_keep(s->info[1]) && fd_keep(s->block[0]) && fd_keep(s->shim[1]) &&
	     fd_keep(s->outer) && fd_keep(s->inner);
	for (size_t i = 0; i < view->count; i++)
		ok = ok && fd_keep(view->ops[i].text_fd);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (ok)
		execve(BWRAP, argv, env);
	dprintf(STDERR_FILENO, "sluice: %s: %s\n", BWRAP, strerror(errno));
	_exit(125);
}

/* The child does nothing but exec, in our memory: no page is copied */
static __attribute__((noinline)) pid_t bwrap_start(char **argv, const struct view *view,
						   const struct spawn *s, const int more[3])
{
	pid_t pid = vfork();

	if (pid == 0)
		bwrap_exec(argv, view, s, more);
	return pid;
}

pid_t spawn_bwrap(const struct jail_plan *plan, struct view *view, const struct spawn *s,
		  struct err *err)
{
	struct plan_fds fds = { .info = s->info[1], .block = s->block[0],
				.outer = s->outer, .inner = s->inner };
	struct buf text = buf_new(PLAN_BYTES_MAX);
	char name[] = "bwrap", option[] = "--args", end[] = "--", role[] = "role-shim";
	char args_text[16], path[PROGRAM_PATH_MAX], shim_text[16];
	char *head[] = { name, option, args_text, end, path, role, shim_text, end };
	AUTO_CLOSE int args = -1;
	AUTO_FREE char **argv = NULL;
	pid_t pid;

	if (!texts_open(view))
		err_sys(err, errno, "jail: memfd");
	else if (plan_args(plan, view, &fds, &text, err) &&
		 (args = spawn_memfd("args", text.at, text.len)) < 0)
		err_sys(err, errno, "jail: memfd");
	buf_done(&text);
	if (args < 0)
		return -1;
	snprintf(args_text, sizeof(args_text), "%d", args);
	program_path(plan->program, path);
	snprintf(shim_text, sizeof(shim_text), "%d", s->shim[1]);
	argv = bwrap_argv(plan, head, ARRAY_SIZE(head));
	if (!argv) {
		err_set(err, "jail: out of memory");
		return -1;
	}
	pid = bwrap_start(argv, view, s, (int[]){ args, plan->program, plan->terminal });
	if (pid < 0)
		err_sys(err, errno, "jail: fork");
	return pid;
}

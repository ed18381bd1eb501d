/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/exported.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/exporter.h"
#include "watch/board.h"

#define AGAIN_MS 1000		/* after an exporter has died */

struct exported {
	const struct exported_plan *plan;
	struct board	*board;
	int		 board_fd;	/* for reading alone: the exporter's */
	int		 listening;	/* -1: nobody serves */
	int		 program;
	pid_t		 pid;		/* of the exporter; 0 */
	int		 pidfd;
	struct event	 ended_ev, timer;
	struct event_base *loop;
};

/* ---- the board ---- */

static struct board *map_board(int fd)
{
	void *at = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Another build's board stays with those who write there; it has no name any more */
static bool open_board(struct exported *x, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/" EXPORTED_FILE, x->plan->folder);
	for (int turn = 0; turn < 2 && !x->board; turn++) {
		AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		bool is_new = fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 0;

		if (fd < 0 || (is_new && ftruncate(fd, sizeof(struct board)) < 0))
			return err_sys(err, errno, "%s", path);
		if (is_new || st.st_size == sizeof(struct board))
			x->board = map_board(fd);
		if (x->board && is_new)
			board_begin(x->board, program_mark);
		if (x->board && board_is_ours(x->board, program_mark))
			break;
		if (x->board)
			munmap(x->board, sizeof(*x->board));
		x->board = NULL;
		unlink(path);
	}
	x->board_fd = open(path, O_RDONLY | O_CLOEXEC);
	return (x->board && x->board_fd >= 0) || err_sys(err, errno, "%s", path);
}

static void close_board(struct exported *x)
{
	char path[PATH_MAX];
	size_t i = 0;

	if (!x->board)
		return;
	while (i < board_end(x->board) && !x->board->place[i].session[0])
		i++;
	snprintf(path, sizeof(path), "%s/" EXPORTED_FILE, x->plan->folder);
	if (i == board_end(x->board))
		unlink(path);
	munmap(x->board, sizeof(*x->board));
}

size_t exported_place(struct exported *x, const char *session)
{
	return board_take(x->board, session);
}

void exported_drop(struct exported *x, const char *session)
{
	board_drop(x->board, session);
}

void exported_sweep(struct exported *x, bool (*is_kept)(void *arg, const char *session), void *arg)
{
	for (size_t i = 0; i < board_end(x->board); i++) {
		const char *session = x->board->place[i].session;

		if (session[0] && !is_kept(arg, session))
			board_drop(x->board, session);
	}
}

/* ---- the exporter ---- */

static void begin(struct exported *x);

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	begin(arg);
}

static void again(struct exported *x, const char *why)
{
	role_complain("exporter", why);
	event_add(&x->timer, &(struct timeval){ AGAIN_MS / 1000, AGAIN_MS % 1000 * 1000 });
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct exported *x = arg;

	(void)fd, (void)what;
	waitpid(x->pid, NULL, 0);
	x->pid = 0;
	event_del(&x->ended_ev);
	DROP_FD(x->pidfd);
	again(x, "it has ended: it is started again");
}

static void begin(struct exported *x)
{
	const char *argv[] = { "sluice", "role-exporter", "--board", "--version", x->plan->version,
			       x->plan->at->local ? "--local" : NULL, NULL };
	int fds[2];
	struct err err = { "" };
	struct role_plan plan = { .program = x->program, .argv = argv, .fds = fds,
				  .fd_count = ARRAY_SIZE(fds), .user = x->plan->user };

	fds[EXPORTER_COUNTERS_FD - ROLE_FD] = x->board_fd;
	fds[EXPORTER_LISTEN_FD - ROLE_FD] = x->listening;
	x->pid = role_spawn(&plan, &err);
	x->pidfd = x->pid > 0 ? (int)syscall(SYS_pidfd_open, x->pid, 0) : -1;
	if (x->pidfd >= 0) {
		event_assign(&x->ended_ev, x->loop, x->pidfd, EV_READ, on_ended, x);
		event_add(&x->ended_ev, NULL);
		return;
	}
	if (x->pid > 0) {
		kill(x->pid, SIGKILL);
		waitpid(x->pid, NULL, 0);
	}
	x->pid = 0;
	again(x, err.text[0] ? err.text : "it cannot be watched");
}

static bool serve(struct exported *x, struct err *err)
{
	struct programs programs = PROGRAMS_NONE;

	if (!x->plan->at)
		return true;
	x->listening = doors_of_metrics(x->plan->at, NULL, err);
	if (x->listening < 0 || !programs_open(x->plan->programs, &programs, err))
		return false;
	x->program = TAKE_FD(programs.fd[PROGRAM_EXPORTER]);
	programs_close(&programs);
	begin(x);
	return true;
}

/* ---- the whole ---- */

struct exported *exported_new(struct event_base *loop, const struct exported_plan *plan, struct err *err)
{
	struct exported *x = calloc(1, sizeof(*x));

	if (!x) {
		err_set(err, "out of memory");
		return NULL;
	}
	*x = (struct exported){ .plan = plan, .loop = loop, .board_fd = -1, .listening = -1,
				.program = -1, .pidfd = -1 };
	event_assign(&x->timer, loop, -1, 0, on_timer, x);
	if (open_board(x, err) && serve(x, err))
		return x;
	exported_free(x);
	return NULL;
}

void exported_free(struct exported *x)
{
	if (!x)
		return;
	event_del(&x->timer);
	if (x->pid > 0) {
		event_del(&x->ended_ev);
		kill(x->pid, SIGKILL);
		waitpid(x->pid, NULL, 0);
	}
	if (x->listening >= 0)
		doors_forget_metrics(x->plan->at);
	DROP_FD(x->pidfd);
	DROP_FD(x->listening);
	DROP_FD(x->program);
	DROP_FD(x->board_fd);
	close_board(x);
	free(x);
}

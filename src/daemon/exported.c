/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/exported.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/attendant.h"
#include "daemon/exporter.h"
#include "watch/board.h"

struct exported {
	const struct exported_plan *plan;
	struct board	*board;
	int		 board_fd;	/* for reading alone: the exporter's */
	int		 listening;	/* -1: nobody serves */
	int		 program;
	struct attendant exporter;
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

static pid_t spawn(void *arg, struct err *err)
{
	const struct exported *x = arg;
	const char *argv[] = { "sluice", "role-exporter", "--board", "--version", x->plan->version,
			       x->plan->at->local ? "--local" : NULL, NULL };
	int fds[2];
	const struct role_plan plan = { .program = x->program, .argv = argv, .fds = fds,
					.fd_count = ARRAY_SIZE(fds), .user = x->plan->user };

	fds[EXPORTER_COUNTERS_FD - ROLE_FD] = x->board_fd;
	fds[EXPORTER_LISTEN_FD - ROLE_FD] = x->listening;
	return role_spawn(&plan, err);
}

static bool serve(struct exported *x, struct event_base *loop, struct err *err)
{
	struct programs programs = PROGRAMS_NONE;
	bool any = x->plan->at && x->plan->at->listen.port == 0;

	if (!x->plan->at)
		return true;
	x->listening = doors_of_page(x->plan->at, NULL, err);
	if (x->listening < 0 || !programs_open(x->plan->programs, &programs, err))
		return false;
	if (any)
		doors_say_metrics(x->plan->at);
	x->program = TAKE_FD(programs.fd[PROGRAM_EXPORTER]);
	programs_close(&programs);
	x->exporter = (struct attendant){ .name = "exporter", .spawn = spawn, .arg = x };
	return attendant_start(&x->exporter, loop, err);
}

/* ---- the whole ---- */

struct exported *exported_new(struct event_base *loop, const struct exported_plan *plan, struct err *err)
{
	struct exported *x = calloc(1, sizeof(*x));

	if (!x) {
		err_set(err, "out of memory");
		return NULL;
	}
	*x = (struct exported){ .plan = plan, .board_fd = -1, .listening = -1, .program = -1 };
	if (open_board(x, err) && serve(x, loop, err))
		return x;
	exported_free(x);
	return NULL;
}

void exported_free(struct exported *x)
{
	if (!x)
		return;
	attendant_stop(&x->exporter);
	if (x->listening >= 0)
		doors_forget_page(x->plan->at);
	DROP_FD(x->listening);
	DROP_FD(x->program);
	DROP_FD(x->board_fd);
	close_board(x);
	free(x);
}

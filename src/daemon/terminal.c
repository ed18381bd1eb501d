/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/terminal.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "proto/screen.h"

#define TYPED_MAX 65536		/* bytes that wait for the command to read */
#define REST_LIMIT_MS 1000	/* to show what the command wrote last */
#define WRITE_LIMIT_MS 5000	/* for a terminal that takes nothing (Ctrl-S) */
#define QUIET_MS 300		/* after a question begins: reports of the terminal still come */

struct terminal {
	int		 tty, master, slave;
	int		 words;		/* what standard error was, while it is the pty; or -1 */
	int		 life;		/* its end tells the keeper of the settings that we are gone */
	pid_t		 restorer;
	struct termios	 saved, raw;
	bool		 is_raw, started, over;
	struct screen	 screen;	/* what the command has made of it */
	struct escape	 says;		/* what the terminal says while it is held */
	pid_t		 group;
	struct buf	 typed;		/* for the command, which does not read */
	struct event_base *loop;
	struct event	 tty_ev, master_ev, window_ev, quiet_ev, continue_ev;
	bool		 quiet;
	void		(*hear)(void *arg, struct span bytes);	/* not NULL: held */
	void		*arg;
};

/* ---- the settings ---- */

/* In the background the terminal is another job's: touching it would stop us */
static bool is_ours(const struct terminal *t)
{
	return tcgetpgrp(t->tty) == getpgrp();
}

static void set_raw(struct terminal *t)
{
	t->is_raw = tcsetattr(t->tty, TCSADRAIN, &t->raw) == 0;
}

static void set_back(struct terminal *t)
{
	if (t->is_raw)
		tcsetattr(t->tty, TCSADRAIN, &t->saved);
	t->is_raw = false;
}

/* Waits for our end, and sets the terminal back if we did not: in a session of its own, so that
 * what kills our process group does not kill it, and the terminal does not stop it */
static _Noreturn void restore_at_end(struct terminal *t, int life)
{
	char byte = 0;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "sluice-terminal");
	setsid();
	close(t->master);
	close(t->slave);
	while (read(life, &byte, 1) < 0 && errno == EINTR)
		;
	if (!byte)
		tcsetattr(t->tty, TCSANOW, &t->saved);
	_exit(0);
}

static bool start_restorer(struct terminal *t, struct err *err)
{
	int life[2];

	if (pipe2(life, O_CLOEXEC) < 0)
		return err_sys(err, errno, "--ask: pipe");
	t->restorer = fork();
	if (t->restorer == 0) {
		close(life[1]);
		restore_at_end(t, life[0]);
	}
	close(life[0]);
	t->life = life[1];
	return t->restorer > 0 || err_sys(err, errno, "--ask: fork");
}

static void copy_size(struct terminal *t)
{
	struct winsize size;

	if (ioctl(t->tty, TIOCGWINSZ, &size) == 0)
		ioctl(t->master, TIOCSWINSZ, &size);
}

struct terminal_size terminal_size(const struct terminal *t)
{
	struct winsize size;

	/* a serial line does not know: what such a terminal has at least */
	if (ioctl(t->tty, TIOCGWINSZ, &size) < 0 || !size.ws_row || size.ws_col < 2)
		return (struct terminal_size){ 24, 80 };
	return (struct terminal_size){ size.ws_row, size.ws_col };
}

static bool open_pty(struct terminal *t, struct err *err)
{
	char name[64];

	t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (t->master < 0 || grantpt(t->master) || unlockpt(t->master) ||
	    ptsname_r(t->master, name, sizeof(name)))
		return err_sys(err, errno, "--ask: no pty");
	t->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->slave < 0 || tcsetattr(t->slave, TCSANOW, &t->saved) < 0)
		return err_sys(err, errno, "--ask: %s", name);
	copy_size(t);
	return true;
}

struct terminal *terminal_open(struct err *err)
{
	struct terminal *t = calloc(1, sizeof(*t));

	if (!t) {
		err_set(err, "out of memory");
		return NULL;
	}
	*t = (struct terminal){ .master = -1, .slave = -1, .life = -1, .words = -1, .typed = buf_new(TYPED_MAX) };
	t->tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (t->tty >= 0 && tcgetattr(t->tty, &t->saved) == 0) {
		t->raw = t->saved;
		cfmakeraw(&t->raw);
		/* before there is anything else that it would hold */
		if (open_pty(t, err) && start_restorer(t, err))
			return t;
	}
	terminal_close(t);
	return NULL;
}

int terminal_slave(const struct terminal *t)
{
	return t->slave;
}

/* ---- output ---- */

static void write_all(int fd, struct span bytes)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	while (bytes.len) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno != EAGAIN || poll(&p, 1, WRITE_LIMIT_MS) <= 0))
			return;
		bytes = span_skip(bytes, n > 0 ? (size_t)n : 0);
	}
}

void terminal_write(struct terminal *t, struct span bytes)
{
	write_all(t->tty, bytes);
}

/* Return: false: nothing more comes now */
static bool show_some(struct terminal *t)
{
	char bytes[16384];
	ssize_t n = read(t->master, bytes, sizeof(bytes));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	screen_follow(&t->screen, span_of(bytes, (size_t)n));
	write_all(t->tty, span_of(bytes, (size_t)n));
	return true;
}

static void arm_master(struct terminal *t);

static void on_master(evutil_socket_t fd, short what, void *arg)
{
	struct terminal *t = arg;

	(void)fd;
	if (what & EV_WRITE && t->typed.len) {
		ssize_t n = write(t->master, t->typed.at, t->typed.len);

		if (n > 0)
			buf_consume(&t->typed, (size_t)n);
	}
	/* EIO: nobody has the other end open just now */
	if (what & EV_READ && !t->hear && !show_some(t) && errno != EAGAIN) {
		event_del(&t->master_ev);
		return;
	}
	arm_master(t);
}

static void arm_master(struct terminal *t)
{
	short what = (short)((t->hear ? 0 : EV_READ) | (t->typed.len ? EV_WRITE : 0));

	if (!t->started || t->over)
		return;
	event_del(&t->master_ev);
	if (!what)
		return;
	event_assign(&t->master_ev, t->loop, t->master, what, on_master, t);
	event_add(&t->master_ev, NULL);
}

/* ---- input ---- */

void terminal_type(struct terminal *t, struct span bytes)
{
	buf_add_span(&t->typed, span_head(bytes, t->typed.max - t->typed.len));
	arm_master(t);
}

/* Does this byte stop the job?  A shell in the pty, or an editor, that wants it has it */
static bool is_stop(const struct terminal *t, struct span bytes)
{
	struct termios now;

	return tcgetattr(t->slave, &now) == 0 && now.c_lflag & ISIG &&
	       now.c_cc[VSUSP] != _POSIX_VDISABLE && memchr(bytes.at, now.c_cc[VSUSP], bytes.len) &&
	       tcgetpgrp(t->master) == t->group;
}

/* Smaller, and as it was: whatever paints paints anew */
static void repaint(struct terminal *t)
{
	struct winsize size;

	if (ioctl(t->tty, TIOCGWINSZ, &size) < 0)
		return;
	if (size.ws_row > 1) {
		size.ws_row--;
		ioctl(t->master, TIOCSWINSZ, &size);
		size.ws_row++;
	}
	ioctl(t->master, TIOCSWINSZ, &size);
}

/* As far as it is ours just now: its settings, and what is typed */
static void take_over(struct terminal *t)
{
	if (!is_ours(t)) {
		t->is_raw = false;
		event_del(&t->tty_ev);
		return;
	}
	set_raw(t);
	event_add(&t->tty_ev, NULL);
	copy_size(t);
	repaint(t);
}

/* The whole job, the command and us: here it goes on when the user says fg, or bg */
static void stop_job(struct terminal *t, int signo)
{
	sigset_t stop, old;

	kill(-t->group, SIGSTOP);
	if (is_ours(t))
		set_back(t);
	sigemptyset(&stop);
	sigaddset(&stop, signo);
	sigprocmask(SIG_UNBLOCK, &stop, &old);
	kill(0, signo);
	sigprocmask(SIG_SETMASK, &old, NULL);
	take_over(t);
	kill(-t->group, SIGCONT);
}

static void on_continue(evutil_socket_t signo, short what, void *arg)
{
	(void)signo, (void)what;
	take_over(arg);
}

/*
 * Keys of one byte.  Cursor keys and the like are sequences, and so is what a terminal says because
 * the command asked it before, or told it to speak of mouse and focus: none of it is an answer,
 * though it comes in pieces.  What follows one at once is no person's either.
 */
static void hear_keys(struct terminal *t, struct span bytes)
{
	size_t keys = 0;

	while (keys < bytes.len && escape_next(&t->says, bytes.at[keys]) == ESCAPE_BYTE)
		keys++;
	for (size_t i = keys + 1; i < bytes.len; i++)
		escape_next(&t->says, bytes.at[i]);
	if (keys && !t->quiet)
		t->hear(t->arg, span_head(bytes, keys));
}

/* The user's terminal is gone: so is the command's.  The kernel would tell the leader of its session,
 * which is bwrap, and that does not hear it */
static void hang_up(struct terminal *t)
{
	pid_t front = tcgetpgrp(t->master);

	t->over = true;
	event_del(&t->tty_ev);
	event_del(&t->master_ev);
	DROP_FD(t->master);
	for (int i = 0; i < 2; i++) {
		pid_t group = i ? front : t->group;

		if (group > 1 && (!i || group != t->group)) {
			kill(-group, SIGHUP);
			kill(-group, SIGCONT);
		}
	}
}

static void on_tty(evutil_socket_t fd, short what, void *arg)
{
	struct terminal *t = arg;
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		hang_up(t);
	else if (t->hear)
		hear_keys(t, span_of(bytes, (size_t)n));
	else if (is_stop(t, span_of(bytes, (size_t)n)))
		stop_job(t, SIGTSTP);
	else
		terminal_type(t, span_of(bytes, (size_t)n));
}

static void on_window(evutil_socket_t signo, short what, void *arg)
{
	struct terminal *t = arg;

	(void)signo, (void)what;
	copy_size(t);
	if (t->hear)
		t->hear(t->arg, (struct span){ 0 });
}

static void on_quiet(evutil_socket_t fd, short what, void *arg)
{
	struct terminal *t = arg;

	(void)fd, (void)what;
	t->quiet = false;
	tcflush(t->tty, TCIFLUSH);
}

/*
 * What we say ourselves goes the way of the command's output: it is held while a question stands,
 * and its lines end as lines in the raw terminal.  If there is no room it is lost, as the
 * command could fill the pty, and we must not wait for it.
 */
static void redirect_words(struct terminal *t)
{
	AUTO_CLOSE int own = -1;
	char name[64];

	if (!isatty(STDERR_FILENO) || ptsname_r(t->master, name, sizeof(name)))
		return;
	own = open(name, O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	t->words = own < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (t->words >= 0 && dup2(own, STDERR_FILENO) < 0)
		DROP_FD(t->words);
}

static void words_back(struct terminal *t)
{
	if (t->words >= 0)
		dup2(t->words, STDERR_FILENO);
	DROP_FD(t->words);
}

void terminal_start(struct terminal *t, struct event_base *loop, pid_t group)
{
	t->loop = loop;
	t->group = group;
	t->started = true;
	redirect_words(t);
	event_assign(&t->master_ev, loop, t->master, EV_READ, on_master, t);
	event_assign(&t->quiet_ev, loop, -1, 0, on_quiet, t);
	event_assign(&t->tty_ev, loop, t->tty, EV_READ | EV_PERSIST, on_tty, t);
	if (is_ours(t)) {
		set_raw(t);
		event_add(&t->tty_ev, NULL);
	}
	event_assign(&t->continue_ev, loop, SIGCONT, EV_SIGNAL | EV_PERSIST, on_continue, t);
	event_add(&t->continue_ev, NULL);
	event_assign(&t->window_ev, loop, SIGWINCH, EV_SIGNAL | EV_PERSIST, on_window, t);
	event_add(&t->window_ev, NULL);
	arm_master(t);
}

/* ---- held ---- */

bool terminal_is_held(const struct terminal *t)
{
	return t->hear;
}

void terminal_flush(struct terminal *t)
{
	static const struct timeval quiet = { .tv_usec = QUIET_MS * 1000 };

	tcflush(t->tty, TCIFLUSH);
	t->quiet = true;
	event_add(&t->quiet_ev, &quiet);
}

static void write_screen(struct terminal *t, void (*text)(const struct screen *s, struct buf *to))
{
	struct buf to = buf_new(SCREEN_TEXT_MAX);

	text(&t->screen, &to);
	terminal_write(t, buf_span(&to));
	buf_done(&to);
}

bool terminal_hold(struct terminal *t, void (*typed)(void *arg, struct span bytes), void *arg)
{
	if (!is_ours(t))	/* as whoever wants to read from it there */
		stop_job(t, SIGTTIN);
	if (!is_ours(t))
		return false;
	t->hear = typed;
	t->arg = arg;
	t->says = (struct escape){ .says = true };
	buf_clear(&t->typed);
	arm_master(t);
	write_screen(t, screen_leave);
	terminal_flush(t);
	return true;
}

void terminal_release(struct terminal *t)
{
	t->hear = NULL;
	event_del(&t->quiet_ev);
	t->quiet = false;
	tcflush(t->tty, TCIFLUSH);
	write_screen(t, screen_return);
	arm_master(t);
	repaint(t);
}

/* ---- the end ---- */

static void show_rest(struct terminal *t)
{
	struct pollfd p = { .fd = t->master, .events = POLLIN };

	for (int ms = 0; ms < REST_LIMIT_MS && poll(&p, 1, 0) > 0 && show_some(t); ms++)
		;
}

void terminal_over(struct terminal *t)
{
	if (!t->started)
		return;
	t->started = false;
	event_del(&t->tty_ev);
	event_del(&t->master_ev);
	event_del(&t->window_ev);
	event_del(&t->quiet_ev);
	event_del(&t->continue_ev);
	words_back(t);
	if (!t->over)
		show_rest(t);
	set_back(t);
}

void terminal_close(struct terminal *t)
{
	if (!t)
		return;
	terminal_over(t);
	if (t->life >= 0 && write(t->life, "b", 1) == 1)
		waitpid(t->restorer, NULL, 0);
	DROP_FD(t->life);
	DROP_FD(t->master);
	DROP_FD(t->slave);
	DROP_FD(t->tty);
	buf_done(&t->typed);
	free(t);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process plays all: the user at the master of a terminal that is our controlling one, and the
 * command at the slave of the pty between.
 */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/buf.h"
#include "daemon/clock.h"
#include "daemon/terminal.h"

#define WAIT_MS 3000
#define NEVER_MS 30
#define QUIET_END_MS 350	/* of QUIET_MS in terminal.c, and a little */

static int user = -1, user_slave = -1;
static struct event_base *loop;
static struct terminal *t;
static char seen[1 << 18], got[256];
static size_t got_len;

static void open_user(void)
{
	user = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	assert_true(user >= 0 && grantpt(user) == 0 && unlockpt(user) == 0);
	user_slave = open(ptsname(user), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(user_slave >= 0);
	assert_int_equal(ioctl(user_slave, TIOCSCTTY, 1), 0);
}

static int begin(void **state)
{
	struct err err = { "" };

	(void)state;
	loop = event_base_new();
	t = terminal_open(&err);
	assert_string_equal(err.text, "");
	assert_non_null(t);
	terminal_start(t, loop, getpgrp());
	return 0;
}

static int end(void **state)
{
	(void)state;
	terminal_close(t);
	t = NULL;
	event_base_free(loop);
	tcflush(user, TCIOFLUSH);
	return 0;
}

static void turn(void)
{
	event_base_loop(loop, EVLOOP_NONBLOCK);
}

static void turn_for(int ms)
{
	for (int64_t end_ms = clock_ms() + ms; clock_ms() < end_ms; usleep(1000))
		turn();
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	turn();
}

/* What one end reads within @limit_ms, until it ends with @mark */
static const char *read_until(int fd, const char *mark, int limit_ms)
{
	int64_t end_ms = clock_ms() + limit_ms;
	size_t len = 0, mark_len = strlen(mark);

	seen[0] = '\0';
	while (clock_ms() < end_ms) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		turn();
		if (poll(&p, 1, 5) > 0 && p.revents & POLLIN) {
			ssize_t n = read(fd, seen + len, sizeof(seen) - 1 - len);

			len += n > 0 ? (size_t)n : 0;
			seen[len] = '\0';
		}
		if (mark_len && len >= mark_len && !strcmp(seen + len - mark_len, mark))
			break;
	}
	return seen;
}

static void heard(void *arg, struct span bytes)
{
	(void)arg;
	assert_true(got_len + bytes.len < sizeof(got));
	memcpy(got + got_len, bytes.at, bytes.len);
	got_len += bytes.len;
	got[got_len] = '\0';
}

static void hold(void)
{
	got_len = 0;
	got[0] = '\0';
	terminal_hold(t, heard, NULL);
}

static bool is_raw(void)
{
	struct termios now;

	assert_int_equal(tcgetattr(user_slave, &now), 0);
	return !(now.c_lflag & (ICANON | ECHO | ISIG));
}

/* ---- tests ---- */

static void both_ways(void **state)
{
	(void)state;
	assert_true(is_raw());
	put(user, "ls\r");
	assert_string_equal(read_until(terminal_slave(t), "\n", WAIT_MS), "ls\n");
	/* echoed by the pty, as the command has it set */
	assert_string_equal(read_until(user, "\n", WAIT_MS), "ls\r\n");
	put(terminal_slave(t), "hello\n");
	assert_string_equal(read_until(user, "\n", WAIT_MS), "hello\r\n");
	terminal_over(t);
	assert_false(is_raw());
}

static void held(void **state)
{
	(void)state;
	put(user, "typed ahead");
	read_until(user, "ahead", WAIT_MS);
	put(terminal_slave(t), "before\n");
	read_until(user, "\n", WAIT_MS);
	assert_false(terminal_is_held(t));
	hold();
	assert_true(terminal_is_held(t));
	read_until(user, "\033[J", WAIT_MS);
	/* as proto/screen.h has it */
	assert_non_null(strstr(seen, "\033[!p"));
	assert_non_null(strstr(seen, "\033[0m"));
	/* its output waits */
	put(terminal_slave(t), "secret\n");
	assert_string_equal(read_until(user, "", NEVER_MS), "");
	/* what comes in the first moment is thrown away: reports, and what is typed blindly */
	put(user, "y\033[?1;2c");
	turn_for(QUIET_END_MS);
	put(user, "n");
	turn_for(NEVER_MS);
	assert_string_equal(got, "n");
	terminal_write(t, SPAN("asked"));
	assert_string_equal(read_until(user, "asked", WAIT_MS), "asked");
	terminal_release(t);
	assert_false(terminal_is_held(t));
	assert_string_equal(read_until(user, "\n", WAIT_MS), "secret\r\n");
	/* and nothing of what was typed for us has reached the command */
	put(user, "\r");
	assert_string_equal(read_until(terminal_slave(t), "\n", WAIT_MS), "typed ahead\n");
}

static void each_flush_begins_the_quiet_anew(void **state)
{
	(void)state;
	hold();
	turn_for(QUIET_END_MS);
	put(user, "a");
	turn_for(NEVER_MS);
	terminal_flush(t);
	put(user, "b");
	turn_for(QUIET_END_MS);
	put(user, "c");
	turn_for(NEVER_MS);
	assert_string_equal(got, "ac");
}

/* More than the pty takes for a command that does not read, and more than we keep */
static void what_waited_for_the_command_is_thrown_away(void **state)
{
	static char much[8192];
	struct termios raw;
	size_t typed = 0;

	(void)state;
	assert_int_equal(tcgetattr(terminal_slave(t), &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(terminal_slave(t), TCSANOW, &raw), 0);
	memset(much, 'x', sizeof(much) - 1);
	for (int i = 0; i < 30; i++) {
		terminal_type(t, span_str(much));
		typed += strlen(much);
		turn();
	}
	hold();
	terminal_release(t);
	/* what the pty had taken comes, and nothing of what was kept here */
	terminal_type(t, SPAN("new"));
	read_until(terminal_slave(t), "new", WAIT_MS);
	assert_true(strlen(seen) > 3 && strlen(seen) < typed - 65536);
	assert_string_equal(seen + strspn(seen, "x"), "new");
}

static void the_size_follows(void **state)
{
	struct winsize size = { .ws_row = 41, .ws_col = 133 }, now = { 0 };

	(void)state;
	assert_int_equal(ioctl(user, TIOCSWINSZ, &size), 0);
	for (int64_t end_ms = clock_ms() + WAIT_MS; now.ws_row != 41 && clock_ms() < end_ms; turn())
		ioctl(terminal_slave(t), TIOCGWINSZ, &now);
	assert_int_equal(now.ws_row, 41);
	assert_int_equal(now.ws_col, 133);
	/* after a question it is painted anew, at the size that it has */
	hold();
	terminal_release(t);
	ioctl(terminal_slave(t), TIOCGWINSZ, &now);
	assert_int_equal(now.ws_row, 41);
}

static void the_end_shows_the_rest_and_sets_back(void **state)
{
	(void)state;
	put(terminal_slave(t), "on its way\n");
	hold();
	put(terminal_slave(t), "last words\n");
	terminal_over(t);
	assert_non_null(strstr(read_until(user, "words\r\n", WAIT_MS), "last words\r\n"));
	assert_false(is_raw());
	terminal_over(t);
}

/* Whoever holds the terminal raw is killed: another process sets it back */
static void killed(void **state)
{
	struct termios before, after;
	int64_t end_ms;
	pid_t pid;

	(void)state;
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	tcgetattr(user_slave, &before);
	pid = fork();
	if (!pid) {
		begin(state);
		pause();
	}
	for (end_ms = clock_ms() + WAIT_MS; !is_raw() && clock_ms() < end_ms; usleep(1000))
		;
	assert_true(is_raw());
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (end_ms = clock_ms() + WAIT_MS; is_raw() && clock_ms() < end_ms; usleep(1000))
		;
	tcgetattr(user_slave, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

/* In a process of its own: here the user's end would be held by the one that sets back */
static _Noreturn void hung_up(void **state)
{
	char byte;

	close(user);
	close(user_slave);
	begin(state);
	fcntl(terminal_slave(t), F_SETFL, O_NONBLOCK);
	for (int64_t end_ms = clock_ms() + WAIT_MS; clock_ms() < end_ms; usleep(1000)) {
		turn();
		if (read(terminal_slave(t), &byte, 1) == 0)
			_exit(0);
	}
	_exit(1);
}

/* So does the command's terminal */
static void the_user_hangs_up(void **state)
{
	int64_t end_ms = clock_ms() + WAIT_MS;
	int status;
	pid_t pid = fork();

	if (!pid)
		hung_up(state);
	while (!is_raw() && clock_ms() < end_ms)
		usleep(1000);
	close(user_slave);
	close(user);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	open_user();
}

static void there_is_no_terminal(void **state)
{
	struct err err = { "" };

	(void)state;
	assert_int_equal(ioctl(user_slave, TIOCNOTTY), 0);
	assert_null(terminal_open(&err));
	assert_string_equal(err.text, "");
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

static int all(void)
{
	const struct CMUnitTest tests[] = {
		WITH(both_ways), WITH(held), WITH(each_flush_begins_the_quiet_anew),
		WITH(what_waited_for_the_command_is_thrown_away),
		WITH(the_size_follows), WITH(the_end_shows_the_rest_and_sets_back),
		cmocka_unit_test(killed), cmocka_unit_test(the_user_hangs_up),
		cmocka_unit_test(there_is_no_terminal),
	};

	/* hang-ups, and job control of a session that has nobody else */
	signal(SIGHUP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGCONT, SIG_IGN);
	open_user();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* In a session of its own: it gets a controlling terminal */
int main(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setsid();
		exit(all());
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

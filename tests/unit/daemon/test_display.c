/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's end of the dashboard, whose process the test plays; sessions are sockets of its own */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/role.h"
#include "jail/program.h"

/* The world of display.c: its clock stands still, its role is a child that does nothing */
static int64_t now_ms;
static int64_t the_clock(void);
static pid_t spawn_role(const struct role_plan *r, struct err *err);
static bool find_programs(const char *folder, struct programs *ret, struct err *err);

#define clock_ms the_clock
#define role_spawn spawn_role
#define programs_open find_programs
#include "daemon/display.c"
#undef clock_ms

#define TURNS_MAX 20000
#define LONGEST "a234567890123456789012345678901234567890123456789012345678901234"	/* CONTROL_NAME_MAX */
#define WEB_LINE "{\"do\":\"web\"}\n"

static const struct role_user nobody = { 65534, 65534 };
static const char *const held[] = { "a", LONGEST, "gone" };
static char folder[] = "/tmp/display-XXXXXX";
static struct event_base *loop;
static struct { int link, listening; char argv[4][16]; size_t count; bool alone; } role;

static int64_t the_clock(void)
{
	return now_ms;
}

bool supervisor_holds(const struct supervisor *s, const char *session)
{
	(void)s;
	for (size_t i = 0; i < ARRAY_SIZE(held); i++)
		if (!strcmp(held[i], session))
			return true;
	return false;
}

static bool find_programs(const char *where, struct programs *ret, struct err *err)
{
	(void)ret, (void)err;
	assert_string_equal(where, "/programs");
	return true;
}

static pid_t spawn_role(const struct role_plan *r, struct err *err)
{
	pid_t pid;

	(void)err;
	assert_int_equal(r->fd_count, 2);
	assert_ptr_equal(r->user, &nobody);
	memset(role.argv, 0, sizeof(role.argv));
	for (size_t i = 0; r->argv[i]; i++)
		assert_true(i < ARRAY_SIZE(role.argv) && span_copy(span_str(r->argv[i]), role.argv[i], sizeof(role.argv[i])));
	DROP_FD(role.link);
	role.link = fcntl(r->fds[0], F_DUPFD_CLOEXEC, 0);
	role.listening = r->fds[1];
	role.alone = r->alone;
	role.count++;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* ---- the dashboard's side ---- */

static void say(const char *name, size_t len)
{
	assert_int_equal(send(role.link, name, len, MSG_NOSIGNAL), len);
}

/* What is answered, once it is.  *@ret_fd: -1: no socket came with it */
static struct panel_open hear(int *ret_fd)
{
	struct panel_open open = { .error = -1 };
	struct pass p = { .bytes = &open, .size = sizeof(open) };
	ssize_t n = -1;

	for (int i = 0; i < TURNS_MAX && n < 0; i++) {
		event_base_loop(loop, EVLOOP_NONBLOCK);
		if (poll(&(struct pollfd){ role.link, POLLIN, 0 }, 1, 1) > 0)
			n = pass_receive(role.link, &p);
	}
	assert_int_equal(n, sizeof(open));
	assert_true(p.fd_count <= 1);
	*ret_fd = p.fd_count ? p.fds[0] : -1;
	return open;
}

/* Asked for @name, of @len bytes: the error, with no socket, and nothing is read as another name */
static int refused(const char *name, size_t len)
{
	struct panel_open open;
	int fd;

	say(name, len);
	open = hear(&fd);
	assert_int_equal(fd, -1);
	assert_true(open.error > 0);
	assert_memory_equal(open.name, name, len < CONTROL_NAME_MAX ? len : CONTROL_NAME_MAX);
	assert_int_equal(open.name[CONTROL_NAME_MAX], '\0');
	return open.error;
}

/* A session's socket.  Return: what listens there */
static int session(const char *name)
{
	struct err err = { "" };
	int fd = control_listen(folder, name, &err);

	assert_true(fd >= 0);
	return fd;
}

/* Asked for @name its socket is passed, and the session at @listening has heard "web" and nothing else */
static void passed(const char *name, int listening)
{
	AUTO_CLOSE int theirs = -1, ours = -1;
	char heard[64] = "";
	struct panel_open open;

	say(name, strlen(name));
	open = hear(&ours);
	assert_int_equal(open.error, 0);
	assert_string_equal(open.name, name);
	assert_true(ours >= 0);
	theirs = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(recv(theirs, heard, sizeof(heard), 0), strlen(WEB_LINE));
	assert_string_equal(heard, WEB_LINE);
	/* it is the same connection */
	assert_int_equal(send(ours, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(theirs, heard, sizeof(heard), 0), 1);
}

/* ---- each test has a display ---- */

static struct display_plan at_socket(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/page.sock", folder);
	return (struct display_plan){ .at.path = path, .folder = folder, .programs = "/programs", .user = &nobody };
}

static struct display *begin(struct display_plan *plan)
{
	struct err err = { "" };
	struct display *d = display_new(loop, plan, NULL, &err);

	if (!d)
		fail_msg("%s", err.text);
	return d;
}

static void url_of(char ret[256])
{
	char path[64];
	struct stat st;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/" URL_FILE, folder);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, ret, 255);
	ret[n > 0 ? n : 0] = '\0';
	close(fd);
}

static bool is_there(const char *name)
{
	char path[80];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return lstat(path, &st) == 0;
}

static int make_world(void **state)
{
	(void)state;
	role.link = role.listening = -1;
	loop = event_base_new();
	return loop && mkdtemp(folder) ? 0 : -1;
}

static int end_world(void **state)
{
	(void)state;
	DROP_FD(role.link);
	event_base_free(loop);
	return rmdir(folder);	/* nothing is left */
}

/* ---- */

static void the_address_is_roots_with_a_token_of_its_own(void **state)
{
	struct addr ip6 = addr_from_in6(&in6addr_loopback);
	const struct { struct addr addr; const char *starts; } places[] = {
		{ addr_v4(INADDR_LOOPBACK), "http://127.0.0.1:" }, { ip6, "http://[::1]:" },
	};
	char url[256], expected[64], old[DASHBOARD_TOKEN_LEN + 1] = "", told[DASHBOARD_TOKEN_LEN + 1] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct display_plan plan = { .at.listen = { true, places[i].addr, 0 }, .folder = folder,
					     .programs = "/programs", .user = &nobody };
		struct display *d = begin(&plan);
		unsigned port = plan.at.listen.port;

		assert_true(port);
		assert_int_equal(recv(role.link, told, sizeof(told), 0), DASHBOARD_TOKEN_LEN);
		assert_int_equal(strspn(told, "0123456789abcdef"), DASHBOARD_TOKEN_LEN);
		assert_string_not_equal(told, old);
		url_of(url);
		snprintf(expected, sizeof(expected), "%s%u/#", places[i].starts, port);
		assert_memory_equal(url, expected, strlen(expected));
		assert_memory_equal(url + strlen(expected), told, DASHBOARD_TOKEN_LEN);
		assert_string_equal(url + strlen(expected) + DASHBOARD_TOKEN_LEN, "\n");
		snprintf(expected, sizeof(expected), "%u", port);
		assert_string_equal(role.argv[1], "role-dashboard");
		assert_string_equal(role.argv[2], "--port");
		assert_string_equal(role.argv[3], expected);
		assert_true(role.alone);
		memcpy(old, told, sizeof(old));
		display_free(d);
		assert_false(is_there(URL_FILE));
	}
}

static void what_lies_in_its_place_is_not_written_through(void **state)
{
	struct display_plan plan = at_socket();
	struct err err = { "" };
	char url[256], path[64], victim[64];
	struct display *d;
	struct stat st;

	(void)state;
	snprintf(path, sizeof(path), "%s/" URL_FILE, folder);
	snprintf(victim, sizeof(victim), "%s/victim", folder);
	close(open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	assert_int_equal(symlink(victim, path), 0);
	d = begin(&plan);
	assert_true(stat(victim, &st) == 0 && st.st_size == 0);
	url_of(url);
	assert_memory_equal(url, "http://localhost/#", 18);
	assert_string_equal(role.argv[2], "");	/* no port */
	assert_true(is_there("page.sock"));
	/* a second one has no room, and takes nothing from the first */
	assert_null(display_new(loop, &plan, NULL, &err));
	assert_non_null(strstr(err.text, "page.sock"));
	assert_true(is_there("page.sock") && is_there(URL_FILE));
	display_free(d);
	assert_false(is_there("page.sock") || is_there(URL_FILE));
	unlink(victim);
	display_free(NULL);
}

static void a_session_is_passed_once_it_has_heard_web(void **state)
{
	struct display_plan plan = at_socket();
	struct display *d = begin(&plan);
	int a = session("a"), longest = session(LONGEST), daemon = session(CONTROL_DAEMON), other = session("other");

	(void)state;
	assert_int_equal(recv(role.link, (char[256]){ "" }, 256, 0), DASHBOARD_TOKEN_LEN);
	passed("a", a);
	passed(LONGEST, longest);
	passed(CONTROL_DAEMON, daemon);
	/* it runs, and is not the daemon's; it is the daemon's, and does not run */
	assert_int_equal(refused("other", 5), ENOENT);
	assert_int_equal(refused("gone", 4), ENOENT);
	close(a);
	assert_int_equal(refused("a", 1), ECONNREFUSED);
	for (size_t i = 0; i < 3; i++)
		close((int[]){ longest, daemon, other }[i]);
	for (size_t i = 0; i < 4; i++)
		control_remove(folder, (const char *[]){ "a", LONGEST, CONTROL_DAEMON, "other" }[i]);
	display_free(d);
}

/* Its process may be somebody else's by now: what it says is compared with names, and no path */
static void hostile_names_are_nobodys(void **state)
{
	static const struct { const char *text; size_t len; } names[] = {
#define TEXT(s) { s, sizeof(s) - 1 }
		TEXT("A"), TEXT(" a"), TEXT("a "), TEXT("a\n"), TEXT("a/"), TEXT("./a"), TEXT("../a"), TEXT("/etc/passwd"),
		TEXT("a.sock"), TEXT("."), TEXT(".."), TEXT("%61"), TEXT("%s%n"), TEXT("a\0"), TEXT("a\0b"), TEXT("\0a"),
		TEXT("\x1b[2Ja"), TEXT("\r\n"), TEXT("\x7f"), TEXT("\x01\x02\x03"),
		TEXT("<img src=x onerror=alert(1)>"), TEXT("a\"},{\"session\":\"a"), TEXT("a&amp;"),
		TEXT("\xc3"), TEXT("a\xcc\x81"), TEXT("\xed\xa0\x80"), TEXT("\xff\xfe"), TEXT("\xef\xbb\xbf" "a"), TEXT("\xc1\xa1"),
		TEXT("\xe2\x80\xae" "a"), TEXT(LONGEST "x"), TEXT(LONGEST LONGEST LONGEST LONGEST LONGEST LONGEST),
		TEXT("control\0"), TEXT("CONTROL"), TEXT("control "),
	};
	struct display_plan plan = at_socket();
	struct display *d = begin(&plan);
	int a = session("a"), longest = session(LONGEST), daemon = session(CONTROL_DAEMON);
	struct pollfd quiet[] = { { a, POLLIN, 0 }, { longest, POLLIN, 0 }, { daemon, POLLIN, 0 } };

	(void)state;
	assert_int_equal(recv(role.link, (char[256]){ "" }, 256, 0), DASHBOARD_TOKEN_LEN);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int error = refused(names[i].text, names[i].len);

		assert_true(error == ENOENT || error == EINVAL);
		assert_int_equal(poll(quiet, ARRAY_SIZE(quiet), 0), 0);
	}
	passed("a", a);	/* and it goes on */
	assert_int_equal(role.count, 1);
	for (size_t i = 0; i < ARRAY_SIZE(quiet); i++)
		close(quiet[i].fd);
	control_remove(folder, "a");
	control_remove(folder, LONGEST);
	control_remove(folder, CONTROL_DAEMON);
	display_free(d);
}

static void no_more_are_opened_in_a_second_than_its_bound(void **state)
{
	struct display_plan plan = at_socket();
	struct display *d = begin(&plan);
	int a = session("a");

	(void)state;
	assert_int_equal(recv(role.link, (char[256]){ "" }, 256, 0), DASHBOARD_TOKEN_LEN);
	now_ms = 1000;
	for (size_t i = 0; i < OPENS_MAX; i++)
		passed("a", a);
	now_ms = 1999;
	assert_int_equal(refused("a", 1), EAGAIN);
	assert_int_equal(poll(&(struct pollfd){ a, POLLIN, 0 }, 1, 0), 0);
	now_ms = 2000;
	passed("a", a);
	close(a);
	control_remove(folder, "a");
	display_free(d);
}

static void started(size_t count)
{
	for (int i = 0; i < TURNS_MAX && role.count < count; i++) {
		event_base_loop(loop, EVLOOP_NONBLOCK);
		poll(NULL, 0, 1);
	}
	assert_int_equal(role.count, count);
}

/* One that asks and does not read, and one that has ended: both are started again, with the same token */
static void what_has_gone_wrong_is_started_again(void **state)
{
	struct display_plan plan = at_socket();
	char token[256] = "", again[256] = "";
	struct display *d = begin(&plan);
	int listening = role.listening;

	(void)state;
	assert_int_equal(recv(role.link, token, sizeof(token), 0), DASHBOARD_TOKEN_LEN);
	for (int i = 0; i < TURNS_MAX && role.count == 1; i++) {
		ssize_t n = send(role.link, "nobody", 6, MSG_DONTWAIT | MSG_NOSIGNAL);

		event_base_loop(loop, EVLOOP_NONBLOCK);
		if (n < 0)
			poll(NULL, 0, 1);
	}
	started(2);
	assert_int_equal(recv(role.link, again, sizeof(again), 0), DASHBOARD_TOKEN_LEN);
	assert_string_equal(again, token);
	assert_int_equal(role.listening, listening);
	now_ms += 1000;
	assert_int_equal(refused("nobody", 6), ENOENT);
	/* its link ends first, then it: nothing is read of the old one */
	shutdown(role.link, SHUT_RDWR);
	event_base_loop(loop, EVLOOP_NONBLOCK);
	attendant_kill(&d->dashboard);
	started(3);
	assert_int_equal(recv(role.link, again, sizeof(again), 0), DASHBOARD_TOKEN_LEN);
	assert_int_equal(refused("nobody", 6), ENOENT);
	display_free(d);
}

static int fresh(void **state)
{
	(void)state;
	role.count = 0;
	now_ms = 0;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_address_is_roots_with_a_token_of_its_own, fresh),
		cmocka_unit_test_setup(what_lies_in_its_place_is_not_written_through, fresh),
		cmocka_unit_test_setup(a_session_is_passed_once_it_has_heard_web, fresh),
		cmocka_unit_test_setup(hostile_names_are_nobodys, fresh),
		cmocka_unit_test_setup(no_more_are_opened_in_a_second_than_its_bound, fresh),
		cmocka_unit_test_setup(what_has_gone_wrong_is_started_again, fresh),
	};

	return cmocka_run_group_tests(tests, make_world, end_world);
}

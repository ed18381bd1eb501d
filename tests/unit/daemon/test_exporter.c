/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role itself, confined and in its process, behind a Unix socket: of such a socket a client
 * can tell when what it sent was read (SIOCOUTQ), so requests arrive cut where the test says.
 */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "daemon/exporter.c"

#define WAIT_MS 2000		/* for what should come at once */
#define BUSY_MS 20000		/* for a writer to get its turn on a machine that others use */
#define ANSWER_MAX (PAGE_MAX(1) + 4096)
#define GET "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define PAGES 200		/* read while somebody writes */

static struct shared_counters *counters;
static struct sockaddr_un place = { .sun_family = AF_UNIX };
static char answer_text[ANSWER_MAX + 1];
static pid_t role, writer;

/* ---- the role ---- */

/* Return: 0 in the child, which ends with us */
static pid_t split(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static _Noreturn void role_run(int listener, int shared, bool local)
{
	const char *argv[] = { "exporter", "--session", "s\"1", "--version", "0",
			       local ? "--local" : NULL, NULL };

	if (dup2(listener, 100) != 100 || dup2(shared, 101) != 101 ||
	    dup2(101, EXPORTER_COUNTERS_FD) < 0 || dup2(100, EXPORTER_LISTEN_FD) < 0)
		_exit(2);
	close_range(EXPORTER_LISTEN_FD + 1, ~0u, 0);
	_exit(exporter_main(local ? 6 : 5, (char **)(uintptr_t)argv));
}

static void start(bool local)
{
	AUTO_CLOSE int shared = memfd_create("counters", MFD_CLOEXEC);
	AUTO_CLOSE int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct counters first = { .bytes_in = 12 };

	assert_int_equal(ftruncate(shared, sizeof(*counters)), 0);
	counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
	assert_true(counters != MAP_FAILED);
	shared_write(counters, &first);
	/* an abstract name: no file is left behind */
	snprintf(place.sun_path + 1, sizeof(place.sun_path) - 1, "exporter-test-%d", getpid());
	assert_int_equal(bind(listener, (struct sockaddr *)&place, sizeof(place)), 0);
	assert_int_equal(listen(listener, 64), 0);
	role = split();
	if (!role)
		role_run(listener, shared, local);
}

static int begin(void **state)
{
	(void)state;
	start(false);
	return 0;
}

static int begin_local(void **state)
{
	(void)state;
	start(true);
	return 0;
}

/* It never ends by itself, whatever it was sent */
static int end(void **state)
{
	int status;

	(void)state;
	assert_int_equal(waitpid(role, &status, WNOHANG), 0);
	kill(role, SIGKILL);
	if (writer > 0) {
		kill(writer, SIGKILL);
		waitpid(writer, NULL, 0);
		writer = 0;
	}
	assert_int_equal(waitpid(role, &status, 0), role);
	munmap(counters, sizeof(*counters));
	return 0;
}

/* ---- its clients ---- */

static int client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&place, sizeof(place)), 0);
	return fd;
}

static bool say(int fd, struct span bytes)
{
	while (bytes.len) {
		ssize_t n = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes = span_skip(bytes, (size_t)n);
	}
	return true;
}

/* Wait until it has read all of it.  Return: false: it does not */
static bool heard(int fd)
{
	int64_t end_ms = clock_ms() + WAIT_MS;
	int unread = 1;

	while (ioctl(fd, SIOCOUTQ, &unread) == 0 && unread && clock_ms() < end_ms)
		usleep(100);
	return !unread;
}

/* All that comes until the end, in answer_text.  Return: its length; -1: no end within @limit_ms */
static ssize_t hear(int fd, int limit_ms)
{
	int64_t end_ms = clock_ms() + limit_ms;
	size_t len = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end_ms - clock_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return -1;
		n = recv(fd, answer_text + len, ANSWER_MAX - len, 0);
		if (n < 0)
			return -1;
		len += (size_t)n;
		answer_text[len] = '\0';
		if (!n)
			return (ssize_t)len;
	}
}

static bool answered(const char *status)
{
	return !strncmp(answer_text, "HTTP/1.1 ", 9) && !strncmp(answer_text + 9, status, 3);
}

static void exchange(struct span request)
{
	AUTO_CLOSE int fd = client();

	assert_true(say(fd, request));
	answer_text[0] = '\0';
	if (hear(fd, WAIT_MS) <= 0)
		fail_msg("no answer to %.*s", (int)span_head(request, 200).len, request.at);
}

/* A whole request, a whole answer.  Return: its body */
static const char *ask(struct span request, const char *status)
{
	const char *body, *length;
	int64_t end_ms = clock_ms() + BUSY_MS;

	exchange(request);
	/* whoever writes the counters may be stopped in its midst, and goes on when others let it */
	while (answered("503") && *status == '2' && clock_ms() < end_ms) {
		usleep(1000);
		exchange(request);
	}
	if (!answered(status))
		fail_msg("%.*s\n%s", (int)span_head(request, 200).len, request.at, answer_text);
	body = strstr(answer_text, "\r\n\r\n");
	length = strstr(answer_text, "Content-Length: ");
	assert_true(body && length && length < body);
	body += 4;
	if (strncmp((const char *)request.at, "HEAD", 4) != 0)
		assert_int_equal(atoi(length + 16), strlen(body));
	return body;
}

/* The number at the end of the row that begins with @row */
static uint64_t number(const char *page, const char *row)
{
	const char *at = strstr(page, row);
	uint64_t n = 0;

	if (!at)
		fail_msg("no %s", row);
	at += strlen(row);
	assert_true(span_u64(span_of(at, strcspn(at, "\n")), UINT64_MAX, &n));
	return n;
}

/* ---- tests ---- */

static void the_page(void **state)
{
	const char *page = ask(SPAN(GET), "200");

	(void)state;
	assert_int_equal(number(page, "\nagent_vm_network_rx_bytes_total{session=\"s\\\"1\"} "), 12);
	assert_non_null(strstr(answer_text, "Content-Type: " PAGE_TYPE "\r\n"));
	assert_string_equal(ask(SPAN("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "200"), "");
	assert_non_null(ask(SPAN("GET /metrics?a=b HTTP/1.1\r\nHost: x\r\n\r\n"), "200"));
}

static void what_it_does_not_answer(void **state)
{
	static const struct {
		struct span request;
		const char *status;
	} rows[] = {
		{ SPAN("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"), "405" },
		{ SPAN("DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "405" },
		{ SPAN("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "404" },
		{ SPAN("GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n"), "404" },
		{ SPAN("GET /../metrics HTTP/1.1\r\nHost: x\r\n\r\n"), "404" },
		{ SPAN("GET /metrics HTTP/1.1\r\n\r\n"), "400" },
		{ SPAN("GET /metrics HTTP/2.0\r\nHost: x\r\n\r\n"), "400" },
		{ SPAN("GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"), "400" },
		{ SPAN("GET /metrics HTTP/1.1\nHost: x\n\n"), "400" },
		{ SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "400" },
		{ SPAN("\0\r\n\r\n"), "400" },
		{ SPAN("\x16\x03\x01\0\x05\r\n\r\n"), "400" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_null(strstr(ask(rows[i].request, rows[i].status), "agent_vm"));
	assert_non_null(ask(SPAN(GET), "200"));
}

/* A page in a browser may ask by a name of its own that leads to 127.0.0.1 */
static void on_loopback_a_name_is_refused(void **state)
{
	static const char *const hosts[] = { "localhost", "localhost:9100", "127.0.0.1:9100", "[::1]:1" };
	static const char *const others[] = { "evil.example", "localhost.evil.example", "127.0.0.1.evil.example" };
	char request[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i]);
		ask(span_str(request), "200");
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n", others[i]);
		assert_string_equal(ask(span_str(request), "403"), "403 Forbidden");
	}
}

static void cut_at_every_byte(void **state)
{
	const struct span whole = SPAN(GET);

	(void)state;
	for (size_t cut = 0; cut < whole.len; cut++) {
		AUTO_CLOSE int two = client();
		AUTO_CLOSE int half = client();

		assert_true(say(two, span_head(whole, cut)) && say(half, span_head(whole, cut)));
		assert_true(heard(two) && heard(half));
		/* one says the rest, one no more: that one has no answer, and no place any longer */
		assert_true(say(two, span_skip(whole, cut)));
		assert_int_equal(shutdown(half, SHUT_WR), 0);
		assert_true(hear(two, WAIT_MS) > 0 && answered("200"));
		assert_non_null(strstr(answer_text, "\nsluice_build_info"));
		assert_int_equal(hear(half, WAIT_MS), 0);
	}
}

static void byte_by_byte(void **state)
{
	const struct span whole = SPAN(GET);
	AUTO_CLOSE int fd = client();

	(void)state;
	for (size_t i = 0; i < whole.len; i++)
		assert_true(say(fd, span_head(span_skip(whole, i), 1)) && heard(fd));
	assert_true(hear(fd, WAIT_MS) > 0 && answered("200"));
}

static void a_head_has_a_bound(void **state)
{
	static char head[HEAD_MAX + 1000];
	const struct span start = SPAN("GET /metrics HTTP/1.1\r\nHost: x\r\nX: ");

	(void)state;
	memset(head, 'a', sizeof(head));
	memcpy(head, start.at, start.len);
	/* the largest that there may be */
	memcpy(head + HEAD_MAX - 4, "\r\n\r\n", 4);
	ask(span_of(head, HEAD_MAX), "200");
	memcpy(head + HEAD_MAX - 4, "aaaaa\r\n\r\n", 9);
	ask(span_of(head, HEAD_MAX + 5), "431");
}

/* It reads on until the client has its answer: no reset eats that */
static void an_endless_request_still_has_its_answer(void **state)
{
	static uint8_t much[1 << 20];
	AUTO_CLOSE int fd = client();
	struct span rest = span_of(much, sizeof(much));

	(void)state;
	memset(much, 'x', sizeof(much));
	assert_true(say(fd, SPAN("BREW /metrics HTTP/1.1\r\nHost: x\r\n\r\n")) && say(fd, rest));
	assert_true(hear(fd, WAIT_MS) > 0 && answered("405"));
}

static void requests_behind_the_first_are_not_answered(void **state)
{
	AUTO_CLOSE int fd = client();

	(void)state;
	assert_true(say(fd, SPAN(GET GET GET)));
	assert_true(hear(fd, WAIT_MS) > 0 && answered("200"));
	assert_null(strstr(answer_text + 9, "HTTP/1.1 "));
}

static void write_all(uint64_t n)
{
	struct counters c = { .bytes_in = n, .bytes_out = n, .active = n, .malformed = n, .reloads = n };

	shared_write(counters, &c);
}

static _Noreturn void write_on(void)
{
	for (uint64_t n = 2;; n++) {
		write_all(n);
		for (volatile int i = 0; i < 20000; i++)
			;
	}
}

static void a_page_is_never_torn(void **state)
{
	static const char *const rows[] = { "tx_bytes_total{session=\"s\\\"1\"} ",
		"sluice_active_connections{session=\"s\\\"1\"} ", "sluice_malformed_total{session=\"s\\\"1\"} ",
		"sluice_policy_reloads_total{session=\"s\\\"1\"} " };
	uint64_t last = 0;

	(void)state;
	write_all(1);
	writer = split();
	if (!writer)
		write_on();
	for (int i = 0; i < PAGES; i++) {
		const char *page = ask(SPAN(GET), "200");
		uint64_t n = number(page, "rx_bytes_total{session=\"s\\\"1\"} ");

		for (size_t r = 0; r < ARRAY_SIZE(rows); r++)
			assert_int_equal(number(page, rows[r]), n);
		assert_true(n >= last);
		last = n;
	}
	assert_true(last > 100);	/* somebody did write meanwhile */
}

static void a_writer_that_stopped_in_its_midst(void **state)
{
	(void)state;
	counters->turn |= 1;
	ask(SPAN(GET), "503");
	counters->turn++;
	ask(SPAN(GET), "200");
}

/*
 * Every place is taken by one who says nothing, too little, or does not leave.
 * Who comes then waits until their time is over, and is served; they are dropped.
 */
static void slow_clients_are_dropped_and_keep_nobody_out(void **state)
{
	int64_t start_ms = clock_ms(), took_ms;
	int slow[2 * CLIENTS_MAX], fd;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
		slow[i] = client();
		if (i % 4 == 1)
			assert_true(say(slow[i], SPAN("GET /metr")));
		if (i % 4 == 2)
			assert_true(say(slow[i], SPAN(GET)));
		assert_true(heard(slow[i]));
	}
	fd = client();
	assert_true(say(fd, SPAN(GET)) && hear(fd, WAIT_MS) > 0 && answered("200"));
	close(fd);
	/* those that were there longest have been let go */
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		assert_true(hear(slow[i], WAIT_MS) >= 0);
		close(slow[i]);
	}
	/* a byte now and then wins nobody time */
	for (int i = 0; i < 4; i++) {
		assert_int_equal(hear(slow[ARRAY_SIZE(slow) - 1], 1000), -1);
		for (size_t s = CLIENTS_MAX + 5; s < ARRAY_SIZE(slow); s += 4)
			assert_true(say(slow[s], SPAN("i")));
	}
	for (size_t i = CLIENTS_MAX; i < ARRAY_SIZE(slow); i++) {
		assert_true(hear(slow[i], CLIENT_LIMIT_MS) >= 0);
		close(slow[i]);
	}
	took_ms = clock_ms() - start_ms;
	assert_true(took_ms > CLIENT_LIMIT_MS - 500 && took_ms < CLIENT_LIMIT_MS + 1500);
}

static void many_at_once(void **state)
{
	int fds[200];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 60; i++) {
			fds[i] = client();
			assert_true(say(fds[i], SPAN(GET)));
		}
		for (size_t i = 0; i < 60; i++) {
			assert_true(hear(fds[i], WAIT_MS) > 0 && answered("200"));
			close(fds[i]);
		}
	}
	/* those that come and go leave no place taken */
	for (size_t i = 0; i < 200; i++) {
		fds[i] = client();
		if (i % 2)
			assert_true(say(fds[i], SPAN("GET /")));
		close(fds[i]);
	}
	ask(SPAN(GET), "200");
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(the_page), WITH(what_it_does_not_answer),
		cmocka_unit_test_setup_teardown(on_loopback_a_name_is_refused, begin_local, end),
		WITH(cut_at_every_byte), WITH(byte_by_byte), WITH(a_head_has_a_bound),
		WITH(an_endless_request_still_has_its_answer),
		WITH(requests_behind_the_first_are_not_answered), WITH(a_page_is_never_torn),
		WITH(a_writer_that_stopped_in_its_midst), WITH(slow_clients_are_dropped_and_keep_nobody_out),
		WITH(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role itself, confined and in its process: this is its keeper and its webhook.  Its clock runs
 * SPEED times as fast as ours, and so do its waits.
 */
#include "../unit.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/clock.h"

#define SPEED 20
#define clock_ms() (clock_ms() * SPEED)
#undef curl_multi_poll
#define curl_multi_poll(multi, fds, count, wait, ret) \
	(curl_multi_poll)(multi, fds, count, ((wait) + SPEED - 1) / SPEED, ret)
#pragma push_macro("fail")	/* of cmocka */
#undef fail
#include "daemon/courier.c"
#pragma pop_macro("fail")
#undef clock_ms
#undef curl_multi_poll

#include "lonely.h"

#define WAIT_MS 5000		/* for what should come soon */
#define NEVER_MS 200		/* for what should not come */
#define PORT 8000
#define REQUEST_MAX (COURIER_PACKET_MAX + 4096)
#define OK "HTTP/1.1 204 No Content\r\n\r\n"

struct hook {
	int		 fd;
	uint16_t	 port;
	char		 request[REQUEST_MAX + 1];	/* the last one */
	const char	*body;
	int64_t		 at_ms;				/* when it came */
};

static struct hook hook, other;
static pid_t role;
static int keeper, complaints;
static char complained[8192];
static struct courier_count count;

/* ---- the role ---- */

static _Noreturn void role_run(int fd, int errors)
{
	const char *argv[] = { "courier", NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(errors, STDERR_FILENO) < 0 || dup2(fd, ROLE_FD) < 0)
		_exit(2);
	close_range(ROLE_FD + 1, ~0u, 0);
	_exit(courier_main(1, (char **)(uintptr_t)argv));
}

static void tell_role(enum courier_letter letter, const char *text)
{
	char packet[COURIER_PACKET_MAX + 1];
	int len = snprintf(packet, sizeof(packet), "%c%s", letter, text);

	assert_int_equal(send(keeper, packet, (size_t)len, MSG_NOSIGNAL), len);
}

static void open_hook(struct hook *h, uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int one = 1;

	*h = (struct hook){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .port = port };
	setsockopt(h->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(h->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(h->fd, 16), 0);
}

static int begin(void **state)
{
	int ends[2], errors[2];

	(void)state;
	count = (struct courier_count){ 0 };
	open_hook(&hook, PORT);
	open_hook(&other, PORT + 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(pipe2(errors, O_CLOEXEC | O_NONBLOCK), 0);
	fflush(NULL);
	role = fork();
	assert_true(role >= 0);
	if (!role)
		role_run(ends[1], errors[1]);
	close(ends[1]);
	close(errors[1]);
	keeper = ends[0];
	complaints = errors[0];
	tell_role(LETTER_ADDRESS, "http://127.0.0.1:8000/in?token=hush-token");
	tell_role(LETTER_KEY, "Jefe");
	return 0;
}

/* The counts that it has told until now */
static void hear_counts(int wait_ms)
{
	struct pollfd p = { .fd = keeper, .events = POLLIN };

	while (poll(&p, 1, wait_ms) > 0 && recv(keeper, &count, sizeof(count), 0) == sizeof(count))
		wait_ms = 0;
}

static void counted(uint64_t sent, uint64_t lost)
{
	int64_t end_ms = clock_ms() + WAIT_MS;

	while ((count.sent != sent || count.lost != lost) && clock_ms() < end_ms)
		hear_counts(50);
	assert_int_equal(count.sent, sent);
	assert_int_equal(count.lost, lost);
}

/* Ends when the keeper does, by itself, and has said nothing of its secrets */
static int end(void **state)
{
	int64_t end_ms = clock_ms() + WAIT_MS;
	int status = 0;
	ssize_t n;

	(void)state;
	DROP_FD(keeper);
	while (waitpid(role, &status, WNOHANG) == 0 && clock_ms() < end_ms)
		usleep(1000);
	kill(role, SIGKILL);
	n = read(complaints, complained, sizeof(complained) - 1);
	complained[n > 0 ? n : 0] = '\0';
	close(complaints);
	close(hook.fd);
	DROP_FD(other.fd);
	if (!WIFEXITED(status) || WEXITSTATUS(status) || strstr(complained, "Jefe") ||
	    strstr(complained, "hush"))
		fail_msg("it ended with %x: %s", status, complained);
	return 0;
}

/* ---- the webhook ---- */

/* Return: a connection with a whole request in h->request; -1: none comes */
static int next_request(struct hook *h, int limit_ms)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	size_t len = 0, whole = SIZE_MAX;
	int fd;

	if (poll(&p, 1, limit_ms) <= 0)
		return -1;
	h->at_ms = clock_ms();
	fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	while (len < whole) {
		ssize_t n = recv(fd, h->request + len, REQUEST_MAX - len, 0);
		const char *length;

		assert_true(n > 0);
		len += (size_t)n;
		h->request[len] = '\0';
		h->body = strstr(h->request, "\r\n\r\n");
		length = strstr(h->request, "Content-Length: ");
		if (h->body && length) {
			h->body += 4;
			whole = (size_t)(h->body - h->request) + (size_t)atoi(length + 16);
		}
	}
	return fd;
}

/* The next request gets this answer, and the connection ends */
static void answers(struct hook *h, const char *answer)
{
	int fd = next_request(h, WAIT_MS);

	assert_true(fd >= 0);
	assert_int_equal(send(fd, answer, strlen(answer), MSG_NOSIGNAL), (ssize_t)strlen(answer));
	close(fd);
}

static void nobody_comes(struct hook *h)
{
	assert_int_equal(next_request(h, NEVER_MS), -1);
}

/* ---- tests ---- */

/* Test case 2 of RFC 4231, section 4.3 */
static void the_signature_is_hmac_sha256(void **state)
{
	static const char field[] = "\r\nX-Sluice-Signature: sha256="
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\r\n";

	(void)state;
	tell_role(LETTER_ALERT, "what do ya want for nothing?");
	answers(&hook, OK);
	assert_string_equal(hook.body, "what do ya want for nothing?");
	assert_true(!strncmp(hook.request, "POST /in?token=hush-token HTTP/1.1\r\n", 36));
	assert_non_null(strstr(hook.request, field));
	assert_non_null(strstr(hook.request, "\r\nContent-Type: application/json\r\n"));
	assert_null(strstr(hook.request, "Expect:"));
	assert_null(strstr(hook.request, "Jefe"));
	counted(1, 0);
}

/* Of the largest that there can be, computed beside: printf %065000d 0 | openssl dgst -hmac Jefe */
static void a_large_one_is_signed_whole(void **state)
{
	char body[65001];

	(void)state;
	memset(body, '0', 65000);
	body[65000] = '\0';
	tell_role(LETTER_ALERT, body);
	answers(&hook, OK);
	assert_int_equal(strlen(hook.body), 65000);
	assert_non_null(strstr(hook.request, "sha256=bc3c66c66e9b0ce3e3db6afab79eca8510936c474039f184ada75f6a284ab4c6\r\n"));
	counted(1, 0);
}

static void tried_again_ever_later(void **state)
{
	int64_t at_ms[COURIER_TRIES];

	(void)state;
	tell_role(LETTER_ALERT, "{\"a\":1}");
	for (size_t i = 0; i < COURIER_TRIES; i++) {
		answers(&hook, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
		assert_string_equal(hook.body, "{\"a\":1}");
		at_ms[i] = hook.at_ms;
	}
	for (size_t i = 1; i < COURIER_TRIES; i++) {
		int64_t wait_ms = (at_ms[i] - at_ms[i - 1]) * SPEED;

		assert_true(wait_ms >= (1000 << (i - 1)) - SPEED);
		assert_true(wait_ms < (1000 << (i - 1)) + 1000 * SPEED);	/* a busy machine */
	}
	counted(0, 1);
	nobody_comes(&hook);
}

static void what_may_come_later(void **state)
{
	static const char *const later[] = {
		"HTTP/1.1 408 x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 429 x\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 599 x\r\nContent-Length: 0\r\n\r\n",
		"", "HTTP/1.1 2", "HTTP/1.1 100 Continue\r\n\r\n", "no HTTP at all\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
		tell_role(LETTER_ALERT, "{}");
		answers(&hook, later[i]);
		answers(&hook, OK);
		counted(i + 1, 0);
	}
}

static void what_never_will(void **state)
{
	static const char *const never[] = {
		"HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 410 x\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 301 x\r\nLocation: http://127.0.0.1:8001/\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:8001/\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:8001/\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 308 x\r\nLocation: http://127.0.0.1:8001/\r\nContent-Length: 0\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		tell_role(LETTER_ALERT, "{}");
		answers(&hook, never[i]);
		counted(0, i + 1);
	}
	nobody_comes(&hook);
	nobody_comes(&other);
	/* and the next is not kept by it */
	tell_role(LETTER_ALERT, "{\"next\":1}");
	answers(&hook, OK);
	assert_string_equal(hook.body, "{\"next\":1}");
	counted(1, ARRAY_SIZE(never));
}

static void nobody_listens_at_first(void **state)
{
	(void)state;
	DROP_FD(hook.fd);
	tell_role(LETTER_ALERT, "{}");
	usleep(20000);
	open_hook(&hook, PORT);
	answers(&hook, OK);
	counted(1, 0);
}

/* A webhook that says 2xx has it, whatever it says more */
static void an_answer_without_an_end(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";
	static char much[65536];
	size_t sent = 0;
	int fd;

	(void)state;
	tell_role(LETTER_ALERT, "{}");
	fd = next_request(&hook, WAIT_MS);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL), sizeof(head) - 1);
	while (sent < 100000000) {
		ssize_t n = send(fd, much, sizeof(much), MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	close(fd);
	assert_true(sent < 50000000);
	counted(1, 0);
	tell_role(LETTER_ALERT, "{}");
	answers(&hook, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ncut");
	counted(2, 0);
	nobody_comes(&hook);
}

/* One is under way, the others wait; of those the oldest make room */
static void the_queue_has_a_bound(void **state)
{
	const unsigned all = COURIER_QUEUE_MAX + 50;
	char text[32];
	int fd;

	(void)state;
	tell_role(LETTER_ALERT, "{\"n\":0}");
	fd = next_request(&hook, WAIT_MS);
	for (unsigned i = 1; i < all; i++) {
		snprintf(text, sizeof(text), "{\"n\":%u}", i);
		tell_role(LETTER_ALERT, text);
	}
	counted(0, 50);		/* told at once, while the webhook is silent */
	assert_int_equal(send(fd, OK, strlen(OK), MSG_NOSIGNAL), (ssize_t)strlen(OK));
	close(fd);
	for (unsigned i = 51; i < all; i++) {
		answers(&hook, OK);
		snprintf(text, sizeof(text), "{\"n\":%u}", i);
		assert_string_equal(hook.body, text);
	}
	counted(COURIER_QUEUE_MAX, 50);
}

/* The keeper ends: what waits has a last chance, and it is not for ever */
static void at_the_end(void **state)
{
	int hold;

	(void)state;
	tell_role(LETTER_ALERT, "{\"n\":1}");
	tell_role(LETTER_ALERT, "{\"n\":2}");
	answers(&hook, "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(shutdown(keeper, SHUT_WR), 0);
	answers(&hook, OK);
	assert_string_equal(hook.body, "{\"n\":1}");
	/* one that accepts and says nothing would have twice our WAIT_MS else */
	hold = next_request(&hook, WAIT_MS);
	counted(1, 1);
	close(hold);
}

/* What it cannot make sense of is lost, and told without the URL */
static void urls_that_lead_nowhere(void **state)
{
	static const char *const urls[] = {
		"http://hush-host.invalid/?hush", "file:///etc/passwd?hush", "http://[hush:hush@",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		tell_role(LETTER_ADDRESS, urls[i]);
		tell_role(LETTER_ALERT, "{}");
		counted(0, i + 1);
	}
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(the_signature_is_hmac_sha256), WITH(a_large_one_is_signed_whole),
		WITH(tried_again_ever_later), WITH(what_may_come_later), WITH(what_never_will),
		WITH(nobody_listens_at_first), WITH(an_answer_without_an_end), WITH(the_queue_has_a_bound),
		WITH(at_the_end), WITH(urls_that_lead_nowhere),
	};

	lonely_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

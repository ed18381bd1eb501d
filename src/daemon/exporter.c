/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request a connection, answered from a fixed table of clients.  When it is full nobody is
 * accepted until one has gone, and who says nothing has gone after CLIENT_LIMIT_MS: the kernel
 * keeps the others waiting.  Nothing is kept from one request to the next.
 *
 * A page in somebody's browser can make it ask any name for /metrics, also one that leads to
 * 127.0.0.1: on loopback only requests for an address or localhost are answered.
 */
#include "daemon/exporter.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "daemon/clock.h"
#include "daemon/role.h"
#include "jail/jail.h"
#include "proto/http_head.h"
#include "watch/board.h"
#include "watch/page.h"

#define CLIENTS_MAX 16
#define CLIENT_LIMIT_MS 5000
#define HEAD_MAX 8192		/* bytes of a request's head */

enum stage { STAGE_HEAD, STAGE_ANSWER, STAGE_END };

struct client {
	int		 fd;		/* -1: free */
	enum stage	 stage;
	int64_t		 end_ms;
	uint8_t		 head[HEAD_MAX];
	size_t		 head_len;
	struct buf	 answer;
	size_t		 sent;
};

struct exporter {
	const struct shared_counters *shared;	/* of one session; or */
	const struct board *board;	/* of a daemon's */
	const char	*session;	/* the one's name; NULL: there is a board */
	struct page_about about;
	bool		 local;
	struct client	 clients[CLIENTS_MAX];
};

static void client_end(struct client *c)
{
	DROP_FD(c->fd);
	buf_done(&c->answer);
}

static void answer(struct client *c, const char *status, const char *type, struct span body, bool head_only)
{
	c->answer = buf_new(1024 + body.len);
	buf_printf(&c->answer,
		   "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		   "Cache-Control: no-store\r\nConnection: close\r\n\r\n", status, type, body.len);
	if (!head_only)
		buf_add_span(&c->answer, body);
	c->stage = STAGE_ANSWER;
}

static void refuse(struct client *c, const char *status)
{
	answer(c, status, "text/plain", span_str(status), false);
}

/* What there is to tell now.  Return: to be freed; NULL: no whole copy, or no memory */
static struct board_copy *read_counters(const struct exporter *x, size_t *ret_count)
{
	struct board_copy *one;

	if (x->board)
		return board_read(x->board, ret_count);
	one = calloc(1, sizeof(*one));
	*ret_count = 1;
	if (one && shared_read(x->shared, &one->counters) &&
	    span_copy(span_str(x->session), one->session, sizeof(one->session)))
		return one;
	free(one);
	return NULL;
}

static bool print(const struct exporter *x, struct buf *page, const struct board_copy *copies,
		  size_t count)
{
	AUTO_FREE struct page_session *sessions = calloc(count + 1, sizeof(*sessions));

	for (size_t i = 0; sessions && i < count; i++)
		sessions[i] = (struct page_session){ copies[i].session, &copies[i].counters };
	if (sessions)
		page_print(page, sessions, count, &x->about);
	return sessions && !page->full;
}

static void answer_page(struct exporter *x, struct client *c, bool head_only)
{
	size_t count;
	AUTO_FREE struct board_copy *copies = read_counters(x, &count);
	struct buf page;

	if (!copies) {
		refuse(c, "503 Service Unavailable");
		return;
	}
	page = buf_new(PAGE_MAX(count));
	if (print(x, &page, copies, count))
		answer(c, "200 OK", PAGE_TYPE, buf_span(&page), head_only);
	else
		refuse(c, "500 Internal Server Error");
	buf_done(&page);
}

static bool host_is_fine(const struct exporter *x, struct span host)
{
	struct addr addr;

	return !x->local || !host.len || span_eq(host, SPAN("localhost")) || addr_parse(host, &addr);
}

static void client_asks(struct exporter *x, struct client *c)
{
	struct http_request r;
	bool head_only;

	switch (http_request_parse(span_of(c->head, c->head_len), &r)) {
	case PARSE_MORE:
		if (c->head_len == HEAD_MAX)
			refuse(c, "431 Request Header Fields Too Large");
		return;
	case PARSE_BAD:
		refuse(c, "400 Bad Request");
		return;
	case PARSE_OK:
		break;
	}
	head_only = span_eq(r.method, SPAN("HEAD"));
	if (!host_is_fine(x, r.host))
		refuse(c, "403 Forbidden");
	else if (!span_eq(r.path, SPAN("/metrics")))
		refuse(c, "404 Not Found");
	else if (!head_only && !span_eq(r.method, SPAN("GET")))
		refuse(c, "405 Method Not Allowed");
	else
		answer_page(x, c, head_only);
}

static void client_reads(struct exporter *x, struct client *c)
{
	ssize_t n = recv(c->fd, c->head + c->head_len, HEAD_MAX - c->head_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_end(c);
		return;
	}
	c->head_len += (size_t)n;
	client_asks(x, c);
}

static void client_writes(struct client *c)
{
	struct span rest = span_skip(buf_span(&c->answer), c->sent);
	ssize_t n = send(c->fd, rest.at, rest.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || c->answer.full) {
		client_end(c);
		return;
	}
	c->sent += (size_t)n;
	if (c->sent < c->answer.len)
		return;
	/* what it still sends must not reset what it has yet to read */
	shutdown(c->fd, SHUT_WR);
	c->stage = STAGE_END;
}

static void client_ends(struct client *c)
{
	uint8_t rest[1024];
	ssize_t n = recv(c->fd, rest, sizeof(rest), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		client_end(c);
}

static void client_takes_turn(struct exporter *x, struct client *c)
{
	switch (c->stage) {
	case STAGE_HEAD:
		client_reads(x, c);
		break;
	case STAGE_ANSWER:
		client_writes(c);
		break;
	case STAGE_END:
		client_ends(c);
		break;
	}
}

static void accept_one(struct exporter *x)
{
	int fd = accept4(EXPORTER_LISTEN_FD, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < CLIENTS_MAX; i++) {
		struct client *c = &x->clients[i];

		if (c->fd >= 0)
			continue;
		c->fd = TAKE_FD(fd);
		c->stage = STAGE_HEAD;
		c->head_len = c->sent = 0;
		c->end_ms = clock_ms() + CLIENT_LIMIT_MS;
	}
	DROP_FD(fd);
}

/* What to wait for.  @ret_wait_ms: until the first client has waited too long; -1: none waits */
static size_t gather(struct exporter *x, struct pollfd *polled, int *ret_wait_ms)
{
	int64_t now = clock_ms(), first = -1;
	size_t busy = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &x->clients[i];

		if (c->fd >= 0 && now >= c->end_ms)
			client_end(c);
		polled[i] = (struct pollfd){ .fd = c->fd, .events = c->stage == STAGE_ANSWER ?
								       POLLOUT : POLLIN };
		if (c->fd < 0)
			continue;
		busy++;
		if (first < 0 || c->end_ms < first)
			first = c->end_ms;
	}
	*ret_wait_ms = first < 0 ? -1 : (int)(first - now);
	return busy;
}

static void serve(struct exporter *x)
{
	struct pollfd polled[CLIENTS_MAX + 1];
	int wait_ms;

	for (;;) {
		bool full = gather(x, polled, &wait_ms) == CLIENTS_MAX;

		polled[CLIENTS_MAX] = (struct pollfd){ full ? -1 : EXPORTER_LISTEN_FD, POLLIN, 0 };
		if (poll(polled, ARRAY_SIZE(polled), wait_ms) < 0 && errno != EINTR)
			return;
		for (size_t i = 0; i < CLIENTS_MAX; i++)
			if (polled[i].fd >= 0 && polled[i].revents)
				client_takes_turn(x, &x->clients[i]);
		if (polled[CLIENTS_MAX].revents)
			accept_one(x);
	}
}

static bool read_arguments(struct exporter *x, int argc, char **argv)
{
	static const struct option rows[] = {
		{ "session", required_argument, NULL, 's' }, { "board", no_argument, NULL, 'b' },
		{ "version", required_argument, NULL, 'v' },
		{ "local", no_argument, NULL, 'l' }, { NULL, 0, NULL, 0 },
	};
	bool board = false;
	int c;

	while ((c = getopt_long(argc, argv, "", rows, NULL)) != -1) {
		if (c == 's')
			x->session = optarg;
		else if (c == 'b')
			board = true;
		else if (c == 'v')
			x->about.version = optarg;
		else if (c == 'l')
			x->local = true;
		else
			return false;
	}
	return !x->session == board && x->about.version;
}

static bool map_counters(struct exporter *x, struct err *err)
{
	size_t size = x->session ? sizeof(*x->shared) : sizeof(*x->board);
	void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, EXPORTER_COUNTERS_FD, 0);

	if (at == MAP_FAILED)
		return err_sys(err, errno, "the counters cannot be read");
	if (x->session)
		x->shared = at;
	else
		x->board = at;
	close(EXPORTER_COUNTERS_FD);
	return true;
}

int exporter_main(int argc, char **argv)
{
	static struct exporter x;
	struct err err = { "" };

	x.about.revision = strchr(program_mark, '=') + 1;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		x.clients[i].fd = -1;
	if (!read_arguments(&x, argc, argv))
		err_set(&err, "started by hand (sluice run --metrics starts it)");
	if (!err.text[0] && map_counters(&x, &err) && confine_exporter(&err))
		serve(&x);
	role_complain("exporter", err.text[0] ? err.text : strerror(errno));
	return 1;
}

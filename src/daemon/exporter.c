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
#include "daemon/web.h"
#include "jail/jail.h"
#include "proto/http_head.h"
#include "watch/board.h"
#include "watch/page.h"

#define CLIENTS_MAX 16
#define CLIENT_LIMIT_MS 5000
#define HEAD_MAX 8192		/* bytes of a request's head */

struct exporter {
	const struct shared_counters *shared;	/* of one session; or */
	const struct board *board;	/* of a daemon's */
	const char	*session;	/* the one's name; NULL: there is a board */
	struct page_about about;
	bool		 local;
	struct web_client	 clients[CLIENTS_MAX];
	uint32_t		 serial;	/* of the last of them */
};

static void refuse(struct web_client *c, const char *status)
{
	web_answer(c, status, "text/plain", "", span_str(status), false);
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

static void answer_page(struct exporter *x, struct web_client *c, bool head_only)
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
		web_answer(c, "200 OK", PAGE_TYPE, "", buf_span(&page), head_only);
	else
		refuse(c, "500 Internal Server Error");
	buf_done(&page);
}

static bool host_is_fine(const struct exporter *x, struct span host)
{
	struct addr addr;

	return !x->local || !host.len || span_eq(host, SPAN("localhost")) || addr_parse(host, &addr);
}

static void client_asks(struct exporter *x, struct web_client *c)
{
	struct http_request r;
	bool head_only;

	switch (http_request_parse(span_of(c->in, c->in_len), &r)) {
	case PARSE_MORE:
		if (c->in_len == HEAD_MAX)
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

static void client_takes_turn(struct exporter *x, struct web_client *c)
{
	if (c->stage == WEB_ANSWER)
		web_writes(c);
	else if (c->stage == WEB_END)
		web_drains(c);
	else if (web_reads(c, HEAD_MAX))
		client_asks(x, c);
}

static void accept_one(struct exporter *x)
{
	int fd = accept4(EXPORTER_LISTEN_FD, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct web_client *c = fd < 0 ? NULL : web_slot(x->clients, CLIENTS_MAX);

	if (c)
		web_begin(c, TAKE_FD(fd), CLIENT_LIMIT_MS, ++x->serial);
	DROP_FD(fd);
}

/* What to wait for.  @ret_wait_ms: until the first client has waited too long; -1: none waits */
static void gather(struct exporter *x, struct pollfd *polled, int *ret_wait_ms)
{
	int64_t now = clock_ms(), first = -1;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct web_client *c = &x->clients[i];

		if (c->fd >= 0 && now >= c->end_ms)
			web_end(c);
		polled[i] = (struct pollfd){ .fd = c->fd, .events = c->stage == WEB_ANSWER ?
								       POLLOUT : POLLIN };
		if (c->fd >= 0 && (first < 0 || c->end_ms < first))
			first = c->end_ms;
	}
	*ret_wait_ms = first < 0 ? -1 : (int)(first - now);
}

static void serve(struct exporter *x)
{
	struct pollfd polled[CLIENTS_MAX + 1];
	int wait_ms;

	for (;;) {
		gather(x, polled, &wait_ms);
		polled[CLIENTS_MAX] = (struct pollfd){ EXPORTER_LISTEN_FD, POLLIN, 0 };
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

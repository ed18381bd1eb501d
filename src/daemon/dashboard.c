/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dashboard.c - one request a connection, from a fixed table of clients
 *
 * Pages are constant and anybody gets them who asks by a loopback name.  /state and /decide need
 * the token, in a field that no other page can make a browser send, and come from no other origin
 * (proto/local_web.h).  When the table is full who has said least for longest goes: somebody who
 * holds connections open keeps nobody out.  A decision goes to its session and comes back
 * (panel.h); until then its client waits.
 */
#include "daemon/dashboard.h"

#include <errno.h>
#include <getopt.h>
#include <sys/socket.h>

#include "daemon/clock.h"
#include "daemon/panel.h"
#include "daemon/role.h"
#include "daemon/web.h"
#include "daemon/dashboard_pages.h"
#include "jail/jail.h"
#include "proto/local_web.h"

#define CLIENTS_MAX 32
#define CLIENT_LIMIT_MS 5000	/* for a request */
#define ANSWER_LIMIT_MS 20000	/* for an answer to be taken */

/* The page takes nothing from anywhere, is in no frame, and makes no markup of what it is told */
#define POLICY "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " \
	"require-trusted-types-for 'script'; trusted-types 'none'"

#define FIELDS "Content-Security-Policy: " POLICY "\r\nX-Frame-Options: DENY\r\n" \
	"X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n" \
	"Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n"

struct dashboard {
	struct panel	*panel;
	uint16_t	 port;		/* 0: a Unix socket */
	char		 token[DASHBOARD_TOKEN_LEN];
	uint32_t	 serial;
	struct web_client	 clients[CLIENTS_MAX];
};

static const struct { const char *path, *type; struct span body; } pages[] = {
	{ "/", "text/html; charset=utf-8", { index_html, sizeof(index_html) } },
	{ "/page.js", "text/javascript; charset=utf-8", { page_js, sizeof(page_js) } },
	{ "/style.css", "text/css; charset=utf-8", { style_css, sizeof(style_css) } },
	{ "/icon.svg", "image/svg+xml", { icon_svg, sizeof(icon_svg) } },
};

static void answer(struct web_client *c, const char *status, const char *type, struct span body)
{
	web_answer(c, status, type, FIELDS, body, false);
	c->end_ms = clock_ms() + ANSWER_LIMIT_MS;
}

static void refuse(struct web_client *c, const char *status)
{
	answer(c, status, "text/plain", span_str(status));
}

/* ---- what a request asks for ---- */

static void answer_state(struct dashboard *d, struct web_client *c, struct span query)
{
	struct span key = SPAN("after=");
	struct buf state = buf_new(PANEL_STATE_MAX);
	uint64_t after = 0;

	if (query.len && (!span_starts(query, key) ||
			  !span_u64(span_skip(query, key.len), UINT64_MAX - 1, &after))) {
		refuse(c, "400 Bad Request");
		return;
	}
	panel_look(d->panel);
	panel_state(d->panel, after, &state);
	if (state.full)
		refuse(c, "500 Internal Server Error");
	else
		answer(c, "200 OK", "application/json", buf_span(&state));
	buf_done(&state);
}

/* The body is what a session takes (control/request.h), and no more than a decision */
static void decide(struct dashboard *d, struct web_client *c, struct span query, struct span body)
{
	struct span key = SPAN("session=");
	char session[CONTROL_NAME_MAX + 1];
	struct control_request r = { .object = NULL };
	const char *why;

	if (!span_starts(query, key) || !span_copy(span_skip(query, key.len), session, sizeof(session)) ||
	    !control_request_parse(body, &r, &why)) {
		refuse(c, "400 Bad Request");
		goto out;
	}
	if ((r.what != CONTROL_APPROVE && r.what != CONTROL_REJECT) || !control_request_is_web(&r))
		refuse(c, "403 Forbidden");
	else if (!panel_decide(d->panel, session, &r, (unsigned)(c - d->clients), c->serial))
		refuse(c, "503 Service Unavailable");
	else
		c->stage = WEB_WAIT;
out:
	control_request_done(&r);
}

static void on_told(void *arg, unsigned slot, uint32_t serial, struct span said)
{
	struct dashboard *d = arg;
	struct web_client *c = &d->clients[slot];

	if (c->fd < 0 || c->serial != serial || c->stage != WEB_WAIT)
		return;
	if (said.len)
		answer(c, "200 OK", "application/json", said);
	else
		refuse(c, "502 Bad Gateway");
}

static void answer_page(struct web_client *c, const struct http_request *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (span_eq(r->path, span_str(pages[i].path)) && span_eq(r->method, SPAN("GET"))) {
			answer(c, "200 OK", pages[i].type, pages[i].body);
			return;
		}
	refuse(c, span_eq(r->method, SPAN("GET")) ? "404 Not Found" : "405 Method Not Allowed");
}

static struct span query_of(const struct http_request *r)
{
	ptrdiff_t at = span_find(r->target, '?');

	return at < 0 ? (struct span){ 0 } : span_skip(r->target, (size_t)at + 1);
}

static void answer_request(struct dashboard *d, struct web_client *c, const struct http_request *r)
{
	struct span head = span_of(c->in, r->head_bytes), token = span_of(d->token, sizeof(d->token));
	struct span body = span_of(c->in + r->head_bytes, (size_t)r->length);
	bool state = span_eq(r->path, SPAN("/state")), decides = span_eq(r->path, SPAN("/decide"));

	if (!local_web_host(r, d->port))
		refuse(c, "403 Forbidden");
	else if (!state && !decides)
		answer_page(c, r);
	else if (!local_web_origin(r, head, decides))
		refuse(c, "403 Forbidden");
	else if (!local_web_token(head, token))
		refuse(c, "401 Unauthorized");
	else if (!span_eq(r->method, decides ? SPAN("POST") : SPAN("GET")))
		refuse(c, "405 Method Not Allowed");
	else if (state)
		answer_state(d, c, query_of(r));
	else
		decide(d, c, query_of(r), body);
}

static void client_asks(struct dashboard *d, struct web_client *c)
{
	struct http_request r;
	enum parse p = http_request_parse(span_of(c->in, c->in_len), &r);

	if (p == PARSE_BAD)
		refuse(c, "400 Bad Request");
	else if (p == PARSE_OK && r.framing != HTTP_BODY_NONE && r.framing != HTTP_BODY_LENGTH)
		refuse(c, "411 Length Required");
	else if (p == PARSE_OK && r.length > CONTROL_LINE_MAX)
		refuse(c, "413 Content Too Large");
	else if (p == PARSE_OK && c->in_len - r.head_bytes >= r.length)
		answer_request(d, c, &r);
	else if (c->in_len == WEB_REQUEST_MAX)
		refuse(c, "431 Request Header Fields Too Large");
}

/* ---- a client's turn ---- */

static void client_takes_turn(struct dashboard *d, struct web_client *c)
{
	if (c->stage == WEB_ANSWER)
		web_writes(c);
	else if (c->stage != WEB_HEAD)
		web_drains(c);
	else if (web_reads(c, WEB_REQUEST_MAX))
		client_asks(d, c);
}

static void accept_one(struct dashboard *d)
{
	int fd = accept4(DASHBOARD_LISTEN_FD, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct web_client *c = fd < 0 ? NULL : web_slot(d->clients, CLIENTS_MAX);

	if (c)
		web_begin(c, TAKE_FD(fd), CLIENT_LIMIT_MS, ++d->serial);
	DROP_FD(fd);
}

/* ---- the loop ---- */

#define TICK_MS 100

static void gather(struct dashboard *d, struct pollfd *polled)
{
	int64_t now = clock_ms();

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct web_client *c = &d->clients[i];

		if (c->fd >= 0 && now >= c->end_ms)
			web_end(c);
		polled[i] = (struct pollfd){ .fd = c->fd, .events = c->stage == WEB_ANSWER ? POLLOUT :
								       POLLIN };
	}
	polled[CLIENTS_MAX] = (struct pollfd){ DASHBOARD_LISTEN_FD, POLLIN, 0 };
}

/* Return: why it does so no longer */
static const char *serve(struct dashboard *d)
{
	static struct pollfd polled[CLIENTS_MAX + 1 + PANEL_SESSIONS_MAX + 2];
	struct pollfd *desks = polled + CLIENTS_MAX + 1;

	for (;;) {
		size_t count = panel_gather(d->panel, desks);

		gather(d, polled);
		if (poll(polled, CLIENTS_MAX + 1 + count, TICK_MS) < 0 && errno != EINTR)
			return strerror(errno);
		for (size_t i = 0; i < CLIENTS_MAX; i++)
			if (polled[i].fd >= 0 && polled[i].revents && d->clients[i].fd == polled[i].fd)
				client_takes_turn(d, &d->clients[i]);
		if (polled[CLIENTS_MAX].revents)
			accept_one(d);
		if (!panel_turn(d->panel, desks, count))
			return "the daemon has gone";
	}
}

static bool read_arguments(struct dashboard *d, int argc, char **argv)
{
	static const struct option rows[] = {
		{ "port", required_argument, NULL, 'p' }, { NULL, 0, NULL, 0 },
	};
	uint64_t port;
	int c;

	while ((c = getopt_long(argc, argv, "", rows, NULL)) != -1) {
		if (c != 'p' || !span_u64(span_str(optarg), UINT16_MAX, &port))
			return false;
		d->port = (uint16_t)port;
	}
	return true;
}

int dashboard_main(int argc, char **argv)
{
	static struct dashboard d;
	struct err err = { "" };
	const char *why = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		d.clients[i].fd = -1;
	json_object_seed(0);	/* while there are files to read */
	d.panel = panel_new(DASHBOARD_LINK_FD, on_told, &d);
	if (!d.panel || !read_arguments(&d, argc, argv) ||
	    recv(DASHBOARD_LINK_FD, d.token, sizeof(d.token), 0) != sizeof(d.token))
		err_set(&err, "started by hand (sluice daemon --dashboard starts it)");
	if (!err.text[0] && confine_dashboard(&err))
		why = serve(&d);
	role_complain("dashboard", why ? why : err.text);
	return 1;
}

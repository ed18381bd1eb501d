/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dot.c - a connection to a name server over TLS
 *
 * Theory
 *
 * One connection a server, opened by the first query and kept while it is used;
 * queries go out at once and are answered in any order (RFC 7766 6.2.1.1).
 * What waits is in ->queries, whether it was sent or not.
 *
 *	CLOSED -> CONNECTING -> SHAKING -> OPEN -> CLOSED
 *
 * A server may close a connection whenever it likes (RFC 7766 6.2.3).  If this one has
 * answered before, what still waits is asked once more on a new one.  A connection
 * that could not be opened, or that never answered, fails everything that waits,
 * and the first kind lets the server rest: so a server whose certificate is wrong
 * costs a handshake a second and not one a name.
 *
 * A query's answer has its id, its question, and data with the layout of its
 * type (dns_answer_read()).  An id that nobody waits for is a late answer.
 *
 * Only event callbacks call ->done: dot_ask() puts what it has to send into ->out and
 * leaves it to them.
 */
#include "daemon/dot.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <event2/event_struct.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/auto.h"
#include "base/buf.h"
#include "daemon/clock.h"
#include "daemon/role.h"

#define IN_MAX (2 + UINT16_MAX)		/* bytes: one message behind its length */
#define OUT_MAX (DOT_QUERIES_MAX * (2 + DNS_QUESTION_MAX))
#define READS_A_TURN 8			/* of READ_BYTES; then others have their turn */
#define READ_BYTES 16384		/* a TLS record */
#define TRIES_MAX 2			/* connections that a query is sent on */
#define ALPN_DOT "\3dot"		/* RFC 7858 3.1, as ALPN wants it */

enum dot_state { DOT_CLOSED, DOT_CONNECTING, DOT_SHAKING, DOT_OPEN, DOT_STATE_NUM };

static const bool may_become[DOT_STATE_NUM][DOT_STATE_NUM] = {
	[DOT_CLOSED] = { [DOT_CONNECTING] = true },
	[DOT_CONNECTING] = { [DOT_SHAKING] = true, [DOT_CLOSED] = true },
	[DOT_SHAKING] = { [DOT_OPEN] = true, [DOT_CLOSED] = true },
	[DOT_OPEN] = { [DOT_CLOSED] = true },
};

struct dot_query {
	TAILQ_ENTRY(dot_query) order;
	struct dot	*dot;
	uint16_t	 id, type;
	unsigned	 tries;
	bool		 sent;		/* on this connection, or at least in ->out */
	dot_done	*done;
	void		*arg;
	char		 host[HOST_MAX + 1];
};

TAILQ_HEAD(dot_queries, dot_query);

struct dot {
	struct event_base *loop;
	SSL_CTX		*ctx;
	struct upstream	 server;
	enum dot_state	 state;
	int		 fd;		/* -1: CLOSED */
	SSL		*ssl;
	struct event	 ready, clock;
	struct buf	 in, out;	/* bytes of messages, each behind its length */
	bool		 wants_write;	/* TLS has something to write before it goes on */
	bool		 answered;	/* on this connection */
	bool		 complained;	/* since it was open last */
	int64_t		 rest_until_ms;
	size_t		 count;
	struct dot_queries queries;
	struct dns_found found;		/* the answer that is being read */
};

static void dot_become(struct dot *d, enum dot_state state)
{
	assert(may_become[d->state][state]);
	d->state = state;
}

/* ---- queries ---- */

/* Its end: it is in no list when its owner hears of it */
static void query_end(struct dot_query *q, const struct dns_found *found)
{
	TAILQ_REMOVE(&q->dot->queries, q, order);
	q->dot->count--;
	if (q->done)
		q->done(q->arg, found);
	free(q);
}

void dot_cancel(struct dot_query *q)
{
	q->done = NULL;
	query_end(q, NULL);
}

static struct dot_query *query_find(const struct dot *d, uint16_t id)
{
	struct dot_query *q;

	for (q = TAILQ_FIRST(&d->queries); q; q = TAILQ_NEXT(q, order))
		if (q->sent && q->id == id)
			return q;
	return NULL;
}

/* An id that nobody guesses and no other query has (RFC 5452 9.2) */
static bool id_draw(const struct dot *d, uint16_t *ret_id)
{
	do {
		if (getrandom(ret_id, sizeof(*ret_id), 0) != sizeof(*ret_id))
			return false;
	} while (query_find(d, *ret_id));
	return true;
}

static bool query_send(struct dot *d, struct dot_query *q)
{
	uint8_t message[DNS_QUESTION_MAX], len[2];
	size_t size;

	if (!id_draw(d, &q->id))
		return false;
	size = dns_question_write(q->id, span_str(q->host), q->type, message);
	len[0] = (uint8_t)(size >> 8);
	len[1] = (uint8_t)size;
	q->tries++;
	q->sent = true;
	return size && buf_add(&d->out, len, sizeof(len)) && buf_add(&d->out, message, size);
}

/* ---- the connection ---- */

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void clock_set(struct dot *d, int64_t ms)
{
	struct timeval tv = clock_timeval(ms);

	evtimer_add(&d->clock, &tv);
}

static void connection_close(struct dot *d)
{
	if (d->state == DOT_CLOSED)
		return;
	event_del(&d->ready);
	evtimer_del(&d->clock);
	if (d->state == DOT_OPEN)
		SSL_shutdown(d->ssl);
	ERR_clear_error();
	SSL_free(d->ssl);
	d->ssl = NULL;
	DROP_FD(d->fd);
	dot_become(d, DOT_CLOSED);
	buf_clear(&d->in);
	buf_clear(&d->out);
}

/* Fail what waits now; what its owners ask in turn is not theirs to wait for here */
static void queries_fail(struct dot *d)
{
	size_t count = d->count;
	struct dot_query *q;

	while (count-- && (q = TAILQ_FIRST(&d->queries)))
		query_end(q, NULL);
}

/* Said once: every name of the jail may fail of it */
static void complain(struct dot *d, const char *why)
{
	char text[UPSTREAM_TEXT_MAX], line[ERR_TEXT_MAX];

	snprintf(line, sizeof(line), "%s: %s (no name is asked for otherwise)",
		 upstream_text(&d->server, text), why);
	if (!d->complained)
		role_complain("resolver", line);
	d->complained = true;
}

/* The server cannot be asked */
static void connection_fail(struct dot *d, const char *why)
{
	complain(d, why);
	connection_close(d);
	d->rest_until_ms = clock_ms() + DOT_REST_MS;
	queries_fail(d);
}

static bool connection_arm(struct dot *d)
{
	bool write = d->state == DOT_CONNECTING || d->wants_write || d->out.len;

	event_del(&d->ready);
	event_assign(&d->ready, d->loop, d->fd, (short)(EV_READ | (write ? EV_WRITE : 0)),
		     on_ready, d);
	return event_add(&d->ready, NULL) == 0;
}

static bool tls_begin(struct dot *d)
{
	char *name = d->server.name;

	d->ssl = SSL_new(d->ctx);
	if (!d->ssl)
		return false;
	SSL_set_hostflags(d->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(d->ssl, name) == 1 && SSL_set_tlsext_host_name(d->ssl, name) == 1 &&
	       SSL_set_alpn_protos(d->ssl, (const uint8_t *)ALPN_DOT, sizeof(ALPN_DOT) - 1) == 0 &&
	       SSL_set_fd(d->ssl, d->fd) == 1;
}

/* Return: false: not even begun */
static bool connection_begin(struct dot *d)
{
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(&d->server.addr, d->server.port, &sa);
	const int on = 1;

	d->fd = socket(sa.sin6_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->fd < 0) {
		complain(d, strerror(errno));
		return false;
	}
	setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	dot_become(d, DOT_CONNECTING);
	d->answered = d->wants_write = false;
	if ((connect(d->fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS) ||
	    !tls_begin(d) || !connection_arm(d)) {
		complain(d, strerror(errno));
		connection_close(d);
		return false;
	}
	clock_set(d, DOT_OPEN_MS);
	return true;
}

/* What still waits is sent again if this connection has proved that the server answers */
static void connection_lost(struct dot *d)
{
	bool again = d->answered;
	struct dot_query *q;

	connection_close(d);
	for (q = TAILQ_FIRST(&d->queries); q; q = TAILQ_NEXT(q, order))
		q->sent = false;
	if (!again) {
		queries_fail(d);
		return;
	}
	for (size_t count = d->count; count > 0; count--) {
		q = TAILQ_FIRST(&d->queries);
		if (!q)
			break;
		if (q->tries >= TRIES_MAX) {
			query_end(q, NULL);
			continue;
		}
		TAILQ_REMOVE(&d->queries, q, order);
		TAILQ_INSERT_TAIL(&d->queries, q, order);
	}
	if (d->count && d->state == DOT_CLOSED && !connection_begin(d))
		queries_fail(d);
}

/* ---- TLS ---- */

enum step { STEP_ON, STEP_WAIT, STEP_LOST };

/* What a call of OpenSSL that returned @result comes to */
static enum step tls_step(struct dot *d, int result)
{
	if (result > 0)
		return STEP_ON;
	switch (SSL_get_error(d->ssl, result)) {
	case SSL_ERROR_WANT_WRITE:
		d->wants_write = true;
		return STEP_WAIT;
	case SSL_ERROR_WANT_READ:
		return STEP_WAIT;
	default:
		return STEP_LOST;
	}
}

/* Fixed texts of OpenSSL: nothing that the server has chosen */
static const char *tls_why(const struct dot *d)
{
	long verified = SSL_get_verify_result(d->ssl);
	const char *why = ERR_reason_error_string(ERR_peek_error());

	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	return why ? why : "the connection was closed in the handshake";
}

static void connection_opened(struct dot *d)
{
	struct dot_query *q;

	dot_become(d, DOT_OPEN);
	d->complained = false;
	clock_set(d, DOT_QUIET_MS);
	for (q = TAILQ_FIRST(&d->queries); q; q = TAILQ_NEXT(q, order))
		if (!query_send(d, q)) {
			connection_fail(d, "out of memory");
			return;
		}
}

static void handshake(struct dot *d)
{
	int result;

	ERR_clear_error();
	d->wants_write = false;
	result = SSL_connect(d->ssl);
	switch (tls_step(d, result)) {
	case STEP_WAIT:
		return;
	case STEP_LOST:
		connection_fail(d, tls_why(d));
		return;
	case STEP_ON:
		break;
	}
	/* the handshake has failed otherwise; twice is better for what all hangs by */
	if (SSL_get_verify_result(d->ssl) != X509_V_OK || !SSL_get0_peername(d->ssl))
		connection_fail(d, "the server is not verified");
	else
		connection_opened(d);
}

static void answer_take(struct dot *d, struct span message)
{
	struct dot_query *q = query_find(d, (uint16_t)(message.at[0] << 8 | message.at[1]));
	bool good;

	if (!q)
		return;
	good = dns_answer_read(message, span_str(q->host), q->type, &d->found) == PARSE_OK;
	d->answered |= good;
	query_end(q, good ? &d->found : NULL);
}

/* Return: false: what came is no DNS */
static bool answers_take(struct dot *d)
{
	while (d->in.len >= 2) {
		size_t len = (size_t)(d->in.at[0] << 8 | d->in.at[1]);

		if (len < 2)
			return false;
		if (d->in.len - 2 < len)
			return true;
		answer_take(d, span_of(d->in.at + 2, len));
		buf_consume(&d->in, 2 + len);
	}
	return true;
}

static enum step tls_read(struct dot *d)
{
	uint8_t bytes[READ_BYTES];

	for (int i = 0; i < READS_A_TURN; i++) {
		size_t room = IN_MAX - d->in.len;
		enum step step;
		int n;

		ERR_clear_error();
		n = SSL_read(d->ssl, bytes, (int)(room < sizeof(bytes) ? room : sizeof(bytes)));
		step = tls_step(d, n);
		if (step != STEP_ON)
			return step;
		if (!buf_add(&d->in, bytes, (size_t)n) || !answers_take(d))
			return STEP_LOST;
		clock_set(d, DOT_QUIET_MS);
	}
	event_active(&d->ready, EV_READ, 0);	/* what OpenSSL holds makes no socket readable */
	return STEP_ON;
}

static enum step tls_write(struct dot *d)
{
	while (d->out.len) {
		enum step step;
		int n;

		ERR_clear_error();
		n = SSL_write(d->ssl, d->out.at, (int)d->out.len);
		step = tls_step(d, n);
		if (step != STEP_ON)
			return step;
		buf_consume(&d->out, (size_t)n);
	}
	return STEP_ON;
}

/* ---- the loop ---- */

static void connected(struct dot *d)
{
	socklen_t len = sizeof(int);
	int e = 0;

	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e) {
		connection_fail(d, strerror(e));
		return;
	}
	dot_become(d, DOT_SHAKING);
	handshake(d);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct dot *d = arg;

	(void)fd;
	(void)what;
	if (d->state == DOT_CONNECTING)
		connected(d);
	else if (d->state == DOT_SHAKING)
		handshake(d);
	if (d->state == DOT_OPEN) {
		d->wants_write = false;
		if (tls_write(d) == STEP_LOST || tls_read(d) == STEP_LOST) {
			connection_lost(d);
			return;
		}
		if (!d->count)
			clock_set(d, DOT_IDLE_MS);
	}
	if (d->state != DOT_CLOSED && !event_pending(&d->ready, EV_READ, NULL) &&
	    !connection_arm(d))
		connection_fail(d, "out of memory");
}

static void on_clock(evutil_socket_t fd, short what, void *arg)
{
	struct dot *d = arg;

	(void)fd;
	(void)what;
	if (d->state != DOT_OPEN)
		connection_fail(d, "no answer in time");
	else if (d->count)
		connection_lost(d);
	else
		connection_close(d);
}

/* ---- the interface ---- */

struct dot *dot_new(struct event_base *loop, SSL_CTX *ctx, const struct upstream *server)
{
	struct dot *d = calloc(1, sizeof(*d));

	assert(server->kind == UPSTREAM_TLS && server->name[0]);
	if (!d)
		return NULL;
	d->loop = loop;
	d->ctx = ctx;
	d->server = *server;
	d->fd = -1;
	d->in = buf_new(IN_MAX);
	d->out = buf_new(OUT_MAX);
	TAILQ_INIT(&d->queries);
	event_assign(&d->ready, loop, -1, 0, on_ready, d);
	evtimer_assign(&d->clock, loop, on_clock, d);
	return d;
}

struct dot_query *dot_ask(struct dot *d, const char *host, uint16_t type, dot_done *done, void *arg)
{
	struct dot_query *q;

	if (d->count == DOT_QUERIES_MAX || clock_ms() < d->rest_until_ms)
		return NULL;
	q = calloc(1, sizeof(*q));
	if (!q || !span_copy(span_str(host), q->host, sizeof(q->host))) {
		free(q);
		return NULL;
	}
	q->dot = d;
	q->type = type;
	q->done = done;
	q->arg = arg;
	if (d->state == DOT_OPEN && !d->count)
		clock_set(d, DOT_QUIET_MS);
	TAILQ_INSERT_TAIL(&d->queries, q, order);
	d->count++;
	if (d->state == DOT_CLOSED ? connection_begin(d) : d->state != DOT_OPEN ||
	    (query_send(d, q) && connection_arm(d)))
		return q;
	dot_cancel(q);
	return NULL;
}

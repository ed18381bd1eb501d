/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - DNS over TCP: each message behind its length (RFC 7766 section 8)
 *
 * A connection holds at most one message that is not whole.  Answers go out as
 * they come, in any order (RFC 7766 section 7); a client that does not read
 * them loses its connection at WRITE_MAX.
 */
#include <errno.h>
#include <sys/socket.h>

#include <event2/event_struct.h>

#include "base/auto.h"
#include "dns/query.h"
#include "proto/dns_msg.h"

#define MESSAGE_MAX 4096	/* bytes of a query; a question needs 300 */
#define WRITE_MAX 65536		/* bytes of answers that wait for the client */
#define IDLE_S 30

struct dns_stream {
	struct dns	*dns;
	uint32_t	 life;		/* counts the uses of this slot */
	int		 fd;		/* -1: free */
	struct addr	 client, server;
	uint16_t	 client_port;	/* 0: unknown */
	uint32_t	 idle_s;
	struct buf	 in, out;
	struct event	 ev;
};

struct dns_streams {
	struct dns_stream at[DNS_STREAMS_MAX];
};

static void stream_close(struct dns_stream *s)
{
	struct linger orderly = { 0 };

	event_del(&s->ev);
	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &orderly, sizeof(orderly));
	DROP_FD(s->fd);
	buf_done(&s->in);
	buf_done(&s->out);
	s->life++;
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void stream_arm(struct dns_stream *s)
{
	if (event_initialized(&s->ev))
		event_del(&s->ev);
	event_assign(&s->ev, dns_host_of(s->dns)->loop, s->fd,
		     (short)(EV_PERSIST | EV_READ | (s->out.len ? EV_WRITE : 0)), on_ready, s);
	if (event_add(&s->ev, NULL) < 0)
		stream_close(s);
}

/* Return: false if the connection is over */
static bool stream_write(struct dns_stream *s)
{
	while (s->out.len) {
		ssize_t n = send(s->fd, s->out.at, s->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0)
			return false;
		buf_consume(&s->out, (size_t)n);
	}
	return true;
}

static void take_messages(struct dns_stream *s)
{
	struct dns_origin o = { .stream = s, .stream_id = s->life, .client = s->client,
				.server = s->server, .client_port = s->client_port };

	while (s->in.len >= 2) {
		size_t len = (size_t)(s->in.at[0] << 8 | s->in.at[1]);

		if (s->in.len - 2 < len)
			return;
		dns_take(s->dns, &o, span_of(s->in.at + 2, len));
		if (s->fd < 0 || s->life != o.stream_id)
			return;
		buf_consume(&s->in, 2 + len);
	}
}

/* Return: false if the connection is over */
static bool stream_read(struct dns_stream *s)
{
	uint8_t bytes[MESSAGE_MAX];
	ssize_t n = recv(s->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0 || !buf_add(&s->in, bytes, (size_t)n))
		return false;
	s->idle_s = 0;
	take_messages(s);
	return s->fd >= 0 && (s->in.len < 2 ||
			      (s->in.at[0] << 8 | s->in.at[1]) <= MESSAGE_MAX);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct dns_stream *s = arg;
	uint32_t life = s->life;
	bool ok = true;

	(void)fd;
	if (what & EV_WRITE)
		ok = stream_write(s);
	if (ok && what & EV_READ)
		ok = stream_read(s);
	if (s->life != life || s->fd < 0)
		return;
	if (!ok)
		stream_close(s);
	else if (what & EV_WRITE)
		stream_arm(s);
}

/* Who asks, for the record */
static void stream_ends(struct dns_stream *s)
{
	struct sockaddr_in6 own, peer;
	socklen_t own_len = sizeof(own), peer_len = sizeof(peer);
	uint16_t port;

	s->client_port = 0;
	if (getsockname(s->fd, (struct sockaddr *)&own, &own_len) == 0 &&
	    addr_from_sockaddr(&own, own_len, &s->server, &port) &&
	    getpeername(s->fd, (struct sockaddr *)&peer, &peer_len) == 0)
		addr_from_sockaddr(&peer, peer_len, &s->client, &s->client_port);
}

void dns_stream_open(struct dns *d, int fd)
{
	struct dns_streams **streams = dns_streams_of(d);
	struct dns_stream *s = NULL;

	if (!*streams) {
		*streams = calloc(1, sizeof(**streams));
		for (size_t i = 0; *streams && i < DNS_STREAMS_MAX; i++)
			(*streams)->at[i].fd = -1;
	}
	for (size_t i = 0; *streams && i < DNS_STREAMS_MAX && !s; i++)
		if ((*streams)->at[i].fd < 0)
			s = &(*streams)->at[i];
	if (!s) {
		close(fd);	/* a reset: the listener's linger is inherited */
		return;
	}
	s->dns = d;
	s->fd = fd;
	s->idle_s = 0;
	stream_ends(s);
	s->in = buf_new(2 + 2 * MESSAGE_MAX);
	s->out = buf_new(WRITE_MAX);
	memset(&s->ev, 0, sizeof(s->ev));
	stream_arm(s);
}

void dns_stream_answer(struct dns_stream *s, uint32_t stream_id, struct span answer)
{
	uint8_t len[2] = { (uint8_t)(answer.len >> 8), (uint8_t)answer.len };
	bool waited = s->out.len;

	if (s->fd < 0 || s->life != stream_id)
		return;
	buf_add(&s->out, len, sizeof(len));
	buf_add_span(&s->out, answer);
	if (s->out.full || (!waited && !stream_write(s))) {
		stream_close(s);
		return;
	}
	if (s->out.len && !waited)
		stream_arm(s);
}

void dns_streams_tick(struct dns *d)
{
	struct dns_streams *streams = *dns_streams_of(d);

	for (size_t i = 0; streams && i < DNS_STREAMS_MAX; i++) {
		struct dns_stream *s = &streams->at[i];

		if (s->fd >= 0 && ++s->idle_s > IDLE_S)
			stream_close(s);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/web.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "daemon/clock.h"

#define HEAD_MAX 2048		/* bytes of an answer's head */

struct web_client *web_slot(struct web_client *clients, size_t count)
{
	struct web_client *old = NULL;

	for (size_t i = 0; i < count; i++) {
		struct web_client *c = &clients[i];

		if (c->fd < 0)
			return c;
		if (c->stage != WEB_WAIT && (!old || (int32_t)(c->serial - old->serial) < 0))
			old = c;
	}
	if (old)
		web_end(old);
	return old;
}

void web_begin(struct web_client *c, int fd, int64_t limit_ms, uint32_t serial)
{
	c->fd = fd;
	c->stage = WEB_HEAD;
	c->in_len = c->sent = 0;
	c->serial = serial;
	c->end_ms = clock_ms() + limit_ms;
}

void web_end(struct web_client *c)
{
	DROP_FD(c->fd);
	buf_done(&c->answer);
}

void web_answer(struct web_client *c, const char *status, const char *type, const char *fields,
		struct span body, bool bare)
{
	c->answer = buf_new(HEAD_MAX + body.len);
	buf_printf(&c->answer,
		   "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		   "Cache-Control: no-store\r\nConnection: close\r\n%s\r\n", status, type, body.len,
		   fields);
	if (!bare)
		buf_add_span(&c->answer, body);
	c->stage = WEB_ANSWER;
}

bool web_reads(struct web_client *c, size_t max)
{
	ssize_t n;

	assert(max <= sizeof(c->in));
	n = recv(c->fd, c->in + c->in_len, max - c->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		web_end(c);
		return false;
	}
	c->in_len += (size_t)n;
	return true;
}

void web_writes(struct web_client *c)
{
	struct span rest = span_skip(buf_span(&c->answer), c->sent);
	ssize_t n = send(c->fd, rest.at, rest.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || c->answer.full) {
		web_end(c);
		return;
	}
	c->sent += (size_t)n;
	if (c->sent < c->answer.len)
		return;
	/* what it still sends must not reset what it has yet to read */
	shutdown(c->fd, SHUT_WR);
	c->stage = WEB_END;
}

void web_drains(struct web_client *c)
{
	uint8_t rest[1024];
	ssize_t n = recv(c->fd, rest, sizeof(rest), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		web_end(c);
}

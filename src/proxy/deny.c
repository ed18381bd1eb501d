/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deny.c - how a refusal looks on the wire
 *
 * HTTP gets a page that says why, TLS a fatal access_denied alert (RFC 8446
 * 6.2), anything else a reset.  A page or an alert that is followed at once by
 * a reset (because the client's bytes lie unread) may never be seen: so the
 * writing side is shut, and what still comes is thrown away for a moment.  The
 * last answer of an HTTP connection ends in the same way, unless the client had
 * said that it sends no more.
 */
#include <errno.h>
#include <sys/socket.h>

#include "proxy/explicit.h"
#include "proxy/meter.h"
#include "proxy/tls.h"

#define DRAIN_MAX 262144	/* bytes thrown away in a turn; the state's limit ends it */
#define PAGE_MAX (TALK_BODY_MAX + 1024)

static const struct phrase {
	unsigned	 status;
	const char	*text;
} phrases[] = {
	{ 403, "Forbidden" }, { 413, "Content Too Large" }, { 429, "Too Many Requests" },
	{ 502, "Bad Gateway" }, { 504, "Gateway Timeout" }, { 400, "Bad Request" },
};

static const char *phrase_of(unsigned status)
{
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].text;
	return "Forbidden";
}

static void page(struct buf *b, unsigned status, uint32_t retry_s, struct span body)
{
	buf_printf(b, "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\n"
		   "Content-Length: %zu\r\nConnection: close\r\nCache-Control: no-store\r\n",
		   status, phrase_of(status), body.len);
	if (status == 429 && retry_s)
		buf_printf(b, "Retry-After: %u\r\n", retry_s);
	buf_add_str(b, "\r\n");
	buf_add_span(b, body);
}

void deny_start(struct flow *f, enum reason reason, unsigned status, struct span body)
{
	static const uint8_t alert[] = { 21, 3, 3, 0, 2, 2, 49 };

	flow_ends(f, END_KILLED, reason);
	if (explicit_refuse(f, reason)) {
		flow_become(f, FLOW_DENY);
		return;
	}
	/* the page goes into a session of its own: nothing was answered yet */
	if (f->inspect && !(f->tls && f->tls->agent.up)) {
		f->refusal = buf_new(PAGE_MAX);
		page(&f->refusal, status, f->retry_s, body);
		inspect_start(f);
		return;
	}
	switch ((enum seen)f->form) {
	case SEEN_HTTP:
		f->refusal = buf_new(PAGE_MAX);
		page(&f->refusal, status, f->retry_s, body);
		break;
	case SEEN_TLS:
		f->refusal = buf_new(sizeof(alert));
		buf_add(&f->refusal, alert, sizeof(alert));
		break;
	case SEEN_UPGRADE:
	case SEEN_MALFORMED:
	case SEEN_NOT_YET:
	case SEEN_OTHER:
	case SEEN_QUIC:
		flow_become(f, FLOW_OVER);
		return;
	}
	flow_become(f, FLOW_DENY);
}

/* An answer that stands goes first: the refusal is of the request after it */
static enum pumped last_words(struct flow *f)
{
	enum pumped r = pump_drain(&f->in, f->agent);
	ssize_t n;

	while (r == PUMPED_READ && f->refusal.len) {
		n = flow_send(f, true, f->refusal.at, f->refusal.len);
		if (n > 0)
			buf_consume(&f->refusal, (size_t)n);
		else
			r = errno == EAGAIN ? PUMPED_WRITE : PUMPED_TARGET_FAILED;
	}
	if (r == PUMPED_READ)
		flow_shut(f, true);
	return r;
}

/* The client has gone; does the server have what it was to get? */
static unsigned leave(struct flow *f)
{
	if (f->peer >= 0 && f->settle && !meter_settled(&f->out, f->peer))
		return WANT_PACE_OUT;
	flow_become(f, FLOW_OVER);
	return 0;
}

unsigned deny_step(struct flow *f)
{
	enum pumped r = last_words(f);
	size_t drained = 0;
	ssize_t n;

	if (f->peer >= 0 && f->settle && !meter_settled(&f->out, f->peer))
		meter_look_again(f);
	else if (f->peer >= 0)
		flow_leave_peer(f);
	if (r == PUMPED_WRITE)
		return WANT_AGENT_WRITE;
	if (r == PUMPED_TARGET_FAILED)
		return leave(f);
	do {
		n = recv(f->agent, pump_scratch(), PUMP_SCRATCH, 0);
		if (n > 0)
			drained += (size_t)n;
	} while (n > 0 && drained < DRAIN_MAX);
	if (n > 0 || (n < 0 && errno == EAGAIN))
		return WANT_AGENT_READ;
	return leave(f);
}

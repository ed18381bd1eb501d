/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect.c - the answer of upstream_proxy to the keeper's CONNECT
 *
 * Nothing of the client's passes before the proxy has said 2xx.  Only the answer's own head is
 * taken from the socket; what lies behind it is the server's, and stays there for the relay.
 * The head is read strictly, at most CONNECT_HEAD_MAX bytes of it, and has the time that the
 * table in flow.c gives.  Interim answers (1xx) go before it.
 */
#include <errno.h>
#include <sys/socket.h>

#include "proto/http_head.h"
#include "proxy/flow.h"

#define CONNECT_HEAD_MAX 16384	/* bytes of the answer, interim ones included */

void connect_start(struct flow *f)
{
	f->answer = buf_new(CONNECT_HEAD_MAX);
	flow_become(f, FLOW_CONNECT);
}

/* The keeper records the end and words the refusal */
void connect_failed(struct flow *f, unsigned status)
{
	struct talk_unreached u = { .status = (uint16_t)status };

	buf_done(&f->answer);
	f->allowed = false;
	proxy_tell(f->proxy, GATE_UNREACHED, f->ref, &u, sizeof(u), (struct span){ 0 });
	flow_become(f, FLOW_ASK);
}

/* OK: *ret_len bytes are the whole answer, of *ret_status */
static enum parse answer_parse(struct span bytes, size_t *ret_len, unsigned *ret_status)
{
	struct http_response r = { .status = 0 };
	size_t at = 0;
	enum parse p;

	do {
		p = http_response_parse(span_skip(bytes, at), SPAN("CONNECT"), &r);
		at += p == PARSE_OK ? r.head_bytes : 0;
	} while (p == PARSE_OK && r.status < 200 && r.status != 101 && at < bytes.len);
	if (p == PARSE_OK && r.status < 200 && r.status != 101)
		p = PARSE_MORE;
	*ret_len = at;
	*ret_status = p == PARSE_OK ? r.status : 0;
	return p;
}

/* Take @n bytes that were peeked at */
static bool take(struct flow *f, size_t n)
{
	return recv(f->peer, pump_scratch(), n, MSG_DONTWAIT) == (ssize_t)n;
}

unsigned connect_step(struct flow *f)
{
	size_t had = f->answer.len, len;
	unsigned status;
	enum parse p;
	ssize_t n;

	if (!(f->ready & WANT_PEER_READ))
		return WANT_PEER_READ;
	n = recv(f->peer, pump_scratch(), CONNECT_HEAD_MAX - had, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return WANT_PEER_READ;
	if (n <= 0 || !buf_add(&f->answer, pump_scratch(), (size_t)n)) {
		connect_failed(f, 0);
		return 0;
	}
	p = answer_parse(buf_span(&f->answer), &len, &status);
	if (p == PARSE_MORE && f->answer.len < CONNECT_HEAD_MAX && take(f, (size_t)n))
		return WANT_PEER_READ;
	if (p != PARSE_OK || status < 200 || status > 299 || !take(f, len - had)) {
		connect_failed(f, status);
		return 0;
	}
	buf_done(&f->answer);
	ask_connected(f);
	return WANT_AGAIN;
}

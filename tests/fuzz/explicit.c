/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explicit.c - a hostile client of `sluice proxy`, and a hostile server
 *
 * The first byte: by which door.  Then pieces: who speaks (client, server), a length, that many
 * bytes.  The keeper knows one host.  Held to: a server for requests hears heads for that host
 * alone, in origin form, without what was for the proxy; each connection that was allowed is
 * reported closed; nothing is asked of the keeper twice at once.
 */
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "../unit/proxy/rig.h"

#include "proto/http_body.h"
#include "proxy/explicit.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define PIECES_MAX 32
#define HEARD_MAX 65536

/* The one keeper's desk */
struct keeper_of {
	struct rig	 r;
	int		 server;	/* our end of the connection that stands; -1 */
	bool		 http;		/* it gets requests, judged one by one */
	bool		 onward;	/* ... that were in absolute form */
	uint32_t	 ref;		/* of the flow that has it */
	unsigned	 allowed, closed;
	uint8_t		 heard[HEARD_MAX];
	size_t		 heard_len;
};

static void check_head(const struct keeper_of *k, struct span head, const struct http_request *q)
{
	static const struct span ours[] = {
		{ (const uint8_t *)"proxy-authorization", 19 },
		{ (const uint8_t *)"proxy-connection", 16 }, { (const uint8_t *)"te", 2 },
	};
	struct span value;

	assert(span_eq_fold(span_head(q->host, sizeof(RIG_HOST) - 1), SPAN(RIG_HOST)));
	assert(!q->upgrade && q->form != HTTP_AUTHORITY);
	assert(!k->onward || q->form == HTTP_ORIGIN || q->form == HTTP_ASTERISK);
	for (size_t i = 0; k->onward && i < ARRAY_SIZE(ours); i++)
		assert(!http_field(head, ours[i], &value));
}

static void check_heard(const struct keeper_of *k)
{
	struct span heard = span_of(k->heard, k->heard_len);

	while (k->http && heard.len) {
		struct http_request q;
		struct http_body body;
		size_t used = 0;

		assert(http_request_parse(heard, &q) == PARSE_OK);
		check_head(k, span_head(heard, q.head_bytes), &q);
		http_body_init(&body, q.framing, q.length);
		heard = span_skip(heard, q.head_bytes);
		if (http_body_feed(&body, heard, &used) != PARSE_OK)
			return;
		heard = span_skip(heard, used);
	}
}

static void hear(struct keeper_of *k)
{
	ssize_t n = k->server < 0 ? 0 : recv(k->server, k->heard + k->heard_len,
					     HEARD_MAX - k->heard_len, 0);

	k->heard_len += n > 0 ? (size_t)n : 0;
}

static void leave_server(struct keeper_of *k)
{
	hear(k);
	check_heard(k);
	DROP_FD(k->server);
	k->heard_len = 0;
}

static bool is_host(const struct told *t)
{
	return span_eq_fold(span_head(span_skip(t->tail, (size_t)t->ask.sni_len + t->ask.alpn_len),
				      t->ask.host_len), SPAN(RIG_HOST));
}

static void allow(struct keeper_of *k, struct line *l, const struct told *t)
{
	const struct flow *f = flow_find(k->r.x.flows, l->ref);

	leave_server(k);
	k->http = t->ask.seen == SEEN_HTTP;
	k->onward = f && f->explicit;
	k->ref = l->ref;
	k->allowed++;
	rig_allow(&k->r, l, t->ask.seen == SEEN_NOT_YET, k->http);
	k->server = l->server;
}

static void answer(struct keeper_of *k, const struct told *t)
{
	struct line l = { .client = -1, .server = -1, .ref = t->id };
	struct flow *f = flow_find(k->r.x.flows, t->id);
	bool good = t->ask.seen != SEEN_MALFORMED && t->ask.seen != SEEN_UPGRADE &&
		    !(t->ask.flags & TALK_UNSUPPORTED);

	if (t->type == GATE_CLOSED) {
		k->closed++;
		return;
	}
	if (t->type != GATE_TARGET && t->type != GATE_ASK && t->type != GATE_ASK_AGAIN)
		return;
	assert(f && f->state == FLOW_ASK);
	if (t->type == GATE_TARGET && good && is_host(t))
		explicit_known(f, &k->r.host);
	else if (t->type == GATE_ASK && good && (t->ask.seen != SEEN_HTTP || is_host(t)))
		allow(k, &l, t);
	else
		rig_deny(&k->r, &l, REASON_NO_RULE, "no");
}

static void turn(struct keeper_of *k)
{
	struct rig *r = &k->r;

	for (int i = 0; i < 6; i++) {
		event_base_loop(r->x.loop, EVLOOP_NONBLOCK);
		rig_hear(r);
		while (r->told_next < r->told_count)
			answer(k, &r->told[r->told_next++]);
		r->told_next = r->told_count = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct keeper_of k;
	struct span in = span_of(bytes, size);
	uint8_t drain[4096];
	struct line l;

	if (!in.len)
		return 0;
	k = (struct keeper_of){ .server = -1 };
	rig_open(&k.r, 2);
	l = rig_visit(&k.r, in.at[0] & 1 ? DOOR_SOCKS : DOOR_HTTP);
	in = span_skip(in, 1);
	for (int i = 0; i < PIECES_MAX && in.len >= 2; i++) {
		int from = in.at[0] & 1 && k.server >= 0 ? k.server : l.client;

		if (send(from, in.at + 2, span_head(span_skip(in, 2), in.at[1]).len, MSG_NOSIGNAL) < 0)
			break;
		if (in.at[0] & 2)
			shutdown(from, SHUT_WR);
		if (in.at[0] & 4) {
			k.r.x.now_s += 5;
			flow_tick(&k.r.x);
		}
		turn(&k);
		while (recv(l.client, drain, sizeof(drain), 0) > 0)
			;
		hear(&k);
		in = span_skip(in, 2 + (size_t)in.at[1]);
	}
	leave_server(&k);
	rig_hang_up(&l);
	turn(&k);
	flow_finish(&k.r.x);
	turn(&k);
	assert(k.allowed == k.closed);
	rig_done(&k.r);
	return 0;
}

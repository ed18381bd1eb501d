/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_flow.c - a whole HTTP connection, both sides hostile
 *
 * Each piece: who speaks (client, server), and its bytes.  Held to: what the
 * server hears is, head by head, requests for the host that is allowed, in the
 * order and bytes in which the client sent them.
 */
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "../unit/proxy/rig.h"

#include "proto/http_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define GET "GET / HTTP/1.1\r\nHost: " RIG_HOST "\r\n\r\n"
#define PIECES_MAX 32
#define HEARD_MAX 65536

static void turn(struct rig *r)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(r->x.loop, EVLOOP_NONBLOCK);
}

/* Every head in what the server heard names the host */
static void check_heard(struct span heard)
{
	while (heard.len) {
		struct http_request q;
		struct http_body body;
		size_t used = 0;

		assert(http_request_parse(heard, &q) == PARSE_OK);
		assert(span_eq_fold(span_head(q.host, sizeof(RIG_HOST) - 1), SPAN(RIG_HOST)));
		assert(!q.upgrade && q.form != HTTP_AUTHORITY);
		http_body_init(&body, q.framing, q.length);
		heard = span_skip(heard, q.head_bytes);
		if (http_body_feed(&body, heard, &used) != PARSE_OK)
			return;
		heard = span_skip(heard, used);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span in = span_of(bytes, size);
	static uint8_t heard[HEARD_MAX];
	uint8_t drain[4096];
	struct rig r;
	struct line l;
	ssize_t n;

	/* half of them within limits, which cut where they like */
	rig_rule_more = size & 1 ? "    quota: {up: 3000, down: 5000}\n    max_request: 200\n    rate: 4/h\n"
				   "limits: {upload_per_request: 150, error_rate: 50%, on_exceed: block}\n"
				 : "";
	rig_open(&r, 2);
	l = rig_connect(&r, 80);
	say(l.client, GET);
	rig_drive(&r, &l);
	rig_allow(&r, &l, false, true);
	for (int i = 0; i < PIECES_MAX && in.len >= 2; i++) {
		struct flow *f = flow_find(r.x.flows, l.ref);
		int from = in.at[0] & 1 ? l.client : l.server;

		if (send(from, in.at + 2, span_head(span_skip(in, 2), in.at[1]).len, MSG_NOSIGNAL) < 0)
			break;
		if (in.at[0] & 2)
			shutdown(from, SHUT_WR);
		turn(&r);
		if (f && f->state == FLOW_ASK && in.at[0] & 4)
			ask_passed(f, &(struct talk_pass){ 0 });
		else if (f && f->state == FLOW_ASK)
			rig_deny(&r, &l, REASON_HOST_MISMATCH, "no");
		turn(&r);
		while (recv(l.client, drain, sizeof(drain), 0) > 0)
			;
		in = span_skip(in, 2 + (size_t)in.at[1]);
	}
	n = recv(l.server, heard, sizeof(heard), 0);
	check_heard(span_of(heard, n > 0 ? (size_t)n : 0));
	rig_hang_up(&l);
	rig_done(&r);
	return 0;
}

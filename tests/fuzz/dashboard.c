/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a byte (the size of the first pieces), then what a client sends.  Held to: one answer or none,
 * the same however the bytes are cut, and nothing of the sessions without the token.
 */
#include "fuzz.h"

#include "daemon/dashboard.c"

#define FUZZ_TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void feed(struct dashboard *d, struct web_client *c, struct span input, size_t piece)
{
	*c = (struct web_client){ .fd = -1, .stage = WEB_HEAD };
	while (input.len && c->stage == WEB_HEAD) {
		struct span now = span_head(span_head(input, piece), WEB_REQUEST_MAX - c->in_len);

		memcpy(c->in + c->in_len, now.at, now.len);
		c->in_len += now.len;
		input = span_skip(input, now.len);
		client_asks(d, c);
	}
}

static void fuzz_one(struct span input)
{
	static struct dashboard d = { .port = 99 };
	struct web_client *whole = &d.clients[0], *cut = &d.clients[1];
	struct span answer, sent = span_skip(input, 1);

	if (!input.len)
		return;
	if (!d.panel)
		d.panel = panel_new(-1, on_told, &d);
	memcpy(d.token, FUZZ_TOKEN, sizeof(d.token));
	feed(&d, whole, sent, WEB_REQUEST_MAX);
	feed(&d, cut, sent, 1 + input.at[0]);
	answer = buf_span(&whole->answer);
	assert(whole->stage == (answer.len ? WEB_ANSWER : WEB_HEAD));
	assert(answer.len == 0 || span_starts(answer, SPAN("HTTP/1.1 ")));
	if (span_starts(answer, SPAN("HTTP/1.1 200 OK\r\nContent-Type: application/json")))
		assert(memmem(sent.at, sent.len, FUZZ_TOKEN, sizeof(d.token)));
	/* what is too long may be seen to be bad, or not, by where it is cut; a state has its time */
	if (input.len <= WEB_REQUEST_MAX && whole->stage == cut->stage && answer.len)
		assert(span_eq(span_head(answer, 15), span_head(buf_span(&cut->answer), 15)));
	web_end(whole);
	web_end(cut);
}

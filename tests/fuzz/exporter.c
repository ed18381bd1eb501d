/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a byte (bit 0: on loopback; the rest: the size of the first pieces), then what a client
 * sends.  Held to: one answer or none, the same however the bytes are cut, and the page only for
 * GET and HEAD.
 */
#include "fuzz.h"

#include "daemon/exporter.c"

static struct shared_counters counters;

static struct web_client feed(struct exporter *x, struct span input, size_t piece)
{
	static struct web_client c;

	c = (struct web_client){ .fd = -1, .stage = WEB_HEAD };
	while (input.len && c.stage == WEB_HEAD) {
		struct span now = span_head(span_head(input, piece), HEAD_MAX - c.in_len);

		memcpy(c.in + c.in_len, now.at, now.len);
		c.in_len += now.len;
		input = span_skip(input, now.len);
		client_asks(x, &c);
	}
	return c;
}

static void fuzz_one(struct span input)
{
	static struct exporter x = { .shared = &counters, .session = "s", .about = { "0", "r" } };
	struct web_client whole, cut;
	struct span answer;

	if (!input.len)
		return;
	x.local = input.at[0] & 1;
	whole = feed(&x, span_skip(input, 1), HEAD_MAX);
	cut = feed(&x, span_skip(input, 1), 1 + input.at[0] / 2);
	answer = buf_span(&whole.answer);
	assert(whole.stage == (answer.len ? WEB_ANSWER : WEB_HEAD));
	assert(!whole.answer.full && !cut.answer.full);
	assert(answer.len == 0 || span_starts(answer, SPAN("HTTP/1.1 ")));
	if (span_starts(answer, SPAN("HTTP/1.1 200")))
		assert(span_starts(span_skip(input, 1), SPAN("GET /metrics")) ||
		       span_starts(span_skip(input, 1), SPAN("HEAD /metrics")));
	/* what is too long may be seen to be bad, or not, by where it is cut */
	if (input.len <= HEAD_MAX)
		assert(span_eq(answer, buf_span(&cut.answer)));
	web_end(&whole);
	web_end(&cut);
}

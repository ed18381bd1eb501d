/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a request in absolute form.  What goes on must be read as the same request. */
#include "fuzz.h"

#include "proto/http_onward.h"

static const struct span ours[] = {
	{ (const uint8_t *)"proxy-authorization", 19 }, { (const uint8_t *)"proxy-connection", 16 },
	{ (const uint8_t *)"keep-alive", 10 }, { (const uint8_t *)"te", 2 },
};

static void fuzz_one(struct span input)
{
	struct buf out = buf_new(HTTP_HEAD_MAX + 512);
	struct http_request r, again;
	struct span head, value;

	if (http_request_parse(input, &r) != PARSE_OK || r.form != HTTP_ABSOLUTE)
		return;
	head = span_head(input, r.head_bytes);
	assert(http_onward(head, &r, &out));
	/* longer by what it got, and so beyond the bound: refused when it is read again */
	if (out.len <= HTTP_HEAD_MAX) {
		assert(http_request_parse(buf_span(&out), &again) == PARSE_OK);
		assert(again.head_bytes == out.len);
		assert(again.form == HTTP_ORIGIN || again.form == HTTP_ASTERISK);
		assert(span_eq(again.method, r.method) && span_eq(again.path, r.path));
		assert(span_eq_fold(again.host, r.host));
		assert(again.framing == r.framing && again.length == r.length);
		assert(again.upgrade == r.upgrade && again.websocket == r.websocket);
		assert(again.keep_alive == (r.keep_alive && r.minor));
		for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
			assert(!http_field(buf_span(&out), ours[i], &value));
	}
	buf_done(&out);
}

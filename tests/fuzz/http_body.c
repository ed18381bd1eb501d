/* SPDX-License-Identifier: Apache-2.0 */
/* Input: framing (1 byte), length (2 bytes), then the stream */
#include "fuzz.h"

#include "base/wire.h"
#include "proto/http_body.h"

/* Feed in pieces of @piece bytes.  Return: the last result; *ret_used: in all */
static enum parse feed(enum http_framing framing, uint64_t length, struct span stream,
		       size_t piece, size_t *ret_used)
{
	struct http_body b;
	enum parse got = PARSE_MORE;

	*ret_used = 0;
	http_body_init(&b, framing, length);
	for (size_t at = 0; at < stream.len && got == PARSE_MORE; at += piece) {
		struct span bytes = span_head(span_skip(stream, at), piece);
		size_t used;

		got = http_body_feed(&b, bytes, &used);
		assert(used <= bytes.len && (got != PARSE_MORE || used == bytes.len));
		*ret_used += used;
	}
	assert(framing == HTTP_BODY_CLOSE || (got == PARSE_OK) == http_body_end_is_whole(&b) ||
	       !stream.len);
	return got;
}

static void fuzz_one(struct span input)
{
	struct wire w = wire_over(input);
	enum http_framing framing = wire_u8(&w) & 3;
	uint64_t length = wire_u16(&w);
	size_t used_whole, used_one, used_seven;
	enum parse whole, one, seven;

	whole = feed(framing, length, w.left, w.left.len + 1, &used_whole);
	one = feed(framing, length, w.left, 1, &used_one);
	seven = feed(framing, length, w.left, 7, &used_seven);
	assert(whole == one && whole == seven);
	assert(used_whole == used_one && used_whole == used_seven);
	assert(framing != HTTP_BODY_CHUNKED || whole != PARSE_OK ||
	       span_ends(span_head(w.left, used_whole), SPAN("\r\n\r\n")));
}

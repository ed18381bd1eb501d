/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "proto/http_head.h"

/* Every prefix is checked of heads up to this length; of longer ones each so many bytes */
#define PREFIXES 256

static void request_check(struct span input)
{
	struct http_request r, again;
	struct span head;

	if (http_request_parse(input, &r) != PARSE_OK)
		return;
	head = span_head(input, r.head_bytes);
	assert(r.head_bytes <= input.len && r.head_bytes <= HTTP_HEAD_MAX);
	assert(span_ends(head, SPAN("\r\n\r\n")));
	assert(span_lies_in(r.method, head) && r.method.len);
	assert(span_lies_in(r.target, head) && r.target.len);
	assert(span_lies_in(r.path, r.target) || r.form == HTTP_ABSOLUTE);
	assert(span_lies_in(r.host, head));
	assert((r.form == HTTP_AUTHORITY) == !r.path.len);
	assert(r.host.len || r.minor == 0);
	assert(span_find(r.host, '@') < 0 && span_find(r.target, ' ') < 0);
	assert((r.framing == HTTP_BODY_LENGTH) == (r.length > 0));
	assert(r.framing != HTTP_BODY_CHUNKED || r.minor == 1);
	assert(!r.websocket || r.upgrade);
	assert(http_request_parse(head, &again) == PARSE_OK && again.head_bytes == head.len);
	for (size_t len = 1; len < head.len; len += 1 + head.len / PREFIXES) {
		assert(http_request_parse(span_head(head, len), &again) == PARSE_MORE);
		assert(http_likely(span_head(head, len)));
	}
}

static void response_check(struct span input, struct span method)
{
	struct http_response r, again;

	if (http_response_parse(input, method, &r) != PARSE_OK)
		return;
	assert(r.head_bytes <= input.len && r.head_bytes <= HTTP_HEAD_MAX);
	assert(r.status >= 100 && r.status <= 599);
	assert((r.framing == HTTP_BODY_LENGTH) == (r.length > 0));
	assert(r.framing != HTTP_BODY_CLOSE || !r.keep_alive);
	for (size_t len = 0; len < r.head_bytes; len += 1 + r.head_bytes / PREFIXES)
		assert(http_response_parse(span_head(input, len), method, &again) == PARSE_MORE);
}

/* What is broken stays broken, whatever follows */
static void broken_check(struct span input)
{
	struct http_request request;
	struct http_response response;
	struct span half = span_head(input, input.len / 2);

	if (http_request_parse(half, &request) == PARSE_BAD)
		assert(http_request_parse(input, &request) == PARSE_BAD);
	if (http_response_parse(half, SPAN("GET"), &response) == PARSE_BAD)
		assert(http_response_parse(input, SPAN("GET"), &response) == PARSE_BAD);
}

static void fuzz_one(struct span input)
{
	request_check(input);
	response_check(input, SPAN("GET"));
	response_check(input, SPAN("HEAD"));
	broken_check(input);
	if (input.len && http_preface(input) != PARSE_BAD)
		assert(http_likely(input));
}

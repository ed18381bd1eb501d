/* SPDX-License-Identifier: Apache-2.0 */
/* Input: what a client sends, the greeting and then the request */
#include "fuzz.h"

#include "proto/socks.h"

static size_t greeting_check(struct span input)
{
	struct socks_greeting g, again;
	enum parse got = socks_greeting_parse(input, &g);

	for (size_t len = 0; len < input.len; len++) {
		enum parse part = socks_greeting_parse(span_head(input, len), &again);

		assert(part == PARSE_MORE || part == got);
		assert(part != PARSE_OK || (again.bytes == g.bytes && again.open == g.open));
	}
	assert(got != PARSE_OK || (g.bytes >= 3 && g.bytes <= SOCKS_GREETING_MAX &&
				   g.bytes <= input.len));
	assert(got != PARSE_MORE || input.len < SOCKS_GREETING_MAX);
	return got == PARSE_OK ? g.bytes : 0;
}

static void request_check(struct span input)
{
	struct socks_request r, again;
	enum parse got = socks_request_parse(input, &r);

	for (size_t len = 0; len < input.len && len <= SOCKS_REQUEST_MAX; len++) {
		enum parse part = socks_request_parse(span_head(input, len), &again);

		assert(part == PARSE_MORE || part == got);
		assert(part != PARSE_OK || (again.bytes == r.bytes && span_eq(again.host, r.host)));
	}
	assert(got != PARSE_MORE || input.len < SOCKS_REQUEST_MAX);
	if (got != PARSE_OK)
		return;
	assert(r.bytes <= input.len && r.bytes <= SOCKS_REQUEST_MAX);
	assert(span_lies_in(r.host, span_head(input, r.bytes)) && r.host.len <= 255);
	assert(r.command >= SOCKS_CONNECT && r.command <= SOCKS_ASSOCIATE);
	assert(r.port || r.command != SOCKS_CONNECT);
	for (size_t i = 0; i < r.host.len; i++)
		assert(r.host.at[i] > ' ' && r.host.at[i] < 0x7f);
}

static void fuzz_one(struct span input)
{
	request_check(span_skip(input, greeting_check(input)));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "base/wire.h"
#include "proto/tls_hello.h"

static uint8_t scratch[TLS_HELLO_MAX], scratch2[TLS_HELLO_MAX], recut[TLS_HELLO_MAX];

static void same(const struct tls_hello *a, const struct tls_hello *b)
{
	assert(a->has_sni == b->has_sni && span_eq(a->sni, b->sni));
	assert(a->ech == b->ech && a->has_http2 == b->has_http2 && a->version == b->version);
	assert(span_eq(a->alpn, b->alpn));
}

/* The message that is in scratch, in records of @cut bytes */
static struct span records_make(size_t cut)
{
	struct wire_out out = { .at = recut, .size = sizeof(recut) };
	struct wire header = wire_over(span_of(scratch + 1, 3));
	struct span message = span_of(scratch, 4 + wire_u24(&header));

	for (; message.len; message = span_skip(message, cut)) {
		struct span piece = span_head(message, cut);

		wire_put_u8(&out, 22);
		wire_put_u16(&out, 0x0303);
		wire_put_u16(&out, (uint16_t)piece.len);
		wire_put(&out, piece.at, piece.len);
	}
	return span_of(recut, out.full ? 0 : out.len);
}

static void fuzz_one(struct span input)
{
	const struct span room = span_of(scratch, sizeof(scratch));
	struct tls_hello h, again;
	enum parse got = tls_hello_parse(input, scratch, sizeof(scratch), &h), before;

	before = tls_hello_parse(span_head(input, input.len / 2), scratch2, sizeof(scratch2),
				 &again);
	assert(got != PARSE_MORE || before == PARSE_MORE);
	assert(before != PARSE_BAD || got == PARSE_BAD);
	if (got != PARSE_OK)
		return;
	assert(span_lies_in(h.sni, room) && span_lies_in(h.alpn, room));
	assert(h.has_sni == (h.sni.len > 0));
	for (size_t i = 0; i < h.sni.len; i++)
		assert(h.sni.at[i] > ' ' && h.sni.at[i] < 0x7f);
	for (size_t len = 1; len <= input.len && len < 16; len++)
		assert(tls_hello_likely(span_head(input, len)));
	if (before == PARSE_OK)
		same(&h, &again);
	/* cut otherwise it says the same, and is whole only with its last byte */
	for (size_t cut = 1; cut < 1000; cut = cut * 3 + 1) {
		struct span s = records_make(cut);

		if (!s.len)
			continue;
		assert(tls_hello_parse(s, scratch2, sizeof(scratch2), &again) == PARSE_OK);
		same(&h, &again);
		assert(tls_hello_parse(span_head(s, s.len - 1), scratch2, sizeof(scratch2),
				       &again) == PARSE_MORE);
	}
}

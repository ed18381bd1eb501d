/* SPDX-License-Identifier: Apache-2.0 */
/* tls_answer.c - the same however it is cut, and the same as by a reader that joins first */
#include "fuzz.h"

#include "base/wire.h"
#include "proto/tls_answer.h"

static uint8_t joined[1 << 16];

/* All bytes of handshake records, as far as the stream is TLS */
static struct span join(struct span s)
{
	struct wire_out out = { .at = joined, .size = sizeof(joined) };

	while (s.len >= 5 && s.at[0] >= 20 && s.at[0] <= 24 && s.at[1] == 3) {
		size_t len = (size_t)s.at[3] << 8 | s.at[4];
		struct span body = span_head(span_skip(s, 5), len);

		if (s.at[0] == 22)
			wire_put(&out, body.at, body.len);
		s = span_skip(s, 5 + len);
	}
	return span_of(joined, out.full ? 0 : out.len);
}

static bool plainly(struct span s)
{
	static const uint8_t begins[] = { 0xcf, 0x21, 0xad, 0x74 };

	while (s.len >= 4) {
		size_t len = (size_t)s.at[1] << 16 | (size_t)s.at[2] << 8 | s.at[3];

		if (s.at[0] == 2 && len >= 34 && s.len >= 38 &&
		    (memcmp(s.at + 6, begins, 4) != 0 || s.at[37] != 0x9c))
			return true;
		s = span_skip(s, 4 + len);
	}
	return false;
}

static bool in_pieces(struct span s, size_t cut)
{
	struct tls_answer a = { 0 };

	for (; s.len; s = span_skip(s, cut))
		if (tls_answer_read(&a, span_head(s, cut)))
			return true;
	return false;
}

static void fuzz_one(struct span input)
{
	bool whole;

	if (input.len > sizeof(joined))
		return;
	whole = in_pieces(input, sizeof(joined));
	for (size_t cut = 1; cut < 100; cut = cut * 3 + 1)
		assert(in_pieces(input, cut) == whole);
	/* the plain reader knows a retry by five bytes of its random: it says no more often */
	assert(!plainly(join(input)) || whole);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a byte of how many values there are, each as its length and its bytes, then a text.
 * In whatever pieces it is scrubbed, it comes out the same, as long as it was, without a
 * value that was in it; and where there was none it is what it was.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "proto/scrub.h"

static struct buf run(struct scrub_set *set, struct span text, size_t step)
{
	struct buf out = buf_new(text.len + 1), wait = buf_new(text.len + 1);
	struct scrub s;

	assert(scrub_begin(&s, set));
	while (text.len) {
		size_t fed = wait.len, final;

		buf_add_span(&wait, span_head(text, step));
		text = span_skip(text, step);
		final = scrub_feed(&s, wait.at, fed, wait.len);
		assert(wait.len - final <= SCRUB_MOST);
		buf_add(&out, wait.at, final);
		buf_consume(&wait, final);
	}
	buf_add_span(&out, buf_span(&wait));
	buf_done(&wait);
	scrub_end(&s);
	return out;
}

static bool has(struct span text, struct span value)
{
	return value.len >= SCRUB_LEAST && memmem(text.at, text.len, value.at, value.len);
}

static void fuzz_one(struct span input)
{
	struct scrub_set *set = scrub_set_new();
	struct span values[4], text = span_skip(input, 1);
	size_t count = input.len ? input.at[0] % 5u : 0;
	bool found = false;
	struct buf whole;

	for (size_t i = 0; i < count; i++) {
		size_t len = text.len ? text.at[0] % 16u : 0;

		values[i] = span_head(span_skip(text, 1), len);
		text = span_skip(text, 1 + len);
		/* an octet that is in no value: else what is written could make another one */
		for (size_t k = 0; k < values[i].len; k++)
			if (values[i].at[k] == '*')
				values[i].len = 0;
		assert(scrub_set_add(set, values[i], (struct span){ 0 }));
		found |= has(text, values[i]);
	}
	whole = run(set, text, SIZE_MAX);
	assert(whole.len == text.len);
	for (size_t i = 0; i < count; i++)
		assert(!has(buf_span(&whole), values[i]));
	assert(found || span_eq(buf_span(&whole), text));
	for (size_t step = 1; step < 12; step++) {
		struct buf cut = run(set, text, step);

		assert(span_eq(buf_span(&whole), buf_span(&cut)));
		buf_done(&cut);
	}
	buf_done(&whole);
	scrub_set_unref(set);
}

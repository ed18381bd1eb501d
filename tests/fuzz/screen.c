/* SPDX-License-Identifier: Apache-2.0 */
/* Input: what a command writes, or a terminal says */
#include "fuzz.h"

#include "base/buf.h"
#include "proto/screen.h"

static void text_check(const struct screen *s, void (*text)(const struct screen *s, struct buf *to))
{
	struct buf to = buf_new(SCREEN_TEXT_MAX);

	text(s, &to);
	assert(!to.full);
	buf_done(&to);
}

/* However it is cut, what was followed is the same */
static void pieces_check(struct span input)
{
	struct screen whole = { .changed = 0 };

	screen_follow(&whole, input);
	for (size_t len = 0; len <= input.len && len <= 64; len++) {
		struct screen cut = { .changed = 0 };

		screen_follow(&cut, span_head(input, len));
		screen_follow(&cut, span_skip(input, len));
		assert(cut.changed == whole.changed && cut.keys == whole.keys &&
		       cut.protocol == whole.protocol);
	}
	text_check(&whole, screen_leave);
	text_check(&whole, screen_return);
}

static void fuzz_one(struct span input)
{
	struct escape e = { .says = true };

	pieces_check(input);
	for (size_t i = 0; i < input.len; i++) {
		enum escape_is is = escape_next(&e, input.at[i]);

		assert(is != ESCAPE_BYTE || input.at[i] != 0x1b);
		assert(is != ESCAPE_END || e.count <= ESCAPE_PARAMS_MAX);
		assert(e.skip <= 3);
	}
}

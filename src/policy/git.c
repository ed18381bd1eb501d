/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/git.h"

#define DEPTH 4	/* escapes of escapes that are undone; servers undo one, some two */

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * The octet at the front of @s, cut off, with escapes undone, also where what they are made
 * of is one: %2573 and %%37%33 are %73 to whoever undoes them once, and "s" to the next.
 */
static uint8_t cut_octet(struct span *s, unsigned depth)
{
	uint8_t c = s->at[0];

	*s = span_skip(*s, 1);
	while (c == '%' && depth && s->len) {
		struct span rest = *s;
		int high = hex_digit(cut_octet(&rest, depth - 1));
		int low = high < 0 || !rest.len ? -1 : hex_digit(cut_octet(&rest, depth - 1));

		if (low < 0)
			break;
		c = (uint8_t)(high << 4 | low);
		*s = rest;
	}
	return c;
}

/* Does @s begin with @word, in any case and escaped or not?  Then it is cut off */
static bool cut_word(struct span *s, struct span word)
{
	struct span rest = *s;

	for (size_t i = 0; i < word.len; i++)
		if (!rest.len || ascii_lower(cut_octet(&rest, DEPTH)) != word.at[i])
			return false;
	*s = rest;
	return true;
}

bool git_is_push(struct span target)
{
	static const struct span words[] = {
#define WORD(lit) { (const uint8_t *)(lit), sizeof(lit) - 1 }
		WORD("?"), WORD("service"), WORD("receive-pack"),
#undef WORD
	};
	size_t found = 0;

	while (target.len && found < sizeof(words) / sizeof(words[0])) {
		if (cut_word(&target, words[found]))
			found++;
		else
			target = span_skip(target, 1);
	}
	return found == sizeof(words) / sizeof(words[0]);
}

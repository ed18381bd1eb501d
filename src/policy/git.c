/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/git.h"

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int octet_of(struct span digits)
{
	int high = digits.len < 2 ? -1 : hex_digit(digits.at[0]);
	int low = digits.len < 2 ? -1 : hex_digit(digits.at[1]);

	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* The octet at the front of @s, cut off, with all escapes undone: %2573 is %73 is "s" */
static uint8_t cut_octet(struct span *s)
{
	uint8_t c = s->at[0];
	int octet;

	*s = span_skip(*s, 1);
	while (c == '%' && (octet = octet_of(*s)) >= 0) {
		c = (uint8_t)octet;
		*s = span_skip(*s, 2);
	}
	return c;
}

/* Does @s begin with @word, in any case and escaped or not?  Then it is cut off */
static bool cut_word(struct span *s, struct span word)
{
	struct span rest = *s;

	for (size_t i = 0; i < word.len; i++)
		if (!rest.len || ascii_lower(cut_octet(&rest)) != word.at[i])
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

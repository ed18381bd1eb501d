/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/print.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"

/* Bytes of the well-formed UTF-8 character at the front of @s (RFC 3629, section 4), or 0 */
static size_t utf8_length(struct span s)
{
	uint8_t lead = s.at[0], low = 0x80, high = 0xbf;
	size_t len = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 :
		     lead < 0xf5 ? 4 : 0;

	if (len > s.len)
		return 0;
	low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : low;
	high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : high;
	if (len > 1 && (s.at[1] < low || s.at[1] > high))
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s.at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* U+202A to U+202E and U+2066 to U+2069: they make a line read as another one */
static bool is_turning(const uint8_t *c)
{
	return c[0] == 0xe2 && ((c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) ||
				(c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

static bool is_control(struct span s, size_t len)
{
	return (len == 1 && (s.at[0] < 0x20 || s.at[0] == 0x7f)) ||
	       (len == 2 && s.at[0] == 0xc2 && s.at[1] < 0xa0) ||
	       (len == 3 && is_turning(s.at));
}

void print_safe(FILE *to, struct span s)
{
	while (s.len) {
		size_t len = utf8_length(s);

		if (len && !is_control(s, len)) {
			fwrite(s.at, 1, len, to);
		} else {
			len = 1;
			fprintf(to, "\\x%02x", s.at[0]);
		}
		s = span_skip(s, len);
	}
}

const char *print_colour(FILE *to, enum colour c)
{
	static const char *const sequences[] = {
		[COLOUR_PLAIN] = "\033[0m", [COLOUR_GOOD] = "\033[32m", [COLOUR_BAD] = "\033[31m",
		[COLOUR_WAIT] = "\033[33m", [COLOUR_STRONG] = "\033[1m",
	};
	_Static_assert(ARRAY_SIZE(sequences) == COLOUR_NUM, "one sequence per colour");
	const char *off = getenv("NO_COLOR");

	return (off && off[0]) || !isatty(fileno(to)) ? "" : sequences[c];
}

void print_afresh(FILE *to)
{
	const char *term = getenv("TERM");

	/* xterm's private mode 47, DECSTR, ASCII as G0, G0 in use, SGR 0 */
	if (isatty(fileno(to)) && term && *term && strcmp(term, "dumb") != 0)
		fputs("\033[?47l\033[!p\033(B\017\033[0m", to);
}

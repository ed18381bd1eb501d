/* SPDX-License-Identifier: Apache-2.0 */
/* policy_git.c - a target, against a slow second opinion */
#include <assert.h>
#include <stdlib.h>

#include "policy/git.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int digit(uint8_t c)
{
	c = ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Every escape undone once, as servers do, in place.  Return: the length */
static size_t undo(uint8_t *text, size_t len)
{
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		bool escape = text[i] == '%' && i + 2 < len && digit(text[i + 1]) >= 0 &&
			      digit(text[i + 2]) >= 0;

		text[to++] = escape ? (uint8_t)(digit(text[i + 1]) << 4 | digit(text[i + 2])) : text[i];
		i += escape ? 2 : 0;
	}
	return to;
}

/* Are the words in it, in this order? */
static bool has_words(const uint8_t *text, size_t len)
{
	static const char *const words[] = { "?", "service", "receive-pack" };
	size_t found = 0;

	for (size_t i = 0; i < len && found < 3;) {
		size_t k = 0;

		while (words[found][k] && i + k < len && ascii_lower(text[i + k]) == words[found][k])
			k++;
		i += words[found][k] ? 1 : k;
		found += !words[found][k];
	}
	return found == 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	bool push = git_is_push(span_of(bytes, size));
	uint8_t *text = malloc(size + 1);
	size_t len = size;

	if (!text)
		return 0;
	memcpy(text, bytes, size);
	for (unsigned times = 0; times < 3; times++) {
		/* in doubt it is one; what no reading has is none */
		if (has_words(text, len))
			assert(push);
		len = undo(text, len);
	}
	if (!memchr(bytes, '?', size) && !memchr(bytes, '%', size))
		assert(!push);
	free(text);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* export_unit.h - what a format writes, and what is in it */
#ifndef SLUICE_TESTS_EXPORT_UNIT_H
#define SLUICE_TESTS_EXPORT_UNIT_H

#include "../unit.h"
#include "export/export.h"

/* What XML says of comments: no two hyphens within */
static inline void comments_are_well_formed(const char *text)
{
	for (const char *at = strstr(text, "<!--"); at; at = strstr(at + 1, "<!--")) {
		const char *hyphens = strstr(at + 4, "--");

		assert_non_null(hyphens);
		assert_int_equal(hyphens[2], '>');
	}
}

/* NUL-terminated; the caller frees */
static inline char *written(const char *format, enum mode mode)
{
	const struct export_request r = { .mode = mode };
	struct buf text = buf_new(EXPORT_TEXT_MAX);
	struct err err = { "" };

	assert_true(export_find(format)->write(&r, &text, &err));
	assert_true(buf_add(&text, "", 1));
	assert_false(text.full);
	comments_are_well_formed((char *)text.at);
	return (char *)text.at;
}

static inline size_t times(const char *text, const char *word)
{
	size_t n = 0;

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		n++;
	return n;
}

#endif

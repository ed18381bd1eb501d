/* SPDX-License-Identifier: Apache-2.0 */
/* policy_path.c - a pattern and a path, with a newline between them */
#include <assert.h>

#include "policy/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_normal(const struct path *p)
{
	struct path again;

	assert(p->len <= sizeof(p->at));
	if (p->kind != PATH_GOOD)
		return;
	/* what is normal stays as it is, and holds nothing that is read in two ways */
	path_normal(span_of(p->at, p->len), &again);
	assert(again.kind == PATH_GOOD);
	assert(span_eq(span_of(again.at, again.len), span_of(p->at, p->len)));
	for (size_t i = 0; i < p->len; i++)
		assert(p->at[i] > ' ' && p->at[i] < 0x7f && p->at[i] != '\\');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span text = span_of(bytes, size);
	ptrdiff_t line = span_find(text, '\n');
	uint8_t pattern[PATTERN_MAX];
	struct path p;
	size_t len;

	path_normal(line < 0 ? text : span_skip(text, (size_t)line + 1), &p);
	check_normal(&p);
	len = path_pattern(line < 0 ? text : span_head(text, (size_t)line), pattern);
	assert(len <= sizeof(pattern));
	if (!len)
		return 0;
	if (path_match(span_of(pattern, len), &p) == PATH_YES)
		assert(p.kind == PATH_GOOD);
	/* a path without stars is its own pattern */
	path_normal(span_of(pattern, len), &p);
	if (span_find(span_of(pattern, len), '*') < 0)
		assert(path_match(span_of(pattern, len), &p) == PATH_YES);
	return 0;
}

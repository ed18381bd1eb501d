/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_verify.c - no bytes break the verifier, and none are proved that were not signed
 *
 * The first byte is how many bytes a read gives at most.  The verdict must not
 * depend on it, and no input can be complete under a key that signed nothing.
 */
#include <assert.h>

#include "audit/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct source {
	struct span left;
	size_t step;
};

static ssize_t source_read(void *arg, void *dst, size_t len)
{
	struct source *s = arg;
	struct span head = span_head(s->left, len < s->step ? len : s->step);

	if (head.len)
		memcpy(dst, head.at, head.len);
	s->left = span_skip(s->left, head.len);
	return (ssize_t)head.len;
}

static struct verify_result verify(struct span log, size_t step, const struct verify_options *o)
{
	struct source s = { log, step };
	struct verify_result r;

	verify_stream(source_read, &s, o, &r);
	assert(r.ok == !r.why[0]);
	assert(r.end <= log.len && r.signed_lines <= r.lines);
	assert(!r.end || log.at[r.end - 1] == '\n');
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char nobody[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
	struct public_key key;
	struct verify_options own = { 0 }, given = { .keys = &key, .key_count = 1 };
	struct verify_result whole, parts;
	struct span log;

	if (!size)
		return 0;
	log = span_of(bytes + 1, size - 1);
	whole = verify(log, RECORD_LINE_MAX, &own);
	parts = verify(log, (size_t)bytes[0] + 1, &own);
	assert(whole.ok == parts.ok && whole.lines == parts.lines && whole.end == parts.end);
	assert(!memcmp(whole.head, parts.head, sizeof(whole.head)));
	/* RFC 8032 7.1, test 1: it never signed a hash */
	assert(public_key_set(&key, span_str(nobody)));
	assert(!verify(log, RECORD_LINE_MAX, &given).signed_lines);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* policy_show.c - what loads is shown, loads again as the same, and compares as the same */
#include <assert.h>

#include "policy/compare.h"
#include "policy/load.h"
#include "policy/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct policy *load(struct span text)
{
	const struct policy_file file = { LAYER_SYSTEM, "fuzz", text };
	const struct policy_input in = { .files = &file, .file_count = 1 };

	return policy_load(&in, NULL);
}

static void count(void *arg, enum change change, const char *words)
{
	(void)change;
	(void)words;
	++*(unsigned *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct buf first = buf_new(1 << 26), second = buf_new(1 << 26);
	struct policy *p = load(span_of(bytes, size)), *q;
	unsigned changes = 0;

	if (!p)
		return 0;
	policy_show(&first, p, true);
	q = load(buf_span(&first));
	assert(q && !strcmp(policy_sha256(p), policy_sha256(q)));
	buf_clear(&first);
	policy_show(&first, p, false);
	policy_show(&second, q, false);
	assert(span_eq(buf_span(&first), buf_span(&second)));
	policy_compare(p, q, "b6d0e5f1c3a4", 1, count, &changes);
	assert(!changes);
	buf_done(&first);
	buf_done(&second);
	policy_free(p);
	policy_free(q);
	return 0;
}

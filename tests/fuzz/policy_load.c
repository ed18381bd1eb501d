/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_load.c - any text as a policy of every layer, and as a preset
 *
 * What loads must give an image that attaches, judges, and has words for it.
 */
#include <assert.h>

#include "policy/explain.h"
#include "policy/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct span preset_text(void *arg, const char *name)
{
	return strcmp(name, "fuzz") ? (struct span){ 0 } : *(struct span *)arg;
}

/* The same text as a category of any name, and as a list */
static struct span category_text(void *arg, const char *name)
{
	return strcmp(name, "fuzz") ? (struct span){ 0 } : *(struct span *)arg;
}

static ptrdiff_t list_read(void *arg, const char *path, enum layer layer, uint64_t at,
			   void *ret_bytes, size_t room)
{
	struct span rest = span_head(span_skip(*(struct span *)arg, (size_t)at), room);

	if (rest.len)
		memcpy(ret_bytes, rest.at, rest.len);
	return layer > LAYER_FLAG || !*path ? -1 : (ptrdiff_t)rest.len;
}

static void judge(const struct policy *p, struct span host)
{
	static const struct place place;
	struct addr a = addr_v4(0x0a000001);
	struct question q = { .about = ABOUT_CONN, .host = host, .addr = a, .port = 443 };

	for (q.seen = SEEN_NOT_YET; q.seen <= SEEN_MALFORMED; q.seen++) {
		struct verdict v = policy_decide(p, &q);
		struct buf b = buf_new(1 << 16);

		if (v.answer != ANSWER_NEED)
			explain_message(&b, p, &q, &v);
		policy_address(p, &q, &v, &place, &a);
		buf_done(&b);
	}
}

static void check(const struct policy_input *in)
{
	struct err err = { "" };
	struct policy *p = policy_load(in, &err);

	assert(p ? !err.text[0] : err.text[0] && !strchr(err.text, '\n'));
	if (!p)
		return;
	assert(policy_attach(policy_image(p)) == p);
	for (uint32_t i = 0; i < policy_rule_count(p); i++)
		assert(*policy_rule(p, i).id && *policy_rule(p, i).host);
	judge(p, SPAN("a.example.com"));
	judge(p, (struct span){ 0 });
	policy_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span text = span_of(bytes, size);
	char name[] = "fuzz";
	char *const presets[] = { name, NULL };
	struct policy_input in = {
		.preset_text = preset_text, .category_text = category_text,
		.list_read = list_read, .arg = &text,
	};

	in.presets = presets;
	check(&in);
	in.presets = NULL;
	for (enum layer l = LAYER_SYSTEM; l < LAYER_FLAG; l++) {
		struct policy_file file = { l, "fuzz", text };

		in.files = &file;
		in.file_count = 1;
		check(&in);
	}
	return 0;
}

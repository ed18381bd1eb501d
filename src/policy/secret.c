/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/secret.h"

#include <stdlib.h>

#include "base/wire.h"

const char *secret_word(enum secret_kind kind)
{
	static const char *const words[SECRET_KIND_NUM] = {
		[SECRET_ENV] = "env", [SECRET_FILE] = "file", [SECRET_CMD] = "cmd",
	};

	return words[kind];
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void policy_secrets_done(struct policy_secrets *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct policy_secret *one = &s->list[i];

		for (size_t k = 0; k < one->part_count; k++)
			free(one->parts[k].placeholder);
		free(one->parts);
		wipe(one->value);
	}
	free(s->list);
	*s = (struct policy_secrets){ .count = 0 };
}

static void add_u32(struct buf *out, size_t value)
{
	uint8_t bytes[4];
	struct wire_out w = { .at = bytes, .size = sizeof(bytes) };

	wire_put_u32(&w, (uint32_t)value);
	buf_add(out, bytes, sizeof(bytes));
}

static void add_text(struct buf *out, const char *text)
{
	add_u32(out, strlen(text));
	buf_add_str(out, text);
}

bool policy_secrets_pack(const struct policy_secrets *s, struct buf *out)
{
	add_u32(out, s->count);
	for (size_t i = 0; i < s->count; i++) {
		const struct policy_secret *one = &s->list[i];

		add_u32(out, one->rule);
		add_text(out, one->value);
		add_u32(out, one->part_count);
		for (size_t k = 0; k < one->part_count; k++) {
			add_u32(out, one->parts[k].at);
			add_u32(out, one->parts[k].len);
			add_text(out, one->parts[k].placeholder);
		}
	}
	return !out->full;
}

/* Return: a copy, owned; or NULL, and the reader is spent */
static char *take_text(struct wire *w)
{
	struct span text = wire_take(w, wire_u32(w));
	char *copy = w->spent ? NULL : malloc(text.len + 1);

	if (!copy || !span_copy(text, copy, text.len + 1))
		w->spent = true;
	return copy;
}

static void take_part(struct wire *w, struct policy_secret *one)
{
	struct secret_part *part = &one->parts[one->part_count];

	part->at = wire_u32(w);
	part->len = wire_u32(w);
	part->placeholder = take_text(w);
	one->part_count++;
	w->spent |= !one->value || part->at > strlen(one->value) ||
		    part->len > strlen(one->value) - part->at;
}

static void take_one(struct wire *w, struct policy_secret *one)
{
	size_t parts;

	one->rule = wire_u32(w);
	one->value = take_text(w);
	parts = wire_u32(w);
	one->parts = parts <= w->left.len ? calloc(parts + 1, sizeof(*one->parts)) : NULL;
	w->spent |= !one->parts;
	while (!w->spent && one->part_count < parts)
		take_part(w, one);
}

bool policy_secrets_unpack(struct span packed, struct policy_secrets *ret_secrets)
{
	struct wire w = wire_over(packed);
	size_t count = wire_u32(&w);

	/* each takes more than a byte */
	ret_secrets->list = count <= packed.len ? calloc(count + 1, sizeof(*ret_secrets->list)) : NULL;
	w.spent |= !ret_secrets->list;
	while (!w.spent && ret_secrets->count < count)
		take_one(&w, &ret_secrets->list[ret_secrets->count++]);
	if (!w.spent && !w.left.len)
		return true;
	policy_secrets_done(ret_secrets);
	return false;
}

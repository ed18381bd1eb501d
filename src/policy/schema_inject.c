/* SPDX-License-Identifier: Apache-2.0 */
/* schema_inject.c - the value of inject: a text with ${env:NAME}, ${file:PATH}, ${cmd:COMMAND} */
#include "policy/schema.h"

#define ENV_NAME_MAX 128	/* bytes of a variable's name */
#define SOURCE_MAX 4096		/* bytes of a path or a command */

struct source {
	enum secret_kind	kind;
	char			text[SOURCE_MAX];	/* name, path or command */
};

static bool name_is_good(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.at[i];

		if (!(ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') && c != '_' &&
		    !(i && c >= '0' && c <= '9'))
			return false;
	}
	return name.len <= ENV_NAME_MAX;
}

static bool is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < ' ' || text.at[i] > '~')
			return false;
	return true;
}

/* "${KIND:TEXT}" at the front of @text: its length, or 0 */
static size_t source_read(struct span text, struct source *ret)
{
	ptrdiff_t end = span_find(text, '}'), colon = span_find(text, ':');
	struct span word, inner;

	if (!span_starts(text, SPAN("${")) || end < 0 || colon < 2 || colon > end)
		return 0;
	word = span_of(text.at + 2, (size_t)colon - 2);
	inner = span_of(text.at + colon + 1, (size_t)(end - colon - 1));
	for (int k = 0; k < SECRET_KIND_NUM; k++) {
		ret->kind = (enum secret_kind)k;
		if (span_eq(word, span_str(secret_word(ret->kind))))
			return inner.len && is_printable(inner) &&
			       (k != SECRET_ENV || name_is_good(inner)) &&
			       span_copy(inner, ret->text, sizeof(ret->text)) ? (size_t)end + 1 : 0;
	}
	return 0;
}

/* The value of a source behind what is in secret_text.  False: an error was told */
static bool add_source(struct loader *l, const struct source *from, const struct node *at)
{
	const struct policy_input *in = l->in;
	struct secret_found found = { .why = "is not there" };
	struct draft *d = &l->draft;
	struct draft_part part = { .at = (uint32_t)d->secret_text.len };
	const char *word = secret_word(from->kind);

	if (!in->secret)
		return true;
	if (!in->secret(in->arg, from->kind, from->text, l->file, &found)) {
		return in->secret_optional ||
		       loader_bad(l, at, "found ${%s:%s}, which %s (accepted: %s)", word, from->text,
				  found.why, from->kind == SECRET_ENV ? "variables that are set" :
				  "what can be read and holds a value");
	}
	if (!found.value.len || found.value.len > SECRET_BYTES_MAX || !is_printable(found.value))
		return loader_bad(l, at, "found ${%s:%s}, which is empty or holds what no header "
				  "field can (accepted: printable ASCII)", word, from->text);
	part.len = (uint32_t)found.value.len;
	part.placeholder = draft_text(d, span_str(found.placeholder));
	buf_add_span(&d->secret_text, found.value);
	buf_add(&d->secret_parts, &part, sizeof(part));
	return true;
}

/* @names: gets " KIND:TEXT" of each source */
static bool value_read(struct loader *l, struct buf *names)
{
	struct span rest = l->item.inject;
	struct source from;

	while (rest.len) {
		ptrdiff_t dollar = span_find(rest, '$');
		size_t plain = dollar < 0 ? rest.len : (size_t)dollar, len;

		if (!is_printable(span_head(rest, plain)))
			return loader_bad(l, l->item.inject_at, "found a value that no header field "
					  "can hold (accepted: printable ASCII)");
		buf_add_span(&l->draft.secret_text, span_head(rest, plain));
		rest = span_skip(rest, plain);
		if (!rest.len)
			break;
		len = source_read(rest, &from);
		if (!len)
			return loader_bad(l, l->item.inject_at, "found a $ that begins no source "
					  "(accepted: ${env:NAME}, ${file:PATH}, ${cmd:COMMAND})");
		if (!add_source(l, &from, l->item.inject_at))
			return false;
		buf_printf(names, " %s:%s", secret_word(from.kind), from.text);
		rest = span_skip(rest, len);
	}
	return true;
}

bool item_secret(struct loader *l)
{
	struct draft *d = &l->draft;
	struct draft_secret secret = {
		.rule = (uint32_t)draft_rule_count(d), .at = (uint32_t)d->secret_text.len,
		.part = (uint32_t)(d->secret_parts.len / sizeof(struct draft_part)),
	};
	struct buf names = buf_new(2 * SECRET_BYTES_MAX);
	bool ok;

	if (!l->item.inject.len)
		return true;
	ok = value_read(l, &names);
	secret.len = (uint32_t)d->secret_text.len - secret.at;
	if (ok && secret.len > SECRET_BYTES_MAX)
		ok = loader_bad(l, l->item.inject_at, "found a value of more than %u bytes "
				"(accepted: shorter ones)", SECRET_BYTES_MAX);
	secret.part_count = (uint32_t)(d->secret_parts.len / sizeof(struct draft_part)) - secret.part;
	secret.names_at = draft_text(d, buf_span(&names));
	buf_add(&d->secrets, &secret, sizeof(secret));
	buf_done(&names);
	return ok;
}

static bool take_one(struct policy_secret *one, const struct draft_secret *from,
		     const struct draft *d)
{
	const struct draft_part *part = (const struct draft_part *)(const void *)d->secret_parts.at +
					from->part;

	one->rule = from->rule;
	one->value = calloc(1, from->len + 1);
	one->parts = calloc(from->part_count + 1, sizeof(*one->parts));
	if (!one->value || !one->parts)
		return false;
	if (from->len)
		memcpy(one->value, d->secret_text.at + from->at, from->len);
	for (uint32_t i = 0; i < from->part_count; i++) {
		struct secret_part *to = &one->parts[one->part_count++];

		*to = (struct secret_part){ part[i].at - from->at, part[i].len,
					    strdup(draft_text_at(d, part[i].placeholder)) };
		if (!to->placeholder)
			return false;
	}
	return true;
}

bool secrets_take(struct policy_secrets *s, const struct draft *d)
{
	const struct draft_secret *from = (const void *)d->secrets.at;
	size_t count = d->secrets.len / sizeof(*from);
	bool ok;

	*s = (struct policy_secrets){ .list = calloc(count + 1, sizeof(*s->list)) };
	ok = s->list;
	for (; ok && s->count < count; s->count++)
		ok = take_one(&s->list[s->count], &from[s->count], d);
	if (!ok)
		policy_secrets_done(s);
	return ok;
}

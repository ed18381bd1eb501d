/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c - compose a tree from libyaml's events
 *
 * libyaml's own document tree forgets where anchors and tags stood and whether
 * `443` was quoted, so the tree is made here.  No recursion: the lists and
 * mappings that are open lie in an array, whose size bounds the depth.
 */
#include "policy/tree.h"

#include <stdarg.h>
#include <yaml.h>

struct composer {
	yaml_parser_t	 parser;
	struct span	 text;
	const char	*file;
	struct arena	*arena;
	struct err	*err;
	struct node	*root;
	struct node	*open[TREE_DEPTH_MAX];
	unsigned	 depth;
	unsigned	 nodes;
};

bool spot_bad(const struct spot *s, struct err *err, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!s->line)
		return err_set(err, "%s: %s", s->file, text);
	return err_set(err, "%s:%u:%u: %s", s->file, s->line, s->column, text);
}

#define FOUND_ALIAS "found an alias (accepted: values written out; quote what begins with *)"
#define FOUND_ANCHOR "found an anchor or a tag (accepted: plain values)"
#define FOUND_MORE "found more than fits (accepted: files within the bounds of a policy)"

static bool bad_at(struct composer *c, const yaml_mark_t *mark, const char *what)
{
	struct spot s = { c->file, (unsigned)mark->line + 1, (unsigned)mark->column + 1 };

	return spot_bad(&s, c->err, "%s", what);
}

/* libyaml gives an offset, not a mark, for bytes that are no UTF-8 */
static bool bad_bytes(struct composer *c)
{
	yaml_mark_t mark = { 0 };
	size_t end = c->parser.problem_offset < c->text.len ? c->parser.problem_offset
							    : c->text.len;

	for (size_t i = 0; i < end; i++) {
		mark.column++;
		if (c->text.at[i] == '\n')
			mark = (yaml_mark_t){ .line = mark.line + 1 };
	}
	return bad_at(c, &mark, "found bytes that YAML does not take (accepted: UTF-8 text)");
}

static bool bad_yaml(struct composer *c)
{
	const yaml_parser_t *p = &c->parser;
	char what[256];

	if (p->error == YAML_READER_ERROR)
		return bad_bytes(c);
	if (p->error == YAML_MEMORY_ERROR)
		return err_set(c->err, "%s: out of memory", c->file);
	if (p->context && strstr(p->context, "alias"))
		return bad_at(c, &p->context_mark, FOUND_ALIAS);
	snprintf(what, sizeof(what), "found what is no YAML: %s%s%s", p->context ? p->context : "",
		 p->context ? ", " : "", p->problem ? p->problem : "unknown error");
	return bad_at(c, &p->problem_mark, what);
}

/* C0 but tab and newline, DEL, and C1: they could drive a terminal, or end a C string */
static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.at[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return true;
		if (c == 0xc2 && i + 1 < s.len && s.at[i + 1] < 0xa0)
			return true;
	}
	return false;
}

static struct node *node_new(struct composer *c, const yaml_mark_t *mark, enum node_kind kind)
{
	struct node *n = NULL;

	if (c->nodes++ < TREE_NODES_MAX)
		n = arena_take(c->arena, sizeof(*n));
	if (!n) {
		bad_at(c, mark, FOUND_MORE);
		return NULL;
	}
	n->kind = kind;
	n->line = (unsigned)mark->line + 1;
	n->column = (unsigned)mark->column + 1;
	return n;
}

static void node_append(struct composer *c, struct node *n)
{
	struct node *in = c->depth ? c->open[c->depth - 1] : NULL;

	if (!in)
		c->root = n;
	else if (in->last)
		in->last->next = n;
	else
		in->first = n;
	if (in)
		in->last = n;
}

static bool add_text(struct composer *c, const yaml_event_t *e)
{
	struct span text = span_of(e->data.scalar.value, e->data.scalar.length);
	struct node *n;

	if (e->data.scalar.anchor || e->data.scalar.tag)
		return bad_at(c, &e->start_mark, FOUND_ANCHOR);
	if (has_control(text))
		return bad_at(c, &e->start_mark,
			      "found a control character in a value (accepted: printable text)");
	n = node_new(c, &e->start_mark, NODE_TEXT);
	if (!n)
		return false;
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text = arena_copy(c->arena, text);
	if (!n->text.at)
		return bad_at(c, &e->start_mark, FOUND_MORE);
	node_append(c, n);
	return true;
}

static bool add_parent(struct composer *c, const yaml_event_t *e, enum node_kind kind)
{
	const yaml_char_t *anchor = kind == NODE_LIST ? e->data.sequence_start.anchor
						      : e->data.mapping_start.anchor;
	const yaml_char_t *tag = kind == NODE_LIST ? e->data.sequence_start.tag
						   : e->data.mapping_start.tag;
	struct node *n;

	if (anchor || tag)
		return bad_at(c, &e->start_mark, FOUND_ANCHOR);
	if (c->depth == TREE_DEPTH_MAX)
		return bad_at(c, &e->start_mark, "found more than 16 levels inside each other");
	n = node_new(c, &e->start_mark, kind);
	if (!n)
		return false;
	node_append(c, n);
	c->open[c->depth++] = n;
	return true;
}
_Static_assert(TREE_DEPTH_MAX == 16, "the message above says so");

static bool compose_event(struct composer *c, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return c->root ? bad_at(c, &e->start_mark,
					"found a second document (accepted: one)") : true;
	case YAML_ALIAS_EVENT:
		return bad_at(c, &e->start_mark, FOUND_ALIAS);
	case YAML_SCALAR_EVENT:
		return add_text(c, e);
	case YAML_SEQUENCE_START_EVENT:
		return add_parent(c, e, NODE_LIST);
	case YAML_MAPPING_START_EVENT:
		return add_parent(c, e, NODE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		c->depth--;
		return true;
	default:
		return true;
	}
}

static bool compose(struct composer *c)
{
	bool ok = true, end = false;

	while (ok && !end) {
		yaml_event_t event;

		if (!yaml_parser_parse(&c->parser, &event))
			return bad_yaml(c);
		end = event.type == YAML_STREAM_END_EVENT;
		ok = compose_event(c, &event);
		yaml_event_delete(&event);
	}
	return ok;
}

struct node *tree_read(const char *file, struct span text, struct arena *arena, struct err *err)
{
	struct composer c = { .file = file, .text = text, .arena = arena, .err = err };
	struct spot top = { file, 1, 1 };
	bool ok;

	if (!yaml_parser_initialize(&c.parser)) {
		err_set(err, "%s: out of memory", file);
		return NULL;
	}
	yaml_parser_set_encoding(&c.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&c.parser, text.at, text.len);
	ok = compose(&c);
	yaml_parser_delete(&c.parser);
	if (!ok)
		return NULL;
	if (!c.root)
		spot_bad(&top, err, "found nothing (accepted: a mapping)");
	return c.root;
}

const struct node *tree_get(const struct node *map, const char *name)
{
	if (map->kind != NODE_MAP)
		return NULL;
	for (const struct node *key = map->first; key; key = key->next->next)
		if (key->kind == NODE_TEXT && span_eq(key->text, span_str(name)))
			return key->next;
	return NULL;
}

static bool plain_in(const struct node *n, const char *const *words, size_t count)
{
	if (n->kind != NODE_TEXT || !n->plain)
		return false;
	for (size_t i = 0; i < count; i++)
		if (span_eq(n->text, span_str(words[i])))
			return true;
	return false;
}

bool tree_is_null(const struct node *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	return plain_in(n, words, ARRAY_SIZE(words));
}

bool tree_is_bool(const struct node *n, bool *ret_value)
{
	static const char *const words[] = { "true", "True", "TRUE", "false", "False", "FALSE" };

	if (!plain_in(n, words, ARRAY_SIZE(words)))
		return false;
	*ret_value = ascii_lower(n->text.at[0]) == 't';
	return true;
}

static size_t skip_digits(struct span s, size_t i)
{
	while (i < s.len && s.at[i] >= '0' && s.at[i] <= '9')
		i++;
	return i;
}

bool tree_is_number(const struct node *n)
{
	struct span s = n->text;
	size_t i = 0, start;

	if (n->kind != NODE_TEXT || !n->plain)
		return false;
	if (s.len > 2 && s.at[0] == '0' && (s.at[1] == 'x' || s.at[1] == 'o'))
		return true;
	if (s.len && (s.at[0] == '-' || s.at[0] == '+'))
		i++;
	start = i;
	i = skip_digits(s, i);
	if (i < s.len && s.at[i] == '.')
		i = skip_digits(s, i + 1);
	if (i == start || (i == start + 1 && s.at[start] == '.'))
		return false;
	if (i + 1 < s.len && (s.at[i] == 'e' || s.at[i] == 'E'))
		i = skip_digits(s, i + 1 + (s.at[i + 1] == '-' || s.at[i + 1] == '+'));
	return i == s.len;
}

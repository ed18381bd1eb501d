/* SPDX-License-Identifier: Apache-2.0 */
/* presets.c - `sluice presets`: list them, show one */
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/preset_store.h"
#include "cli/print.h"
#include "policy/tree.h"

#define TREE_BYTES_MAX (256u << 20)	/* the tree of a preset file at its bound */
#define JSON_BYTES_MAX (256u << 20)

/* A preset file as a tree */
struct shown {
	struct arena	 arena;
	struct node	*root;
	const char	*name;
};

static bool shown_open(struct shown *s, struct preset_file *f, struct err *err)
{
	*s = (struct shown){ .arena = arena_new(TREE_BYTES_MAX), .name = f->name };
	if (preset_file_read(f, err))
		s->root = tree_read(f->path, buf_span(&f->text), &s->arena, err);
	if (!s->root)
		arena_done(&s->arena);
	return s->root;
}

static struct span text_of(const struct node *map, const char *key)
{
	const struct node *n = tree_get(map, key);

	return n && n->kind == NODE_TEXT ? n->text : (struct span){ 0 };
}

static bool flag_of(const struct node *map, const char *key)
{
	const struct node *n = tree_get(map, key);
	bool value = false;

	return n && tree_is_bool(n, &value) && value;
}

static const struct node *first_of(const struct node *map, const char *key)
{
	const struct node *n = tree_get(map, key);

	return n && n->kind == NODE_LIST ? n->first : NULL;
}

static size_t count_of(const struct node *map, const char *key)
{
	size_t count = 0;

	for (const struct node *n = first_of(map, key); n; n = n->next)
		count++;
	return count;
}

/* ---- text ---- */

static void print_list(const struct node *map, const char *key)
{
	for (const struct node *n = first_of(map, key); n; n = n->next) {
		print_safe(stdout, n->text);
		if (n->next)
			fputs(", ", stdout);
	}
}

static void print_row(const struct shown *s)
{
	printf("%-22s%5zu  ", s->name, count_of(s->root, "hosts"));
	print_safe(stdout, text_of(s->root, "title"));
	if (first_of(s->root, "aliases")) {
		fputs(" (also: ", stdout);
		print_list(s->root, "aliases");
		putchar(')');
	}
	putchar('\n');
}

/* "GET, HEAD; POST /a, /b": what reads a host */
static void print_read(const struct node *first)
{
	fputs("      open for ", stdout);
	for (const struct node *r = first; r; r = r->next) {
		print_list(r, "methods");
		if (first_of(r, "paths")) {
			fputs(first_of(r, "methods") ? " " : "", stdout);
			print_list(r, "paths");
		}
		fputs(r->next ? "; " : "\n", stdout);
	}
}

static void print_host(const struct node *h)
{
	static const struct {
		const char	*key, *words;
	} flags[] = {
		{ "optional", "optional" }, { "unverified", "unverified" },
		{ "exfil_risk", "data can leave through it" },
		{ "unsafe_wildcard", "strangers have names there" },
	};
	const char *before = "  [", *after = "";

	fputs("  ", stdout);
	fputs(print_colour(stdout, COLOUR_STRONG), stdout);
	print_safe(stdout, text_of(h, tree_get(h, "host") ? "host" : "ip"));
	fputs(print_colour(stdout, COLOUR_PLAIN), stdout);
	putchar(':');
	print_list(h, "ports");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!flag_of(h, flags[i].key))
			continue;
		printf("%s%s", before, flags[i].words);
		before = ", ";
		after = "]";
	}
	puts(after);
	if (first_of(h, "read"))
		print_read(first_of(h, "read"));
	if (text_of(h, "note").len) {
		fputs("      ", stdout);
		print_safe(stdout, text_of(h, "note"));
		putchar('\n');
	}
}

/* "Label: a, b" if there is something to say */
static void print_field(const struct node *root, const char *key, const char *label)
{
	if (!first_of(root, key) && !text_of(root, key).len)
		return;
	fputs(label, stdout);
	print_safe(stdout, text_of(root, key));
	print_list(root, key);
	putchar('\n');
}

static bool reads_some(const struct shown *s)
{
	for (const struct node *h = first_of(s->root, "hosts"); h; h = h->next)
		if (first_of(h, "read"))
			return true;
	return first_of(s->root, "configured_read");
}

static void print_preset(const struct shown *s)
{
	printf("%s%s%s: ", print_colour(stdout, COLOUR_STRONG), s->name,
	       print_colour(stdout, COLOUR_PLAIN));
	print_safe(stdout, text_of(s->root, "title"));
	putchar('\n');
	print_field(s->root, "description", "");
	print_field(s->root, "aliases", "Also called: ");
	print_field(s->root, "often_with", "Often with: ");
	print_field(s->root, "use_configured", "And what this machine's own configuration names: ");
	if (first_of(s->root, "configured_read"))
		print_read(first_of(s->root, "configured_read"));
	puts("\nHosts:");
	for (const struct node *h = first_of(s->root, "hosts"); h; h = h->next)
		print_host(h);
	for (const struct node *v = first_of(s->root, "variants"); v; v = v->next) {
		printf("\nAnd with %s:", s->name);
		print_safe(stdout, text_of(v, "variant"));
		fputs(": ", stdout);
		print_safe(stdout, text_of(v, "description"));
		putchar('\n');
		for (const struct node *h = first_of(v, "hosts"); h; h = h->next)
			print_host(h);
	}
	if (!reads_some(s))
		puts("\nEach host is open whole on these ports, for writing as well as for reading.");
	else
		printf("\nWhere a host is open for some requests sluice looks into its TLS, and refuses "
		       "all others;\n%s:write opens them too. Hosts that say nothing of requests are "
		       "open whole.\n", s->name);
}

/* ---- JSON ---- */

static void json_text(struct buf *b, const struct node *map, const char *key)
{
	struct span text = text_of(map, key);

	json_key(b, key);
	if (text.len)
		json_span(b, text);
	else
		json_str(b, NULL);
}

static void json_list(struct buf *b, const struct node *map, const char *key)
{
	json_key(b, key);
	json_open(b, '[');
	for (const struct node *n = first_of(map, key); n; n = n->next) {
		uint64_t number;

		if (tree_is_number(n) && span_u64(n->text, UINT64_MAX, &number))
			json_uint(b, number);
		else
			json_span(b, n->text);
	}
	json_close(b, ']');
}

static void json_flag(struct buf *b, const struct node *map, const char *key)
{
	json_key(b, key);
	json_bool(b, flag_of(map, key));
}

/* What reads a host; null: it is open whole */
static void json_read(struct buf *b, const struct node *map, const char *key)
{
	json_key(b, key);
	if (!tree_get(map, key)) {
		json_str(b, NULL);
		return;
	}
	json_open(b, '[');
	for (const struct node *r = first_of(map, key); r; r = r->next) {
		json_open(b, '{');
		json_list(b, r, "methods");
		json_list(b, r, "paths");
		json_list(b, r, "repos");
		json_close(b, '}');
	}
	json_close(b, ']');
}

static void json_host(struct buf *b, const struct node *h)
{
	json_open(b, '{');
	json_text(b, h, "host");
	json_text(b, h, "ip");
	json_list(b, h, "ports");
	json_flag(b, h, "optional");
	json_flag(b, h, "unverified");
	json_flag(b, h, "exfil_risk");
	json_flag(b, h, "unsafe_wildcard");
	json_read(b, h, "read");
	json_list(b, h, "repos");
	json_text(b, h, "note");
	json_close(b, '}');
}

static void json_variants(struct buf *b, const struct shown *s)
{
	json_key(b, "variants");
	json_open(b, '[');
	for (const struct node *v = first_of(s->root, "variants"); v; v = v->next) {
		json_open(b, '{');
		json_text(b, v, "variant");
		json_text(b, v, "description");
		json_key(b, "hosts");
		json_open(b, '[');
		for (const struct node *h = first_of(v, "hosts"); h; h = h->next)
			json_host(b, h);
		json_close(b, ']');
		json_close(b, '}');
	}
	json_close(b, ']');
}

static void json_preset(struct buf *b, const struct shown *s)
{
	json_open(b, '{');
	json_field_str(b, "name", s->name);
	json_text(b, s->root, "title");
	json_text(b, s->root, "description");
	json_list(b, s->root, "aliases");
	json_text(b, s->root, "use_configured");
	json_read(b, s->root, "configured_read");
	json_list(b, s->root, "often_with");
	json_key(b, "hosts");
	json_open(b, '[');
	for (const struct node *h = first_of(s->root, "hosts"); h; h = h->next)
		json_host(b, h);
	json_close(b, ']');
	json_variants(b, s);
	json_list(b, s->root, "sources");
	json_close(b, '}');
}

/* ---- the command ---- */

struct presets {
	struct preset_store	 store;
	const char		*format;
	bool			 json, names;
};

/* A file of an earlier folder has this name: this one is never found */
static bool is_hidden(const struct preset_store *s, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!strcmp(s->files[i].name, s->files[index].name))
			return true;
	return false;
}

static void print_names(const struct shown *s)
{
	bool writes = false;

	puts(s->name);
	for (const struct node *n = first_of(s->root, "aliases"); n; n = n->next) {
		print_safe(stdout, n->text);
		putchar('\n');
	}
	for (const struct node *v = first_of(s->root, "variants"); v; v = v->next) {
		writes = writes || span_eq(text_of(v, "variant"), SPAN("write"));
		printf("%s:", s->name);
		print_safe(stdout, text_of(v, "variant"));
		putchar('\n');
	}
	if (reads_some(s) && !writes)
		printf("%s:write\n", s->name);
}

static bool list_presets(struct presets *p, struct buf *json, struct err *err)
{
	json_open(json, '[');
	if (!p->json && !p->names)
		printf("%-22s%5s  %s\n", "NAME", "HOSTS", "TITLE");
	for (size_t i = 0; i < p->store.count; i++) {
		struct shown s;

		if (is_hidden(&p->store, i))
			continue;
		if (!shown_open(&s, &p->store.files[i], err))
			return false;
		if (p->json)
			json_preset(json, &s);
		else if (p->names)
			print_names(&s);
		else
			print_row(&s);
		arena_done(&s.arena);
	}
	json_close(json, ']');
	return true;
}

static bool show_preset(struct presets *p, const char *name, struct buf *json, struct err *err)
{
	struct preset_file *f = preset_store_find(&p->store, name, err);
	struct shown s;

	if (!f)
		return err_set(err, "presets: there is none called %s (see sluice presets)", name);
	if (!shown_open(&s, f, err))
		return false;
	if (p->json)
		json_preset(json, &s);
	else
		print_preset(&s);
	arena_done(&s.arena);
	return true;
}

static bool run_presets(struct presets *p, const char *name, struct err *err)
{
	struct buf json = buf_new(JSON_BYTES_MAX);
	bool ok;

	p->json = p->format && !strcmp(p->format, "json");
	if (p->format && !p->json && strcmp(p->format, "text"))
		return err_set(err, "--format %s: unknown format (text | json)", p->format);
	ok = preset_store_open(&p->store, "presets", true, err) &&
	     (name ? show_preset(p, name, &json, err) : list_presets(p, &json, err));
	if (ok && p->json) {
		fwrite(json.at, 1, json.len, stdout);
		putchar('\n');
	}
	buf_done(&json);
	preset_store_done(&p->store);
	return ok;
}

int presets_main(int argc, char **argv)
{
	struct presets p = { .format = NULL };
	const struct option rows[] = {
		{ 0, "format", OPTION_TEXT, "FORMAT", "text | json", &p.format },
		{ 0, "names", OPTION_FLAG, NULL, "print names and aliases alone", &p.names },
		{ .name = NULL },
	};
	struct err err = { "" };
	int count, code;

	if (!command_read(argc, argv, rows, &count, &code))
		return code;
	if (count > 1)
		err_set(&err, "presets: one NAME at a time");
	if (err.text[0] || !run_presets(&p, argv[1], &err))
		return complain(&err);
	return 0;
}

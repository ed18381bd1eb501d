/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/known.h"

#include <limits.h>

#include "cli/folders.h"
#include "cli/preset_store.h"
#include "policy/arena.h"
#include "policy/tree.h"

#define TREE_BYTES_MAX (256u << 20)	/* the trees of all files together */
#define NAMES_BYTES_MAX (64u << 20)
#define HOSTING "categories/free_hosting_and_serverless.yaml"

struct name {
	const char	*host, *note;
};

struct known {
	struct arena		arena;		/* the trees hold all texts */
	struct buf		shared, leaks, fronts;	/* struct name */
	struct preset_store	presets;
};

static void add(struct buf *names, const struct node *host, const char *note)
{
	struct name n = { (const char *)host->text.at, note };

	buf_add(names, &n, sizeof(n));
}

static const char *text_of(const struct node *map, const char *key)
{
	const struct node *n = tree_get(map, key);

	return n && n->kind == NODE_TEXT ? (const char *)n->text.at : NULL;
}

static const struct node *first_of(const struct node *map, const char *key)
{
	const struct node *list = map->kind == NODE_MAP ? tree_get(map, key) : NULL;

	return list && list->kind == NODE_LIST ? list->first : NULL;
}

/* {host: NAME, note: WORDS} */
static void add_notes(struct buf *names, const struct node *root, const char *key)
{
	for (const struct node *n = first_of(root, key); n; n = n->next)
		if (n->kind == NODE_MAP && text_of(n, "host") && text_of(n, "note"))
			add(names, tree_get(n, "host"), text_of(n, "note"));
}

static void add_leaks(struct buf *names, const struct node *root, const char *key)
{
	for (const struct node *n = first_of(root, key); n; n = n->next) {
		const struct node *risk = n->kind == NODE_MAP ? tree_get(n, "exfil_risk") : NULL;
		bool leaks = false;

		if (risk && tree_is_bool(risk, &leaks) && leaks && text_of(n, "host"))
			add(names, tree_get(n, "host"),
			    text_of(n, "note") ? text_of(n, "note") : "it takes what it is given");
	}
}

static const struct node *read_tree(struct known *k, const char *folder, const char *name,
				    struct err *err)
{
	char path[PATH_MAX];
	struct node *root = NULL;
	struct buf text;

	if (!folder_join(path, folder, name, err))
		return NULL;
	switch (file_read(path, FILE_ANYONES, &text, err)) {
	case FILE_READ:
		root = tree_read(name, buf_span(&text), &k->arena, err);
		buf_done(&text);
		break;
	case FILE_ABSENT:
		err_set(err, "%s: not there (is sluice installed whole?)", path);
		break;
	case FILE_FAILED:
		break;
	}
	return root;
}

static bool read_presets(struct known *k, const char *folder, struct err *err)
{
	char presets[PATH_MAX];

	if (!folder_join(presets, folder, "presets", err) ||
	    !preset_store_add(&k->presets, presets, err))
		return false;
	for (size_t i = 0; i < k->presets.count; i++) {
		struct preset_file *f = &k->presets.files[i];
		const struct node *root, *v;

		if (!preset_file_read(f, err))
			return false;
		root = tree_read(f->path, buf_span(&f->text), &k->arena, err);
		if (!root)
			return false;
		add_leaks(&k->leaks, root, "hosts");
		for (v = first_of(root, "variants"); v; v = v->next)
			add_leaks(&k->leaks, v, "hosts");
	}
	return true;
}

static bool read_all(struct known *k, struct err *err)
{
	const struct node *hosting, *category;
	char folder[PATH_MAX];

	if (!folder_data(folder, err))
		return false;
	hosting = read_tree(k, folder, "shared-hosting.yaml", err);
	category = hosting ? read_tree(k, folder, HOSTING, err) : NULL;
	if (!category)
		return false;
	add_notes(&k->shared, hosting, "shared");
	add_notes(&k->fronts, hosting, "fronts");
	for (const struct node *n = first_of(category, "domains"); n; n = n->next)
		if (n->kind == NODE_TEXT)
			add(&k->shared, n, "anyone gets a name there");
	return read_presets(k, folder, err) &&
	       (!(k->shared.full || k->leaks.full || k->fronts.full) ||
		err_set(err, "out of memory"));
}

struct known *known_open(struct err *err)
{
	struct known *k = calloc(1, sizeof(*k));

	if (!k) {
		err_set(err, "out of memory");
		return NULL;
	}
	k->arena = arena_new(TREE_BYTES_MAX);
	k->shared = k->leaks = k->fronts = buf_new(NAMES_BYTES_MAX);
	if (read_all(k, err))
		return k;
	known_done(k);
	return NULL;
}

void known_done(struct known *k)
{
	if (!k)
		return;
	buf_done(&k->shared);
	buf_done(&k->leaks);
	buf_done(&k->fronts);
	preset_store_done(&k->presets);
	arena_done(&k->arena);
	free(k);
}

static bool is_below(const char *name, const char *parent)
{
	size_t len = strlen(name), end = strlen(parent);

	return len > end && !strcmp(name + len - end, parent) && name[len - end - 1] == '.';
}

static const char *find(const struct buf *names, const char *name,
			bool (*fits)(const char *listed, const char *name))
{
	const struct name *n = (const void *)names->at;

	for (size_t i = 0; i < names->len / sizeof(*n); i++)
		if (!strcmp(n[i].host, name) || (fits && fits(n[i].host, name)))
			return n[i].note;
	return NULL;
}

/* A wildcard over a parent is one over all that is listed below it */
const char *known_shared(void *arg, const char *name)
{
	return find(&((struct known *)arg)->shared, name, is_below);
}

static bool is_wildcard_of(const char *listed, const char *name)
{
	return listed[0] == '*' && listed[1] == '.' && is_below(name, listed + 2);
}

const char *known_leaks(void *arg, const char *name)
{
	return find(&((struct known *)arg)->leaks, name, is_wildcard_of);
}

static bool is_above(const char *listed, const char *name)
{
	return is_below(name, listed);
}

const char *known_fronts(void *arg, const char *name)
{
	return find(&((struct known *)arg)->fronts, name, is_above);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * category.c - a category's file: names, and other categories that it takes in
 *
 * Each category is one list, whoever takes it in, so that a denial can name the
 * one a host is in.  A file is read again for each rule that uses it: it is
 * small, and what it takes in must be followed anyway.
 */
#include "policy/hostlist.h"
#include "policy/lists.h"

#define CATEGORY_DEPTH_MAX 8	/* categories taken in by one another */

/* A category that is being read, and the one that takes it in */
struct category_visit {
	struct span			 name;
	const struct category_visit	*up;
	unsigned			 depth;
	bool				 fresh;	/* its names are not in the image yet */
};

bool category_set_name(struct loader *l, const struct node *value)
{
	if (!span_eq(value->text, l->category->name))
		return loader_bad(l, value, "found a category of another name (accepted: "
				  SPAN_FMT ")", SPAN_ARG(l->category->name));
	return true;
}

bool category_set_host(struct loader *l, const struct node *value)
{
	struct buf ignored = buf_new(HOSTLIST_RECORD_MAX);
	bool ok = hostlist_add(l->category->fresh ? &l->draft.image : &ignored, value->text);

	buf_done(&ignored);
	return ok;
}

bool category_set_include(struct loader *l, const struct node *value)
{
	(void)l;
	return preset_name_is_good(value->text);
}

static bool unknown(struct loader *l, struct span name, const struct spot *spot)
{
	struct buf names = buf_new(ERR_TEXT_MAX);
	const char *one;

	for (size_t i = 0; l->in->category_name && (one = l->in->category_name(l->in->arg, i)); i++)
		buf_printf(&names, "%s%s", i ? ", " : "", one);
	if (!names.len)
		buf_add_str(&names, "the name of a category");
	spot_bad(spot, l->err, "found the unknown category " SPAN_FMT " (accepted: " SPAN_FMT ")",
		 SPAN_ARG(span_head(name, ID_MAX)), SPAN_ARG(buf_span(&names)));
	buf_done(&names);
	return false;
}

/* The names of the category, unless they are there already; then the rule uses them */
static bool take_names(struct loader *l, const struct node *root)
{
	struct draft *d = &l->draft;
	struct category_visit *visit = l->category;
	uint32_t list = list_find(d, FORM_CATEGORY, visit->name);
	size_t before;

	visit->fresh = list == LIST_NONE;
	if (visit->fresh)
		list = list_begin(l, FORM_CATEGORY, visit->name);
	before = d->image.len;
	if (list == LIST_NONE || !schema_read(l, root, IN_CATEGORY))
		return false;
	if (!tree_get(root, "category"))
		return loader_bad(l, root, "found no name of the category (accepted: category: "
				  SPAN_FMT ")", SPAN_ARG(visit->name));
	if (visit->fresh)
		list_end(d, list);
	if (visit->fresh && d->image.len == before && !d->image.full &&
	    !tree_get(root, "includes"))
		return loader_bad(l, root, "found an empty category (accepted: domains, hosts or "
				  "includes)");
	list_use(d, list);
	return true;
}

static bool take_in(struct loader *l, const struct node *root)
{
	const struct node *list = tree_get(root, "includes");

	for (const struct node *n = list ? list->first : NULL; n; n = n->next) {
		struct spot s = { l->file, n->line, n->column };

		if (!category_open(l, n->text, &s))
			return false;
	}
	return true;
}

static bool check_chain(struct loader *l, struct span name, const struct spot *spot)
{
	for (const struct category_visit *v = l->category; v; v = v->up)
		if (span_eq(v->name, name))
			return spot_bad(spot, l->err, "found the category " SPAN_FMT
					", which would take in itself (accepted: no circle)",
					SPAN_ARG(name));
	if (l->category && l->category->depth == CATEGORY_DEPTH_MAX)
		return spot_bad(spot, l->err, "found more than %u categories taken in by one "
				"another (accepted: fewer)", CATEGORY_DEPTH_MAX);
	return true;
}

bool category_open(struct loader *l, struct span name, const struct spot *spot)
{
	struct category_visit visit = {
		.name = name, .up = l->category, .depth = l->category ? l->category->depth + 1 : 1,
	}, *up = l->category;
	char shown[ID_MAX + 1], file[ID_MAX + sizeof("category ")];
	const char *old_file = l->file;
	struct span text = { 0 };
	struct node *root;
	bool ok;

	if (!check_chain(l, name, spot))
		return false;
	if (preset_name_is_good(name) && span_copy(name, shown, sizeof(shown)) &&
	    l->in->category_text)
		text = l->in->category_text(l->in->arg, shown);
	if (!text.len)
		return unknown(l, name, spot);
	if (text.len > FILE_MAX)
		return spot_bad(spot, l->err, "found a category of more than 64 MB");
	snprintf(file, sizeof(file), "category %s", shown);
	l->file = file;
	l->category = &visit;
	root = tree_read(l->file, text, &l->arena, l->err);
	ok = root && take_names(l, root) && take_in(l, root);
	l->category = up;
	l->file = old_file;
	return ok;
}

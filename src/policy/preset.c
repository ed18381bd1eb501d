/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/loader.h"

bool preset_name_is_good(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return name.len > 0;
}

static bool is_open(const struct loader *l, const char *name)
{
	const uint32_t *open = (const void *)l->presets.at;

	for (size_t i = 0; i < l->presets.len / sizeof(*open); i++)
		if (!strcmp(draft_text_at(&l->draft, open[i]), name))
			return true;
	return false;
}

static void mark_open(struct loader *l, const char *name)
{
	uint32_t text = draft_text(&l->draft, span_str(name));

	buf_add(&l->presets, &text, sizeof(text));
}

static bool list_has(const struct node *list, struct span name)
{
	for (const struct node *n = list ? list->first : NULL; n; n = n->next)
		if (span_eq(n->text, name))
			return true;
	return false;
}

/* The file that was found for @name must say that it is this preset, or that this is an alias */
static const struct node *own_name(struct loader *l, const struct node *root, struct span name)
{
	const struct node *own = tree_get(root, "preset");

	if (!own || own->kind != NODE_TEXT) {
		loader_bad(l, root, "found no name of the preset (accepted: preset: " SPAN_FMT ")",
			   SPAN_ARG(name));
		return NULL;
	}
	if (!span_eq(own->text, name) && !list_has(tree_get(root, "aliases"), name)) {
		loader_bad(l, own, "found a preset of another name (accepted: " SPAN_FMT ")",
			   SPAN_ARG(name));
		return NULL;
	}
	return own;
}

/* What the machine's own package manager is set up to use */
static bool add_configured(struct loader *l, const struct node *manager, const struct node *read)
{
	const struct extra_host *hosts = NULL;
	char list[ID_MAX + sizeof(":configured")];
	size_t count = 0;

	snprintf(list, sizeof(list), "%s:configured", l->preset);
	if (l->in->configured)
		count = l->in->configured(l->in->arg, (const char *)manager->text.at, &hosts);
	for (size_t i = 0; i < count; i++) {
		enum layer layer = hosts[i].own && l->layer < LAYER_USER ? LAYER_USER : l->layer;
		struct image_rule *rule = &l->item.rule;
		char port[8];

		snprintf(port, sizeof(port), "%u", hosts[i].port);
		l->item = (struct item){ .rule = draft_begin(&l->draft, layer, RULE_ALLOW),
					 .more = MORE_NONE, .at = manager, .index = (unsigned)i };
		rule->file = l->file_text;
		if (!draft_host(&l->draft, rule, span_str(hosts[i].host)) ||
		    rule->form != FORM_EXACT || !draft_port(&l->draft, rule, span_str(port)))
			return loader_bad(l, manager, "found %s:%s in the configuration of %s "
					  "(accepted: host names and ports)", hosts[i].host, port,
					  (const char *)manager->text.at);
		if (!narrow_host(l, NULL, read, list))
			return false;
	}
	return true;
}

/* Some host has requests that read only: then there is a difference to writing */
static bool has_read(const struct node *root)
{
	const struct node *hosts = tree_get(root, "hosts");

	if (tree_get(root, "configured_read"))
		return true;
	for (const struct node *h = hosts && hosts->kind == NODE_LIST ? hosts->first : NULL; h;
	     h = h->next)
		if (h->kind == NODE_MAP && tree_get(h, "read"))
			return true;
	return false;
}

static const struct node *first_variant(const struct node *root)
{
	const struct node *list = tree_get(root, "variants");

	return list && list->kind == NODE_LIST ? list->first : NULL;
}

static struct span variant_name(const struct node *variant)
{
	const struct node *name = variant->kind == NODE_MAP ? tree_get(variant, "variant") : NULL;

	return name && name->kind == NODE_TEXT ? name->text : (struct span){ 0 };
}

static bool check_variant(struct loader *l, const struct node *root, struct span own,
			  const struct spot *spot)
{
	bool writes = has_read(root), known = writes && l->writes;
	struct buf all = buf_new(ERR_TEXT_MAX / 2);

	buf_add_span(&all, own);
	if (writes)
		buf_printf(&all, ", " SPAN_FMT ":write", SPAN_ARG(own));
	for (const struct node *v = first_variant(root); v; v = v->next) {
		struct span name = variant_name(v);

		known = known || span_eq(name, span_str(l->variant));
		if (!writes || !span_eq(name, SPAN("write")))
			buf_printf(&all, ", " SPAN_FMT ":" SPAN_FMT, SPAN_ARG(own), SPAN_ARG(name));
	}
	if (!known && *l->variant)
		spot_bad(spot, l->err, "found the unknown variant " SPAN_FMT ":%s (accepted: " SPAN_FMT
			 ")", SPAN_ARG(own), l->variant, SPAN_ARG(buf_span(&all)));
	buf_done(&all);
	return known || !*l->variant;
}

/* "NAME:VARIANT" of what is being opened */
static void full_name(const struct loader *l, char ret[2 * ID_MAX + 2])
{
	snprintf(ret, 2 * ID_MAX + 2, "%s%s%s", l->preset, *l->variant ? ":" : "", l->variant);
}

static bool preset_read(struct loader *l, struct span text, struct span name,
			const struct spot *spot)
{
	struct node *root = tree_read(l->file, text, &l->arena, l->err);
	const struct node *own, *manager;
	char full[2 * ID_MAX + 2];
	bool base_open;

	if (!root)
		return false;
	own = own_name(l, root, name);
	if (!own)
		return false;
	if (own->text.len > ID_MAX)
		return loader_bad(l, own, "found a name of more than %u bytes (accepted: a shorter one)",
				  ID_MAX);
	l->preset = (const char *)own->text.at;
	full_name(l, full);
	/* another name for one that is open already */
	if (!l->narrow && is_open(l, full))
		return true;
	if (!check_variant(l, root, own->text, spot))
		return false;
	base_open = !l->narrow && is_open(l, l->preset);
	if (!l->narrow) {
		if (!base_open)
			mark_open(l, l->preset);
		if (*l->variant)
			mark_open(l, full);
	}
	/* what was opened for reading is opened once more to write */
	l->shut = base_open && !l->writes;
	if (!schema_read(l, root, IN_PRESET))
		return false;
	if (!tree_get(root, "hosts"))
		return loader_bad(l, root, "found no hosts (accepted: hosts: a list)");
	manager = tree_get(root, "use_configured");
	return !manager || l->shut || add_configured(l, manager, tree_get(root, "configured_read"));
}

/* Split NAME:VARIANT, and find the file.  Return: its text; empty, and l->err, if there is none */
static struct span find_text(struct loader *l, struct span name, const struct spot *spot,
			     char ret_name[ID_MAX + 1], char ret_variant[ID_MAX + 1])
{
	ptrdiff_t colon = span_find(name, ':');
	struct span base = colon < 0 ? name : span_head(name, (size_t)colon);
	struct span variant = colon < 0 ? SPAN("") : span_skip(name, (size_t)colon + 1);
	struct span text = { 0 };

	if (!span_copy(base, ret_name, ID_MAX + 1) || !span_copy(variant, ret_variant, ID_MAX + 1)) {
		spot_bad(spot, l->err, "found a name of more than %u bytes "
			 "(accepted: the name of a preset)", ID_MAX);
		return text;
	}
	if (l->in->preset_text && preset_name_is_good(base) &&
	    (colon < 0 || preset_name_is_good(variant)))
		text = l->in->preset_text(l->in->arg, ret_name);
	if (text.len > FILE_MAX) {
		spot_bad(spot, l->err, "found a preset of more than 64 MB");
		return (struct span){ 0 };
	}
	if (!text.len)
		spot_bad(spot, l->err, "found the unknown preset %s%s%s (accepted: a name that "
			 "`sluice presets` lists)", ret_name, colon < 0 ? "" : ":", ret_variant);
	return text;
}

bool preset_open(struct loader *l, struct span name, const struct spot *spot,
		 const struct narrow *narrow)
{
	char shown[ID_MAX + 1], variant[ID_MAX + 1], file[ID_MAX + sizeof("preset ")];
	const char *old_file = l->file;
	uint32_t old_text = l->file_text;
	struct span text;
	bool ok;

	if (!narrow && span_copy(name, shown, sizeof(shown)) && is_open(l, shown))
		return true;
	text = find_text(l, name, spot, shown, variant);
	if (!text.len)
		return false;
	snprintf(file, sizeof(file), "preset %s", shown);
	l->file = file;
	l->file_text = draft_text(&l->draft, span_str(file));
	l->variant = variant;
	l->writes = !strcmp(variant, "write");
	l->narrow = narrow;
	l->has_repos = l->opened = l->blind = false;
	ok = preset_read(l, text, span_str(shown), spot);
	l->file = old_file;
	l->file_text = old_text;
	l->preset = l->variant = NULL;
	l->narrow = NULL;
	l->shut = l->writes = false;
	return ok;
}

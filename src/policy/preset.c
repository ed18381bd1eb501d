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

static bool is_open(const struct loader *l, struct span name)
{
	const struct span *open = (const void *)l->presets.at;

	for (size_t i = 0; i < l->presets.len / sizeof(*open); i++)
		if (span_eq(open[i], name))
			return true;
	return false;
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
static bool add_configured(struct loader *l, const struct node *manager)
{
	const struct extra_host *hosts = NULL;
	size_t count = 0;

	if (l->in->configured)
		count = l->in->configured(l->in->arg, (const char *)manager->text.at, &hosts);
	for (size_t i = 0; i < count; i++) {
		struct image_rule rule = draft_begin(&l->draft, l->layer, RULE_ALLOW);
		char port[8], id[128];

		snprintf(port, sizeof(port), "%u", hosts[i].port);
		snprintf(id, sizeof(id), "preset:%s:configured[%zu]", l->preset, i);
		if (!draft_host(&l->draft, &rule, span_str(hosts[i].host)) ||
		    rule.form != FORM_EXACT || !draft_port(&l->draft, &rule, span_str(port)))
			return loader_bad(l, manager, "found %s:%s in the configuration of %s "
					  "(accepted: host names and ports)", hosts[i].host, port,
					  (const char *)manager->text.at);
		rule.id = draft_text(&l->draft, span_str(id));
		rule.file = l->file_text;
		draft_add(&l->draft, &rule);
	}
	return true;
}

static bool preset_read(struct loader *l, struct span text, struct span name)
{
	struct node *root = tree_read(l->file, text, &l->arena, l->err);
	const struct node *own, *manager;

	if (!root)
		return false;
	own = own_name(l, root, name);
	if (!own)
		return false;
	/* another name for one that is open already */
	if (is_open(l, own->text))
		return true;
	buf_add(&l->presets, &own->text, sizeof(own->text));
	l->preset = (const char *)own->text.at;
	if (!schema_read(l, root, IN_PRESET))
		return false;
	if (!tree_get(root, "hosts"))
		return loader_bad(l, root, "found no hosts (accepted: hosts: a list)");
	manager = tree_get(root, "use_configured");
	return !manager || add_configured(l, manager);
}

bool preset_open(struct loader *l, struct span name, const struct spot *spot)
{
	char shown[ID_MAX + 1], file[ID_MAX + sizeof("preset ")];
	const char *old_file = l->file;
	uint32_t old_text = l->file_text;
	struct span text = { 0 };
	bool ok;

	if (is_open(l, name))
		return true;
	if (!span_copy(name, shown, sizeof(shown)))
		return spot_bad(spot, l->err, "found a name of more than %u bytes "
				"(accepted: the name of a preset)", ID_MAX);
	if (strchr(shown, ':'))
		return spot_bad(spot, l->err, "found %s, which is not supported yet "
				"(accepted: the name of a preset without what follows ':')", shown);
	if (l->in->preset_text && preset_name_is_good(name))
		text = l->in->preset_text(l->in->arg, shown);
	if (!text.len)
		return spot_bad(spot, l->err, "found the unknown preset %s "
				"(accepted: a name that `sluice presets` lists)", shown);
	if (text.len > FILE_MAX)
		return spot_bad(spot, l->err, "found a preset of more than 64 MB");
	snprintf(file, sizeof(file), "preset %s", shown);
	l->file = file;
	l->file_text = draft_text(&l->draft, span_str(file));
	ok = preset_read(l, text, name);
	l->file = old_file;
	l->file_text = old_text;
	l->preset = NULL;
	return ok;
}

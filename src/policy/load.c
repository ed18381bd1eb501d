/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/loader.h"
#include "policy/schema.h"

#define ARENA_MAX (1u << 30)	/* bytes of the trees of all files together */
#define IDS_MAX (RULES_MAX * sizeof(struct given_id))
#define PRESETS_MAX (4096 * sizeof(uint32_t))	/* there are some 50 */

static bool read_file(struct loader *l, const struct policy_file *file)
{
	struct spot top = { file->path, 1, 1 };
	struct node *root;

	if (file->text.len > FILE_MAX)
		return spot_bad(&top, l->err, "found more than 64 MB (accepted: smaller files)");
	l->file = file->path;
	l->file_text = draft_text(&l->draft, span_str(file->path));
	l->file_mode = MODE_NUM;
	l->default_allow = NULL;
	l->layer = file->layer;
	l->untrusted = file->untrusted;
	l->widest = file->widest;
	l->project = file->project;
	root = tree_read(file->path, file->text, &l->arena, l->err);
	/* without a project, as for lint, a file of approvals holds for none */
	if (!root || !schema_read(l, root, file->project || tree_get(root, "projects") ?
				  IN_APPROVED : IN_FILE))
		return false;
	if (!tree_get(root, "version"))
		return loader_bad(l, root, "found no version (accepted: version: 1)");
	if (l->default_allow && l->file_mode != MODE_MONITOR)
		return loader_bad(l, l->default_allow, "found allow without mode: monitor "
				  "(accepted: " ACCEPTS_DEFAULT ")");
	return true;
}

static int id_order(const void *left, const void *right)
{
	const struct given_id *a = left, *b = right;
	size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
	int order = memcmp(a->text.at, b->text.at, len);

	if (!order)
		order = (a->text.len > b->text.len) - (a->text.len < b->text.len);
	return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* Of two equal ids the later one is wrong, in any file */
static bool check_ids(struct loader *l)
{
	struct given_id *id = (void *)l->ids.at;
	size_t count = l->ids.len / sizeof(*id);

	if (l->ids.full)
		return err_set(l->err, "policy: too many ids, or out of memory");
	if (count < 2)
		return true;
	qsort(id, count, sizeof(*id), id_order);
	for (size_t i = 1; i < count; i++)
		if (span_eq(id[i].text, id[i - 1].text))
			return spot_bad(&id[i].spot, l->err, "found the id " SPAN_FMT
					", which %s:%u:%u has (accepted: each once)",
					SPAN_ARG(id[i].text), id[i - 1].spot.file,
					id[i - 1].spot.line, id[i - 1].spot.column);
	return true;
}

static bool load(struct loader *l)
{
	for (size_t i = 0; i < l->in->file_count; i++)
		if (!read_file(l, &l->in->files[i]))
			return false;
	return flags_read(l) && host_proxy_read(l) && check_ids(l);
}

/* What was found may hold any characters; an error is one line of text all the same */
static void flatten(struct err *err)
{
	for (char *c = err->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

struct policy *policy_load(const struct policy_input *in, struct err *err)
{
	struct loader l = {
		.in = in,
		.arena = arena_new(ARENA_MAX),
		.ids = buf_new(IDS_MAX),
		.presets = buf_new(PRESETS_MAX),
		.err = err,
	};
	struct policy *p = NULL;

	draft_init(&l.draft);
	if (load(&l))
		p = policy_compile(&l.draft, err);
	if (p && in->secrets && !secrets_take(in->secrets, &l.draft)) {
		policy_free(p);
		p = NULL;
		err_set(err, "policy: out of memory");
	}
	if (p && in->proxy_credentials)
		*in->proxy_credentials = TAKE(l.draft.proxy_credentials);
	if (p && in->webhook)
		*in->webhook = TAKE(l.draft.webhook);
	if (!p && err)
		flatten(err);
	draft_done(&l.draft);
	buf_done(&l.presets);
	buf_done(&l.ids);
	arena_done(&l.arena);
	return p;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/learning.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "audit/reader.h"
#include "audit/verify.h"
#include "cli/known.h"
#include "policy/load.h"
#include "policy/tree.h"

#define TREE_BYTES_MAX (256u << 20)	/* the tree of a preset file at its bound */

/* ---- presets ---- */

static struct span preset_text(void *arg, const char *name)
{
	struct err err = { "" };
	struct preset_file *f = preset_store_find(arg, name, &err);

	return f && preset_file_read(f, &err) ? buf_span(&f->text) : (struct span){ 0 };
}

/* One that does not load is none that could be used; whoever names it is told why */
static void add_preset(struct learning *l, const char *name, struct span variant)
{
	char *full = NULL, *names[] = { NULL, NULL };
	const struct policy_input in = {
		.presets = names, .preset_text = preset_text, .arg = &l->store,
	};
	struct err err = { "" };
	struct policy *p;

	if (l->o.preset_count == LEARN_PRESETS_MAX ||
	    asprintf(&full, "%s%s" SPAN_FMT, name, variant.len ? ":" : "", SPAN_ARG(variant)) < 0)
		return;
	names[0] = full;
	p = policy_load(&in, &err);
	if (!p) {
		free(full);
		return;
	}
	l->presets[l->o.preset_count++] = (struct learn_preset){ full, p };
}

static void add_variants(struct learning *l, const char *name, const struct node *root)
{
	const struct node *list = tree_get(root, "variants");
	bool writes = false;

	for (const struct node *v = list && list->kind == NODE_LIST ? list->first : NULL; v; v = v->next) {
		const struct node *n = v->kind == NODE_MAP ? tree_get(v, "variant") : NULL;

		if (!n || n->kind != NODE_TEXT)
			continue;
		writes = writes || span_eq(n->text, SPAN("write"));
		add_preset(l, name, n->text);
	}
	if (!writes)
		add_preset(l, name, SPAN("write"));
}

/* A file of an earlier folder has this name: this one is never found */
static bool is_hidden(const struct preset_store *s, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!strcmp(s->files[i].name, s->files[index].name))
			return true;
	return false;
}

static bool add_presets(struct learning *l, struct err *err)
{
	l->presets = calloc(LEARN_PRESETS_MAX, sizeof(*l->presets));
	if (!l->presets)
		return err_set(err, "out of memory");
	for (size_t i = 0; i < l->store.count; i++) {
		struct arena arena = arena_new(TREE_BYTES_MAX);
		struct preset_file *f = &l->store.files[i];
		const struct node *root = NULL;
		struct err wrong = { "" };

		if (!is_hidden(&l->store, i) && preset_file_read(f, &wrong))
			root = tree_read(f->path, buf_span(&f->text), &arena, &wrong);
		if (root && root->kind == NODE_MAP) {
			add_preset(l, f->name, SPAN(""));
			add_variants(l, f->name, root);
		}
		arena_done(&arena);
	}
	return true;
}

bool learning_open(struct learning *l, struct err *err)
{
	if (getrandom(&l->o.seed, sizeof(l->o.seed), 0) != sizeof(l->o.seed))
		return err_set(err, "no random numbers");
	l->known = known_open(err);
	if (!l->known || !preset_store_open(&l->store, "presets", true, err) || !add_presets(l, err))
		return false;
	l->o.presets = l->presets;
	l->o.shared = known_shared;
	l->o.known = l->known;
	l->learn = learn_new(&l->o);
	return l->learn || err_set(err, "out of memory");
}

void learning_done(struct learning *l)
{
	learn_free(l->learn);
	for (size_t i = 0; i < l->o.preset_count; i++) {
		free((char *)(uintptr_t)l->presets[i].name);
		policy_free((struct policy *)(uintptr_t)l->presets[i].policy);
	}
	free(l->presets);
	preset_store_done(&l->store);
	known_done(l->known);
	*l = (struct learning){ .learn = NULL };
}

/* ---- logs ---- */

/* How many lines of the log may be believed; it is read from its start after that */
static bool verify(struct pieces *pieces, const char *path, const struct public_key *keys, size_t key_count,
		   uint64_t *ret_lines, uint64_t *ret_left, struct err *err)
{
	const struct verify_options o = { .keys = keys, .key_count = key_count };
	struct verify_result r;

	if (pieces_rewind(pieces) < 0)
		return err_set(err, "%s: cannot be verified before it is read (name a file, or say "
			       "--unverified)", path);
	verify_pieces(pieces, &o, &r);
	if (!r.ok)
		return err_set(err, "%s: line %" PRIu64 ": %s (sluice log verify; --key FILE.pub if it "
			       "is somebody else's; --unverified learns from it all the same)", path,
			       r.bad_line, r.why);
	*ret_lines = r.signed_lines;
	*ret_left = r.lines - r.signed_lines;
	return pieces_rewind(pieces) == 0 || err_sys(err, errno, "%s", path);
}

bool learning_take(struct learning *l, const char *path, const struct public_key *keys,
		   size_t key_count, uint64_t *ret_left, struct err *err)
{
	uint64_t lines = UINT64_MAX;
	struct reader r;
	json_t *event;

	*ret_left = 0;
	if (!reader_open(&r, path, err))
		return false;
	if (!keys || verify(&r.pieces, path, keys, key_count, &lines, ret_left, err)) {
		while (lines && (event = reader_next(&r, err))) {
			learn_event(l->learn, event);
			json_decref(event);
			lines--;
		}
	}
	/* what is open at its end belongs to no other log */
	learn_event(l->learn, NULL);
	reader_done(&r);
	return !err->text[0];
}

/* ---- the policy ---- */

bool learning_write(struct learning *l, struct buf *ret_text, struct learn_result *ret_result,
		    struct err *err)
{
	struct policy_file file = { LAYER_POLICY, "the policy that was learnt", { 0 }, false, false };
	const struct policy_input in = {
		.files = &file, .file_count = 1, .preset_text = preset_text, .arg = &l->store,
	};
	char first[HOST_MAX + 16] = "";
	struct policy *p;
	size_t stopped;

	if (!learn_write(l->learn, ret_text, ret_result))
		return err_set(err, "learn: the policy would be longer than 64 MB");
	file.text = buf_span(ret_text);
	p = policy_load(&in, err);
	if (!p)
		return false;
	stopped = learn_stopped(l->learn, p, first);
	policy_free(p);
	return !stopped || err_set(err, "learn: %zu places would still be stopped, %s first (a bug "
				   "in sluice: please report it)", stopped, first);
}

void learning_tell(const struct learn_result *r, const char *file)
{
	fprintf(stderr, "sluice: learnt %" PRIu64 " rules and %" PRIu64 " presets from %" PRIu64
		" connections in %" PRIu64 " sessions%s%s\n", r->rules, r->presets, r->connections,
		r->sessions, file ? "; use it with -p " : "", file ? file : "");
	if (r->review)
		fprintf(stderr, "sluice: %" PRIu64 " more to review stand in it as comments (--all "
			"lets them hold)\n", r->review);
	if (r->private)
		fprintf(stderr, "sluice: %" PRIu64 " of the rules lead to special-purpose addresses\n",
			r->private);
	if (r->left_out)
		fprintf(stderr, "sluice: %" PRIu64 " uses were left out: no rule can name what was "
			"used\n", r->left_out);
	if (r->lost)
		fprintf(stderr, "sluice: %" PRIu64 " uses of more places than the first %u were left "
			"out: the policy is not complete (learn from fewer logs)\n", r->lost,
			LEARN_PLACES_MAX);
}

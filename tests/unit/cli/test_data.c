/* SPDX-License-Identifier: Apache-2.0 */
/* The files of data/: each loads, and no two presets answer to one name */
#include "../unit.h"

#include "cli/file.h"
#include "cli/preset_store.h"
#include "policy/load.h"
#include "policy/tree.h"

#define NAMES_MAX 1024

static struct preset_store store;
static struct arena arena;
static struct node *roots[PRESETS_MAX];
static struct node *sources;

static int setup(void **state)
{
	static struct buf text;
	struct err err = {""};

	(void)state;
	arena = arena_new(64u << 20);
	if (!preset_store_add(&store, DATA_FOLDER "/presets", &err) || !store.count)
		return -1;
	for (size_t i = 0; i < store.count; i++) {
		if (!preset_file_read(&store.files[i], &err))
			return -1;
		roots[i] = tree_read(store.files[i].path, buf_span(&store.files[i].text), &arena,
				     &err);
		if (!roots[i])
			return -1;
	}
	if (file_read(DATA_FOLDER "/sources.yaml", FILE_ANYONES, &text, &err) != FILE_READ)
		return -1;
	sources = tree_read("sources.yaml", buf_span(&text), &arena, &err);
	buf_done(&text);
	return sources ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	preset_store_done(&store);
	return 0;
}

static const struct node *list_of(const struct node *root, const char *key)
{
	const struct node *list = tree_get(root, key);

	return list ? list->first : NULL;
}

static struct span preset_text(void *arg, const char *name)
{
	struct preset_file *f = preset_store_find(&store, name, NULL);

	(void)arg;
	return f ? buf_span(&f->text) : (struct span){0};
}

static void each_preset_is_a_policy(void **state)
{
	(void)state;
	for (size_t i = 0; i < store.count; i++) {
		char *names[] = {store.files[i].name, NULL};
		const struct policy_input in = {.presets = names, .preset_text = preset_text};
		struct err err = {""};
		struct policy *p = policy_load(&in, &err);

		assert_string_equal(err.text, "");
		assert_non_null(p);
		assert_true(policy_rule_count(p) > 0);
		policy_free(p);
	}
}

/* What comes with a repository opens names, and never all */
static void no_project_opens_every_name(void **state)
{
	static const struct {
		enum layer layer;
		const char *want;
	} rows[] = {
		{LAYER_POLICY, ""}, {LAYER_USER, ""},
		{LAYER_PROJECT, "preset nat-filtered:5:11: found every name in what a project file opens"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_file file = {rows[i].layer, "p.yaml", SPAN("version: 1\npresets: [nat-filtered]\n")};
		const struct policy_input in = {.files = &file, .file_count = 1, .preset_text = preset_text};
		struct err err = {""};
		struct policy *p = policy_load(&in, &err);

		if (strncmp(err.text, rows[i].want, strlen(rows[i].want)) || !p != !!*rows[i].want)
			fail_msg("%s", err.text);
		policy_free(p);
	}
}

/* ---- categories ---- */

static struct span category_text(void *arg, const char *name)
{
	struct preset_store *s = arg;

	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->files[i].name, name) && preset_file_read(&s->files[i], NULL))
			return buf_span(&s->files[i].text);
	return (struct span){0};
}

/* A policy that allows what people allow, and denies the category; @allow: more rules */
static struct policy *without(struct preset_store *s, const char *category, const char *allow)
{
	char text[1000];
	struct policy_file file = {LAYER_POLICY, "p.yaml", {0}};
	struct policy_input in = {
		.files = &file, .file_count = 1, .category_text = category_text, .arg = s,
	};
	struct err err = {""};
	struct policy *p;

	snprintf(text, sizeof(text),
		 "version: 1\nallow:\n- host: .openai.com\n- host: .anthropic.com\n"
		 "- host: .arxiv.org\n- host: .google.com\n%sdeny:\n- category: %s\n", allow,
		 category);
	file.text = span_str(text);
	p = policy_load(&in, &err);
	assert_string_equal(err.text, "");
	return p;
}

static enum reason look_up(const struct policy *p, struct span host)
{
	const struct question q = {.about = ABOUT_NAME, .host = host};

	return policy_decide(p, &q).reason;
}

static void open_categories(struct preset_store *s)
{
	struct err err = {""};

	*s = (struct preset_store){0};
	assert_true(preset_store_add(s, DATA_FOLDER "/categories", &err));
	assert_true(s->count >= 17);
}

static void each_category_denies_what_it_names(void **state)
{
	struct preset_store s;
	char name[256];

	(void)state;
	open_categories(&s);
	for (size_t i = 0; i < s.count; i++) {
		struct policy *p = without(&s, s.files[i].name, "");
		const struct node *root = tree_read(s.files[i].path, buf_span(&s.files[i].text),
						    &arena, NULL);
		const char *const keys[] = {"domains", "hosts"};

		assert_non_null(tree_get(root, "description"));
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			for (const struct node *n = list_of(root, keys[k]); n; n = n->next) {
				struct span host = n->text;

				if (span_starts(host, SPAN("*.")))
					host = span_skip(host, 2);
				else
					assert_int_equal(look_up(p, host), REASON_CATEGORY);
				snprintf(name, sizeof(name), "x." SPAN_FMT, SPAN_ARG(host));
				assert_int_equal(look_up(p, span_str(name)), REASON_CATEGORY);
			}
		}
		policy_free(p);
	}
	preset_store_done(&s);
}

static void categories_are_what_people_mean(void **state)
{
	static const struct {
		const char *category, *host;
		enum reason want;
	} rows[] = {
		{"file_sharing", "pastebin.com", REASON_CATEGORY},
		{"file_sharing", "transfer.sh", REASON_CATEGORY},
		{"file_sharing", "api.openai.com", REASON_ALLOWED},
		{"file_sharing", "scholar.google.com", REASON_ALLOWED},
		{"file_sharing", "drive.google.com", REASON_CATEGORY},
		{"file_sharing", "evil-site.com", REASON_NO_RULE},
		{"vpn_proxy", "nordvpn.com", REASON_CATEGORY},
		{"vpn_proxy", "torproject.org", REASON_CATEGORY},
		{"vpn_proxy", "docs.anthropic.com", REASON_ALLOWED},
		{"crypto", "nicehash.com", REASON_CATEGORY},
		{"crypto", "arxiv.org", REASON_ALLOWED},
		{"paste_sites", "transfer.sh", REASON_NO_RULE},
	};
	struct preset_store s;

	(void)state;
	open_categories(&s);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *p = without(&s, rows[i].category, "");

		if (look_up(p, span_str(rows[i].host)) != rows[i].want)
			fail_msg("%s, %s", rows[i].category, rows[i].host);
		policy_free(p);
	}
	preset_store_done(&s);
}

/* What a preset names although a category covers it stays open by its exact rule */
static void presets_count_more_than_categories(void **state)
{
	struct preset_store s;
	char allow[300];
	size_t count = 0;

	(void)state;
	open_categories(&s);
	for (size_t i = 0; i < s.count; i++) {
		const struct node *root;

		category_text(&s, s.files[i].name);
		root = tree_read(s.files[i].path, buf_span(&s.files[i].text), &arena, NULL);
		for (const struct node *n = list_of(root, "preset_overlap"); n; n = n->next) {
			struct span host = tree_get(n, "host")->text;
			struct policy *p = without(&s, s.files[i].name, "");

			assert_int_equal(look_up(p, host), REASON_CATEGORY);
			policy_free(p);
			snprintf(allow, sizeof(allow), "- host: " SPAN_FMT "\n", SPAN_ARG(host));
			p = without(&s, s.files[i].name, allow);
			assert_int_equal(look_up(p, host), REASON_ALLOWED);
			policy_free(p);
			count++;
		}
	}
	assert_true(count > 10);
	preset_store_done(&s);
}

static void a_name_is_one_presets(void **state)
{
	static struct span names[NAMES_MAX];
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < store.count; i++) {
		assert_true(count < NAMES_MAX);
		names[count++] = span_str(store.files[i].name);
		assert_true(span_eq(tree_get(roots[i], "preset")->text, names[count - 1]));
		for (const struct node *n = list_of(roots[i], "aliases"); n; n = n->next) {
			char name[PRESET_NAME_MAX + 1];

			assert_true(count < NAMES_MAX);
			assert_true(span_copy(n->text, name, sizeof(name)) && preset_name_ok(name));
			names[count++] = n->text;
		}
	}
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			assert_false(span_eq(names[i], names[k]));
}

static void what_people_type_is_found(void **state)
{
	static const char *const typed[] = {
		"npm",	     "node",   "yarn",	   "pypi",   "pip",    "python",      "cargo",
		"rust",	     "crates", "go",	   "golang", "github", "gitlab",      "debian",
		"apt",	     "ubuntu", "alpine",   "docker", "maven",  "java",	      "ruby",
		"rubygems",  "php",    "composer", "dotnet", "nuget",  "huggingface", "openai",
		"anthropic", "claude", "gemini",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(typed); i++)
		assert_non_null(preset_store_find(&store, typed[i], NULL));
	assert_null(preset_store_find(&store, "nothing-of-the-kind", NULL));
	assert_null(preset_store_find(&store, "../presets/npm", NULL));
	assert_null(preset_store_find(&store, "", NULL));
}

static void what_a_preset_refers_to_is_there(void **state)
{
	const struct node *known = tree_get(sources, "presets");

	(void)state;
	for (size_t i = 0; i < store.count; i++) {
		for (const struct node *n = list_of(roots[i], "often_with"); n; n = n->next) {
			char name[PRESET_NAME_MAX + 1];

			assert_true(span_copy(n->text, name, sizeof(name)));
			assert_non_null(preset_store_find(&store, name, NULL));
		}
		assert_non_null(list_of(roots[i], "sources"));
		for (const struct node *n = list_of(roots[i], "sources"); n; n = n->next) {
			char word[64];

			assert_true(span_copy(n->text, word, sizeof(word)));
			assert_non_null(tree_get(known, word));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_preset_is_a_policy), cmocka_unit_test(no_project_opens_every_name),
		cmocka_unit_test(each_category_denies_what_it_names),
		cmocka_unit_test(categories_are_what_people_mean),
		cmocka_unit_test(presets_count_more_than_categories),
		cmocka_unit_test(a_name_is_one_presets),
		cmocka_unit_test(what_people_type_is_found),
		cmocka_unit_test(what_a_preset_refers_to_is_there),
	};

	return cmocka_run_group_tests_name("data", tests, setup, teardown);
}

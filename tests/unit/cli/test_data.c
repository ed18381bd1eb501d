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
		cmocka_unit_test(each_preset_is_a_policy),
		cmocka_unit_test(a_name_is_one_presets),
		cmocka_unit_test(what_people_type_is_found),
		cmocka_unit_test(what_a_preset_refers_to_is_there),
	};

	return cmocka_run_group_tests_name("data", tests, setup, teardown);
}

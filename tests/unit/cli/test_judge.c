/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "cli/judge.h"

static char folder[64];

static void write_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	char path[PATH_MAX];

	(void)state;
	strcpy(folder, "/tmp/sluice-test-XXXXXX");
	if (!mkdtemp(folder) || chdir(folder) || setenv("XDG_CONFIG_HOME", folder, 1))
		return -1;
	snprintf(path, sizeof(path), "%s/sluice", folder);
	if (mkdir(path, 0700))
		return -1;
	strcat(path, "/presets.d");
	return mkdir(path, 0700);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return chdir("/") || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static enum answer may_look_up(const struct policy *p, const char *host)
{
	const struct question q = {.about = ABOUT_NAME, .host = span_str(host)};

	return policy_decide(p, &q).answer;
}

static bool has_path(char *const *paths, size_t count, const char *end)
{
	for (size_t i = 0; i < count; i++)
		if (span_ends(span_str(paths[i]), span_str(end)) && paths[i][0] == '/')
			return true;
	return false;
}

/* Options with one -p and one --preset; NULL for none */
static bool judge_with(const char *policy, const char *preset, bool only, struct judged *ret_judged,
		       struct err *err)
{
	char *policies[] = {(char *)(uintptr_t)policy, NULL};
	char *presets[] = {(char *)(uintptr_t)preset, NULL};
	const struct judge_options o = {
		.policies = {policies, policy != NULL},
		.presets = {presets, preset != NULL},
		.only = only,
	};

	*err = (struct err){""};
	*ret_judged = (struct judged){0};
	return judge(&o, ret_judged, err);
}

static void files_of_all_layers_add_up(void **state)
{
	struct judged j;
	struct err err;

	(void)state;
	write_file("sluice/policy.yaml", "version: 1\nallow: [{host: user.example}]\n");
	write_file("p.yaml", "version: 1\nallow: [{host: policy.example}]\n");
	assert_true(judge_with("p.yaml", NULL, false, &j, &err));
	assert_int_equal(may_look_up(j.policy, "user.example"), ANSWER_ALLOW);
	assert_int_equal(may_look_up(j.policy, "policy.example"), ANSWER_ALLOW);
	assert_int_equal(may_look_up(j.policy, "other.example"), ANSWER_DENY);
	assert_true(has_path(j.files, j.file_count, "/p.yaml"));
	assert_true(has_path(j.files, j.file_count, "/sluice/policy.yaml"));
	assert_true(has_path(j.folders, j.folder_count, "/sluice"));
	assert_true(has_path(j.folders, j.folder_count, "/sluice/presets.d"));
	judge_done(&j);
	assert_true(judge_with("p.yaml", NULL, true, &j, &err));
	assert_int_equal(may_look_up(j.policy, "user.example"), ANSWER_DENY);
	assert_int_equal(may_look_up(j.policy, "policy.example"), ANSWER_ALLOW);
	judge_done(&j);
}

static void what_cannot_be_read_is_an_error(void **state)
{
	struct judged j;
	struct err err;

	(void)state;
	assert_false(judge_with("none.yaml", NULL, true, &j, &err));
	assert_string_equal(err.text, "none.yaml: No such file or directory");
	assert_false(judge_with(".", NULL, true, &j, &err));
	assert_string_equal(err.text, ".: not a regular file");
	write_file("bad.yaml", "version: 1\nalow: []\n");
	assert_false(judge_with("bad.yaml", NULL, true, &j, &err));
	assert_non_null(strstr(err.text, "bad.yaml:2:1"));
	write_file("sluice/policy.yaml", "version: 2\n");
	assert_false(judge_with(NULL, NULL, false, &j, &err));
	assert_null(j.policy);
}

static void presets_of_the_user_are_found_by_alias(void **state)
{
	struct judged j;
	struct err err;

	(void)state;
	write_file("sluice/presets.d/corp-tools.yaml",
		   "preset: corp-tools\ntitle: t\ndescription: d\naliases: [corp-alias]\n"
		   "hosts:\n  - host: tools.example\n    ports: [443]\nsources: [x]\n");
	assert_true(judge_with(NULL, "corp-alias", false, &j, &err));
	assert_int_equal(may_look_up(j.policy, "tools.example"), ANSWER_ALLOW);
	assert_true(has_path(j.files, j.file_count, "/presets.d/corp-tools.yaml"));
	judge_done(&j);
	assert_false(judge_with(NULL, "corp-alias", true, &j, &err));
	assert_non_null(strstr(err.text, "corp-alias"));
}

static void a_broken_preset_says_what_is_wrong(void **state)
{
	struct judged j;
	struct err err;
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/sluice/presets.d/fifo.yaml", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(judge_with(NULL, "fifo", false, &j, &err));
	assert_non_null(strstr(err.text, "fifo.yaml: not a regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_of_all_layers_add_up, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(presets_of_the_user_are_found_by_alias, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_broken_preset_says_what_is_wrong, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}

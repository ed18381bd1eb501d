/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "cli/difference.h"
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

static void make_folder(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* Every file that decides is told, by each of its names, and no other */
static void lists_are_read_beside_their_policy(void **state)
{
	struct judged j;
	struct err err;

	(void)state;
	make_folder("sluice/lists");
	make_folder("sluice/categories.d");
	write_file("sluice/categories.d/mine.yaml",
		   "category: mine\nincludes: [taken]\ndomains: [mine.example]\n");
	write_file("sluice/categories.d/taken.yaml", "category: taken\ndomains: [taken.example]\n");
	write_file("sluice/categories.d/unused.yaml", "category: unused\ndomains: [a.example]\n");
	write_file("sluice/lists/ads", "ads.example\n");
	write_file("sluice/p.yaml", "version: 1\nallow: [{host: .example, unsafe_wildcard: true}]\n"
				    "deny: [{host_list: lists/ads}, {category: mine}]\n");
	assert_true(judge_with("sluice/p.yaml", NULL, false, &j, &err));
	assert_int_equal(may_look_up(j.policy, "www.ads.example"), ANSWER_DENY);
	assert_int_equal(may_look_up(j.policy, "www.taken.example"), ANSWER_DENY);
	assert_int_equal(may_look_up(j.policy, "other.example"), ANSWER_ALLOW);
	assert_true(has_path(j.files, j.file_count, "/sluice/lists/ads"));
	assert_true(has_path(j.files, j.file_count, "/categories.d/mine.yaml"));
	assert_true(has_path(j.files, j.file_count, "/categories.d/taken.yaml"));
	assert_false(has_path(j.files, j.file_count, "/categories.d/unused.yaml"));
	assert_true(has_path(j.folders, j.folder_count, "/sluice/categories.d"));
	judge_done(&j);
	/* reached through a link: both are told */
	assert_int_equal(symlink("sluice/lists/ads", "ads-link"), 0);
	write_file("q.yaml", "version: 1\ndeny: [{host_list: ads-link}]\n");
	assert_true(judge_with("q.yaml", NULL, true, &j, &err));
	assert_true(has_path(j.files, j.file_count, "/ads-link"));
	assert_true(has_path(j.files, j.file_count, "/sluice/lists/ads"));
	judge_done(&j);
}

static void what_is_no_list_file_is_an_error(void **state)
{
	static const char *const whats[][2] = {
		{ "none", "none: No such file or directory" }, { ".", ".: not a regular file" },
		{ "fifo", "fifo: not a regular file" }, { "/dev/zero", "/dev/zero: not a regular file" },
		{ "loop", "loop: Too many levels of symbolic links" },
		{ "large", "large: more than 256 MB" }, { "sluice", "sluice: not a regular file" },
		{ "nul", "nul:1:1: found a line of more than 64 KB (accepted: text)" },
		{ "dir/none", "dir/none: No such file or directory" },
	};
	struct judged j;
	struct err err;
	char text[200];

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	write_file("large", "");
	assert_int_equal(truncate("large", (256 << 20) + 1), 0);
	write_file("nul", "");
	assert_int_equal(truncate("nul", 256 << 20), 0);
	for (size_t i = 0; i < ARRAY_SIZE(whats); i++) {
		for (unsigned k = 0; k < 2; k++) {
			snprintf(text, sizeof(text), "version: 1\ndeny: [{%s: %s}]\n",
				 k ? "ip_list" : "host_list", whats[i][0]);
			write_file("p.yaml", text);
			assert_false(judge_with("p.yaml", NULL, true, &j, &err));
			assert_string_equal(err.text, whats[i][1]);
			assert_null(j.policy);
		}
	}
}

/* A repository's link to a file elsewhere is not read */
static void a_projects_lists_are_its_own(void **state)
{
	struct judged j;
	struct err err;
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/repo", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file("outside", "secret of another file\n");
	write_file("repo/ads", "ads.example\n");
	write_file("repo/.sluice.yaml", "version: 1\ndeny: [{host_list: ads}]\n");
	assert_int_equal(chdir("repo"), 0);
	assert_true(judge_with(NULL, NULL, false, &j, &err));
	assert_int_equal(may_look_up(j.policy, "ads.example"), ANSWER_DENY);
	assert_true(has_path(j.files, j.file_count, "/repo/ads"));
	judge_done(&j);
	assert_int_equal(symlink("../outside", "link"), 0);
	write_file("repo/.sluice.yaml", "version: 1\ndeny: [{host_list: link}]\n");
	assert_false(judge_with(NULL, NULL, false, &j, &err));
	assert_non_null(strstr(err.text, "/link: a project's list lies outside of the project"));
	assert_null(strstr(err.text, "secret"));
}

/* Denials made for just those addresses and paths that a comparison asks for hide nothing */
static void what_a_project_opens_is_told_whole(void **state)
{
	static const struct {
		const char *text, *told;	/* NULL: it opens nothing */
	} rows[] = {
		{ "allow: [{host: a.test}]\ndeny: [{host: a.test, paths: ['/*', '/*/*']}]",
		  "a.test:80,443" },
		{ "allow: [{ip: 8.8.0.0/16, ports: [22]}]\ndeny: [{ip_list: base}]",
		  "8.8.0.0/16:22" },
		{ "allow: [{ip: '64:ff9b::/96', ports: [22]}]\ndeny: [{ip: 0.0.0.0}]",
		  "64:ff9b::/96:22" },
		{ "allow: [{host: a.test}]\ndeny: [{host: a.test, expires: 9998-01-01}]",
		  "a.test:80,443" },
		{ "allow: [{host: .a.test}]\ndeny: [{host_list: names}, {host: .a.test}]", NULL },
		{ "allow: [{host: a.test}]\ndeny: [{host: a.test, methods: [GET], ports: [80]},"
		  " {host: a.test, ports: [443]}]", "any other method on a.test:80" },
	};
	const struct judge_options o = { .only = false };
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/repo", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file("repo/base", "8.8.0.0\n");
	write_file("repo/names", "b.a.test\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judged_project j;
		struct difference d;
		struct err err = { "" };
		char text[512];

		snprintf(text, sizeof(text), "version: 1\n%s\n", rows[i].text);
		write_file("repo/.sluice.yaml", text);
		if (!judge_project(&o, path, &j, &err))
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_true(difference_make(&d, j.now, j.trusted, &err));
		assert_int_equal(d.count[CHANGE_OPENS], rows[i].told != NULL);
		if (rows[i].told)
			assert_string_equal(d.lines[CHANGE_OPENS][0], rows[i].told);
		difference_done(&d);
		judge_project_done(&j);
	}
}

/* What is open with a bound is not open already */
static void bounds_that_a_project_lifts_are_told(void **state)
{
	static const struct {
		const char *bound;
		bool told;
	} rows[] = {
		{ "", false }, { ", ports: [80, 443]", false }, { ", expires: 9998-01-01", true },
		{ ", max_request: 1MB", true }, { ", quota: {up: 1MB}", true }, { ", rate: 1/s", true },
		{ ", bandwidth: {up: 1mbit}", true }, { ", websocket: true", false },
	};
	const struct judge_options o = { .only = false };
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/repo", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file("repo/.sluice.yaml", "version: 1\nallow: [{host: a.test}]\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judged_project j;
		struct difference d;
		struct err err = { "" };
		char text[256];

		snprintf(text, sizeof(text), "version: 1\nallow: [{host: a.test%s}]\n", rows[i].bound);
		write_file("sluice/policy.yaml", text);
		if (!judge_project(&o, path, &j, &err))
			fail_msg("%s: %s", rows[i].bound, err.text);
		assert_true(difference_make(&d, j.now, j.trusted, &err));
		if (d.count[CHANGE_OPENS] != rows[i].told)
			fail_msg("%s: %zu", rows[i].bound, d.count[CHANGE_OPENS]);
		difference_done(&d);
		judge_project_done(&j);
	}
}

static void an_unknown_category_tells_which_there_are(void **state)
{
	struct judged j;
	struct err err;

	(void)state;
	write_file("p.yaml", "version: 1\ndeny: [{category: nosuch}]\n");
	make_folder("sluice/categories.d");
	write_file("sluice/categories.d/one.yaml", "category: one\ndomains: [own.example]\n");
	write_file("sluice/categories.d/two.yaml", "category: two\ndomains: [own.example]\n");
	assert_false(judge_with("p.yaml", NULL, false, &j, &err));
	assert_string_equal(err.text, "p.yaml:2:19: found the unknown category nosuch (accepted: "
			    "one, two)");
	write_file("p.yaml", "version: 1\ndeny: [{category: one}]\n");
	assert_true(judge_with("p.yaml", NULL, false, &j, &err));
	judge_done(&j);
	/* the user's own are not there with --only */
	assert_false(judge_with("p.yaml", NULL, true, &j, &err));
	assert_non_null(strstr(err.text, "found the unknown category one"));
	assert_int_equal(mkfifo("sluice/categories.d/pipe.yaml", 0600), 0);
	write_file("p.yaml", "version: 1\ndeny: [{category: pipe}]\n");
	assert_false(judge_with("p.yaml", NULL, false, &j, &err));
	assert_non_null(strstr(err.text, "/categories.d/pipe.yaml: not a regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_of_all_layers_add_up, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(presets_of_the_user_are_found_by_alias, setup,
						teardown),
		cmocka_unit_test_setup_teardown(lists_are_read_beside_their_policy, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_no_list_file_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(a_projects_lists_are_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_project_opens_is_told_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(bounds_that_a_project_lifts_are_told, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_unknown_category_tells_which_there_are, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_broken_preset_says_what_is_wrong, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "cli/project.h"

static char top[64];

static const char *at(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", top, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	static const char *const folders[] = {"", "home", "p", "p/q", "p/q/r", "other"};

	(void)state;
	strcpy(top, "/tmp/sluice-test-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	for (size_t i = 1; i < ARRAY_SIZE(folders); i++)
		if (mkdir(at(folders[i]), 0700))
			return -1;
	return setenv("XDG_STATE_HOME", at("home"), 1) || setenv("XDG_CONFIG_HOME", at("home"), 1) ||
	       setenv("XDG_RUNTIME_DIR", at("home"), 1);
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
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The file found from @folder, "" if none, or the error */
static const char *found(const char *folder)
{
	static char text[PATH_MAX];
	struct err err = {""};
	struct project p;
	bool ok = project_find(&p, at(folder), &err);

	snprintf(text, sizeof(text), "%s", !ok ? err.text : p.found ? p.path : "");
	project_done(&p);
	return text;
}

static void the_nearest_file_upwards_is_the_one(void **state)
{
	(void)state;
	assert_string_equal(found("p/q/r"), "");
	write_file("p/.sluice.yaml", "version: 1\n");
	assert_string_equal(found("p/q/r"), at("p/.sluice.yaml"));
	write_file("p/q/.sluice.yaml", "version: 1\n");
	assert_string_equal(found("p/q/r"), at("p/q/.sluice.yaml"));
	assert_string_equal(found("p"), at("p/.sluice.yaml"));
	assert_string_equal(found("other"), "");
	/* a folder of that name is no file, and not passed over either */
	assert_int_equal(mkdir(at("p/q/r/.sluice.yaml"), 0700), 0);
	assert_non_null(strstr(found("p/q/r"), "not a regular file"));
}

static void links_stay_inside(void **state)
{
	(void)state;
	write_file("other/x.yaml", "version: 1\n");
	write_file("p/q/inside.yaml", "version: 1\n");
	assert_int_equal(symlink("q/inside.yaml", at("p/.sluice.yaml")), 0);
	assert_string_equal(found("p/q/r"), at("p/.sluice.yaml"));
	assert_int_equal(unlink(at("p/.sluice.yaml")), 0);
	assert_int_equal(symlink(at("other/x.yaml"), at("p/.sluice.yaml")), 0);
	assert_non_null(strstr(found("p"), "a link to outside"));
	assert_int_equal(unlink(at("p/.sluice.yaml")), 0);
	assert_int_equal(symlink("../other/x.yaml", at("p/.sluice.yaml")), 0);
	assert_non_null(strstr(found("p/q"), "a link to outside"));
	assert_int_equal(unlink(at("p/.sluice.yaml")), 0);
	/* one that leads nowhere is no absent file */
	assert_int_equal(symlink("nowhere", at("p/.sluice.yaml")), 0);
	assert_non_null(strstr(found("p"), "No such file"));
}

static void own_folders_inside_are_an_error(void **state)
{
	(void)state;
	write_file(".sluice.yaml", "version: 1\n");
	assert_non_null(strstr(found("p"), "inside the project"));
}

static void hash_of(const char *text, char ret[TRUST_HEX])
{
	struct err err = {""};

	if (!project_hash(at("p"), "x", span_str(text), NULL, ret, &err))
		fail_msg("%s", err.text);
}

/* A list that is changed after it was hashed is not what is read */
static void what_was_hashed_holds(void **state)
{
	struct project p;
	struct err err = {""};
	char path[PATH_MAX];

	(void)state;
	write_file("p/.sluice.yaml", "version: 1\ndeny: [{host_list: q/a.hosts}]\n");
	write_file("p/q/a.hosts", "a.test\n");
	if (!project_find(&p, at("p"), &err))
		fail_msg("%s", err.text);
	write_file("p/q/a.hosts", "b.test\n");
	snprintf(path, sizeof(path), "%s", at("p/q/a.hosts"));
	assert_non_null(project_list_of(&p, path));
	assert_true(span_eq(buf_span(project_list_of(&p, path)), SPAN("a.test\n")));
	assert_null(project_list_of(&p, at("p/q/b.hosts")));
	assert_null(project_list_of(&p, "q/a.hosts"));
	project_done(&p);
	assert_int_equal(unlink(at("p/.sluice.yaml")), 0);
}

static void the_hash_covers_the_lists(void **state)
{
	static const char text[] = "version: 1\ndeny:\n  - {host_list: a.hosts}\n"
				   "  - {ip_list: q/b.netset}\n  - {host: x.test}\n";
	char one[TRUST_HEX], two[TRUST_HEX];
	struct err err = {""};

	(void)state;
	assert_false(project_hash(at("p"), "x", span_str(text), NULL, one, &err));
	assert_non_null(strstr(err.text, "a.hosts"));
	write_file("p/a.hosts", "a.test\n");
	write_file("p/q/b.netset", "10.0.0.0/8\n");
	hash_of(text, one);
	assert_int_equal(strlen(one), 64);
	hash_of(text, two);
	assert_string_equal(one, two);
	write_file("p/a.hosts", "b.test\n");
	hash_of(text, two);
	assert_string_not_equal(one, two);
	write_file("p/a.hosts", "a.test\n");
	write_file("p/q/b.netset", "10.0.0.0/9\n");
	hash_of(text, two);
	assert_string_not_equal(one, two);
	/* bytes that move from one file to the other are another whole */
	write_file("p/a.hosts", "a.test\n10.0.0.0/8\n");
	write_file("p/q/b.netset", "");
	hash_of(text, two);
	assert_string_not_equal(one, two);
	hash_of("version: 1\n", two);
	assert_string_not_equal(one, two);
	/* what is no policy names nothing */
	hash_of("- [", two);
	hash_of("deny: [1, {host_list: [x]}, {ip_list: {}}]", two);
	hash_of("[]", two);
}

static enum trust trust_of(const char *folder)
{
	struct err err = {""};
	struct project p;
	enum trust trust;

	assert_true(project_find(&p, at(folder), &err));
	assert_true(p.found);
	trust = p.trust;
	assert_int_equal(p.accepted.len > 0, trust == TRUST_CHANGED);
	project_done(&p);
	return trust;
}

static void trust_is_for_these_bytes_in_this_place(void **state)
{
	struct trust_store store;
	struct err err = {""};
	struct project p;

	(void)state;
	write_file("p/.sluice.yaml", "version: 1\n");
	assert_int_equal(trust_of("p/q"), TRUST_NONE);
	assert_true(project_find(&p, at("p"), &err));
	assert_true(trust_store_change(&store, &err));
	assert_true(trust_store_accept(&store, p.folder, p.sha256, buf_span(&p.text), &err));
	trust_store_done(&store);
	project_done(&p);
	assert_int_equal(trust_of("p/q"), TRUST_HOLDS);
	write_file("other/.sluice.yaml", "version: 1\n");
	assert_int_equal(trust_of("other"), TRUST_NONE);
	write_file("p/.sluice.yaml", "version: 1\n\n");
	assert_int_equal(trust_of("p/q"), TRUST_CHANGED);
	write_file("p/.sluice.yaml", "version: 1\n");
	assert_int_equal(trust_of("p/q"), TRUST_HOLDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_nearest_file_upwards_is_the_one, setup, teardown),
		cmocka_unit_test_setup_teardown(links_stay_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(own_folders_inside_are_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_hashed_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(the_hash_covers_the_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(trust_is_for_these_bytes_in_this_place, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "cli/reread.h"

#define OPEN "version: 1\nallow:\n  - host: a.example\n"
#define OTHER "version: 1\nallow:\n  - host: b.example\n"

static char folder[64];
static char file_name[] = "p.yaml", kept_name[] = "kept/q.yaml";
static struct judge_options options;
static struct judged judged;
static struct reread reread;

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Both files are read; the one is guarded by itself, the other by its folder */
static int begin(void **state)
{
	static char *policies[] = { file_name, kept_name, NULL };
	struct err err = { "" };

	(void)state;
	strcpy(folder, "/tmp/sluice-test-XXXXXX");
	if (!mkdtemp(folder) || chdir(folder) || mkdir("kept", 0700) ||
	    setenv("XDG_CONFIG_HOME", folder, 1))
		return -1;
	write_file(file_name, OPEN);
	write_file(kept_name, "version: 1\n");
	options = (struct judge_options){ .policies = { policies, 2 }, .alone = true };
	if (!judge(&options, &judged, &err) ||
	    !reread_begin(&reread, &options, (const char *const *)judged.folders,
			  judged.folder_count, &err))
		return -1;
	return reread_add(&reread, file_name, &err) && reread_add(&reread, "kept", &err) &&
	       reread_add(&reread, "no-such-file", &err) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	reread_done(&reread);
	judge_done(&judged);
	return chdir("/") || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void check_load(enum loaded want, const char *host, const char *why)
{
	struct question q = { .about = ABOUT_NAME, .host = span_str(host) };
	struct shared_policy s = { 0 };
	struct err err = { "" };

	assert_int_equal(reread_load(&reread, &s, &err), want);
	if (want != LOADED) {
		assert_non_null(strstr(err.text, why));
		assert_null(s.policy);
		return;
	}
	assert_int_equal(policy_decide(s.policy, &q).answer, ANSWER_ALLOW);
	share_done(&s);
}

static void the_file_itself_may_change(void **state)
{
	(void)state;
	check_load(LOADED, "a.example", "");
	write_file(file_name, OTHER);
	check_load(LOADED, "b.example", "");
	write_file(file_name, "version: 1\nallow: x\n");
	check_load(LOADED_BAD, NULL, "p.yaml:2:");
}

static void another_file_of_that_name_may_not(void **state)
{
	(void)state;
	write_file("new.yaml", OTHER);
	assert_int_equal(rename("new.yaml", file_name), 0);
	check_load(LOADED_BAD, NULL, "p.yaml: not the file that was protected");
	/* nor through a link */
	write_file("new.yaml", OTHER);
	assert_int_equal(unlink(file_name), 0);
	assert_int_equal(symlink("new.yaml", file_name), 0);
	check_load(LOADED_BAD, NULL, "not the file that was protected");
}

static void a_number_is_not_used_again(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(unlink(file_name), 0);
		write_file(file_name, OTHER);
		check_load(LOADED_BAD, NULL, "not the file that was protected");
	}
}

static void in_a_guarded_folder_it_may(void **state)
{
	(void)state;
	write_file("kept/new.yaml", OTHER);
	assert_int_equal(rename("kept/new.yaml", kept_name), 0);
	check_load(LOADED, "b.example", "");
	/* but not with a second name elsewhere, and not when the folder is another one */
	assert_int_equal(link(kept_name, "elsewhere.yaml"), 0);
	check_load(LOADED_BAD, NULL, "q.yaml: not the file that was protected");
	assert_int_equal(unlink("elsewhere.yaml"), 0);
	check_load(LOADED, "b.example", "");
	assert_int_equal(rename("kept", "away"), 0);
	assert_int_equal(mkdir("kept", 0700), 0);
	write_file(kept_name, OTHER);
	check_load(LOADED_BAD, NULL, "q.yaml: not the file that was protected");
}

static void a_new_file_is_no_part_of_it(void **state)
{
	(void)state;
	write_file("l.hosts", "x.example\n");
	write_file(file_name, OPEN "deny:\n  - host_list: l.hosts\n");
	check_load(LOADED_BAD, NULL, "l.hosts: not the file that was protected");
}

static void one_that_is_written_is_waited_for(void **state)
{
	int fd = open(file_name, O_WRONLY | O_APPEND | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	check_load(LOADED_BUSY, NULL, "p.yaml: is being written");
	close(fd);
	check_load(LOADED, "a.example", "");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(the_file_itself_may_change),
		TEST(another_file_of_that_name_may_not),
		TEST(a_number_is_not_used_again),
		TEST(in_a_guarded_folder_it_may),
		TEST(a_new_file_is_no_part_of_it),
		TEST(one_that_is_written_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "cli/file.h"
#include "cli/folders.h"

static char folder[64];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/sluice-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
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
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in_folder(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	AUTO_CLOSE int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
}

static enum file_result read_file(const char *name, enum file_trust trust, struct err *err)
{
	struct buf bytes;
	enum file_result result;

	*err = (struct err){ "" };
	result = file_read(in_folder(name), trust, &bytes, err);
	if (result == FILE_READ)
		assert_true(span_eq(buf_span(&bytes), SPAN("text")));
	else
		assert_int_equal(bytes.len, 0);
	buf_done(&bytes);
	return result;
}

static void only_regular_files_are_read(void **state)
{
	AUTO_CLOSE int large = -1;
	struct err err;

	(void)state;
	write_file("plain", "text", 0600);
	assert_int_equal(read_file("plain", FILE_ANYONES, &err), FILE_READ);
	assert_int_equal(read_file("none", FILE_ANYONES, &err), FILE_ABSENT);
	assert_int_equal(symlink("none", in_folder("dangling")), 0);
	assert_int_equal(read_file("dangling", FILE_ANYONES, &err), FILE_FAILED);
	assert_non_null(strstr(err.text, "No such file"));
	assert_int_equal(read_file("dangling", FILE_ROOTS, &err), FILE_ABSENT);
	assert_string_equal(err.text, "");
	assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
	assert_int_equal(read_file("pipe", FILE_ANYONES, &err), FILE_FAILED);
	assert_non_null(strstr(err.text, "not a regular file"));
	assert_int_equal(read_file(".", FILE_ANYONES, &err), FILE_FAILED);
	assert_int_equal(read_file("plain/x", FILE_ANYONES, &err), FILE_FAILED);
	large = open(in_folder("large"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(large, FILE_BYTES_MAX + 1), 0);
	assert_int_equal(read_file("large", FILE_ANYONES, &err), FILE_FAILED);
	assert_non_null(strstr(err.text, "64 MB"));
}

/* A device that a repository's file names does something when it is opened */
static void what_is_not_regular_is_not_even_opened(void **state)
{
	AUTO_CLOSE int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct inotify_event seen[8];
	struct err err;

	(void)state;
	write_file("plain", "text", 0600);
	assert_int_equal(mkfifo(in_folder("pipe2"), 0600), 0);
	assert_true(inotify_add_watch(watch, in_folder("pipe2"), IN_OPEN) >= 0);
	assert_int_equal(read_file("pipe2", FILE_ANYONES, &err), FILE_FAILED);
	assert_int_equal(read(watch, seen, sizeof(seen)), -1);
	assert_true(inotify_add_watch(watch, in_folder("plain"), IN_OPEN) >= 0);
	assert_int_equal(read_file("plain", FILE_ANYONES, &err), FILE_READ);
	assert_true(read(watch, seen, sizeof(seen)) > 0);
}

/* As any other user the file is not root's: absent too */
static void what_others_can_write_is_not_roots(void **state)
{
	bool root = geteuid() == 0;
	struct err err;

	(void)state;
	write_file("mine", "text", 0644);
	assert_int_equal(read_file("mine", FILE_ROOTS, &err), root ? FILE_READ : FILE_ABSENT);
	write_file("group", "text", 0664);
	assert_int_equal(read_file("group", FILE_ROOTS, &err), FILE_ABSENT);
	write_file("all", "text", 0646);
	assert_int_equal(read_file("all", FILE_ROOTS, &err), FILE_ABSENT);
	if (root) {
		assert_int_equal(chown(in_folder("mine"), 12345, 0), 0);
		assert_int_equal(read_file("mine", FILE_ROOTS, &err), FILE_ABSENT);
	}
}

static void a_link_is_there_twice(void **state)
{
	struct path_list l = { 0 };
	struct err err = { "" };
	char target[128], link[128];

	(void)state;
	write_file("target", "text", 0600);
	strcpy(target, in_folder("target"));
	strcpy(link, in_folder("link"));
	assert_int_equal(symlink("target", link), 0);
	assert_true(path_list_add_file(&l, target, &err));
	assert_int_equal(l.count, 1);
	assert_true(path_list_add_file(&l, link, &err));
	assert_int_equal(l.count, 2);
	assert_string_equal(l.at[1], link);
	assert_int_equal(chdir(folder), 0);
	assert_true(path_list_add_file(&l, "target", &err));
	assert_true(path_list_add_file(&l, "link", &err));
	assert_int_equal(l.count, 2);
	assert_false(path_list_add_file(&l, "none", &err));
	assert_int_equal(chdir("/"), 0);
	path_list_done(&l);
}

static void folders_follow_the_variables(void **state)
{
	bool root = geteuid() == 0;
	char path[PATH_MAX];
	struct err err = { "" };

	(void)state;
	setenv("XDG_CONFIG_HOME", "/c", 1);
	assert_true(folder_config(path, &err));
	assert_string_equal(path, "/c/sluice");
	setenv("XDG_CONFIG_HOME", "c", 1);
	setenv("HOME", "/h", 1);
	assert_true(folder_config(path, &err));
	assert_string_equal(path, "/h/.config/sluice");
	unsetenv("XDG_STATE_HOME");
	assert_true(folder_state(path, &err));
	assert_string_equal(path, root ? "/var/lib/sluice" : "/h/.local/state/sluice");
	setenv("XDG_STATE_HOME", "/s", 1);
	assert_true(folder_state(path, &err));
	assert_string_equal(path, "/s/sluice");
	setenv("XDG_RUNTIME_DIR", folder, 1);
	assert_true(folder_run(path, &err));
	assert_string_equal(path, in_folder("sluice"));
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	assert_true(folder_run(path, &err));
	assert_string_equal(path, root ? "/run/sluice" : "/s/sluice/run");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_regular_files_are_read),
		cmocka_unit_test(what_is_not_regular_is_not_even_opened),
		cmocka_unit_test(what_others_can_write_is_not_roots),
		cmocka_unit_test(a_link_is_there_twice),
		cmocka_unit_test(folders_follow_the_variables),
	};

	return cmocka_run_group_tests_name("file", tests, setup, teardown);
}

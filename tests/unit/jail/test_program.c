/* SPDX-License-Identifier: Apache-2.0 */
/* test_program.c - whose programs are started */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "jail/program.h"

struct folder {
	char	path[64];
};

static void file_of(const struct folder *f, enum program p, char ret_path[128])
{
	snprintf(ret_path, 128, "%s/%s", f->path, program_name(p));
}

static int setup(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));
	char path[128];

	assert_non_null(f);
	memcpy(f->path, "/tmp/programs-XXXXXX", sizeof("/tmp/programs-XXXXXX"));
	assert_non_null(mkdtemp(f->path));
	for (enum program p = 0; p < PROGRAM_NUM; p++) {
		file_of(f, p, path);
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct folder *f = *state;
	char path[128];

	for (enum program p = 0; p < PROGRAM_NUM; p++) {
		file_of(f, p, path);
		unlink(path);
	}
	rmdir(f->path);
	free(f);
	return 0;
}

static void expect_refused(const struct folder *f, const char *why)
{
	struct programs p = PROGRAMS_NONE;
	struct err err = { "" };

	assert_false(programs_open(f->path, &p, &err));
	assert_non_null(strstr(err.text, why));
	for (size_t i = 0; i < PROGRAM_NUM; i++)
		assert_int_equal(p.fd[i], -1);
}

static void test_opens(void **state)
{
	struct programs p;
	struct err err = { "" };
	char path[PROGRAM_PATH_MAX];
	struct folder *f = *state;

	assert_true(programs_open(f->path, &p, &err));
	assert_int_equal(access(program_path(p.fd[PROGRAM_GATE], path), X_OK), 0);
	programs_close(&p);
	assert_int_equal(p.fd[PROGRAM_GATE], -1);
}

static void test_absent(void **state)
{
	struct folder *f = *state;
	char path[128];

	file_of(f, PROGRAM_RESOLVER, path);
	unlink(path);
	expect_refused(f, "sluice-resolver: a part of sluice: No such file");
}

static void test_link(void **state)
{
	struct folder *f = *state;
	char path[128];

	file_of(f, PROGRAM_JAIL, path);
	unlink(path);
	assert_int_equal(symlink("/bin/true", path), 0);
	expect_refused(f, "not a program of the owner");
}

static void test_writable_by_others(void **state)
{
	struct folder *f = *state;
	char path[128];

	file_of(f, PROGRAM_GATE, path);
	assert_int_equal(chmod(path, 0757), 0);
	expect_refused(f, "writable by others");
}

static void test_of_another_owner(void **state)
{
	struct folder *f = *state;
	struct stat self;
	char path[128];

	assert_int_equal(stat("/proc/self/exe", &self), 0);
	file_of(f, PROGRAM_GATE, path);
	/* An ordinary user can't give a file away; /bin/true's owner is another than theirs */
	if (geteuid() == 0) {
		assert_int_equal(chown(path, self.st_uid + 1, (gid_t)-1), 0);
	} else {
		unlink(path);
		assert_int_equal(symlink("/bin/true", path), 0);
	}
	expect_refused(f, "not a program of the owner");
}

static void test_mark(void **state)
{
	char other[] = "SLUICE_BUILD=other", *none[] = { NULL }, *wrong[] = { other, NULL };
	char *own = strdup(program_mark), *right[] = { own, NULL };

	(void)state;
	assert_false(program_is_marked(none));
	assert_false(program_is_marked(wrong));
	assert_true(program_is_marked(right));
	free(own);
}

int main(void)
{
#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(test_opens),
		FOLDER_TEST(test_absent),
		FOLDER_TEST(test_link),
		FOLDER_TEST(test_writable_by_others),
		FOLDER_TEST(test_of_another_owner),
		cmocka_unit_test(test_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/place.h"
#include "daemon/litter.h"

static bool is_kept(void *arg, const char *session)
{
	(void)arg;
	return !strcmp(session, "kept");
}

static void make(const char *name, bool old)
{
	const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	if (old)
		assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static void only_what_nobody_has_goes(void **state)
{
	static const char *const stay[] = { "kept-ca.pem", "lives-ca.pem", "young-ca.pem", "-ca.pem", "x.pem" };
	char folder[] = "/tmp/litter-XXXXXX";
	struct err err = { "" };
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	for (size_t i = 0; i < ARRAY_SIZE(stay); i++)
		make(stay[i], strcmp(stay[i], "young-ca.pem") != 0);
	make("gone-ca.pem", true);
	fd = control_listen(folder, "lives", &err);
	assert_true(fd >= 0);
	litter_sweep(folder, is_kept, NULL);
	assert_int_equal(access("gone-ca.pem", F_OK), -1);
	for (size_t i = 0; i < ARRAY_SIZE(stay); i++) {
		assert_int_equal(access(stay[i], F_OK), 0);
		unlink(stay[i]);
	}
	control_remove(folder, "lives");
	close(fd);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(only_what_nobody_has_goes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

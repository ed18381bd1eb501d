/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/place.h"

static char folder[200];

static int make_folder(void **state)
{
	char base[] = "/tmp/sluice-place-XXXXXX";

	(void)state;
	if (!mkdtemp(base))
		return -1;
	/* longer than the address of a socket has room for */
	snprintf(folder, sizeof(folder), "%s/%0150d", base, 0);
	return mkdir(folder, 0700);
}

static int remove_folder(void **state)
{
	char *slash = strrchr(folder, '/');

	(void)state;
	rmdir(folder);
	*slash = '\0';
	return rmdir(folder);
}

static void a_living_one_is_found_and_a_dead_one_replaced(void **state)
{
	struct err err = { "" };
	char path[300];
	struct stat st;
	int fd, other;

	(void)state;
	assert_int_equal(control_connect(folder, "s"), -ENOENT);
	fd = control_listen(folder, "s", &err);
	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "%s/s.sock", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	other = control_connect(folder, "s");
	assert_true(other >= 0);
	close(other);
	assert_int_equal(control_listen(folder, "s", &err), -1);
	assert_non_null(strstr(err.text, "is running"));
	close(fd);
	assert_int_equal(control_connect(folder, "s"), -ECONNREFUSED);
	fd = control_listen(folder, "s", &err);
	assert_true(fd >= 0);
	close(fd);
	control_remove(folder, "s");
	assert_int_equal(control_connect(folder, "s"), -ENOENT);
}

static void names_lead_nowhere_else(void **state)
{
	struct err err = { "" };

	(void)state;
	assert_true(control_connect(folder, "../s") < 0);
	assert_int_equal(control_listen(folder, "a/b", &err), -1);
	assert_int_equal(control_listen("/nonexistent", "s", &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_living_one_is_found_and_a_dead_one_replaced),
		cmocka_unit_test(names_lead_nowhere_else),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

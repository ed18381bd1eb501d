/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>

#include "jail/mounts.h"

static const char table[] =
	"21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	"22 21 0:20 / /proc rw - proc proc rw\n"
	"23 21 8:2 / /home rw - ext4 /dev/sda2 rw\n"
	"24 21 8:2 /u/proj /srv/with\\040space rw - ext4 /dev/sda2 rw\n"
	"25 21 8:2 /u /mnt/u rw master:3 - ext4 /dev/sda2 rw\n"
	"26 21 8:2 /u/proj/state/deep /mnt/deep rw - ext4 /dev/sda2 rw\n"
	"27 21 8:2 /u/projects /mnt/other rw - ext4 /dev/sda2 rw\n";

static int read_text(const char *text, struct mounts *ret)
{
	AUTO_FREE char *copy = strdup(text);
	AUTO_FCLOSE FILE *f = fmemopen(copy, strlen(copy), "r");

	assert_non_null(f);
	return mounts_read(f, ret);
}

struct seen {
	char	names[8][64];
	size_t	count;
};

static void see(void *arg, const char *name)
{
	struct seen *s = arg;

	assert_true(s->count < ARRAY_SIZE(s->names));
	snprintf(s->names[s->count++], sizeof(s->names[0]), "%s", name);
}

static struct seen names_of(const char *path)
{
	struct seen s = { .count = 0 };
	struct mounts m;

	assert_int_equal(read_text(table, &m), 0);
	mounts_names(&m, path, see, &s);
	mounts_done(&m);
	return s;
}

static void test_reads(void **state)
{
	struct mounts m;

	(void)state;
	assert_int_equal(read_text(table, &m), 0);
	assert_int_equal(m.count, 7);
	assert_string_equal(m.at[1].type, "proc");
	assert_string_equal(m.at[3].point, "/srv/with space");
	assert_string_equal(m.at[3].root, "/u/proj");
	assert_int_equal(m.at[3].major, 8);
	assert_int_equal(m.at[3].minor, 2);
	mounts_done(&m);
	assert_int_equal(read_text("21 1 8:1 / / rw\n", &m), -EBADMSG);
	assert_int_equal(read_text("21 1 eight / / rw - ext4 x rw\n", &m), -EBADMSG);
}

static void test_other_names_of_a_file(void **state)
{
	struct seen s = names_of("/home/u/proj/.sluice.yaml");

	(void)state;
	assert_int_equal(s.count, 2);
	assert_string_equal(s.names[0], "/srv/with space/.sluice.yaml");
	assert_string_equal(s.names[1], "/mnt/u/proj/.sluice.yaml");
}

static void test_a_mount_of_a_part_is_a_name_too(void **state)
{
	struct seen s = names_of("/home/u/proj/state");

	(void)state;
	assert_int_equal(s.count, 3);
	assert_string_equal(s.names[0], "/srv/with space/state");
	assert_string_equal(s.names[2], "/mnt/deep");
}

static void test_the_name_of_an_alias_leads_back(void **state)
{
	struct seen s = names_of("/mnt/u/proj/x");

	(void)state;
	assert_int_equal(s.count, 2);
	assert_string_equal(s.names[0], "/home/u/proj/x");
}

static void test_other_file_systems_have_no_part(void **state)
{
	(void)state;
	assert_int_equal(names_of("/etc/sluice").count, 0);
}

static void test_below_is_by_component(void **state)
{
	(void)state;
	assert_string_equal(path_below("/a/b", "/a"), "/b");
	assert_string_equal(path_below("/a", "/a"), "");
	assert_string_equal(path_below("/a", "/"), "/a");
	assert_null(path_below("/ab", "/a"));
	assert_null(path_below("/a", "/a/b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_other_names_of_a_file),
		cmocka_unit_test(test_a_mount_of_a_part_is_a_name_too),
		cmocka_unit_test(test_the_name_of_an_alias_leads_back),
		cmocka_unit_test(test_other_file_systems_have_no_part),
		cmocka_unit_test(test_below_is_by_component),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <stdio.h>

#include "daemon/hostnames.h"

static struct hostnames *names_of(const char *text)
{
	char path[] = "/tmp/hostnames-test-XXXXXX";
	AUTO_CLOSE int fd = mkstemp(path);
	struct err err = { "" };
	struct hostnames *h;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	h = hostnames_read(path, &err);
	unlink(path);
	if (!h)
		fail_msg("%s", err.text);
	return h;
}

static void a_name_has_its_addresses_in_order(void **state)
{
	struct hostnames *h = names_of("10.0.0.2 b.example Alias\n10.0.0.1 B.example\n"
				       "fd00::1 b.example\n127.0.0.1 localhost\n10.9.9.9 bb.example a\n");
	struct addr a[4];
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(hostnames_find(h, "b.example", a, ARRAY_SIZE(a)), 3);
	assert_string_equal(addr_text(&a[0], text), "10.0.0.2");
	assert_string_equal(addr_text(&a[1], text), "10.0.0.1");
	assert_string_equal(addr_text(&a[2], text), "fd00::1");
	assert_int_equal(hostnames_find(h, "b.example", a, 2), 2);
	assert_int_equal(hostnames_find(h, "alias", a, ARRAY_SIZE(a)), 1);
	assert_int_equal(hostnames_find(h, "a", a, ARRAY_SIZE(a)), 1);
	assert_int_equal(hostnames_find(h, "b", a, ARRAY_SIZE(a)), 0);
	assert_int_equal(hostnames_find(h, "b.example.", a, ARRAY_SIZE(a)), 0);
	assert_int_equal(hostnames_find(h, "zz", a, ARRAY_SIZE(a)), 0);
	assert_int_equal(hostnames_find(h, "", a, ARRAY_SIZE(a)), 0);
	hostnames_free(h);
}

static void no_file_and_an_empty_one_know_nothing(void **state)
{
	struct hostnames *h = names_of("");
	struct err err = { "" };
	struct addr a;

	(void)state;
	assert_int_equal(hostnames_find(h, "localhost", &a, 1), 0);
	hostnames_free(h);
	h = hostnames_read("/nowhere/hosts", &err);
	assert_non_null(h);
	assert_int_equal(hostnames_find(h, "localhost", &a, 1), 0);
	hostnames_free(h);
	assert_null(hostnames_read("/", &err));
	assert_true(err.text[0]);
	hostnames_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_its_addresses_in_order),
		cmocka_unit_test(no_file_and_an_empty_one_know_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

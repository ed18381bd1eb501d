/* SPDX-License-Identifier: Apache-2.0 */
#include "export_unit.h"

static void names_are_whole(void **state)
{
	(void)state;
	assert_string_equal(export_find("libvirt-filter")->name, "libvirt-filter");
	assert_null(export_find("libvirt"));
	assert_null(export_find(""));
}

static void each_says_what_it_is(void **state)
{
	(void)state;
	for (const struct export_format *f = export_formats; f->name; f++) {
		assert_ptr_equal(export_find(f->name), f);
		assert_non_null(f->write);
		assert_true(strlen(f->summary) > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_whole), cmocka_unit_test(each_says_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

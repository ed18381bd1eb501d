/* SPDX-License-Identifier: Apache-2.0 */
#include "export_unit.h"

static void filtered_has_its_range_and_no_way_out(void **state)
{
	AUTO_FREE char *text = written("libvirt-network", MODE_FILTERED);

	(void)state;
	assert_int_equal(times(text, "<name>agent-nat-filtered</name>"), 1);
	assert_int_equal(times(text, "<ip address='192.168.101.1' netmask='255.255.255.0'>"), 1);
	assert_int_equal(times(text, "<range start='192.168.101.10' end='192.168.101.254'/>"), 1);
	assert_int_equal(times(text, "<port isolated='yes'/>"), 1);
	assert_int_equal(times(text, "<forward "), 0);
	assert_int_equal(times(text, "<forward/"), 0);
	assert_int_equal(times(text, "<dns "), 0);
}

static void isolated_has_no_dns_either(void **state)
{
	AUTO_FREE char *text = written("libvirt-network", MODE_ISOLATED);

	(void)state;
	assert_int_equal(times(text, "<name>agent-isolated</name>"), 1);
	assert_int_equal(times(text, "<ip address='192.168.100.1' netmask='255.255.255.0'>"), 1);
	assert_int_equal(times(text, "<range start='192.168.100.10' end='192.168.100.254'/>"), 1);
	assert_int_equal(times(text, "<dns enable='no'/>"), 1);
	assert_int_equal(times(text, "<forward "), 0);
	assert_int_equal(times(text, "192.168.101."), 0);
}

static void other_modes_are_refused(void **state)
{
	static const enum mode modes[] = { MODE_INTERNAL, MODE_MONITOR };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		const struct export_request r = { .mode = modes[i] };
		struct buf text = buf_new(EXPORT_TEXT_MAX);
		struct err err = { "" };

		assert_false(export_libvirt_network(&r, &text, &err));
		assert_non_null(strstr(err.text, mode_name(modes[i])));
		assert_int_equal(text.len, 0);
		buf_done(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filtered_has_its_range_and_no_way_out),
		cmocka_unit_test(isolated_has_no_dns_either),
		cmocka_unit_test(other_modes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

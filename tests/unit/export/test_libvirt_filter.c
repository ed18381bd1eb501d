/* SPDX-License-Identifier: Apache-2.0 */
#include "export_unit.h"

#include <stdlib.h>

/* The number behind priority=' of a rule that starts at @at */
static long priority_of(const char *at)
{
	return strtol(strstr(at, "priority='") + strlen("priority='"), NULL, 10);
}

static void first_the_mac_last_nothing(void **state)
{
	AUTO_FREE char *text = written("libvirt-filter", MODE_FILTERED);
	const char *at = strstr(text, "<rule ");
	long before = 0;

	(void)state;
	assert_int_equal(times(text, "<filter name='agent-network-filter' chain='root'>"), 1);
	assert_int_equal(strncmp(at, "<rule action='drop' direction='out'", 35), 0);
	assert_non_null(strstr(at, "<mac match='no' srcmacaddr='$MAC'/>"));
	for (; at; at = strstr(at + 1, "<rule ")) {
		assert_true(priority_of(at) > before);
		before = priority_of(at);
	}
	assert_int_equal(before, 1000);
	assert_int_equal(times(text, "<rule action='drop' direction='inout' priority='1000'/>"), 1);
}

/* What is let out names the sender, but for DHCP that has none; and a host of ours alone */
static void all_that_is_accepted_is_narrow(void **state)
{
	AUTO_FREE char *text = written("libvirt-filter", MODE_FILTERED);
	char *save = NULL;
	size_t out = 0;

	(void)state;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strstr(line, "action='accept'"))
			continue;
		assert_null(strstr(line, "ipv6"));
		assert_true(strstr(line, "192.168.10") || strstr(line, "'0.0.0.0'") ||
			    strstr(line, "arpsrcipaddr='$IP'"));
		if (!strstr(line, "direction='out'"))
			continue;
		out++;
		assert_true(strstr(line, "srcipaddr='$IP'") || strstr(line, "srcipaddr='0.0.0.0'"));
		assert_true(strstr(line, "<arp ") || strstr(line, "dstportstart='53'") ||
			    strstr(line, "dstportstart='67'"));
	}
	assert_int_equal(out, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_the_mac_last_nothing),
		cmocka_unit_test(all_that_is_accepted_is_narrow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "daemon/plugged.h"

static const char fdinfo[] = "pos:\t0\nflags:\t0104002\nmnt_id:\t25\nino:\t134\niff:\tvnet7\n";

static void a_tap_is_told_by_its_fdinfo(void **state)
{
	(void)state;
	assert_true(span_eq(plugged_tap(span_str(fdinfo)), SPAN("vnet7")));
	assert_true(span_eq(plugged_tap(SPAN("iff:\ta")), SPAN("a")));
	assert_int_equal(plugged_tap(SPAN("pos:\t0\nxiff:\tb\niff: c\n")).len, 0);
	assert_int_equal(plugged_tap(SPAN("")).len, 0);
	/* cut anywhere: the name or its beginning, or nothing */
	for (size_t n = 0; n < strlen(fdinfo); n++)
		assert_true(span_starts(SPAN("vnet7"), plugged_tap(span_of(fdinfo, n))));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_tap_is_told_by_its_fdinfo) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

static void names_go_there_and_back(void **state)
{
	(void)state;
	for (enum reason r = 0; r < REASON_NUM; r++)
		assert_int_equal(reason_from_name(span_str(reason_name(r))), r);
	assert_int_equal(reason_from_name(SPAN("no_such")), REASON_NUM);
	assert_int_equal(reason_from_name(SPAN("")), REASON_NUM);
	assert_string_equal(reason_name(REASON_NO_RULE), "no_rule");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(names_go_there_and_back) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

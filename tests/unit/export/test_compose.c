/* SPDX-License-Identifier: Apache-2.0 */
#include "export_unit.h"

static void each_service_has_the_runtime_and_its_modes_network(void **state)
{
	static const struct {
		enum mode	mode;
		size_t		services, none, internal;
	} cases[] = {
		{ MODE_FILTERED, 1, 1, 0 }, { MODE_ISOLATED, 1, 1, 0 }, { MODE_INTERNAL, 2, 0, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *text = written("compose", cases[i].mode);

		assert_int_equal(times(text, "    runtime: sluice\n"), cases[i].services);
		assert_int_equal(times(text, "      SLUICE_POLICY: "), cases[i].services);
		assert_int_equal(times(text, "    network_mode: none\n"), cases[i].none);
		assert_int_equal(times(text, "    networks: [agent-internal]\n"), cases[i].internal);
		assert_int_equal(times(text, "    internal: true\n"), cases[i].internal ? 1 : 0);
		assert_int_equal(times(text, "subnet: 172.28.1.0/24\n"), cases[i].internal ? 1 : 0);
		assert_int_equal(times(text, "privileged") + times(text, "cap_add") + times(text, "ports:"), 0);
	}
}

static void all_of_them_without_a_mode(void **state)
{
	const struct export_request r = { .mode = MODE_FILTERED, .every_mode = true };
	struct buf text = buf_new(EXPORT_TEXT_MAX);
	struct err err = { "" };

	(void)state;
	assert_true(export_compose(&r, &text, &err));
	assert_true(buf_add(&text, "", 1));
	assert_int_equal(times((char *)text.at, "    runtime: sluice\n"), 4);
	buf_done(&text);
}

static void none_that_is_open(void **state)
{
	const struct export_request r = { .mode = MODE_MONITOR };
	struct buf text = buf_new(EXPORT_TEXT_MAX);
	struct err err = { "" };

	(void)state;
	assert_false(export_compose(&r, &text, &err));
	assert_non_null(strstr(err.text, "mode monitor"));
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_service_has_the_runtime_and_its_modes_network),
		cmocka_unit_test(all_of_them_without_a_mode),
		cmocka_unit_test(none_that_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

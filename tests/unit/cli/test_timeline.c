/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "cli/timeline.h"

static const struct timeline_slot one = { 1, 2, 3 };

static uint64_t sum(const struct timeline *t)
{
	uint64_t connections = 0;

	for (size_t i = 0; i < TIMELINE_SLOTS; i++) {
		connections += t->slots[i].connections;
		assert_int_equal(t->slots[i].denied, 2 * t->slots[i].connections);
		assert_int_equal(t->slots[i].bytes, 3 * t->slots[i].connections);
		assert_true(i < t->count || !t->slots[i].connections);
	}
	return connections;
}

static void a_second_each_while_they_fit(void **state)
{
	struct timeline t = { 0 };

	(void)state;
	for (int i = 0; i < TIMELINE_SLOTS; i++)
		timeline_add(&t, 1000 + i, &one);
	assert_int_equal(t.width_s, 1);
	assert_int_equal(t.count, TIMELINE_SLOTS);
	assert_int_equal(t.slots[7].connections, 1);
	timeline_add(&t, 1000 + TIMELINE_SLOTS, &one);
	assert_int_equal(t.width_s, 2);
	assert_int_equal(t.first, 500);
	assert_int_equal(sum(&t), TIMELINE_SLOTS + 1);
}

static void in_any_order_nothing_is_lost(void **state)
{
	static const int64_t times[] = { 1767225600, 1767225000, 1767225601, 1798761600, 5,
					 1767225600, -100000, 1767225600 };
	struct timeline t = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		timeline_add(&t, times[i], &one);
		assert_int_equal(sum(&t), i + 1);
		assert_true(t.count && t.count <= TIMELINE_SLOTS);
	}
	assert_true(t.first * t.width_s <= -100000);
	assert_true((t.first + (int64_t)t.count) * t.width_s > 1798761600);
}

static void the_same_backwards(void **state)
{
	struct timeline forth = { 0 }, back = { 0 };

	(void)state;
	for (int i = 0; i < 5000; i++) {
		timeline_add(&forth, 7 * i, &one);
		timeline_add(&back, 7 * (4999 - i), &one);
	}
	assert_int_equal(sum(&forth), 5000);
	assert_memory_equal(&forth, &back, sizeof(forth));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_each_while_they_fit),
		cmocka_unit_test(in_any_order_nothing_is_lost),
		cmocka_unit_test(the_same_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

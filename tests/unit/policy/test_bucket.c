/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "policy/bucket.h"

#define S 1000000u

static void it_is_full_at_first_and_fills_at_its_rate(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	bucket_set(&b, 1000000, 100000, 5 * S);
	assert_int_equal(bucket_room(&b, 5 * S), 100000);
	bucket_take(&b, 100000);
	assert_int_equal(bucket_room(&b, 5 * S), 0);
	assert_int_equal(bucket_wait_us(&b, 1000, 5 * S), 1000);
	assert_int_equal(bucket_room(&b, 5 * S + 999), 999);
	assert_int_equal(bucket_room(&b, 5 * S + 1000), 1000);
	assert_int_equal(bucket_room(&b, 900 * S), 100000);
}

static void a_debt_is_paid_first(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	bucket_set(&b, 1000000, 100000, 0);
	bucket_take(&b, 150000);
	assert_int_equal(bucket_room(&b, 50000), 0);
	assert_int_equal(bucket_wait_us(&b, 1, 50000), 1);
	assert_int_equal(bucket_room(&b, 50001), 1);
	bucket_take(&b, UINT64_MAX);
	bucket_take(&b, UINT64_MAX);
	assert_int_equal(bucket_room(&b, S), 0);
	bucket_return(&b, UINT64_MAX);
	assert_int_equal(bucket_room(&b, S), 100000);	/* the second of them, and no more than fits */
}

static void no_rate_has_room_for_all(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	bucket_set(&b, AMOUNT_NONE, AMOUNT_NONE, 0);
	bucket_take(&b, 1000);
	assert_true(bucket_room(&b, 0) == UINT64_MAX);
	assert_int_equal(bucket_wait_us(&b, 1000, 0), 0);
}

static void a_burst_is_never_too_small_to_be_met(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	bucket_set(&b, 1250000, 1, 0);
	assert_int_equal(b.burst, 25000);
	b = (struct bucket){ 0 };
	bucket_set(&b, 1, 1, 0);
	assert_int_equal(b.burst, 2048);
	b = (struct bucket){ 0 };
	bucket_set(&b, 1250000, AMOUNT_NONE, 0);
	assert_int_equal(b.burst, 125000);
	b = (struct bucket){ 0 };
	bucket_set(&b, UINT64_MAX - 1, UINT64_MAX - 1, 0);
	bucket_take(&b, UINT64_MAX);
	bucket_take(&b, UINT64_MAX);
	assert_true(bucket_room(&b, 3 * S) >= b.rate_bps);
}

static void a_change_keeps_what_is_in_it(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	bucket_set(&b, 1000000, 100000, 0);
	bucket_take(&b, 100000);
	bucket_set(&b, 2000000, 100000, 0);
	assert_int_equal(bucket_room(&b, 0), 0);
	assert_int_equal(bucket_room(&b, 10), 20);
	bucket_set(&b, 2000000, 100000, S);
	assert_int_equal(bucket_room(&b, S), 100000);
	bucket_set(&b, 200000, 10000, S);
	assert_int_equal(bucket_room(&b, S), 10000);
}

static uint64_t dice(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* In any stretch of time: never more than burst + rate, and if always wanted, not less than the rate */
static void the_rate_holds(void **state)
{
	static const uint64_t rates[] = { 1, 999, 12500, 1250000, 125000000, 12500000000 };
	uint64_t seed = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct bucket b = { 0 };
		uint64_t now = 0, taken = 0;

		bucket_set(&b, rates[i], AMOUNT_NONE, 0);
		while (now < 5 * S) {
			uint64_t room = bucket_room(&b, now), due;

			room = room ? dice(&seed) % (room + 1) : 0;
			bucket_take(&b, room);
			taken += room;
			due = rates[i] * now / S;
			if (taken > due + b.burst)
				fail_msg("%lu B/s: %lu at %lu", rates[i], taken, now);
			now += 1 + dice(&seed) % 3000;
		}
		taken += bucket_room(&b, now);
		assert_true(taken + 1 >= rates[i] * now / S);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_full_at_first_and_fills_at_its_rate),
		cmocka_unit_test(a_debt_is_paid_first),
		cmocka_unit_test(no_rate_has_room_for_all),
		cmocka_unit_test(a_burst_is_never_too_small_to_be_met),
		cmocka_unit_test(a_change_keeps_what_is_in_it),
		cmocka_unit_test(the_rate_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

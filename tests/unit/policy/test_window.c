/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "policy/window.h"

#define S 1000000u

static void the_eleventh_in_any_minute_does_not_pass(void **state)
{
	struct window w = { .size = 0 };

	(void)state;
	window_set(&w, (struct rate){ 10, 60 });
	for (unsigned i = 0; i < 10; i++) {
		assert_true(window_passes(&w, 5 * S + i * S));
		assert_true(window_hit(&w, 5 * S + i * S));
	}
	assert_false(window_passes(&w, 15 * S));
	assert_int_equal(window_wait_us(&w, 15 * S), 50 * S);
	assert_false(window_passes(&w, 65 * S - 1));
	/* it slides: one place for each that is a minute old */
	assert_true(window_passes(&w, 65 * S));
	assert_int_equal(window_wait_us(&w, 65 * S), 0);
	assert_true(window_hit(&w, 65 * S));
	assert_false(window_passes(&w, 65 * S));
	assert_true(window_passes(&w, 66 * S));
	window_done(&w);
}

static void no_rate_passes_all(void **state)
{
	struct window w = { .size = 0 };

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		assert_true(window_passes(&w, i));
		assert_true(window_hit(&w, i));
	}
	assert_int_equal(w.size, 0);
	window_done(&w);
}

static void a_full_window_forgets_its_oldest(void **state)
{
	struct window w = { .size = 0 };

	(void)state;
	window_set(&w, (struct rate){ 2, 1 });
	for (unsigned i = 0; i < 5; i++)
		assert_true(window_hit(&w, i));
	assert_int_equal(w.total, 2);
	assert_int_equal(window_wait_us(&w, 4), S - 1);	/* until the hit at 3 is a second old */
	window_done(&w);
}

static void what_was_counted_stays_when_the_rate_changes(void **state)
{
	struct window w = { .size = 0 };

	(void)state;
	window_set(&w, (struct rate){ 5, 60 });
	for (unsigned i = 0; i < 4; i++)
		assert_true(window_hit(&w, S));
	window_set(&w, (struct rate){ 3, 60 });
	assert_false(window_passes(&w, 2 * S));
	window_set(&w, (struct rate){ 6, 60 });
	assert_true(window_hit(&w, 2 * S));
	assert_true(window_hit(&w, 2 * S));
	assert_false(window_passes(&w, 2 * S));
	window_done(&w);
}

/* xorshift64 */
static uint64_t dice(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Against the plain way: keep the time of every hit that passed, look at all of them */
static void random_hits(struct rate rate, uint64_t step_us, bool exact)
{
	static uint64_t hits[20000];
	struct window w = { .size = 0 };
	uint64_t seed = rate.count * 7919 + rate.per_s, now = 0, span = (uint64_t)rate.per_s * S;
	size_t count = 0;

	window_set(&w, rate);
	for (unsigned i = 0; i < ARRAY_SIZE(hits); i++) {
		size_t within = 0;
		bool passes;

		now += dice(&seed) % step_us;
		for (size_t k = count; k > 0 && now - hits[k - 1] < span; k--)
			within++;
		passes = window_passes(&w, now);
		if (passes && within >= rate.count)
			fail_msg("hit %u at %lu: %zu within the window", i, now, within);
		if (exact && passes != (within < rate.count))
			fail_msg("hit %u at %lu: refused, %zu within the window", i, now, within);
		/* late by a 1/1024 at most */
		if (!passes) {
			for (within = 0; within < count &&
			     now - hits[count - 1 - within] < span + span / 1024; )
				within++;
			assert_true(within >= rate.count);
			continue;
		}
		assert_true(window_hit(&w, now));
		hits[count++] = now;
	}
	assert_true(w.size <= 4 * WINDOW_EXACT);
	window_done(&w);
}

static void never_more_than_the_rate(void **state)
{
	(void)state;
	random_hits((struct rate){ 1, 1 }, 300000, true);
	random_hits((struct rate){ 10, 1 }, 30000, true);
	random_hits((struct rate){ 10, 60 }, 3000000, true);
	random_hits((struct rate){ 1000, 1 }, 500, true);
	random_hits((struct rate){ 1024, 60 }, 20000, true);
	random_hits((struct rate){ 1025, 1 }, 400, false);
	random_hits((struct rate){ 5000, 1 }, 100, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_eleventh_in_any_minute_does_not_pass),
		cmocka_unit_test(no_rate_passes_all),
		cmocka_unit_test(a_full_window_forgets_its_oldest),
		cmocka_unit_test(what_was_counted_stays_when_the_rate_changes),
		cmocka_unit_test(never_more_than_the_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/hash.h"

/* Computed with another SipHash-1-3, its key all zeros */
static void it_is_siphash(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} rows[] = {
		{ "a", 0x407448d2b89b1813 }, { "abcdefg", 0x6db12aae9070f506 },
		{ "abcdefgh", 0x3f7b849c0b8e35ea }, { "the quick brown fox", 0x5a17575ad3449cba },
	};
	const struct seed seed = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_true(hash_span(&seed, span_str(rows[i].text)) == rows[i].hash);
}

static void both_halves_of_the_seed_count(void **state)
{
	const struct seed none = { 0 }, first = { { 1, 0 } }, second = { { 0, 1 } };
	const struct span s = SPAN("a.test");

	(void)state;
	assert_true(hash_span(&none, s) != hash_span(&first, s));
	assert_true(hash_span(&none, s) != hash_span(&second, s));
	assert_true(hash_span(&first, s) != hash_span(&second, s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_siphash),
		cmocka_unit_test(both_halves_of_the_seed_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

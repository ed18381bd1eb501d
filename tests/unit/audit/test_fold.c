/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "audit/fold.h"

static const struct seed seed = { { 1, 2 } };

static struct fold *fresh(void **state)
{
	fold_init(*state, &seed);
	return *state;
}

static int setup(void **state)
{
	*state = malloc(sizeof(struct fold));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void fifty_of_each_reason_pass(void **state)
{
	struct fold *f = fresh(state);

	for (int i = 0; i < FOLD_PER_SECOND; i++) {
		assert_true(fold_denial(f, 10, REASON_NO_RULE, SPAN("a")));
		assert_true(fold_denial(f, 10, REASON_PORT, SPAN("a")));
	}
	assert_true(fold_is_full(f, 10, REASON_NO_RULE));
	assert_false(fold_is_full(f, 11, REASON_NO_RULE));
	assert_false(fold_is_full(f, 10, REASON_PATH));
	assert_false(fold_denial(f, 10, REASON_NO_RULE, SPAN("a")));
	assert_false(fold_denial(f, 10, REASON_PORT, SPAN("a")));
	assert_true(fold_denial(f, 10, REASON_PATH, SPAN("a")));
	assert_false(fold_due(f, 10));
	assert_true(fold_due(f, 11));
	assert_true(fold_due(f, 9));	/* the clock was set back */
}

static void the_rest_is_told_once(void **state)
{
	struct fold *f = fresh(state);
	const struct fold_row *row;
	enum reason reason;
	char host[16];

	for (int i = 0; i < FOLD_PER_SECOND + 20; i++) {
		snprintf(host, sizeof(host), "h%d", i % 60 < 50 ? i : i % 10);
		fold_denial(f, 10, REASON_NO_RULE, span_str(host));
	}
	row = fold_take(f, &reason);
	assert_non_null(row);
	assert_int_equal(reason, REASON_NO_RULE);
	assert_int_equal(row->folded, 20);
	/* i = 50..59 are h0..h9, i = 60..69 are h60..h69 */
	assert_int_equal(row->distinct, 20);
	assert_int_equal(row->sample_count, FOLD_SAMPLE);
	assert_true(span_eq(row->sample[0], SPAN("h0")));
	assert_true(span_eq(row->sample[4], SPAN("h4")));
	fold_clear(f, reason);
	assert_null(fold_take(f, &reason));
	assert_false(fold_due(f, 11));
	for (int i = 0; i < FOLD_PER_SECOND; i++)
		assert_true(fold_denial(f, 11, REASON_NO_RULE, SPAN("h")));
	assert_false(fold_denial(f, 11, REASON_NO_RULE, SPAN("h")));
}

static void the_set_of_hosts_is_bounded(void **state)
{
	struct fold *f = fresh(state);
	const struct fold_row *row;
	enum reason reason;
	char host[HOST_MAX + 50];

	for (int i = 0; i < FOLD_PER_SECOND + 5000; i++) {
		memset(host, 'x', sizeof(host));
		snprintf(host, sizeof(host), "%d", i);
		fold_denial(f, 10, REASON_NO_RULE, span_of(host, sizeof(host)));
		fold_denial(f, 10, REASON_PORT, (struct span){ 0 });
	}
	row = fold_take(f, &reason);
	assert_int_equal(row->folded, 5000);
	assert_int_equal(row->distinct, FOLD_DISTINCT_MAX);
	assert_int_equal(row->sample[0].len, HOST_MAX);
	fold_clear(f, reason);
	row = fold_take(f, &reason);
	assert_int_equal(reason, REASON_PORT);
	assert_int_equal(row->distinct, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fifty_of_each_reason_pass),
		cmocka_unit_test(the_rest_is_told_once),
		cmocka_unit_test(the_set_of_hosts_is_bounded),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

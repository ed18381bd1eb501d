/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/buf.h"

static void the_maximum_holds_and_full_is_sticky(void **state)
{
	struct buf b = buf_new(8);

	(void)state;
	assert_true(buf_add(&b, "12345", 5));
	assert_false(buf_add(&b, "6789", 4));
	assert_true(b.full);
	assert_false(buf_add(&b, "6", 1));
	assert_int_equal(b.len, 5);
	buf_clear(&b);
	assert_true(buf_add(&b, "12345678", 8));
	buf_consume(&b, 3);
	assert_true(span_eq(buf_span(&b), SPAN("45678")));
	buf_done(&b);
}

static void it_grows_and_prints(void **state)
{
	struct buf b = buf_new(100000);

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(buf_printf(&b, "%04d", i));
	assert_int_equal(b.len, 4000);
	assert_true(span_eq(span_skip(buf_span(&b), 3996), SPAN("0999")));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_maximum_holds_and_full_is_sticky),
		cmocka_unit_test(it_grows_and_prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

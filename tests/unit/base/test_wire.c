/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/wire.h"

static void a_spent_reader_stays_spent(void **state)
{
	struct wire w = wire_over(SPAN("\x01\x02\x03"));

	(void)state;
	assert_int_equal(wire_u16(&w), 0x0102);
	assert_int_equal(wire_u16(&w), 0);
	assert_true(w.spent);
	assert_int_equal(wire_u8(&w), 0);
}

static void a_nested_reader_ends_with_its_length(void **state)
{
	struct wire w = wire_over(SPAN("\x02\xaa\xbb\xcc"));
	struct wire sub = wire_sub(&w, wire_u8(&w));

	(void)state;
	assert_int_equal(wire_u24(&sub), 0);
	assert_true(sub.spent);
	assert_false(w.spent);
	assert_int_equal(wire_u8(&w), 0xcc);
}

static void a_writer_never_writes_past_its_room(void **state)
{
	uint8_t room[5] = { 9, 9, 9, 9, 9 };
	struct wire_out out = { room, 0, 4, false };

	(void)state;
	wire_put_u16(&out, 0x0102);
	wire_put_u32(&out, 0x03040506);
	assert_true(out.full);
	assert_int_equal(out.len, 2);
	wire_put_u8(&out, 7);
	assert_int_equal(out.len, 2);
	assert_int_equal(room[4], 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spent_reader_stays_spent),
		cmocka_unit_test(a_nested_reader_ends_with_its_length),
		cmocka_unit_test(a_writer_never_writes_past_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

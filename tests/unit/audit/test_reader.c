/* SPDX-License-Identifier: Apache-2.0 */
#include "desk.h"

#include "audit/reader.h"

static void events_come_one_by_one(void **state)
{
	struct desk *p = *state;
	struct err err = { 0 };
	struct reader r;
	json_t *event;
	unsigned count = 0;

	desk_session(p, 3);
	assert_true(reader_open(&r, p->log, &err));
	while ((event = reader_next(&r, &err))) {
		assert_int_equal(event_uint(event, "seq"), count);
		assert_true(span_eq(event_text(event, "session"), SPAN("s1")));
		if (count == 1) {
			assert_true(span_eq(event_text(event, "event"), SPAN("conn.open")));
			assert_int_equal(event_text(event, "no such key").len, 0);
			assert_int_equal(event_uint(event, "host"), 0);
		}
		json_decref(event);
		count++;
	}
	assert_int_equal(count, 6);
	assert_string_equal(err.text, "");
	assert_false(r.torn);
	reader_done(&r);
}

static void other_lines_are_counted(void **state)
{
	struct desk *p = *state;
	struct err err = { 0 };
	struct reader r;
	json_t *event;
	char path[128];

	snprintf(path, sizeof(path), "%s/x", p->folder);
	desk_write(path, SPAN("[]\n\nnonsense\n{\"seq\":-4,\"event\":7}\n{\"torn"));
	assert_true(reader_open(&r, path, &err));
	event = reader_next(&r, &err);
	assert_non_null(event);
	assert_int_equal(event_uint(event, "seq"), 0);
	assert_int_equal(event_text(event, "event").len, 0);
	json_decref(event);
	assert_null(reader_next(&r, &err));
	assert_int_equal(r.bad, 3);
	assert_true(r.torn);
	assert_string_equal(err.text, "");
	reader_done(&r);
	assert_false(reader_open(&r, p->log, &err));
	assert_non_null(strstr(err.text, "cannot read"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(events_come_one_by_one, desk_make, desk_remove),
		cmocka_unit_test_setup_teardown(other_lines_are_counted, desk_make, desk_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

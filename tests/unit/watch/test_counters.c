/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "watch/counters.h"

static void opens_and_closes(void **state)
{
	struct counters c = { 0 };

	(void)state;
	counters_see(&c, &(struct audit_seen){ AUDIT_OPEN, ANSWER_ALLOW, REASON_ALLOWED });
	counters_see(&c, &(struct audit_seen){ AUDIT_OPEN, ANSWER_ALLOW, REASON_ALLOWED });
	counters_see(&c, &(struct audit_seen){ AUDIT_OPEN, ANSWER_DENY, REASON_PORT });
	counters_see(&c, &(struct audit_seen){ AUDIT_OPEN, ANSWER_DENY, REASON_MALFORMED });
	assert_int_equal(c.connections[PASSED_YES], 2);
	assert_int_equal(c.connections[PASSED_NO], 2);
	assert_int_equal(c.blocked[REASON_PORT], 1);
	assert_int_equal(c.blocked[REASON_MALFORMED], 1);
	assert_int_equal(c.blocked[REASON_ALLOWED], 0);
	assert_int_equal(c.malformed, 1);
	assert_int_equal(c.active, 2);
	counters_see(&c, &(struct audit_seen){ .kind = AUDIT_CLOSE, .bytes_out = 5, .bytes_in = 7 });
	assert_int_equal(c.active, 1);
	assert_int_equal(c.bytes_out, 5);
	assert_int_equal(c.bytes_in, 7);
}

static void sums_stay_at_their_top(void **state)
{
	struct counters c = { 0 };
	struct audit_seen e = { .kind = AUDIT_CLOSE, .bytes_out = UINT64_MAX - 1 };

	(void)state;
	counters_see(&c, &e);
	counters_see(&c, &e);
	assert_true(c.bytes_out == UINT64_MAX);
	assert_int_equal(c.active, 0);		/* nor below nothing */
}

static void names_and_requests(void **state)
{
	static const char *const texts[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
					     "OPTIONS", "CONNECT", "PROPFIND", "get", "", "other" };
	struct counters c = { 0 };

	(void)state;
	counters_see(&c, &(struct audit_seen){ AUDIT_NAME, ANSWER_DENY, REASON_NO_RULE });
	counters_see(&c, &(struct audit_seen){ AUDIT_NAME, ANSWER_ALLOW, REASON_ALLOWED });
	assert_int_equal(c.dns[PASSED_NO], 1);
	assert_int_equal(c.dns[PASSED_YES], 1);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		counters_see(&c, &(struct audit_seen){ AUDIT_REQUEST, ANSWER_ALLOW, REASON_ALLOWED,
						       .text = span_str(texts[i]) });
	counters_see(&c, &(struct audit_seen){ AUDIT_REQUEST, ANSWER_DENY, REASON_METHOD,
					       .text = SPAN("POST") });
	for (enum method m = 0; m < METHOD_OTHER; m++)
		assert_int_equal(c.http[m][PASSED_YES], 1);
	assert_int_equal(c.http[METHOD_OTHER][PASSED_YES], 4);
	assert_int_equal(c.http[METHOD_POST][PASSED_NO], 1);
	assert_int_equal(c.connections[PASSED_NO] + c.connections[PASSED_YES], 0);
}

static void alerts_drops_and_reloads(void **state)
{
	struct counters c = { 0 };

	(void)state;
	for (enum alert a = 0; a < ALERT_NUM; a++)
		counters_see(&c, &(struct audit_seen){ .kind = AUDIT_ALERT,
						       .text = span_str(alert_name(a)) });
	for (enum alert a = 0; a < ALERT_NUM; a++)
		assert_int_equal(c.alerts[a], 1);
	counters_see(&c, &(struct audit_seen){ .kind = AUDIT_DROP, .count = 9 });
	counters_see(&c, &(struct audit_seen){ .kind = AUDIT_RELOAD });
	assert_int_equal(c.dropped, 9);
	assert_int_equal(c.reloads, 1);
}

static void histograms(void **state)
{
	struct histogram h = { 0 };

	(void)state;
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
		assert_true(i == 0 || histogram_bound_us(i) > histogram_bound_us(i - 1));
		histogram_add(&h, histogram_bound_us(i));	/* a bound is in its bucket */
		assert_int_equal(h.count[i], 1);
	}
	histogram_add(&h, histogram_bound_us(HISTOGRAM_BOUNDS - 1) + 1);
	assert_int_equal(h.count[HISTOGRAM_BOUNDS], 1);
	assert_true(h.sum_us > histogram_bound_us(HISTOGRAM_BOUNDS - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_and_closes),
		cmocka_unit_test(sums_stay_at_their_top),
		cmocka_unit_test(names_and_requests),
		cmocka_unit_test(alerts_drops_and_reloads),
		cmocka_unit_test(histograms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

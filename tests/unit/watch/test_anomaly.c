/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "watch/anomaly.h"

#define T0 1000000

static void denials(struct anomaly *a, int64_t at_s, unsigned count)
{
	static const enum audit_kind kinds[] = { AUDIT_NAME, AUDIT_OPEN, AUDIT_REQUEST };

	for (unsigned i = 0; i < count; i++)
		anomaly_see(a, &(struct audit_seen){ kinds[i % 3], ANSWER_DENY, REASON_NO_RULE }, at_s);
}

static unsigned taken(struct anomaly *a, enum alert kind, uint64_t value)
{
	struct anomaly_alert alert;
	unsigned count = 0;

	while (anomaly_take(a, &alert)) {
		assert_int_equal(alert.kind, kind);
		assert_int_equal(alert.value, value);
		assert_int_equal(alert.threshold, value - 1);
		count++;
	}
	return count;
}

static void denied_rate_once_a_crossing(void **state)
{
	struct anomaly a = { .now_s = 0 };

	(void)state;
	denials(&a, T0, ANOMALY_DENIED_MAX);
	assert_int_equal(taken(&a, ALERT_DENIED_RATE, 0), 0);
	denials(&a, T0, 1);
	assert_int_equal(taken(&a, ALERT_DENIED_RATE, ANOMALY_DENIED_MAX + 1), 1);
	denials(&a, T0 + 1, 5000);
	denials(&a, T0 + 70, 1);		/* below it again */
	assert_int_equal(taken(&a, ALERT_DENIED_RATE, 0), 0);
	denials(&a, T0 + 71, ANOMALY_DENIED_MAX);
	assert_int_equal(taken(&a, ALERT_DENIED_RATE, ANOMALY_DENIED_MAX + 1), 1);
}

static void a_second_crossing_within_a_minute_is_quiet(void **state)
{
	struct anomaly a = { .now_s = 0 };

	(void)state;
	denials(&a, T0 - 59, ANOMALY_DENIED_MAX);
	denials(&a, T0, 1);
	assert_int_equal(taken(&a, ALERT_DENIED_RATE, ANOMALY_DENIED_MAX + 1), 1);
	denials(&a, T0 + 2, ANOMALY_DENIED_MAX);	/* most of the first have left: 101 again */
	assert_int_equal(taken(&a, ALERT_DENIED_RATE, 0), 0);
}

static void the_window_slides(void **state)
{
	struct anomaly a = { .now_s = 0 };

	(void)state;
	for (int i = 0; i < 600; i++) {		/* 100 a minute, for ten minutes */
		denials(&a, T0 + i, i % 3 ? 2 : 1);
		assert_int_equal(taken(&a, ALERT_DENIED_RATE, 0), 0);
	}
	denials(&a, T0 + 599, 1);
	assert_int_equal(taken(&a, ALERT_DENIED_RATE, ANOMALY_DENIED_MAX + 1), 1);
	denials(&a, T0 + 100000, 1);		/* a long pause; and a clock that goes back */
	denials(&a, T0, 1);
	assert_int_equal(a.denied_sum, 2);
}

static void what_is_allowed_is_no_denial(void **state)
{
	struct anomaly a = { .now_s = 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		anomaly_see(&a, &(struct audit_seen){ AUDIT_OPEN, ANSWER_ALLOW, REASON_ALLOWED }, T0);
	anomaly_see(&a, &(struct audit_seen){ .kind = AUDIT_CLOSE }, T0);
	assert_int_equal(a.denied_sum, 0);
}

static void names(struct anomaly *a, int64_t at_s, unsigned from, unsigned count)
{
	char name[64];

	for (unsigned i = from; i < from + count; i++) {
		snprintf(name, sizeof(name), "a%xd1b7%xk3p9q2x5%02uz.t.example", i * 7919, i * 31, i % 100);
		assert_true(anomaly_looks_random(span_str(name)));
		anomaly_see(a, &(struct audit_seen){ AUDIT_NAME, ANSWER_ALLOW, REASON_ALLOWED,
						     .text = span_str(name) }, at_s);
	}
}

static void different_random_names(void **state)
{
	struct anomaly a = { .now_s = 0 };

	(void)state;
	names(&a, T0, 0, ANOMALY_NAMES_MAX);
	for (int i = 0; i < 50; i++)		/* the same ones again */
		names(&a, T0 + 1, 0, ANOMALY_NAMES_MAX);
	assert_int_equal(taken(&a, ALERT_DNS_ENTROPY, 0), 0);
	names(&a, T0 + 2, ANOMALY_NAMES_MAX, 1);
	assert_int_equal(taken(&a, ALERT_DNS_ENTROPY, ANOMALY_NAMES_MAX + 1), 1);
	names(&a, T0 + 3, 100, 500);
	assert_int_equal(taken(&a, ALERT_DNS_ENTROPY, 0), 0);
	names(&a, T0 + 200, 1000, ANOMALY_NAMES_MAX);	/* slow enough */
	assert_int_equal(taken(&a, ALERT_DNS_ENTROPY, 0), 0);
	names(&a, T0 + 270, 2000, ANOMALY_NAMES_MAX + 1);
	assert_int_equal(taken(&a, ALERT_DNS_ENTROPY, ANOMALY_NAMES_MAX + 1), 1);
}

static void which_names_look_random(void **state)
{
	static const char *const usual[] = {
		"", ".", "example.com", "registry.npmjs.org", "files.pythonhosted.org",
		"ec2-203-0-113-25.compute-1.amazonaws.com", "www.internationalisation-services.example",
		"a-very-long-host-name-in-words.example", "objects-origin.githubusercontent.com",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", "d111111abcdef8.cloudfront.net",
	};
	static const char *const random[] = {
		"4a7d1ed414474e4033ac29ccb8653d9b.example",	/* hex */
		"x.mfrggzdfmztwq2lknnwg23tpoa3a5b6c.t.example",	/* base32 */
		"q7x2k9p4m1z8v3t6.example",
		"xkqzvjwpfhgtrbnmlcdysaoeiuxkqzvjwpfhgtrbnm.example",	/* no digit, but long */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (anomaly_looks_random(span_str(usual[i])))
			fail_msg("%s", usual[i]);
	for (size_t i = 0; i < ARRAY_SIZE(random); i++)
		if (!anomaly_looks_random(span_str(random[i])))
			fail_msg("%s", random[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denied_rate_once_a_crossing),
		cmocka_unit_test(a_second_crossing_within_a_minute_is_quiet),
		cmocka_unit_test(the_window_slides),
		cmocka_unit_test(what_is_allowed_is_no_denial),
		cmocka_unit_test(different_random_names),
		cmocka_unit_test(which_names_look_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

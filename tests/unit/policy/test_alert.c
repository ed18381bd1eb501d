/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "policy/alert.h"

static void names_are_the_contracts(void **state)
{
	static const char *const names[] = {
		"request_rate", "host_diversity", "large_upload", "upload_total",
		"download_total", "error_rate", "denied_rate", "dns_entropy",
		"placeholder",
	};

	(void)state;
	for (unsigned a = 0; a < ALERT_NUM; a++)
		assert_string_equal(alert_name((enum alert)a), names[a]);
}

static void messages_say_value_bound_and_host(void **state)
{
	struct buf b = buf_new(1000);

	(void)state;
	alert_message(&b, ALERT_REQUEST_RATE, 11, 10, SPAN("a.example"), true);
	assert_true(span_eq(buf_span(&b), SPAN("11 requests in the window, 10 are allowed for "
					       "a.example")));
	buf_clear(&b);
	alert_message(&b, ALERT_UPLOAD_TOTAL, 1000001, 1000000, (struct span){ 0 }, false);
	assert_true(span_eq(buf_span(&b), SPAN("1000001 bytes out of the jail, 1000000 are "
					       "allowed")));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_the_contracts),
		cmocka_unit_test(messages_say_value_bound_and_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

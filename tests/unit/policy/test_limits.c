/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/limits.h"

#define S 1000000u

static const struct seed seed = { { 3, 4 } };

struct desk {
	struct policy	*policy;
	struct limits	*l;
	uint64_t	 now;
	uint32_t	 retry_s;
};

static void open_with(struct desk *d, const char *rules)
{
	*d = (struct desk){ .policy = make(rules), .l = limits_new(&seed), .now = S };
	assert_non_null(d->l);
	assert_true(limits_policy(d->l, d->policy, d->now));
}

static void replace(struct desk *d, const char *rules)
{
	struct policy *old = d->policy;

	d->policy = make(rules);
	assert_true(limits_policy(d->l, d->policy, d->now));
	policy_free(old);
}

static void done(struct desk *d)
{
	limits_free(d->l);
	policy_free(d->policy);
}

static enum reason request(struct desk *d, uint32_t rule, const char *host)
{
	struct limits_request r = { .account = limits_account(d->l, rule), .host = span_str(host),
				    .now_us = d->now };

	return limits_request(d->l, &r, &d->retry_s);
}

static void alerted(struct desk *d, enum alert kind, uint64_t value, uint64_t threshold)
{
	struct limits_alert a;

	assert_true(limits_alert(d->l, &a));
	assert_int_equal(a.kind, kind);
	assert_int_equal(a.value, value);
	assert_int_equal(a.threshold, threshold);
}

static void quiet(struct desk *d)
{
	struct limits_alert a;

	assert_false(limits_alert(d->l, &a));
}

static void a_policy_without_limits_counts_nothing(void **state)
{
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example, max_request: 5}]");
	assert_int_equal(limits_account(d.l, 0), ACCOUNT_NONE);
	assert_int_equal(limits_account(d.l, RULE_NONE), ACCOUNT_NONE);
	assert_false(limits_meters(d.l, ACCOUNT_NONE));
	assert_false(limits_counts(d.l, ACCOUNT_NONE));
	done(&d);
}

static void a_rate_is_the_rules_own(void **state)
{
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example, rate: 2/min, id: a}, {host: b.example}]");
	assert_true(limits_counts(d.l, limits_account(d.l, 0)));
	assert_false(limits_meters(d.l, limits_account(d.l, 0)));
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	d.now += 20 * S;
	assert_int_equal(request(&d, 0, "a.example"), REASON_RATE);
	assert_int_equal(d.retry_s, 40);
	assert_int_equal(request(&d, 1, "b.example"), REASON_ALLOWED);
	d.now += 40 * S;
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	quiet(&d);	/* a rule's own limits are in the records of what they refuse */
	done(&d);
}

static void a_refused_request_uses_nothing(void **state)
{
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example, rate: 1/min}, {host: b.example}]\n"
		      "limits: {requests: 2/min, on_exceed: block}");
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	for (int i = 0; i < 5; i++)
		assert_int_equal(request(&d, 0, "a.example"), REASON_RATE);
	assert_int_equal(request(&d, 1, "b.example"), REASON_ALLOWED);
	assert_int_equal(request(&d, 1, "b.example"), REASON_LIMIT);
	done(&d);
}

static void each_host_has_its_window(void **state)
{
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: '*.example.com'}]\n"
		      "limits: {requests_per_host: 10/min, on_exceed: block}");
	for (int i = 0; i < 10; i++) {
		assert_int_equal(request(&d, 0, "a.example.com"), REASON_ALLOWED);
		assert_int_equal(request(&d, 0, "b.example.com"), REASON_ALLOWED);
	}
	quiet(&d);
	for (int i = 0; i < 3; i++)
		assert_int_equal(request(&d, 0, "a.example.com"), REASON_LIMIT);
	assert_int_equal(d.retry_s, 60);
	alerted(&d, ALERT_REQUEST_RATE, 11, 10);
	quiet(&d);
	assert_int_equal(request(&d, 0, "b.example.com"), REASON_LIMIT);
	alerted(&d, ALERT_REQUEST_RATE, 11, 10);
	assert_int_equal(request(&d, 0, "c.example.com"), REASON_ALLOWED);
	d.now += 60 * S;
	for (int i = 0; i < 10; i++)
		assert_int_equal(request(&d, 0, "a.example.com"), REASON_ALLOWED);
	assert_int_equal(request(&d, 0, "a.example.com"), REASON_LIMIT);
	alerted(&d, ALERT_REQUEST_RATE, 11, 10);	/* crossed again */
	done(&d);
}

/* "the lowest number wins for a limit": of another window it is another limit */
static void rates_of_several_windows_all_hold(void **state)
{
	static const struct policy_file files[] = {
		{ LAYER_SYSTEM, "s.yaml", SPAN("version: 1\nlimits: {requests: 1/s, requests_per_host: 2/min, "
					       "on_exceed: block}\nallow: [{host: .a.example}]") },
		{ LAYER_POLICY, "p.yaml", SPAN("version: 1\nlimits: {requests: [3/h, 9/s], "
					       "requests_per_host: 9/h}") },
	};
	const struct policy_input in = { .files = files, .file_count = 2 };
	struct desk d = { .policy = policy_load(&in, NULL), .l = limits_new(&seed), .now = S };

	(void)state;
	assert_true(d.policy && d.l && limits_policy(d.l, d.policy, d.now));
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	assert_int_equal(request(&d, 0, "b.a.example"), REASON_LIMIT);
	assert_int_equal(d.retry_s, 1);
	alerted(&d, ALERT_REQUEST_RATE, 2, 1);
	d.now += S;
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	d.now += S;
	assert_int_equal(request(&d, 0, "a.example"), REASON_LIMIT);	/* its own two a minute */
	assert_int_equal(d.retry_s, 58);
	alerted(&d, ALERT_REQUEST_RATE, 3, 2);
	assert_int_equal(request(&d, 0, "b.a.example"), REASON_ALLOWED);
	d.now += 100 * S;
	assert_int_equal(request(&d, 0, "b.a.example"), REASON_LIMIT);	/* three an hour */
	assert_int_equal(d.retry_s, 3600 - 102);
	alerted(&d, ALERT_REQUEST_RATE, 4, 3);
	quiet(&d);
	done(&d);
}

static void alert_lets_pass_and_tells_once(void **state)
{
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example}]\nlimits: {requests: 3/s}");
	for (int i = 0; i < 20; i++)
		assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	alerted(&d, ALERT_REQUEST_RATE, 4, 3);
	quiet(&d);
	d.now += 5 * S;		/* crossed again, but too soon to be told of */
	for (int i = 0; i < 20; i++)
		assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	quiet(&d);
	d.now += 60 * S;
	for (int i = 0; i < 20; i++)
		assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	alerted(&d, ALERT_REQUEST_RATE, 4, 3);
	quiet(&d);
	done(&d);
}

static void kill_says_killed(void **state)
{
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example}]\nlimits: {requests: 1/h, on_exceed: kill}");
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	assert_int_equal(request(&d, 0, "a.example"), REASON_KILLED);
	alerted(&d, ALERT_REQUEST_RATE, 2, 1);
	done(&d);
}

static void hosts_are_counted_once(void **state)
{
	char name[40];
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: '*.example.com'}]\n"
		      "limits: {unique_hosts: 40, on_exceed: block}");
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 40; i++) {
			snprintf(name, sizeof(name), "h%d.example.com", i);
			assert_int_equal(request(&d, 0, name), REASON_ALLOWED);
		}
	}
	quiet(&d);
	assert_int_equal(request(&d, 0, "one-more.example.com"), REASON_LIMIT);
	assert_int_equal(request(&d, 0, "another.example.com"), REASON_LIMIT);
	alerted(&d, ALERT_HOST_DIVERSITY, 41, 40);
	quiet(&d);
	assert_int_equal(request(&d, 0, "h7.example.com"), REASON_ALLOWED);
	done(&d);
}

static void many_hosts_come_and_go(void **state)
{
	char name[40];
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: '*.example.com'}]\n"
		      "limits: {requests_per_host: 1/s, on_exceed: block}");
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "h%d.example.com", i);
		assert_int_equal(request(&d, 0, name), REASON_ALLOWED);
		d.now += 100;
	}
	assert_int_equal(request(&d, 0, "h99999.example.com"), REASON_LIMIT);
	done(&d);
}

/* At the bound of the table something is refused, not forgotten */
static void too_many_hosts_at_once_are_refused(void **state)
{
	char name[40];
	struct desk d;
	int passed = 0;

	(void)state;
	open_with(&d, "allow: [{host: '*.example.com'}]\n"
		      "limits: {requests_per_host: 1/h, on_exceed: block}");
	for (int i = 0; i < 200000; i++) {
		snprintf(name, sizeof(name), "h%d.example.com", i);
		passed += request(&d, 0, name) == REASON_ALLOWED;
	}
	assert_int_equal(passed, 65536);
	assert_int_equal(request(&d, 0, "h5.example.com"), REASON_LIMIT);
	done(&d);
}

static void a_quota_is_a_rules_and_counts_each_way(void **state)
{
	struct usage one, two;
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example, quota: {down: 1000, up: 10}, id: a}]");
	one = two = (struct usage){ .account = limits_account(d.l, 0) };
	assert_true(limits_meters(d.l, one.account));
	assert_int_equal(limits_room(d.l, &one, WAY_DOWN), 1000);
	limits_moved(d.l, &one, WAY_DOWN, 999, d.now);
	assert_int_equal(limits_room(d.l, &two, WAY_DOWN), 1);
	assert_int_equal(limits_room(d.l, &two, WAY_UP), 10);
	assert_int_equal(limits_exceeded(d.l, &two, WAY_DOWN, 2, d.now), REASON_QUOTA);
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	limits_moved(d.l, &two, WAY_DOWN, 1, d.now);
	assert_int_equal(limits_room(d.l, &one, WAY_DOWN), 0);
	assert_int_equal(request(&d, 0, "a.example"), REASON_QUOTA);
	limits_returned(d.l, &two, WAY_DOWN, 1);
	assert_int_equal(limits_room(d.l, &one, WAY_DOWN), 1);
	quiet(&d);
	done(&d);
}

static void the_byte_after_the_millionth_is_stopped_and_told_of(void **state)
{
	struct usage u = { .account = ACCOUNT_NONE };
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example}]\nlimits: {upload_total: 1MB, on_exceed: block}");
	limits_moved(d.l, &u, WAY_DOWN, 5000000, d.now);
	assert_int_equal(limits_room(d.l, &u, WAY_UP), 1000000);
	limits_moved(d.l, &u, WAY_UP, 1000000, d.now);
	quiet(&d);
	assert_int_equal(limits_room(d.l, &u, WAY_UP), 0);
	assert_int_equal(limits_exceeded(d.l, &u, WAY_UP, 1, d.now), REASON_LIMIT);
	alerted(&d, ALERT_UPLOAD_TOTAL, 1000001, 1000000);
	assert_int_equal(request(&d, 0, "a.example"), REASON_LIMIT);
	quiet(&d);
	done(&d);
}

static void totals_that_alert_stop_nothing(void **state)
{
	struct usage u = { .account = ACCOUNT_NONE };
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example}]\n"
		      "limits: {upload_total: 100, download_total: 50, on_exceed: alert}");
	assert_true(limits_room(d.l, &u, WAY_UP) == UINT64_MAX);
	limits_moved(d.l, &u, WAY_UP, 100, d.now);
	quiet(&d);
	limits_moved(d.l, &u, WAY_UP, 7, d.now);
	alerted(&d, ALERT_UPLOAD_TOTAL, 107, 100);
	limits_moved(d.l, &u, WAY_UP, 700, d.now);
	quiet(&d);
	limits_moved(d.l, &u, WAY_DOWN, 60, d.now);
	alerted(&d, ALERT_DOWNLOAD_TOTAL, 60, 50);
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	done(&d);
}

static void an_unseen_connection_is_one_upload(void **state)
{
	struct usage one = { .account = ACCOUNT_NONE, .whole = true }, seen = one;
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example}]\n"
		      "limits: {upload_per_request: 100, on_exceed: block}");
	seen.whole = false;
	assert_true(limits_room(d.l, &seen, WAY_UP) == UINT64_MAX);
	assert_int_equal(limits_room(d.l, &one, WAY_UP), 100);
	limits_moved(d.l, &one, WAY_UP, 100, d.now);
	assert_int_equal(limits_room(d.l, &one, WAY_UP), 0);
	assert_int_equal(limits_exceeded(d.l, &one, WAY_UP, 1, d.now), REASON_LIMIT);
	alerted(&d, ALERT_LARGE_UPLOAD, 101, 100);
	assert_int_equal(limits_body_room(d.l), 100);
	assert_int_equal(limits_body(d.l, 0, 100, d.now), REASON_ALLOWED);
	assert_int_equal(limits_body(d.l, 100, 101, d.now), REASON_LIMIT);
	done(&d);
}

static void a_body_is_judged_by_what_is_said_of_it(void **state)
{
	struct limits_request r = { .account = ACCOUNT_NONE, .host = SPAN("a.example"),
				    .body_bytes = 101, .now_us = S };
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example}]\n"
		      "limits: {upload_per_request: 100, on_exceed: block}");
	assert_int_equal(limits_request(d.l, &r, &d.retry_s), REASON_LIMIT);
	alerted(&d, ALERT_LARGE_UPLOAD, 101, 100);
	r.body_bytes = 100;
	assert_int_equal(limits_request(d.l, &r, &d.retry_s), REASON_ALLOWED);
	quiet(&d);
	done(&d);
}

static void errors_of_the_last_twenty(void **state)
{
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example}]\nlimits: {error_rate: 30%, on_exceed: block}");
	for (int i = 0; i < 5; i++)
		limits_outcome(d.l, true, d.now);
	quiet(&d);		/* five say nothing yet */
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	limits_outcome(d.l, true, d.now);
	alerted(&d, ALERT_ERROR_RATE, 100, 30);
	assert_int_equal(request(&d, 0, "a.example"), REASON_LIMIT);
	assert_int_equal(d.retry_s, 60);
	d.now += 60 * S;	/* a new start */
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	for (int i = 0; i < 40; i++)
		limits_outcome(d.l, i % 10 > 6, d.now);		/* just 30 of a hundred */
	quiet(&d);
	limits_outcome(d.l, true, d.now);
	alerted(&d, ALERT_ERROR_RATE, 35, 30);
	done(&d);
}

/* By the id, whatever its place */
static void what_was_used_survives_a_new_policy(void **state)
{
	struct usage u;
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example, quota: {up: 100}, rate: 2/h, id: mine}]\n"
		      "limits: {upload_total: 1000, on_exceed: block}");
	u = (struct usage){ .account = limits_account(d.l, 0) };
	assert_int_equal(request(&d, 0, "a.example"), REASON_ALLOWED);
	limits_moved(d.l, &u, WAY_UP, 60, d.now);
	replace(&d, "allow: [{host: b.example}, {host: a.example, quota: {up: 50}, rate: 1/h, id: mine}]\n"
		    "limits: {upload_total: 60, on_exceed: block}");
	assert_int_equal(limits_account(d.l, 1), u.account);
	assert_int_equal(limits_room(d.l, &u, WAY_UP), 0);
	assert_int_equal(request(&d, 1, "a.example"), REASON_RATE);
	replace(&d, "allow: [{host: a.example, id: other}]");
	assert_true(limits_room(d.l, &u, WAY_UP) == UINT64_MAX);
	assert_int_equal(limits_account(d.l, 0), ACCOUNT_NONE);
	replace(&d, "allow: [{host: a.example, quota: {up: 100}, id: mine}]");
	assert_int_equal(limits_room(d.l, &u, WAY_UP), 40);
	done(&d);
}

static void bandwidth_is_a_rules(void **state)
{
	struct bucket *up, *down;
	struct desk d;

	(void)state;
	open_with(&d, "allow: [{host: a.example, bandwidth: {down: 10mbit, burst: 1MB}}]");
	down = limits_bucket(d.l, limits_account(d.l, 0), WAY_DOWN);
	up = limits_bucket(d.l, limits_account(d.l, 0), WAY_UP);
	assert_null(up);
	assert_non_null(down);
	assert_int_equal(down->rate_bps, 1250000);
	assert_int_equal(bucket_room(down, d.now), 1000000);
	assert_null(limits_bucket(d.l, ACCOUNT_NONE, WAY_DOWN));
	done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_without_limits_counts_nothing),
		cmocka_unit_test(a_rate_is_the_rules_own),
		cmocka_unit_test(a_refused_request_uses_nothing),
		cmocka_unit_test(each_host_has_its_window),
		cmocka_unit_test(rates_of_several_windows_all_hold),
		cmocka_unit_test(alert_lets_pass_and_tells_once),
		cmocka_unit_test(kill_says_killed),
		cmocka_unit_test(hosts_are_counted_once),
		cmocka_unit_test(many_hosts_come_and_go),
		cmocka_unit_test(too_many_hosts_at_once_are_refused),
		cmocka_unit_test(a_quota_is_a_rules_and_counts_each_way),
		cmocka_unit_test(the_byte_after_the_millionth_is_stopped_and_told_of),
		cmocka_unit_test(totals_that_alert_stop_nothing),
		cmocka_unit_test(an_unseen_connection_is_one_upload),
		cmocka_unit_test(a_body_is_judged_by_what_is_said_of_it),
		cmocka_unit_test(errors_of_the_last_twenty),
		cmocka_unit_test(what_was_used_survives_a_new_policy),
		cmocka_unit_test(bandwidth_is_a_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

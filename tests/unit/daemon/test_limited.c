/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "desk.h"
#include "policy/alert.h"

static struct talk_ask ask_of(struct addr a, enum reason limited)
{
	return (struct talk_ask){ .addr = a, .port = 22, .transport = TRANSPORT_TCP,
				  .door = DOOR_JAIL, .limited = (uint8_t)limited };
}

static void ask(struct desk *d, enum gate_says what, const struct talk_ask *a)
{
	desk_say(d, what, 7, a, sizeof(*a), (struct span){ 0 });
}

static void what_is_beyond_a_limit_is_denied_for_it(void **state)
{
	static const enum reason reasons[] = { REASON_RATE, REASON_QUOTA, REASON_REQUEST_SIZE,
					       REASON_LIMIT, REASON_KILLED };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		const struct answer_seen *answer;
		struct talk_ask a;
		struct desk d;
		char text[80];

		desk_open(&d);
		a = ask_of(desk_bind(&d), reasons[i]);
		ask(&d, GATE_ASK, &a);
		answer = desk_answer(&d);
		assert_non_null(answer);
		assert_int_equal(answer->type, KEEPER_DENY);
		assert_int_equal(answer->deny.reason, reasons[i]);
		assert_int_equal(d.dial_count, 0);
		snprintf(text, sizeof(text), "\"verdict\":\"deny\",\"reason\":\"%s\"",
			 reason_name(reasons[i]));
		assert_int_equal(desk_count(&d, "conn.open", text), 1);
		desk_done(&d);
	}
}

/* Only what a rule allows: a limit is no way to change another refusal */
static void other_refusals_stand(void **state)
{
	const struct answer_seen *answer;
	struct talk_ask a;
	struct desk d;

	(void)state;
	desk_open(&d);
	a = ask_of(desk_bind(&d), REASON_QUOTA);
	a.port = 9;
	ask(&d, GATE_ASK, &a);
	answer = desk_answer(&d);
	assert_non_null(answer);
	assert_int_equal(answer->deny.reason, REASON_PORT);
	desk_done(&d);
}

static void a_request_of_an_open_connection_is_denied_too(void **state)
{
	const struct answer_seen *answer;
	struct talk_closed closed = { .end = END_LIMIT, .reason = REASON_RATE };
	struct talk_ask a;
	struct desk d;

	(void)state;
	desk_open(&d);
	a = ask_of(desk_bind(&d), REASON_ALLOWED);
	ask(&d, GATE_ASK, &a);
	answer = desk_answer(&d);
	assert_int_equal(answer->type, KEEPER_ALLOW);
	close(answer->fd);
	a.limited = REASON_RATE;
	ask(&d, GATE_ASK_AGAIN, &a);
	answer = desk_answer(&d);
	assert_int_equal(answer->type, KEEPER_DENY);
	assert_int_equal(answer->deny.status, 429);
	desk_say(&d, GATE_CLOSED, 7, &closed, sizeof(closed), (struct span){ 0 });
	assert_int_equal(desk_count(&d, "conn.close", "\"end\":\"limit\",\"reason\":\"rate\""), 1);
	desk_done(&d);
}

static void another_reason_ends_the_gate(void **state)
{
	struct talk_ask a;
	struct desk d;

	(void)state;
	desk_open(&d);
	a = ask_of(desk_bind(&d), REASON_UPSTREAM_FAILED);
	ask(&d, GATE_ASK, &a);
	assert_non_null(d.closed);
	desk_done(&d);
	desk_open(&d);
	a = ask_of(desk_bind(&d), REASON_NUM);
	ask(&d, GATE_ASK, &a);
	assert_non_null(d.closed);
	desk_done(&d);
}

static void killed(void *arg, const char *why)
{
	assert_non_null(strstr(why, "limit reached"));
	++*(int *)arg;
}

static void alert(struct desk *d, uint8_t kind, struct span host)
{
	struct talk_alert a = { .value = 11, .threshold = 10, .kind = kind, .per_host = 1 };

	desk_say(d, GATE_ALERT, 0, &a, sizeof(a), host);
}

static void alerts_are_recorded_and_kill_only_where_the_policy_says(void **state)
{
	struct desk d;
	int kills = 0;

	(void)state;
	desk_open(&d);
	d.k.on_kill = killed;
	d.k.arg = &kills;
	alert(&d, ALERT_REQUEST_RATE, SPAN(DESK_HOST));
	assert_int_equal(desk_count(&d, "alert", "\"kind\":\"request_rate\",\"value\":11,\"threshold\":10,"
		"\"message\":\"11 requests in the window, 10 are allowed for " DESK_HOST "\""), 1);
	assert_int_equal(audit_totals(d.k.audit)->alerts, 1);
	assert_int_equal(kills, 0);
	d.k.arg = &d;
	desk_done(&d);
}

static void what_no_alert_can_be_ends_the_gate(void **state)
{
	static const struct span hosts[] = { SPAN("a\nb"), SPAN("\x1b[31m"), SPAN("a..b") };
	struct desk d;

	(void)state;
	desk_open(&d);
	alert(&d, ALERT_NUM, (struct span){ 0 });
	assert_non_null(d.closed);
	desk_done(&d);
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		desk_open(&d);
		alert(&d, ALERT_REQUEST_RATE, hosts[i]);
		assert_non_null(d.closed);
		desk_done(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_beyond_a_limit_is_denied_for_it),
		cmocka_unit_test(other_refusals_stand),
		cmocka_unit_test(a_request_of_an_open_connection_is_denied_too),
		cmocka_unit_test(another_reason_ends_the_gate),
		cmocka_unit_test(alerts_are_recorded_and_kill_only_where_the_policy_says),
		cmocka_unit_test(what_no_alert_can_be_ends_the_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "policy/approval.h"

#define WAIT_MS 30000

static struct approvals *a;
static const struct approval_about plain = { .why = REASON_NO_RULE };

static int begin(void **state)
{
	(void)state;
	a = approvals_new(WAIT_MS);
	return a ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	approvals_free(a);
	return 0;
}

/* A connection asks.  Return: the question's number, or 0 */
static uint32_t wants(const char *host, uint16_t port, int64_t now_ms)
{
	struct approval_question *q;
	enum asking r = approvals_ask(a, span_str(host), port, TRANSPORT_TCP, &plain, true, now_ms, &q);

	return r == ASKED || r == ASKED_MERGED ? q->number : 0;
}

static enum standing stands(const char *host, uint16_t port, int64_t now_ms)
{
	return approvals_standing(a, span_str(host), port, TRANSPORT_TCP, now_ms);
}

static void said(uint32_t number, enum decision d, enum scope s)
{
	bool paused;

	assert_true(approvals_take(a, number, d, s, 0, 1000, &paused));
	assert_false(paused);
}

static void the_same_is_merged(void **state)
{
	uint32_t n = wants("a.example", 443, 0);

	(void)state;
	assert_int_equal(n, 1);
	assert_int_equal(wants("a.example", 443, 5), n);
	assert_int_equal(approvals_find(a, n)->waiting, 2);
	assert_int_equal(wants("a.example", 80, 5), 2);
	assert_int_equal(wants("b.example", 443, 5), 3);
	assert_int_equal(approvals_count(a), 3);
	assert_string_equal(approvals_at(a, 2)->host, "b.example");
	assert_null(approvals_at(a, 3));
}

static void once_is_kept_nowhere(void **state)
{
	(void)state;
	said(wants("a.example", 443, 0), DECISION_APPROVED, SCOPE_ONCE);
	assert_int_equal(stands("a.example", 443, 1), STANDING_OPEN);
	assert_int_equal(approvals_count(a), 0);
}

static void session_is_of_that_port(void **state)
{
	(void)state;
	said(wants("a.example", 443, 0), DECISION_APPROVED, SCOPE_SESSION);
	assert_int_equal(stands("a.example", 443, INT64_MAX - 1), STANDING_APPROVED);
	assert_int_equal(stands("a.example", 0, 1), STANDING_APPROVED);
	assert_int_equal(stands("a.example", 80, 1), STANDING_OPEN);
	assert_int_equal(stands("b.a.example", 443, 1), STANDING_OPEN);
	assert_int_equal(approvals_standing(a, SPAN("a.example"), 443, TRANSPORT_UDP, 1),
			 STANDING_OPEN);
}

static void a_time_ends(void **state)
{
	(void)state;
	said(wants("a.example", 443, 0), DECISION_APPROVED, SCOPE_TIMED);
	assert_int_equal(stands("a.example", 443, 999), STANDING_APPROVED);
	assert_false(approvals_expire(a, 999));
	assert_int_equal(stands("a.example", 443, 1000), STANDING_OPEN);
	assert_true(approvals_expire(a, 1000));
	assert_false(approvals_expire(a, 1000));
}

static void never_is_of_every_port_and_ends_what_was_approved(void **state)
{
	(void)state;
	said(wants("a.example", 443, 0), DECISION_APPROVED, SCOPE_SESSION);
	said(wants("a.example", 80, 0), DECISION_DENIED, SCOPE_SESSION);
	assert_int_equal(stands("a.example", 443, 1), STANDING_REJECTED);
	assert_int_equal(stands("a.example", 0, 1), STANDING_REJECTED);
	assert_int_equal(stands("b.example", 443, 1), STANDING_OPEN);
}

static void no_is_no_for_this_one(void **state)
{
	(void)state;
	said(wants("a.example", 443, 0), DECISION_DENIED, SCOPE_ONCE);
	assert_int_equal(stands("a.example", 443, 1), STANDING_OPEN);
}

static void one_too_many_stops_for_a_minute(void **state)
{
	char host[32];
	struct approval_question *q;

	(void)state;
	for (int i = 0; i < APPROVALS_WAITING_MAX; i++) {
		snprintf(host, sizeof(host), "h%d.example", i);
		assert_int_not_equal(wants(host, 443, 0), 0);
	}
	assert_int_equal(approvals_ask(a, SPAN("x.example"), 443, TRANSPORT_TCP, &plain, true, 0, &q),
			 ASKED_TOO_MANY);
	assert_null(q);
	/* what waits goes on to wait, and others for the same with it */
	assert_int_equal(wants("h3.example", 443, 1), 4);
	said(1, DECISION_APPROVED, SCOPE_ONCE);
	assert_int_equal(approvals_ask(a, SPAN("x.example"), 443, TRANSPORT_TCP, &plain, true,
				       APPROVALS_PAUSE_MS - 1, &q), ASKED_PAUSED);
	assert_int_equal(approvals_ask(a, SPAN("x.example"), 443, TRANSPORT_TCP, &plain, true,
				       APPROVALS_PAUSE_MS, &q), ASKED);
}

static void five_refusals_in_a_row_stop_for_a_minute(void **state)
{
	bool paused;

	(void)state;
	for (int i = 0; i < 4; i++)
		said(wants("a.example", 443, 0), DECISION_DENIED, SCOPE_ONCE);
	/* neither a time-out nor a client that left is a refusal; an approval ends the row */
	said(wants("a.example", 443, 0), DECISION_TIMEOUT, SCOPE_ONCE);
	said(wants("a.example", 443, 0), DECISION_LEFT, SCOPE_ONCE);
	said(wants("a.example", 443, 0), DECISION_APPROVED, SCOPE_ONCE);
	for (int i = 0; i < 4; i++)
		said(wants("a.example", 443, 0), DECISION_DENIED, SCOPE_ONCE);
	assert_true(approvals_take(a, wants("a.example", 443, 0), DECISION_DENIED, SCOPE_ONCE, 100, 0,
				   &paused));
	assert_true(paused);
	assert_int_equal(wants("b.example", 443, 101), 0);
	assert_int_not_equal(wants("b.example", 443, 100 + APPROVALS_PAUSE_MS), 0);
}

static void it_goes_when_nobody_is_left(void **state)
{
	struct approval_about words = plain;
	struct approval_question *q;
	uint32_t n = wants("a.example", 443, 0);

	(void)state;
	wants("a.example", 443, 0);
	assert_false(approvals_leave(a, n));
	assert_true(approvals_leave(a, n));
	assert_false(approvals_leave(a, n));	/* counted once */
	assert_false(approvals_leave(a, 77));
	/* what was asked for in words stands for its time */
	strcpy(words.said, "please");
	n = wants("b.example", 443, 0);
	approvals_ask(a, SPAN("b.example"), 443, TRANSPORT_TCP, &words, false, 1, &q);
	assert_int_equal(q->number, n);
	assert_string_equal(q->about.said, "please");
	assert_false(approvals_leave(a, n));
}

static void times_are_told(void **state)
{
	bool paused;

	(void)state;
	wants("a.example", 443, 0);
	wants("b.example", 443, 10);
	assert_int_equal(approvals_late(a, WAIT_MS - 1), 0);
	assert_int_equal(approvals_late(a, WAIT_MS), 1);
	said(1, DECISION_TIMEOUT, SCOPE_ONCE);
	assert_int_equal(approvals_late(a, WAIT_MS), 0);
	assert_int_equal(approvals_late(a, WAIT_MS + 10), 2);
	assert_false(approvals_take(a, 1, DECISION_APPROVED, SCOPE_ONCE, 0, 0, &paused));
}

static void what_has_no_room_is_not_approved(void **state)
{
	char host[32];
	bool paused;

	(void)state;
	for (int i = 0; i < APPROVALS_KEPT_MAX; i++) {
		snprintf(host, sizeof(host), "h%d.example", i);
		said(wants(host, 443, 0), DECISION_APPROVED, SCOPE_SESSION);
	}
	assert_false(approvals_take(a, wants("x.example", 443, 0), DECISION_APPROVED, SCOPE_SESSION, 0,
				    0, &paused));
	assert_int_equal(approvals_count(a), 1);
	assert_int_equal(stands("x.example", 443, 1), STANDING_OPEN);
	/* the same once more takes no room */
	said(wants("h7.example", 443, 0), DECISION_APPROVED, SCOPE_SESSION);
}

static void words_are_those_of_the_contract(void **state)
{
	enum scope s;

	(void)state;
	assert_string_equal(scope_name(SCOPE_TIMED), "timed");
	assert_string_equal(decision_name(DECISION_DENIED), "denied");
	assert_true(scope_from(SPAN("always"), &s));
	assert_int_equal(s, SCOPE_ALWAYS);
	assert_false(scope_from(SPAN("alway"), &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_is_merged, begin, end),
		cmocka_unit_test_setup_teardown(once_is_kept_nowhere, begin, end),
		cmocka_unit_test_setup_teardown(session_is_of_that_port, begin, end),
		cmocka_unit_test_setup_teardown(a_time_ends, begin, end),
		cmocka_unit_test_setup_teardown(never_is_of_every_port_and_ends_what_was_approved,
						begin, end),
		cmocka_unit_test_setup_teardown(no_is_no_for_this_one, begin, end),
		cmocka_unit_test_setup_teardown(one_too_many_stops_for_a_minute, begin, end),
		cmocka_unit_test_setup_teardown(five_refusals_in_a_row_stop_for_a_minute, begin, end),
		cmocka_unit_test_setup_teardown(it_goes_when_nobody_is_left, begin, end),
		cmocka_unit_test_setup_teardown(times_are_told, begin, end),
		cmocka_unit_test_setup_teardown(what_has_no_room_is_not_approved, begin, end),
		cmocka_unit_test(words_are_those_of_the_contract),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

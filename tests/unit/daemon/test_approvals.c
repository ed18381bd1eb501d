/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds and times of the books themselves: tests/unit/policy/test_approval.c */
#include "../unit.h"

#include <unistd.h>

#include "daemon/approvals.h"
#include "desk.h"

#define HOST "unknown.example"
#define OTHER "other.example"

static struct desk d;
static struct addr at;			/* of HOST */
static unsigned changes, said_count;
static char said[128];
static bool keeps;

static void on_questions(void *arg)
{
	(void)arg;
	changes++;
}

static void say(void *arg, const char *words)
{
	(void)arg;
	said_count++;
	snprintf(said, sizeof(said), "%s", words);
}

static bool keep_always(void *arg, const struct approval_question *q, struct err *err)
{
	(void)arg;
	assert_string_equal(q->host, HOST);
	return keeps || err_set(err, "the disk is full");
}

static int begin(void **state)
{
	(void)state;
	desk_open_asking(&d);
	d.k.on_questions = on_questions;
	d.k.say = say;
	changes = said_count = 0;
	at = desk_bind_name(&d, HOST);
	return 0;
}

static int end(void **state)
{
	(void)state;
	desk_done(&d);
	return 0;
}

static void ask_at(uint32_t ref, struct addr addr, uint16_t port)
{
	struct talk_ask a = { .addr = addr, .port = port, .transport = TRANSPORT_TCP, .door = DOOR_JAIL };

	desk_say(&d, GATE_ASK, ref, &a, sizeof(a), (struct span){ 0 });
}

static void ask(uint32_t ref)
{
	ask_at(ref, at, 22);
}

static void answered(uint32_t ref, enum keeper_says type)
{
	const struct answer_seen *a = desk_answer(&d);

	assert_non_null(a);
	assert_int_equal(a->type, type);
	assert_int_equal(a->id, ref);
	if (a->fd >= 0)
		close(a->fd);
}

static void denied(uint32_t ref, enum reason reason)
{
	const struct answer_seen *a = desk_answer(&d);

	assert_non_null(a);
	assert_int_equal(a->type, KEEPER_DENY);
	assert_int_equal(a->id, ref);
	assert_int_equal(a->deny.reason, reason);
}

static void decide(uint32_t number, enum decision decision, enum scope scope)
{
	struct approval_answer a = { decision, scope, 1, "terminal" };
	struct err err = { "" };

	assert_true(approval_decide(&d.k, number, &a, &err));
	desk_run(&d);
}

static struct approval_question *question(uint32_t number)
{
	struct approval_question *q = approvals_find(d.k.approvals, number);

	assert_non_null(q);
	return q;
}

static struct policy *policy_with(const char *rest)
{
	static char text[512];
	struct policy_file file = { LAYER_FLAG, "new.yaml", { 0 } };
	struct policy_input in = { .files = &file, .file_count = 1 };
	struct err err = { "" };
	struct policy *p;

	snprintf(text, sizeof(text), "version: 1\ndefault: ask\n%s", rest);
	file.text = span_str(text);
	p = policy_load(&in, &err);
	assert_string_equal(err.text, "");
	return p;
}

/* While something waits the policy is changed */
static void change(struct shared_policy *shared, const char *rest)
{
	struct err err = { "" };

	assert_true(share_policy(policy_with(rest), shared, &err));
	keeper_change_policy(&d.k, shared);
	desk_run(&d);
	answered(1, KEEPER_POLICY);
}

/* ---- tests ---- */

static void nothing_happens_while_it_waits(void **state)
{
	(void)state;
	ask(7);
	answered(7, KEEPER_WAIT);
	assert_null(desk_answer(&d));
	assert_int_equal(changes, 1);
	assert_int_equal(d.dial_count, 0);
	assert_int_equal(desk_count(&d, "conn.open", ""), 0);
	assert_int_equal(question(1)->waiting, 1);
	approvals_end(&d.k);
}

/* The decision is in the log before what follows from it */
static void approved_once(void **state)
{
	(void)state;
	d.dials = DIALS_WAIT;
	ask(7);
	answered(7, KEEPER_WAIT);
	decide(1, DECISION_APPROVED, SCOPE_ONCE);
	assert_int_equal(desk_count(&d, "approval", "\"seq\":2,"), 1);
	assert_int_equal(desk_count(&d, "approval", "\"host\":\"" HOST "\",\"port\":22,\"decision\":\"approved\","
				    "\"by\":\"terminal\",\"scope\":\"once\",\"waited_ms\":"), 1);
	assert_int_equal(desk_count(&d, "conn.open", "\"seq\":3,"), 1);
	assert_int_equal(desk_count(&d, "conn.open", "\"verdict\":\"allow\",\"reason\":\"allowed_approved\""), 1);
	assert_int_equal(d.dial_count, 1);
	desk_dialled(&d, 0, true);
	answered(7, KEEPER_ALLOW);
	/* the next one is a new question */
	ask(8);
	answered(8, KEEPER_WAIT);
	approvals_end(&d.k);
}

static void same_host_and_port_are_one_question(void **state)
{
	struct addr other = desk_bind_name(&d, OTHER);

	(void)state;
	ask(7);
	ask(8);
	ask_at(9, at, 23);
	ask_at(10, other, 22);
	assert_int_equal(approvals_count(d.k.approvals), 3);
	assert_int_equal(question(1)->waiting, 2);
	for (uint32_t ref = 7; ref <= 10; ref++)
		answered(ref, KEEPER_WAIT);
	decide(1, DECISION_APPROVED, SCOPE_ONCE);
	assert_int_equal(desk_count(&d, "conn.open", "\"verdict\":\"allow\""), 2);
	assert_int_equal(desk_count(&d, "approval", ""), 1);
	assert_int_equal(approvals_count(d.k.approvals), 2);
	approvals_end(&d.k);
}

static void one_too_many_is_denied_and_said_once(void **state)
{
	char host[32];

	(void)state;
	for (uint32_t i = 0; i < APPROVALS_WAITING_MAX + 3; i++) {
		snprintf(host, sizeof(host), "h%u.example", i);
		ask_at(100 + i, desk_bind_name(&d, host), 22);
		if (i < APPROVALS_WAITING_MAX)
			answered(100 + i, KEEPER_WAIT);
		else
			denied(100 + i, REASON_APPROVAL_DENIED);
	}
	assert_int_equal(said_count, 1);
	assert_string_equal(said, "too many approvals wait: what would be asked is denied for a minute");
	assert_int_equal(approvals_count(d.k.approvals), APPROVALS_WAITING_MAX);
	assert_int_equal(desk_count(&d, "conn.open", "\"reason\":\"approval_denied\""), 3);
	/* what waits goes on to wait, and what is decided is free */
	decide(1, DECISION_APPROVED, SCOPE_ONCE);
	assert_int_equal(desk_count(&d, "conn.open", "\"verdict\":\"allow\""), 1);
	approvals_end(&d.k);
	desk_run(&d);
	assert_int_equal(desk_count(&d, "conn.open", "\"reason\":\"approval_timeout\""),
			 APPROVALS_WAITING_MAX - 1);
}

static void five_refused_in_a_row(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= APPROVALS_REFUSED_MAX; i++) {
		ask(i);
		answered(i, KEEPER_WAIT);
		assert_int_equal(said_count, 0);
		decide(i, DECISION_DENIED, SCOPE_ONCE);
		denied(i, REASON_APPROVAL_DENIED);
	}
	assert_int_equal(said_count, 1);
	assert_string_equal(said, "five approvals in a row were refused: what would be asked is denied for a minute");
	ask(20);
	denied(20, REASON_APPROVAL_DENIED);
	assert_int_equal(approvals_count(d.k.approvals), 0);
	assert_int_equal(said_count, 1);
	assert_int_equal(desk_count(&d, "approval", "\"decision\":\"denied\""), APPROVALS_REFUSED_MAX);
	/* what a rule allows is not asked about, and not stopped by it */
	ask_at(21, desk_bind(&d), 22);
	answered(21, KEEPER_ALLOW);
}

static void nobody_answers(void **state)
{
	(void)state;
	ask(7);
	answered(7, KEEPER_WAIT);
	approvals_tick(&d.k);
	assert_null(desk_answer(&d));
	question(1)->until_ms -= DESK_ASK_MS;
	approvals_tick(&d.k);
	denied(7, REASON_APPROVAL_TIMEOUT);
	assert_int_equal(desk_count(&d, "approval", "\"decision\":\"timeout\",\"by\":null"), 1);
	assert_int_equal(approvals_count(d.k.approvals), 0);
	assert_int_equal(d.dial_count, 0);
}

static void the_client_leaves(void **state)
{
	(void)state;
	ask(7);
	ask(8);
	answered(7, KEEPER_WAIT);
	answered(8, KEEPER_WAIT);
	desk_say(&d, GATE_LEFT, 7, NULL, 0, (struct span){ 0 });
	denied(7, REASON_APPROVAL_TIMEOUT);
	assert_int_equal(question(1)->waiting, 1);
	/* twice is once */
	desk_say(&d, GATE_LEFT, 7, NULL, 0, (struct span){ 0 });
	assert_int_equal(question(1)->waiting, 1);
	desk_say(&d, GATE_LEFT, 8, NULL, 0, (struct span){ 0 });
	denied(8, REASON_APPROVAL_TIMEOUT);
	assert_int_equal(approvals_count(d.k.approvals), 0);
	assert_int_equal(desk_count(&d, "approval", "\"decision\":\"left\""), 1);
}

/* An approval is one more fact: everything else that stops a connection stops this one */
static void an_approved_host_is_judged_as_any(void **state)
{
	(void)state;
	d.resolution.addrs[0] = addr_v4(0x7f000001);
	ask(7);
	answered(7, KEEPER_WAIT);
	decide(1, DECISION_APPROVED, SCOPE_SESSION);
	denied(7, REASON_SPECIAL_ADDRESS);
	assert_int_equal(d.dial_count, 0);
	d.resolution.count = 0;
	d.resolution.status = RESOLVED_NO_NAME;
	ask(8);
	denied(8, REASON_RESOLVE_FAILED);
	assert_int_equal(approvals_count(d.k.approvals), 0);
}

static void a_policy_that_changes_judges_what_waits(void **state)
{
	static const struct {
		const char *rest;
		enum reason reason;
		size_t allowed;
	} rows[] = {
		{ "deny:\n  - host: " HOST "\n", REASON_DENY_RULE, 0 },
		{ "allow:\n  - host: " HOST "\n    ports: [22]\n", REASON_ALLOWED, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct shared_policy shared;

		ask(7);
		answered(7, KEEPER_WAIT);
		change(&shared, rows[i].rest);
		if (rows[i].allowed)
			answered(7, KEEPER_ALLOW);
		else
			denied(7, rows[i].reason);
		assert_int_equal(approvals_count(d.k.approvals), 0);
		assert_int_equal(desk_count(&d, "conn.open", "\"verdict\":\"allow\""), rows[i].allowed);
		end(state);
		share_done(&shared);
		begin(state);
	}
}

static void a_policy_that_changes_nothing_lets_it_wait(void **state)
{
	struct shared_policy shared;

	(void)state;
	ask(7);
	answered(7, KEEPER_WAIT);
	change(&shared, "allow:\n  - host: " DESK_HOST "\n");
	assert_null(desk_answer(&d));
	assert_int_equal(question(1)->waiting, 1);
	approvals_end(&d.k);
	end(state);
	share_done(&shared);
	begin(state);
}

static void never_resets_what_was_approved(void **state)
{
	(void)state;
	ask(7);
	answered(7, KEEPER_WAIT);
	decide(1, DECISION_APPROVED, SCOPE_SESSION);
	answered(7, KEEPER_ALLOW);
	ask(8);
	answered(8, KEEPER_ALLOW);
	ask_at(9, at, 23);
	answered(9, KEEPER_WAIT);
	decide(2, DECISION_DENIED, SCOPE_SESSION);
	denied(9, REASON_APPROVAL_DENIED);
	for (int i = 0; i < 2; i++) {
		const struct answer_seen *a = desk_answer(&d);

		assert_non_null(a);
		assert_int_equal(a->type, KEEPER_KILL);
		assert_true(a->id == 7 || a->id == 8);
	}
	ask(10);
	denied(10, REASON_APPROVAL_DENIED);
	assert_int_equal(approvals_count(d.k.approvals), 0);
}

static void a_time_ends(void **state)
{
	(void)state;
	ask(7);
	answered(7, KEEPER_WAIT);
	decide(1, DECISION_APPROVED, SCOPE_TIMED);
	answered(7, KEEPER_ALLOW);
	usleep(5000);
	approvals_tick(&d.k);
	answered(7, KEEPER_KILL);
	ask(8);
	answered(8, KEEPER_WAIT);
	approvals_end(&d.k);
}

/* What cannot be kept for good is not decided */
static void always(void **state)
{
	struct approval_answer a = { DECISION_APPROVED, SCOPE_ALWAYS, 0, "control" };
	struct err err = { "" };

	(void)state;
	ask(7);
	answered(7, KEEPER_WAIT);
	assert_false(approval_decide(&d.k, 1, &a, &err));
	assert_non_null(strstr(err.text, "keeps no approvals"));
	d.k.keep_always = keep_always;
	keeps = false;
	err.text[0] = '\0';
	assert_false(approval_decide(&d.k, 1, &a, &err));
	assert_string_equal(err.text, "the disk is full");
	assert_null(desk_answer(&d));
	assert_int_equal(desk_count(&d, "approval", ""), 0);
	keeps = true;
	assert_true(approval_decide(&d.k, 1, &a, &err));
	answered(7, KEEPER_ALLOW);
	assert_int_equal(desk_count(&d, "approval", "\"by\":\"control\",\"scope\":\"always\""), 1);
	err.text[0] = '\0';
	assert_false(approval_decide(&d.k, 1, &a, &err));
	assert_string_equal(err.text, "1: nothing waits by that number");
}

static void nobody_to_ask(void **state)
{
	struct approvals *kept = d.k.approvals;

	(void)state;
	d.k.approvals = NULL;
	ask(7);
	denied(7, REASON_NO_RULE);
	d.k.approvals = kept;
}

static void a_gate_that_uses_a_number_twice(void **state)
{
	(void)state;
	ask(7);
	answered(7, KEEPER_WAIT);
	ask(7);
	assert_non_null(d.closed);
}

static void words_and_connection_are_one_question(void **state)
{
	bool waits;

	(void)state;
	assert_int_equal(approval_wish(&d.k, SPAN(HOST), 22, SPAN("I need\x1b[2J it"), &waits), REASON_NO_RULE);
	assert_true(waits);
	assert_int_equal(question(1)->waiting, 0);
	assert_string_equal(question(1)->about.said, "I need\x1b[2J it");
	ask(7);
	answered(7, KEEPER_WAIT);
	assert_int_equal(question(1)->waiting, 1);
	/* no connection: approved once is for the next one, and for one */
	assert_int_equal(approval_wish(&d.k, SPAN(OTHER), 22, (struct span){ 0 }, &waits), REASON_NO_RULE);
	decide(2, DECISION_APPROVED, SCOPE_ONCE);
	at = desk_bind_name(&d, OTHER);
	ask(8);
	answered(8, KEEPER_ALLOW);
	ask(9);
	answered(9, KEEPER_WAIT);
	/* what needs nobody's word */
	assert_int_equal(approval_wish(&d.k, SPAN(DESK_HOST), 22, SPAN("x"), &waits), REASON_ALLOWED);
	assert_false(waits);
	approvals_end(&d.k);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(nothing_happens_while_it_waits), WITH(approved_once),
		WITH(same_host_and_port_are_one_question), WITH(one_too_many_is_denied_and_said_once),
		WITH(five_refused_in_a_row), WITH(nobody_answers), WITH(the_client_leaves),
		WITH(an_approved_host_is_judged_as_any), WITH(a_policy_that_changes_judges_what_waits),
		WITH(a_policy_that_changes_nothing_lets_it_wait), WITH(never_resets_what_was_approved),
		WITH(a_time_ends), WITH(always), WITH(nobody_to_ask),
		WITH(a_gate_that_uses_a_number_twice), WITH(words_and_connection_are_one_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

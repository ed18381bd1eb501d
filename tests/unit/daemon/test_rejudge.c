/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <unistd.h>

#include "desk.h"
#include "proto/dns_msg.h"

#define SAME "  - host: " DESK_HOST "\n    ports: [22, 80, 443]\n"

static struct shared_policy share(const char *allow, const char *rest)
{
	static char text[1024];
	struct policy_file file = { LAYER_FLAG, "new.yaml", { 0 } };
	struct policy_input in = { .files = &file, .file_count = 1 };
	struct shared_policy shared;
	struct err err = { "" };
	struct policy *p;

	snprintf(text, sizeof(text), "version: 1\nallow:\n%s%s", allow, rest);
	file.text = span_str(text);
	p = policy_load(&in, &err);
	assert_string_equal(err.text, "");
	assert_true(share_policy(p, &shared, &err));
	return shared;
}

static void change(struct desk *d, const struct shared_policy *new)
{
	keeper_change_policy(&d->k, new);
	desk_run(d);
}

/* The next answer is of this type, for this reference */
static const struct answer_seen *answered(struct desk *d, uint32_t ref, enum keeper_says type)
{
	const struct answer_seen *a = desk_answer(d);

	assert_non_null(a);
	assert_int_equal(a->type, type);
	assert_int_equal(a->id, ref);
	if (a->fd >= 0)
		close(a->fd);
	return a;
}

static void acknowledge(struct desk *d, uint32_t generation)
{
	desk_say(d, GATE_POLICY, generation, NULL, 0, (struct span){ 0 });
}

static void ask(struct desk *d, uint32_t ref, struct addr at, uint16_t port)
{
	struct talk_ask a = { .addr = at, .port = port, .transport = TRANSPORT_TCP,
			      .door = DOOR_JAIL };

	desk_say(d, GATE_ASK, ref, &a, sizeof(a), (struct span){ 0 });
}

static void done(struct desk *d, struct shared_policy *s)
{
	desk_done(d);
	share_done(s);
}

/* Connection 7 is allowed; then @new holds, and the gate has been told */
static void allowed_before(struct desk *d, const struct shared_policy *new)
{
	desk_open(d);
	ask(d, 7, desk_bind(d), 22);
	answered(d, 7, KEEPER_ALLOW);
	change(d, new);
	answered(d, 1, KEEPER_POLICY);
}

static void what_is_denied_now_is_reset(void **state)
{
	struct talk_closed c = { .bytes_out = 3, .end = END_KILLED, .reason = REASON_DENY_RULE };
	struct shared_policy s = share(SAME, "deny:\n  - host: " DESK_HOST "\n");
	struct desk d;

	(void)state;
	allowed_before(&d, &s);
	assert_int_equal(answered(&d, 7, KEEPER_KILL)->kill.reason, REASON_DENY_RULE);
	acknowledge(&d, 1);
	desk_say(&d, GATE_CLOSED, 7, &c, sizeof(c), (struct span){ 0 });
	assert_int_equal(desk_count(&d, "conn.close", "\"killed\",\"reason\":\"deny_rule\""), 1);
	assert_int_equal(desk_count(&d, "policy.reload", "\"changed\":true"), 1);
	assert_null(d.closed);
	done(&d, &s);
}

/* Its rule's number is none of the new policy's, which has no rule at all */
static void a_request_ends_after_its_rule(void **state)
{
	struct talk_http h = { .status = 200, .method_len = 3, .host_len = strlen(DESK_HOST), .path_len = 2 };
	struct shared_policy s = share("  []\n", "");
	struct desk d;

	(void)state;
	allowed_before(&d, &s);
	assert_int_equal(answered(&d, 7, KEEPER_KILL)->kill.reason, REASON_NO_RULE);
	desk_say(&d, GATE_HTTP, 7, &h, sizeof(h), SPAN("GET" DESK_HOST "/x"));
	assert_int_equal(desk_count(&d, "http", "\"rule\":null"), 1);
	assert_null(d.closed);
	done(&d, &s);
}

static void what_is_allowed_still_stays(void **state)
{
	struct shared_policy s = share(SAME, "");
	struct desk d;

	(void)state;
	allowed_before(&d, &s);
	answered(&d, 7, KEEPER_RULE);
	assert_null(desk_answer(&d));
	acknowledge(&d, 1);
	/* the ports of the old policy that the new one has not are refused by the kernel */
	assert_int_equal(d.link_changes, 1);
	done(&d, &s);
}

static void an_address_that_is_denied_now_is_reset(void **state)
{
	struct shared_policy s = share(SAME, "deny:\n  - ip: 8.8.8.0/24\n");
	struct desk d;

	(void)state;
	allowed_before(&d, &s);
	assert_int_equal(answered(&d, 7, KEEPER_KILL)->kill.reason, REASON_DENY_RULE);
	done(&d, &s);
}

static void one_that_is_being_resolved(void **state)
{
	struct shared_policy s = share("  - host: other.example\n", "");
	struct addr at;
	struct desk d;

	(void)state;
	desk_open(&d);
	at = desk_bind(&d);
	d.resolve_waits = true;
	ask(&d, 7, at, 22);
	assert_null(desk_answer(&d));
	change(&d, &s);
	answered(&d, 1, KEEPER_POLICY);
	assert_int_equal(answered(&d, 7, KEEPER_DENY)->deny.reason, REASON_NO_RULE);
	desk_resolved(&d, 0);
	assert_null(desk_answer(&d));
	assert_int_equal(desk_count(&d, "conn.open", "\"verdict\":\"deny\""), 1);
	assert_int_equal(d.dial_count, 0);
	done(&d, &s);
}

static void one_that_is_being_dialled(void **state)
{
	struct shared_policy s = share("  - host: other.example\n", "");
	struct desk d;

	(void)state;
	desk_open(&d);
	d.dials = DIALS_WAIT;
	ask(&d, 7, desk_bind(&d), 22);
	assert_int_equal(d.parked_count, 1);
	change(&d, &s);
	answered(&d, 1, KEEPER_POLICY);
	assert_true(answered(&d, 7, KEEPER_DENY)->deny.dialled);
	assert_null(d.parked[0]);	/* it was given up */
	assert_int_equal(desk_count(&d, "conn.close", "\"killed\",\"reason\":\"no_rule\""), 1);
	done(&d, &s);
}

/* The verdict on a name waits for the resolver, and is one of the old policy */
static void a_name_that_is_being_resolved(void **state)
{
	struct talk_dns_ask name = { .type = DNS_A, .plain = 1 };
	struct shared_policy s = share("  - host: other.example\n", "");
	struct desk d;

	(void)state;
	desk_open(&d);
	d.resolve_waits = true;
	desk_say(&d, GATE_DNS, 1, &name, sizeof(name), SPAN(DESK_HOST));
	change(&d, &s);
	answered(&d, 1, KEEPER_POLICY);
	desk_resolved(&d, 0);
	assert_int_equal(answered(&d, 1, KEEPER_DNS)->dns.rcode, DNS_NXDOMAIN);
	assert_int_equal(desk_count(&d, "dns.query", "\"reason\":\"no_rule\""), 1);
	done(&d, &s);
}

static void the_kernel_refuses(void **state)
{
	struct shared_policy s = share("  - host: other.example\n", "");
	struct desk d;

	(void)state;
	desk_open(&d);
	desk_bind(&d);
	d.link_result = -1;
	change(&d, &s);
	assert_non_null(d.closed);
	done(&d, &s);
}

static void the_gate_must_say_so(void **state)
{
	static const uint32_t lies[] = { 0, 2, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct shared_policy s = share(SAME, "");
		struct desk d;

		desk_open(&d);
		change(&d, &s);
		acknowledge(&d, lies[i]);
		assert_non_null(d.closed);
		done(&d, &s);
	}
}

static void the_gate_must_say_so_in_time(void **state)
{
	struct shared_policy s = share(SAME, "");
	struct desk d;

	(void)state;
	desk_open(&d);
	change(&d, &s);
	keeper_check_gate(&d.k);
	assert_null(d.closed);
	d.k.changed_ms -= GATE_LIMIT_MS + 1;
	keeper_check_gate(&d.k);
	assert_non_null(d.closed);
	done(&d, &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_denied_now_is_reset),
		cmocka_unit_test(a_request_ends_after_its_rule),
		cmocka_unit_test(what_is_allowed_still_stays),
		cmocka_unit_test(an_address_that_is_denied_now_is_reset),
		cmocka_unit_test(one_that_is_being_resolved),
		cmocka_unit_test(one_that_is_being_dialled),
		cmocka_unit_test(a_name_that_is_being_resolved),
		cmocka_unit_test(the_kernel_refuses),
		cmocka_unit_test(the_gate_must_say_so),
		cmocka_unit_test(the_gate_must_say_so_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "daemon/doors.h"
#include "desk.h"
#include "proto/dns_msg.h"

static struct talk_ask ask_of(struct addr a, uint16_t port)
{
	return (struct talk_ask){ .addr = a, .port = port, .transport = TRANSPORT_TCP,
				  .door = DOOR_JAIL };
}

static void ask(struct desk *d, uint32_t ref, const struct talk_ask *a)
{
	desk_say(d, GATE_ASK, ref, a, sizeof(*a), (struct span){ 0 });
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

static void close_conn(struct desk *d, uint32_t ref)
{
	struct talk_closed c = { .bytes_out = 3, .bytes_in = 4, .end = END_CLIENT };

	desk_say(d, GATE_CLOSED, ref, &c, sizeof(c), (struct span){ 0 });
}

/* ---- what is right ---- */

static void what_is_allowed_is_recorded_and_dialled(void **state)
{
	struct desk d;
	struct talk_ask a;

	(void)state;
	desk_open(&d);
	a = ask_of(desk_bind(&d), 22);
	ask(&d, 7, &a);
	answered(&d, 7, KEEPER_ALLOW);
	assert_int_equal(d.dial_count, 1);
	assert_int_equal(d.last_permit.port, 22);
	assert_int_equal(addr_v4_value(&d.last_permit.addrs[0]), 0x08080808);
	assert_int_equal(desk_count(&d, "conn.open", "\"verdict\":\"allow\""), 1);
	close_conn(&d, 7);
	assert_int_equal(desk_count(&d, "conn.close", "\"bytes_out\":3,\"bytes_in\":4"), 1);
	assert_int_equal(conn_open_count(&d.k), 0);
	desk_done(&d);
}

/* Texts travel behind a message one after the other: each must reach its own field */
static void a_request_is_recorded_as_it_was_told(void **state)
{
	struct talk_http h = { .status = 200, .method_len = 3, .path_len = 2,
			       .host_len = sizeof(DESK_HOST) - 1 };
	struct desk d;
	struct talk_ask a;

	(void)state;
	desk_open(&d);
	a = ask_of(desk_bind(&d), 80);
	a.seen = SEEN_HTTP;
	a.host_len = sizeof(DESK_HOST) - 1;
	a.method_len = 3;
	a.path_len = 2;
	desk_say(&d, GATE_ASK, 7, &a, sizeof(a), SPAN(DESK_HOST "GET/x"));
	answered(&d, 7, KEEPER_ALLOW);
	desk_say(&d, GATE_HTTP, 7, &h, sizeof(h), SPAN("GET" DESK_HOST "/x"));
	assert_int_equal(desk_count(&d, "http", "\"method\":\"GET\",\"path\":\"/x\""), 1);
	assert_int_equal(desk_count(&d, "http", "\"host\":\"" DESK_HOST "\""), 1);
	close_conn(&d, 7);
	desk_done(&d);
}

/* What was seen of a request still counts when the addresses are judged: by `private` */
static void a_private_rule_holds_for_a_request_that_was_seen(void **state)
{
	struct desk d;
	struct talk_ask a;

	(void)state;
	desk_open(&d);
	a = ask_of(desk_bind(&d), 8443);
	a.seen = SEEN_HTTP;
	a.host_len = sizeof(DESK_HOST) - 1;
	a.method_len = 3;
	a.path_len = 2;
	d.resolution.addrs[0] = addr_v4(0x0a000005);
	desk_say(&d, GATE_ASK, 7, &a, sizeof(a), SPAN(DESK_HOST "GET/x"));
	answered(&d, 7, KEEPER_ALLOW);
	assert_int_equal(addr_v4_value(&d.last_permit.addrs[0]), 0x0a000005);
	close_conn(&d, 7);
	desk_done(&d);
}

static void nothing_is_dialled_before_it_is_recorded(void **state)
{
	struct desk d;
	struct talk_ask a;
	int full;

	(void)state;
	desk_open(&d);
	a = ask_of(desk_bind(&d), 22);
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(dup2(full, audit_fd(d.k.audit)) >= 0);
	close(full);
	ask(&d, 7, &a);
	assert_null(desk_answer(&d));
	assert_int_equal(d.dial_count, 0);
	assert_non_null(d.closed);
	desk_done(&d);
}

static const struct {
	const char	*literal;	/* NULL: DESK_HOST */
	uint16_t	 port;
	uint8_t		 transport, seen, flags;
	enum reason	 reason;
} denials[] = {
	{ NULL, 25, TRANSPORT_TCP, SEEN_NOT_YET, 0, REASON_PORT },
	{ NULL, 443, TRANSPORT_TCP, SEEN_NOT_YET, 0, REASON_PROTOCOL },
	{ NULL, 443, TRANSPORT_TCP, SEEN_TLS, 0, REASON_SNI_MISSING },
	{ NULL, 443, TRANSPORT_TCP, SEEN_TLS, TALK_ECH, REASON_ECH },
	{ NULL, 80, TRANSPORT_TCP, SEEN_MALFORMED, 0, REASON_MALFORMED },
	{ NULL, 123, TRANSPORT_UDP, SEEN_QUIC, 0, REASON_PROTOCOL },
	{ NULL, 22, TRANSPORT_TCP, SEEN_NOT_YET, TALK_FULL, REASON_LIMIT },
	{ "10.0.0.1", 22, TRANSPORT_TCP, SEEN_NOT_YET, 0, REASON_SPECIAL_ADDRESS },
	{ "9.9.9.9", 22, TRANSPORT_TCP, SEEN_NOT_YET, 0, REASON_IP_LITERAL },
};

static void what_is_denied_is_recorded_and_not_dialled(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(denials); i++) {
		struct talk_ask a;
		struct desk d;
		char text[64];

		desk_open(&d);
		a = ask_of(desk_bind(&d), denials[i].port);
		if (denials[i].literal)
			assert_true(addr_parse(span_str(denials[i].literal), &a.addr));
		a.transport = denials[i].transport;
		a.seen = denials[i].seen;
		a.flags = denials[i].flags;
		ask(&d, 7, &a);
		if (!(a.flags & TALK_FULL))
			assert_int_equal(answered(&d, 7, KEEPER_DENY)->deny.reason, denials[i].reason);
		assert_null(desk_answer(&d));
		snprintf(text, sizeof(text), "\"reason\":\"%s\"", reason_name(denials[i].reason));
		assert_int_equal(desk_count(&d, "conn.open", text), 1);
		assert_int_equal(d.dial_count, 0);
		assert_null(d.closed);
		desk_done(&d);
	}
}

static void a_failed_dial_ends_in_the_log(void **state)
{
	struct desk d;
	struct talk_ask a;

	(void)state;
	for (int wait = 0; wait < 2; wait++) {
		desk_open(&d);
		d.dials = wait ? DIALS_WAIT : DIALS_FAIL;
		a = ask_of(desk_bind(&d), 22);
		ask(&d, 7, &a);
		if (wait)
			desk_dialled(&d, 0, false);
		assert_true(answered(&d, 7, KEEPER_DENY)->deny.dialled);
		assert_int_equal(desk_count(&d, "conn.close", "\"reason\":\"upstream_failed\""), 1);
		assert_int_equal(conn_open_count(&d.k), 0);
		desk_done(&d);
	}
}

/* ---- the gate dies, or the session ends, at any time ---- */

static void every_connection_ends_in_the_log_when_the_gate_dies(void **state)
{
	struct talk_ask a, empty;
	struct desk d;

	(void)state;
	for (int when = 0; when < 4; when++) {
		desk_open(&d);
		a = ask_of(desk_bind(&d), 22);
		d.resolve_waits = when == 0;
		d.dials = when == 1 ? DIALS_WAIT : DIALS_WORK;
		ask(&d, 7, &a);
		empty = ask_of(a.addr, 443);
		empty.flags = TALK_EMPTY;
		if (when == 3)
			ask(&d, 8, &empty);
		while (desk_answer(&d))
			DROP_FD(d.answers[d.answer_next - 1].fd);
		DROP_FD(d.gate.fd);
		event_base_loop(d.k.loop, EVLOOP_NONBLOCK);
		assert_non_null(d.closed);
		desk_done(&d);		/* counts opens and closes */
	}
}

static void what_waits_at_the_end_is_no_denial(void **state)
{
	struct talk_dns_ask name = { .type = DNS_A, .plain = 1 };
	struct talk_ask a;
	struct desk d;

	(void)state;
	desk_open(&d);
	a = ask_of(desk_bind(&d), 22);
	d.resolve_waits = true;
	ask(&d, 7, &a);
	desk_say(&d, GATE_DNS, 9, &name, sizeof(name), SPAN(DESK_HOST));
	keeper_close(&d.k, "the end");
	d.resolution.status = RESOLVED_FAILED;
	desk_resolved(&d, 0);
	desk_resolved(&d, 1);
	assert_int_equal(d.k.denied_count, 0);
	assert_int_equal(d.dial_count, 0);
	desk_done(&d);
}

/* ---- a gate that lies ---- */

static void doors_lead_only_where_the_policy_says(void **state)
{
	struct talk_ask a;
	struct desk d;

	(void)state;
	desk_open(&d);
	a = ask_of(addr_v4(0x0a000001), 15432);
	a.door = DOOR_HOST_PORT;
	ask(&d, 7, &a);
	answered(&d, 7, KEEPER_ALLOW);
	assert_int_equal(addr_v4_value(&d.last_permit.addrs[0]), INADDR_LOOPBACK);
	assert_int_equal(d.last_permit.port, 5432);
	a.port = 5432;				/* the port outside is no door */
	ask(&d, 8, &a);
	answered(&d, 8, KEEPER_DENY);
	a.door = DOOR_PUBLISH;
	ask(&d, 9, &a);
	answered(&d, 9, KEEPER_DENY);
	a.door = DOOR_PROBE;			/* long over */
	ask(&d, 10, &a);
	answered(&d, 10, KEEPER_DENY);
	assert_int_equal(d.dial_count, 1);
	a.door = DOOR_HOST_PORT;
	a.port = 15432;
	a.transport = TRANSPORT_UDP;
	ask(&d, 11, &a);
	assert_non_null(d.closed);
	assert_int_equal(d.dial_count, 1);
	desk_done(&d);
}

/* A daemon that came after the session serves there: until another one serves elsewhere */
static void a_daemons_page_is_no_host_port(void **state)
{
	struct talk_ask a;
	struct desk d;

	(void)state;
	desk_open(&d);
	assert_true(doors_is_host_port(d.k.policy, 5432));
	assert_false(doors_is_host_port(d.k.policy, 15432));
	a = ask_of(addr_v4(0x0a000001), 15432);
	a.door = DOOR_HOST_PORT;
	for (size_t i = 0; i < ARRAY_SIZE(d.k.spared); i++) {
		memset(d.k.spared, 0, sizeof(d.k.spared));
		d.k.spared[i] = 5432;
		ask(&d, 7, &a);
		answered(&d, 7, KEEPER_DENY);
		assert_int_equal(d.dial_count, 0);
	}
	d.k.spared[0] = 15432;	/* the port inside is the jail's own */
	d.k.spared[1] = 0;
	ask(&d, 8, &a);
	answered(&d, 8, KEEPER_ALLOW);
	assert_int_equal(d.dial_count, 1);
	desk_done(&d);
}

/* Of a literal that a rule names, it is judged where it is; the probe's door is no way around */
static void the_probes_door_is_judged_like_any(void **state)
{
	struct talk_ask a;
	struct desk d;

	(void)state;
	desk_open(&d);
	a = ask_of(desk_bind(&d), 22);
	a.door = DOOR_PROBE;
	ask(&d, 7, &a);
	answered(&d, 7, KEEPER_ALLOW);
	assert_int_equal(addr_v4_value(&d.last_permit.addrs[0]), 0x08080808);
	desk_done(&d);
}

enum lie { TWICE, AGAIN_NONE, AGAIN_EMPTY, HTTP_EMPTY, HTTP_NONE, CLOSE_NONE, CLOSE_DIALLING,
	   BAD_END, BAD_DOOR, BAD_LENGTHS, LIES };

static void tell_lie(struct desk *d, enum lie lie, struct talk_ask a)
{
	struct talk_closed c = { .end = lie == BAD_END ? END_NUM : END_CLIENT };
	struct talk_http h = { .status = 200 };
	struct talk_ask empty = a;

	empty.port = 443;
	empty.flags = TALK_EMPTY;
	if (lie == AGAIN_EMPTY || lie == HTTP_EMPTY)
		ask(d, 7, &empty);
	else if (lie == TWICE || lie == CLOSE_DIALLING || lie == BAD_END)
		ask(d, 7, &a);
	while (desk_answer(d))
		DROP_FD(d->answers[d->answer_next - 1].fd);
	assert_null(d->closed);
	a.door = lie == BAD_DOOR ? DOOR_NUM : a.door;
	a.sni_len = lie == BAD_LENGTHS;
	if (lie == AGAIN_NONE || lie == AGAIN_EMPTY)
		desk_say(d, GATE_ASK_AGAIN, 7, &a, sizeof(a), (struct span){ 0 });
	else if (lie == HTTP_EMPTY || lie == HTTP_NONE)
		desk_say(d, GATE_HTTP, 7, &h, sizeof(h), (struct span){ 0 });
	else if (lie == CLOSE_NONE || lie == CLOSE_DIALLING || lie == BAD_END)
		desk_say(d, GATE_CLOSED, 7, &c, sizeof(c), (struct span){ 0 });
	else
		ask(d, 7, &a);
}

static void what_cannot_be_ends_the_gate(void **state)
{
	(void)state;
	for (int lie = 0; lie < LIES; lie++) {
		struct talk_ask a;
		struct desk d;

		desk_open(&d);
		a = ask_of(desk_bind(&d), 22);
		d.dials = lie == CLOSE_DIALLING ? DIALS_WAIT : DIALS_WORK;
		tell_lie(&d, (enum lie)lie, a);
		assert_non_null(d.closed);
		assert_int_equal(desk_count(&d, "http", ""), 0);
		desk_done(&d);
	}
}

static void connections_have_a_bound(void **state)
{
	struct talk_ask a;
	struct desk d;

	(void)state;
	desk_open(&d);
	a = ask_of(desk_bind(&d), 22);
	d.k.conn_held = 32768;
	ask(&d, 7, &a);
	assert_int_equal(answered(&d, 7, KEEPER_DENY)->deny.reason, REASON_LIMIT);
	d.k.conn_held = 0;
	desk_done(&d);
}

/* ---- names ---- */

static void a_name_that_the_kernel_does_not_take_is_not_told(void **state)
{
	struct talk_dns_ask name = { .type = DNS_A, .plain = 1 };
	struct desk d;

	(void)state;
	desk_open(&d);
	d.link_result = -ENOSPC;
	desk_say(&d, GATE_DNS, 9, &name, sizeof(name), SPAN(DESK_HOST));
	assert_null(desk_answer(&d));
	assert_non_null(d.closed);
	desk_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_allowed_is_recorded_and_dialled),
		cmocka_unit_test(a_request_is_recorded_as_it_was_told),
		cmocka_unit_test(a_private_rule_holds_for_a_request_that_was_seen),
		cmocka_unit_test(nothing_is_dialled_before_it_is_recorded),
		cmocka_unit_test(what_is_denied_is_recorded_and_not_dialled),
		cmocka_unit_test(a_failed_dial_ends_in_the_log),
		cmocka_unit_test(every_connection_ends_in_the_log_when_the_gate_dies),
		cmocka_unit_test(what_waits_at_the_end_is_no_denial),
		cmocka_unit_test(doors_lead_only_where_the_policy_says),
		cmocka_unit_test(a_daemons_page_is_no_host_port),
		cmocka_unit_test(the_probes_door_is_judged_like_any),
		cmocka_unit_test(what_cannot_be_ends_the_gate),
		cmocka_unit_test(connections_have_a_bound),
		cmocka_unit_test(a_name_that_the_kernel_does_not_take_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <unistd.h>

#include "desk.h"
#include "policy/load.h"
#include "proto/dns_msg.h"

#define REF 7

static struct talk_ask target_of(const char *host, uint16_t port)
{
	return (struct talk_ask){ .addr = addr_v4(INADDR_LOOPBACK), .port = port,
				  .transport = TRANSPORT_TCP, .door = DOOR_HTTP,
				  .host_len = (uint16_t)strlen(host) };
}

static void proxy_open(struct desk *d)
{
	desk_open(d);
	d->k.cooperative = true;
}

static void want(struct desk *d, const char *host, uint16_t port)
{
	struct talk_ask a = target_of(host, port);

	desk_say(d, GATE_TARGET, REF, &a, sizeof(a), span_str(host));
}

static struct policy *deny_all(void)
{
	struct policy_file file = { LAYER_FLAG, "none.yaml", SPAN("version: 1\n") };
	struct policy_input in = { .files = &file, .file_count = 1 };
	struct err err = { "" };
	struct policy *p = policy_load(&in, &err);

	assert_non_null(p);
	return p;
}

static const struct answer_seen *answered(struct desk *d, enum keeper_says type)
{
	const struct answer_seen *a = desk_answer(d);

	assert_non_null(a);
	assert_int_equal(a->type, type);
	if (type != KEEPER_BIND)
		assert_int_equal(a->id, REF);
	return a;
}

static void denied(struct desk *d, enum reason reason)
{
	char text[64];

	assert_string_equal(reason_name((enum reason)answered(d, KEEPER_DENY)->deny.reason),
			    reason_name(reason));
	assert_null(desk_answer(d));
	snprintf(text, sizeof(text), "\"verdict\":\"deny\",\"reason\":\"%s\"", reason_name(reason));
	assert_int_equal(desk_count(d, "conn.open", text), 1);
	assert_int_equal(d->dial_count, 0);
}

static void a_name_gets_the_address_that_stands_for_it(void **state)
{
	struct talk_ask a;
	struct addr addr;
	struct desk d;

	(void)state;
	proxy_open(&d);
	want(&d, "API.Example.com.", 443);
	answered(&d, KEEPER_BIND);
	addr = answered(&d, KEEPER_TARGET)->target.addr;
	assert_true(binding_in_pool(d.k.bindings, &addr));
	/* nothing is permitted, and so nothing recorded, before the flow is asked about */
	assert_int_equal(desk_count(&d, "conn.open", ""), 0);
	assert_int_equal(d.dial_count, 0);
	a = (struct talk_ask){ .addr = addr, .port = 22, .transport = TRANSPORT_TCP };
	desk_say(&d, GATE_ASK, REF, &a, sizeof(a), (struct span){ 0 });
	close(answered(&d, KEEPER_ALLOW)->fd);
	assert_int_equal(desk_count(&d, "conn.open", "\"host\":\"" DESK_HOST "\""), 1);
	/* and it is the same one the next time */
	want(&d, DESK_HOST, 80);
	assert_true(addr_eq(&answered(&d, KEEPER_TARGET)->target.addr, &addr));
	desk_done(&d);
}

static void what_is_not_allowed_is_not_looked_up(void **state)
{
	static const struct {
		const char *host;
		uint16_t port;
		enum reason reason;
	} rows[] = {
		{ "evil.example.com", 443, REASON_NO_RULE }, { DESK_HOST, 25, REASON_PORT },
		{ "a..b", 443, REASON_MALFORMED }, { "0x7f.1", 443, REASON_MALFORMED },
		{ "127.1", 443, REASON_MALFORMED }, { "api.example.com:443", 443, REASON_MALFORMED },
		{ "203.0.113.8", 22, REASON_SPECIAL_ADDRESS }, { "8.8.8.8", 443, REASON_IP_LITERAL },
		{ DESK_LITERAL, 80, REASON_PORT }, { "127.0.0.1", 80, REASON_SPECIAL_ADDRESS },
		{ "::1", 80, REASON_SPECIAL_ADDRESS }, { "169.254.169.254", 80, REASON_SPECIAL_ADDRESS },
		{ "::ffff:127.0.0.1", 80, REASON_SPECIAL_ADDRESS },
		/* nobody's: the addresses that stand for names */
		{ "28.0.0.16", 443, REASON_IP_LITERAL },
	};
	struct desk d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		proxy_open(&d);
		d.resolve_waits = true;
		want(&d, rows[i].host, rows[i].port);
		denied(&d, rows[i].reason);
		assert_int_equal(d.asked_count, 0);
		desk_done(&d);
	}
}

/* A name is no way around what an address is refused for */
static void special_addresses_are_refused(void **state)
{
	static const uint32_t special[] = { 0x7f000001, 0xa9fea9fe, 0xe0000001, 0 };
	struct desk d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
		proxy_open(&d);
		d.resolution.addrs[0] = addr_v4(special[i]);
		want(&d, DESK_HOST, 443);
		denied(&d, REASON_SPECIAL_ADDRESS);
		assert_int_equal(binding_of_host(d.k.bindings, SPAN(DESK_HOST)), BINDING_NONE);
		desk_done(&d);
	}
}

/* One rule lets the name be private, another does not: only what is asked for next can tell */
static void a_private_address_is_refused_when_it_is_asked_about(void **state)
{
	struct talk_ask a = { .port = 22, .transport = TRANSPORT_TCP };
	struct desk d;

	(void)state;
	proxy_open(&d);
	d.resolution.addrs[0] = addr_v4(0x0a000001);
	want(&d, DESK_HOST, 22);
	answered(&d, KEEPER_BIND);
	a.addr = answered(&d, KEEPER_TARGET)->target.addr;
	desk_say(&d, GATE_ASK, REF, &a, sizeof(a), (struct span){ 0 });
	denied(&d, REASON_SPECIAL_ADDRESS);
	desk_done(&d);
}

static void a_name_that_is_not_there_is_not_bound(void **state)
{
	struct desk d;

	(void)state;
	proxy_open(&d);
	d.resolution.status = RESOLVED_NO_NAME;
	want(&d, DESK_HOST, 443);
	denied(&d, REASON_RESOLVE_FAILED);
	assert_int_equal(binding_of_host(d.k.bindings, SPAN(DESK_HOST)), BINDING_NONE);
	desk_done(&d);
}

static void an_address_under_a_rule_is_its_own_target(void **state)
{
	struct addr addr, literal;
	struct talk_ask a = target_of("", 22);
	struct desk d;

	(void)state;
	addr_parse(SPAN(DESK_LITERAL), &literal);
	proxy_open(&d);
	want(&d, DESK_LITERAL, 22);
	addr = answered(&d, KEEPER_TARGET)->target.addr;
	assert_true(addr_eq(&addr, &literal));
	/* as SOCKS has it */
	a.door = DOOR_SOCKS;
	a.addr = literal;
	desk_say(&d, GATE_TARGET, REF, &a, sizeof(a), (struct span){ 0 });
	assert_true(addr_eq(&answered(&d, KEEPER_TARGET)->target.addr, &literal));
	desk_done(&d);
}

/* A request is judged whole, and recorded as one */
static void a_request_is_denied_as_one(void **state)
{
	struct talk_ask a = target_of("evil.example.com", 80);
	struct desk d;

	(void)state;
	proxy_open(&d);
	a.seen = SEEN_HTTP;
	a.method_len = 3;
	a.path_len = 2;
	desk_say(&d, GATE_TARGET, REF, &a, sizeof(a), SPAN("evil.example.comGET/x"));
	denied(&d, REASON_NO_RULE);
	assert_int_equal(desk_count(&d, "http", "\"method\":\"GET\",\"path\":\"/x\""), 1);
	desk_done(&d);
}

static void what_is_no_target_is_denied_as_it_is(void **state)
{
	static const struct {
		uint8_t seen, flags;
		enum reason reason;
	} rows[] = {
		{ SEEN_MALFORMED, 0, REASON_MALFORMED },
		{ SEEN_NOT_YET, TALK_UNSUPPORTED, REASON_UNSUPPORTED },
	};
	struct desk d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct talk_ask a = target_of("", 3128);

		proxy_open(&d);
		a.seen = rows[i].seen;
		a.flags = rows[i].flags;
		desk_say(&d, GATE_TARGET, REF, &a, sizeof(a), (struct span){ 0 });
		denied(&d, rows[i].reason);
		desk_done(&d);
	}
}

/* A policy without a rule takes the place of the desk's while the name is looked up */
static void the_policy_that_holds_then_decides(void **state)
{
	const struct policy *old;
	struct policy *none;
	struct desk d;

	(void)state;
	none = deny_all();
	proxy_open(&d);
	d.resolve_waits = true;
	want(&d, DESK_HOST, 443);
	assert_null(desk_answer(&d));
	assert_int_equal(d.k.wanted_count, 1);
	old = d.k.policy;
	d.k.policy = none;
	desk_resolved(&d, 0);
	denied(&d, REASON_NO_RULE);
	assert_int_equal(d.k.wanted_count, 0);
	d.k.policy = old;
	desk_done(&d);
	policy_free(none);
}

/* The log is gone, or the session over, while a name is looked up */
static void who_waits_at_the_end_is_forgotten(void **state)
{
	struct desk d;

	(void)state;
	proxy_open(&d);
	d.resolve_waits = true;
	for (int i = 0; i < 5; i++)
		want(&d, DESK_HOST, 443);
	assert_int_equal(d.k.wanted_count, 5);
	desk_done(&d);
	assert_int_equal(d.k.wanted_count, 0);
}

/* A gate that was taken over: a target is asked for by a proxy's door, and by no other */
static void a_gate_that_lies_is_cut_off(void **state)
{
	static const struct {
		bool jail;
		enum gate_says what;
		uint8_t door, transport;
		uint16_t host_len;
	} rows[] = {
		{ true, GATE_TARGET, DOOR_HTTP, TRANSPORT_TCP, 0 },
		{ false, GATE_TARGET, DOOR_JAIL, TRANSPORT_TCP, 0 },
		{ false, GATE_TARGET, DOOR_PUBLISH, TRANSPORT_TCP, 0 },
		{ false, GATE_TARGET, DOOR_DNS, TRANSPORT_TCP, 0 },
		{ false, GATE_TARGET, DOOR_NUM, TRANSPORT_TCP, 0 },
		{ false, GATE_TARGET, DOOR_HTTP, TRANSPORT_UDP, 0 },
		{ false, GATE_TARGET, DOOR_HTTP, TRANSPORT_TCP, 9 },
		{ false, GATE_ASK, DOOR_HTTP, TRANSPORT_TCP, 0 },
		{ false, GATE_ASK, DOOR_SOCKS, TRANSPORT_TCP, 0 },
		{ false, GATE_ASK, DOOR_DNS, TRANSPORT_TCP, 0 },
	};
	struct desk d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct talk_ask a = target_of("", 22);

		desk_open(&d);
		d.k.cooperative = !rows[i].jail;
		a.addr = addr_v4(0xcb007107);	/* DESK_LITERAL */
		a.door = rows[i].door;
		a.transport = rows[i].transport;
		a.host_len = rows[i].host_len;
		assert_null(d.closed);
		desk_say(&d, rows[i].what, REF, &a, sizeof(a), (struct span){ 0 });
		if (!d.closed)
			fail_msg("row %zu", i);
		assert_int_equal(d.dial_count, 0);
		desk_done(&d);
	}
}

static void names_are_answered_with_what_may_be_reached(void **state)
{
	struct talk_dns_ask ask = { .type = DNS_A, .plain = 1 };
	const struct answer_seen *a;
	struct desk d;

	(void)state;
	proxy_open(&d);
	d.resolution = (struct resolution){ .count = 3, .addrs = {
		addr_v4(INADDR_LOOPBACK), addr_v4(0x08080808), addr_v4(0x08080404) } };
	desk_say(&d, GATE_DNS, REF, &ask, sizeof(ask), SPAN(DESK_HOST));
	a = answered(&d, KEEPER_DNS);
	assert_int_equal(a->dns.rcode, DNS_NOERROR);
	assert_true(a->dns.has_addr && a->dns.records);
	assert_int_equal(addr_v4_value(&a->dns.addr), 0x08080808);
	assert_int_equal(desk_count(&d, "dns.query", "\"answer\":\"8.8.8.8\""), 1);
	ask.type = DNS_AAAA;
	desk_say(&d, GATE_DNS, REF, &ask, sizeof(ask), SPAN(DESK_HOST));
	a = answered(&d, KEEPER_DNS);
	assert_int_equal(a->dns.rcode, DNS_NOERROR);
	assert_false(a->dns.has_addr || a->dns.records);
	d.resolution.count = 1;
	ask.type = DNS_A;
	desk_say(&d, GATE_DNS, REF, &ask, sizeof(ask), SPAN(DESK_HOST));
	assert_int_equal(answered(&d, KEEPER_DNS)->dns.rcode, DNS_NXDOMAIN);
	assert_int_equal(desk_count(&d, "dns.query", "special_address"), 1);
	desk_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_gets_the_address_that_stands_for_it),
		cmocka_unit_test(what_is_not_allowed_is_not_looked_up),
		cmocka_unit_test(special_addresses_are_refused),
		cmocka_unit_test(a_private_address_is_refused_when_it_is_asked_about),
		cmocka_unit_test(a_name_that_is_not_there_is_not_bound),
		cmocka_unit_test(an_address_under_a_rule_is_its_own_target),
		cmocka_unit_test(a_request_is_denied_as_one),
		cmocka_unit_test(what_is_no_target_is_denied_as_it_is),
		cmocka_unit_test(the_policy_that_holds_then_decides),
		cmocka_unit_test(who_waits_at_the_end_is_forgotten),
		cmocka_unit_test(a_gate_that_lies_is_cut_off),
		cmocka_unit_test(names_are_answered_with_what_may_be_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

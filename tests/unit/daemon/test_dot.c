/* SPDX-License-Identifier: Apache-2.0 */
/* The role with an upstream over TLS, against servers that are good, bad and hostile */
#include "../unit.h"

#include "daemon/dot.h"
#include "dns_server.h"
#include "lonely.h"
#include "resolver_rig.h"
#include "tls_server.h"

#define DOT "tls://127.0.0.1#" TLS_SERVER_NAME
#define SECOND "tls://127.0.0.2#" TLS_SERVER_NAME

static const char *ca_file;
static struct dns_server plain;		/* 127.0.0.1, port 53: nobody may ever ask it */

/* The CA of the test is trusted and no other; @second may be NULL */
static struct role *dot_start(const char *first, const char *second)
{
	const char *const more[] = {
		"--cert-file", ca_file, "--cert-dir", "/nowhere", "--upstream", first,
		second ? "--upstream" : NULL, second, NULL,
	};

	return role_start_with("nameserver 127.0.0.1\n", "10.1.2.3 hosts.example\n", more);
}

static bool has(const struct resolution *res, const char *text)
{
	struct addr a;

	assert_true(addr_parse(span_str(text), &a));
	for (size_t i = 0; i < res->count; i++)
		if (addr_eq(&res->addrs[i], &a))
			return true;
	return false;
}

static void a_good_server_answers(void **state)
{
	struct dns_server s = tls_server_start("127.0.0.1", TLS_GOOD);
	struct role *role = dot_start(DOT, NULL);
	struct resolution res = ask(role, "both.example");
	struct heard h;

	(void)state;
	assert_int_equal(res.status, RESOLVED_OK);
	assert_int_equal(res.count, 4);
	assert_true(has(&res, "192.0.2.1") && has(&res, "2001:db8::2"));
	assert_int_equal(ask(role, "nxdomain.example").status, RESOLVED_NO_NAME);
	assert_int_equal(ask(role, "nothing.example").status, RESOLVED_NO_DATA);
	assert_int_equal(ask(role, "servfail.example").status, RESOLVED_FAILED);
	res = ask(role, "chain.example");
	assert_true(res.count == 2 && has(&res, "192.0.2.9") && has(&res, "2001:db8::9"));
	res = ask(role, "stranger.example");
	assert_true(res.count == 2 && !has(&res, "192.0.2.66"));
	assert_int_equal(ask(role, "many.example").count, RESOLVE_ADDRS_MAX);
	ask_records(role, "texts.example", 16, &h);
	assert_int_equal(h.last.status, RESOLVED_OK);
	assert_true(span_eq(h.last.records, SPAN("\0\6\5hello")));
	ask_records(role, "texts.example", 15, &h);
	assert_true(span_eq(h.last.records, SPAN("\0\26\0\12\4mail\5texts\7example\0")));
	ask_records(role, "alias.example", 16, &h);
	assert_true(span_eq(h.last.records, SPAN("\0\6\5hello")));
	/* all that on one connection */
	assert_int_equal(atomic_load(&s.shared->connections), 1);
	role_stop(role, 0);
	dns_server_stop(&s);
}

static void names_of_this_machine_are_not_asked(void **state)
{
	struct dns_server s = tls_server_start("127.0.0.1", TLS_GOOD);
	struct role *role = dot_start(DOT, NULL);
	struct resolution res = ask(role, "hosts.example");

	(void)state;
	assert_true(res.count == 1 && has(&res, "10.1.2.3"));
	assert_int_equal(ask(role, "localhost").status, RESOLVED_NO_NAME);
	assert_int_equal(ask(role, "both.localhost").status, RESOLVED_NO_NAME);
	assert_int_equal(atomic_load(&s.shared->asked), 0);
	assert_int_equal(ask(role, "only4.example").status, RESOLVED_OK);	/* it would answer */
	role_stop(role, 0);
	dns_server_stop(&s);
}

static void hostile_answers_fail_or_lose_what_is_wrong(void **state)
{
	static const char *const names[] = {
		"torn.example", "odd.example", "loop.example",
	};
	struct dns_server s = tls_server_start("127.0.0.1", TLS_GOOD);
	struct role *role = dot_start(DOT, NULL);
	struct heard h;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(ask_within(role, names[i], 9000).status, RESOLVED_FAILED);
	assert_int_equal(ask(role, "refused.example").status, RESOLVED_FAILED);
	ask_records(role, "huge.example", 16, &h);
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	ask_records(role, "texts.example", 52, &h);	/* a text is no TLSA record */
	assert_int_equal(h.last.status, RESOLVED_OK);	/* but five octets are: 5, 'h', 'e', data */
	ask_records(role, "texts.example", 6, &h);	/* and no SOA */
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	assert_int_equal(ask(role, "both.example").status, RESOLVED_OK);
	role_stop(role, 0);
	dns_server_stop(&s);
}

/* Nothing is asked of whoever cannot prove its name, over no way */
static void who_is_not_verified_is_not_asked(void **state)
{
	static const enum tls_fault faults[] = {
		TLS_WRONG_NAME, TLS_CN_ONLY, TLS_EXPIRED, TLS_NOT_YET, TLS_UNKNOWN_CA,
		TLS_SELF_SIGNED, TLS_OLD, TLS_PLAIN, TLS_GARBAGE_FIRST, TLS_HANGS_UP,
	};
	unsigned before = atomic_load(&plain.shared->asked);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct dns_server s = tls_server_start("127.0.0.1", faults[i]);
		struct role *role = dot_start(DOT, NULL);
		int64_t began = clock_ms();
		struct heard h;

		assert_int_equal(ask(role, "both.example").status, RESOLVED_FAILED);
		ask_records(role, "texts.example", 16, &h);
		assert_int_equal(h.last.status, RESOLVED_FAILED);
		assert_true(clock_ms() - began < 1500);
		assert_int_equal(atomic_load(&s.shared->asked), 0);
		assert_true(atomic_load(&s.shared->connections) > 0);
		assert_int_equal(role->died, 0);
		role_stop(role, 0);
		dns_server_stop(&s);
	}
	assert_int_equal(atomic_load(&plain.shared->asked), before);
}

static void a_wildcard_stands_for_one_label(void **state)
{
	static const struct {
		const char *upstream;
		enum resolved status;
	} rows[] = {
		{ "tls://127.0.0.1#a.dns.example", RESOLVED_OK },
		{ "tls://127.0.0.1#dns.example", RESOLVED_FAILED },
		{ "tls://127.0.0.1#a.b.dns.example", RESOLVED_FAILED },
	};
	struct dns_server s = tls_server_start("127.0.0.1", TLS_WILDCARD);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct role *role = dot_start(rows[i].upstream, NULL);

		assert_int_equal(ask(role, "both.example").status, rows[i].status);
		role_stop(role, 0);
	}
	dns_server_stop(&s);
}

static void without_trusted_certificates_the_role_does_not_start(void **state)
{
	const char *const more[] = {
		"--cert-file", "/nowhere", "--cert-dir", "/nowhere", "--upstream", DOT, NULL,
	};
	struct role *role = role_start_with("", "", more);
	int status;

	(void)state;
	assert_int_equal(waitpid(role->pid, &status, 0), role->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 125);
	resolve_free(role->r);
	event_base_free(role->loop);
	unlink(role->resolv_conf);
	unlink(role->hosts);
	free(role);
}

static void a_server_that_fails_is_asked_again_soon_but_not_for_each_name(void **state)
{
	struct dns_server s = tls_server_start("127.0.0.1", TLS_WRONG_NAME);
	struct role *role = dot_start(DOT, NULL);
	char name[32];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "both-%d.example", i);
		assert_int_equal(ask(role, name).status, RESOLVED_FAILED);
	}
	assert_true(atomic_load(&s.shared->connections) <= 3);
	dns_server_stop(&s);
	s = tls_server_start("127.0.0.1", TLS_GOOD);
	turn_for(role, 500000);
	turn_for(role, 700000);
	assert_int_equal(ask(role, "both-x.example").status, RESOLVED_OK);
	role_stop(role, 0);
	dns_server_stop(&s);
}

static void slow_servers_fail_in_time(void **state)
{
	static const enum tls_fault faults[] = { TLS_MUTE_FIRST, TLS_MUTE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct dns_server s = tls_server_start("127.0.0.1", faults[i]);
		struct role *role = dot_start(DOT, NULL);
		int64_t began = clock_ms();

		assert_int_equal(ask_within(role, "both.example", RESOLVE_LIMIT_MS + 500).status,
				 RESOLVED_FAILED);
		assert_true(clock_ms() - began > 2000);
		role_stop(role, 0);
		dns_server_stop(&s);
	}
}

static void the_next_server_is_asked_over_tls_too(void **state)
{
	static const enum tls_fault faults[] = { TLS_WRONG_NAME, TLS_MUTE_FIRST, TLS_MUTE };
	struct dns_server second = tls_server_start("127.0.0.2", TLS_GOOD);
	unsigned before = atomic_load(&plain.shared->asked);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct dns_server s = tls_server_start("127.0.0.1", faults[i]);
		struct role *role = dot_start(DOT, SECOND);

		assert_int_equal(ask_within(role, "both.example", 4000).status, RESOLVED_OK);
		role_stop(role, 0);
		dns_server_stop(&s);
	}
	assert_int_equal(atomic_load(&plain.shared->asked), before);
	dns_server_stop(&second);
}

static void lies_behind_the_handshake_fail(void **state)
{
	static const enum tls_fault faults[] = {
		TLS_GARBAGE, TLS_LIES_ID, TLS_LIES_QUESTION, TLS_CUT,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct dns_server s = tls_server_start("127.0.0.1", faults[i]);
		struct role *role = dot_start(DOT, NULL);

		assert_int_equal(ask_within(role, "both.example", RESOLVE_LIMIT_MS + 500).status,
				 RESOLVED_FAILED);
		assert_true(atomic_load(&s.shared->asked) > 0);	/* it was asked, and lied */
		assert_int_equal(role->died, 0);
		role_stop(role, 0);
		dns_server_stop(&s);
	}
}

static void answers_in_pieces_and_in_any_order_are_taken(void **state)
{
	static const enum tls_fault faults[] = { TLS_DRIPS, TLS_BACKWARDS };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct dns_server s = tls_server_start("127.0.0.1", faults[i]);
		struct role *role = dot_start(DOT, NULL);

		assert_int_equal(ask(role, "both.example").count, 4);
		assert_int_equal(ask(role, "chain.example").count, 2);
		role_stop(role, 0);
		dns_server_stop(&s);
	}
}

/* A server may close a connection behind any answer: what waits is asked once more */
static void a_connection_that_is_closed_is_opened_again(void **state)
{
	struct dns_server s = tls_server_start("127.0.0.1", TLS_ONE_EACH);
	struct role *role = dot_start(DOT, NULL);
	char name[32];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "both-%d.example", i);
		assert_int_equal(ask(role, name).count, 4);
	}
	assert_true(atomic_load(&s.shared->connections) >= 5);
	role_stop(role, 0);
	dns_server_stop(&s);
}

static void many_questions_share_a_connection(void **state)
{
	struct dns_server s = tls_server_start("127.0.0.1", TLS_GOOD);
	struct role *role = dot_start(DOT, NULL);
	struct heard h = { .count = 0 };
	char name[32];

	(void)state;
	for (unsigned i = 0; i < RESOLVER_ASKED_MAX; i++) {
		snprintf(name, sizeof(name), "both-%u.many", i);
		resolve_ask(role->r, span_str(name), hear, &h);
	}
	hear_within(role, &h, RESOLVER_ASKED_MAX, RESOLVE_LIMIT_MS + 500);
	assert_int_equal(h.last.status, RESOLVED_OK);
	assert_int_equal(h.last.count, 4);
	assert_int_equal(atomic_load(&s.shared->connections), 1);
	role_stop(role, 0);
	dns_server_stop(&s);
}

static void one_silent_name_hinders_no_other(void **state)
{
	struct dns_server s = tls_server_start("127.0.0.1", TLS_GOOD);
	struct role *role = dot_start(DOT, NULL);
	struct heard h = { .count = 0 };
	char name[32];

	(void)state;
	resolve_ask(role->r, SPAN("silent.example"), hear, &h);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "both-%d.example", i);
		assert_int_equal(ask_within(role, name, 1000).status, RESOLVED_OK);
		turn_for(role, 300000);
	}
	hear_within(role, &h, 1, RESOLVE_LIMIT_MS + 500);
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	role_stop(role, 0);
	dns_server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_server_answers),
		cmocka_unit_test(names_of_this_machine_are_not_asked),
		cmocka_unit_test(hostile_answers_fail_or_lose_what_is_wrong),
		cmocka_unit_test(who_is_not_verified_is_not_asked),
		cmocka_unit_test(a_wildcard_stands_for_one_label),
		cmocka_unit_test(without_trusted_certificates_the_role_does_not_start),
		cmocka_unit_test(a_server_that_fails_is_asked_again_soon_but_not_for_each_name),
		cmocka_unit_test(slow_servers_fail_in_time),
		cmocka_unit_test(the_next_server_is_asked_over_tls_too),
		cmocka_unit_test(lies_behind_the_handshake_fail),
		cmocka_unit_test(answers_in_pieces_and_in_any_order_are_taken),
		cmocka_unit_test(a_connection_that_is_closed_is_opened_again),
		cmocka_unit_test(many_questions_share_a_connection),
		cmocka_unit_test(one_silent_name_hinders_no_other),
	};
	int failed;

	lonely_enter();
	ca_file = tls_server_init();
	plain = dns_server_start("127.0.0.1");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dns_server_stop(&plain);
	tls_server_done();
	return failed;
}

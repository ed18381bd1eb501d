/* SPDX-License-Identifier: Apache-2.0 */
/* The role itself, in its process, with name servers that misbehave; resolve.h asks it */
#include "../unit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/clock.h"
#include "daemon/resolve.h"
#include "daemon/resolver.c"
#include "dns_server.h"
#include "lonely.h"
#include "resolver_rig.h"

#define ONE "nameserver 127.0.0.1\n"
#define TWO "nameserver 127.0.0.1\nnameserver 127.0.0.2\n"

static struct dns_server first, second;

static size_t count_v4(const struct resolution *res)
{
	size_t n = 0;

	for (size_t i = 0; i < res->count; i++)
		n += addr_is_v4(&res->addrs[i]);
	return n;
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

static void two_families_make_one_answer(void **state)
{
	static const struct {
		enum resolved a, b, both;
	} cases[] = {
		{ RESOLVED_OK, RESOLVED_FAILED, RESOLVED_OK },
		{ RESOLVED_NO_NAME, RESOLVED_OK, RESOLVED_OK },
		{ RESOLVED_NO_DATA, RESOLVED_FAILED, RESOLVED_FAILED },
		{ RESOLVED_NO_NAME, RESOLVED_FAILED, RESOLVED_FAILED },
		{ RESOLVED_NO_NAME, RESOLVED_NO_DATA, RESOLVED_NO_DATA },
		{ RESOLVED_NO_NAME, RESOLVED_NO_NAME, RESOLVED_NO_NAME },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(together(cases[i].a, cases[i].b), cases[i].both);
		assert_int_equal(together(cases[i].b, cases[i].a), cases[i].both);
	}
}

static void names_that_exist(void **state)
{
	struct role *role = role_start(ONE, "");
	struct resolution res;

	(void)state;
	res = ask(role, "both.example");
	assert_int_equal(res.status, RESOLVED_OK);
	assert_int_equal(res.count, 4);
	assert_true(has(&res, "192.0.2.1") && has(&res, "192.0.2.2"));
	assert_true(has(&res, "2001:db8::1") && has(&res, "2001:db8::2"));
	res = ask(role, "only4.example");
	assert_int_equal(res.status, RESOLVED_OK);
	assert_int_equal(res.count, 1);
	assert_true(has(&res, "192.0.2.1"));
	res = ask(role, "only4");	/* no dots: asked as it is */
	assert_int_equal(res.status, RESOLVED_OK);
	role_stop(role, 0);
}

static void names_that_libunbound_would_answer_itself(void **state)
{
	static const char *const names[] = {
		"only4.test", "only4.home.arpa", "only4.local", "only4.internal", "only4.onion",
		"only4.invalid", "only4.lan", "only4.corp",
	};
	struct role *role = role_start(ONE, "");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(ask(role, names[i]).status, RESOLVED_OK);
	assert_int_equal(ask(role, "only4.localhost").status, RESOLVED_NO_NAME);
	role_stop(role, 0);
}

static void names_that_do_not(void **state)
{
	struct role *role = role_start(ONE, "");

	(void)state;
	assert_int_equal(ask(role, "nxdomain.example").status, RESOLVED_NO_NAME);
	assert_int_equal(ask(role, "nothing.example").status, RESOLVED_NO_DATA);
	assert_int_equal(ask(role, "servfail.example").status, RESOLVED_FAILED);
	assert_int_equal(ask(role, "refused.example").status, RESOLVED_FAILED);
	assert_int_equal(role->died, 0);
	role_stop(role, 0);
}

static void hostile_answers(void **state)
{
	struct role *role = role_start(ONE, "");
	struct resolution res;

	(void)state;
	res = ask(role, "chain.example");
	assert_int_equal(res.status, RESOLVED_OK);
	assert_int_equal(res.count, 2);
	assert_true(has(&res, "192.0.2.9") && has(&res, "2001:db8::9"));
	res = ask(role, "stranger.example");
	assert_int_equal(res.status, RESOLVED_OK);
	assert_int_equal(res.count, 2);
	assert_false(has(&res, "192.0.2.66") || has(&res, "2001:db8::66"));
	res = ask(role, "many.example");
	assert_int_equal(res.status, RESOLVED_OK);
	assert_int_equal(res.count, RESOLVE_ADDRS_MAX);
	assert_int_not_equal(ask_within(role, "loop.example", RESOLVE_LIMIT_MS + 500).status,
			     RESOLVED_OK);
	assert_int_not_equal(ask_within(role, "torn.example", RESOLVE_LIMIT_MS + 500).status,
			     RESOLVED_OK);
	assert_int_not_equal(ask_within(role, "odd.example", RESOLVE_LIMIT_MS + 500).status,
			     RESOLVED_OK);
	assert_int_equal(ask(role, "only4-after.example").status, RESOLVED_OK);
	role_stop(role, 0);
}

static void names_that_cannot_be_asked_for(void **state)
{
	static const char *const names[] = {
		"a\\.b", "a..b", ".", "a.", "a b", "*.example", "\xff",
	};
	struct role *role = role_start(ONE, "");
	unsigned before = atomic_load(&first.shared->asked);
	char label[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(ask(role, names[i]).status, RESOLVED_FAILED);
	memset(label, 'a', 64);
	strcpy(label + 64, ".example");
	assert_int_equal(ask(role, label).status, RESOLVED_FAILED);
	assert_int_equal(atomic_load(&first.shared->asked), before);
	role_stop(role, 0);
}

static void answers_too_big_for_udp(void **state)
{
	struct role *role = role_start(ONE, "");

	(void)state;
	assert_int_equal(ask(role, "big.example").count, 4);
	role_stop(role, 0);
}

static void a_server_with_an_ipv6_address(void **state)
{
	struct dns_server six = dns_server_start("::1");
	struct role *role = role_start("nameserver ::1\n", "");

	(void)state;
	assert_int_equal(ask(role, "both.example").count, 4);
	assert_int_equal(ask(role, "big.example").count, 4);
	role_stop(role, 0);
	dns_server_stop(&six);
}

static void hosts_come_first(void **state)
{
	struct role *role = role_start(ONE,
		"# a comment\nnonsense here\n127.0.0.1 localhost app.localhost\n"
		"10.1.2.3 nxdomain.example alias bad..name # more\n"
		"10.1.2.4 nxdomain.example\n::1 localhost\nfd00::7\tsix.example\n"
		"999.1.1.1 only4.example\n");
	struct resolution res = ask(role, "nxdomain.example");

	(void)state;
	assert_int_equal(res.status, RESOLVED_OK);
	assert_int_equal(res.count, 2);
	assert_true(has(&res, "10.1.2.3") && has(&res, "10.1.2.4"));
	res = ask(role, "alias");
	assert_true(res.count == 1 && has(&res, "10.1.2.3"));
	res = ask(role, "six.example");
	assert_true(res.count == 1 && has(&res, "fd00::7"));
	res = ask(role, "localhost");
	assert_true(res.count == 2 && has(&res, "127.0.0.1") && has(&res, "::1"));
	res = ask(role, "app.localhost");
	assert_true(res.count == 1 && has(&res, "127.0.0.1"));
	res = ask(role, "only4.example");
	assert_true(res.count == 1 && has(&res, "192.0.2.1"));
	role_stop(role, 0);
}

static void the_second_server_is_asked_only_for_what_the_first_cannot_say(void **state)
{
	struct role *role = role_start(TWO, "");
	unsigned before = atomic_load(&second.shared->asked);
	int64_t began;

	(void)state;
	for (int i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s-%d.example", i % 2 ? "both" : "nxdomain", i);
		assert_int_equal(ask(role, name).status, i % 2 ? RESOLVED_OK : RESOLVED_NO_NAME);
	}
	assert_int_equal(atomic_load(&second.shared->asked), before);
	atomic_store(&first.shared->silent, true);
	began = clock_ms();
	assert_int_equal(ask_within(role, "only4-x.example", 4000).status, RESOLVED_OK);
	assert_true(clock_ms() - began > 2000);
	assert_true(atomic_load(&second.shared->asked) > before);
	atomic_store(&first.shared->silent, false);
	role_stop(role, 0);
}

static void a_server_that_fails_is_left_at_once(void **state)
{
	struct role *role = role_start(TWO, "");
	unsigned before = atomic_load(&second.shared->asked);
	int64_t began = clock_ms();

	(void)state;
	assert_int_equal(ask(role, "servfail.example").status, RESOLVED_FAILED);
	assert_true(clock_ms() - began < 1500);
	assert_true(atomic_load(&second.shared->asked) > before);
	role_stop(role, 0);
}

/* Nobody listens on 127.0.0.3 */
static void a_quiet_server_costs_patience_once(void **state)
{
	struct role *role = role_start("nameserver 127.0.0.3\nnameserver 127.0.0.1\n", "");
	int64_t began = clock_ms();

	(void)state;
	assert_int_equal(ask_within(role, "only4.example", 4000).status, RESOLVED_OK);
	began = clock_ms();
	assert_int_equal(ask(role, "both.example").status, RESOLVED_OK);
	assert_true(clock_ms() - began < 1500);
	role_stop(role, 0);
}

static void without_servers_the_own_machine_is_asked(void **state)
{
	struct role *role = role_start("# none\nsearch example\nnameserver not-an-address\n", "");

	(void)state;
	assert_int_equal(ask(role, "only4.example").status, RESOLVED_OK);
	role_stop(role, 0);
}

static void a_server_that_drops_aaaa_delays_little(void **state)
{
	struct role *role = role_start(ONE, "");
	int64_t began = clock_ms();
	struct resolution res = ask(role, "silent6.example");

	(void)state;
	assert_int_equal(res.status, RESOLVED_OK);
	assert_int_equal(count_v4(&res), 1);
	assert_int_equal(res.count, 1);
	assert_true(clock_ms() - began < 1500);
	role_stop(role, 0);
}

static void silence_fails_in_time_and_hinders_nobody(void **state)
{
	struct role *role = role_start(ONE, "");
	struct heard h = { 0 };
	int64_t began = clock_ms();

	(void)state;
	resolve_ask(role->r, SPAN("silent.example"), hear, &h);
	resolve_ask(role->r, SPAN("silent.example"), hear, &h);
	assert_int_equal(ask(role, "both-1.example").status, RESOLVED_OK);
	assert_true(clock_ms() - began < 1000);
	hear_within(role, &h, 2, RESOLVE_LIMIT_MS + 500);
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	assert_int_equal(ask(role, "both-2.example").status, RESOLVED_OK);
	role_stop(role, 0);
}

/* A server that was away for long is asked again soon after it is back */
static void a_server_comes_back(void **state)
{
	struct role *role = role_start(ONE, "");
	bool back = false;
	char name[32];

	(void)state;
	assert_int_equal(ask(role, "both-1.example").status, RESOLVED_OK);
	atomic_store(&first.shared->silent, true);
	assert_int_equal(ask_within(role, "both-2.example", RESOLVE_LIMIT_MS + 500).status,
			 RESOLVED_FAILED);
	atomic_store(&first.shared->silent, false);
	for (int i = 0; i < 12 && !back; i++) {
		snprintf(name, sizeof(name), "both-2%d.example", i);
		back = ask_within(role, name, RESOLVE_LIMIT_MS + 500).status == RESOLVED_OK;
		turn_for(role, 500000);
	}
	assert_true(back);
	role_stop(role, 0);
}

static void a_killed_resolver_fails_what_waits(void **state)
{
	struct role *role = role_start(ONE, "");
	struct heard h = { 0 };

	(void)state;
	assert_int_equal(ask(role, "both.example").status, RESOLVED_OK);
	resolve_ask(role->r, SPAN("silent-a.example"), hear, &h);
	resolve_ask(role->r, SPAN("silent-b.example"), hear, &h);
	event_base_loop(role->loop, EVLOOP_NONBLOCK);
	kill(role->pid, SIGKILL);
	hear_within(role, &h, 2, 1000);
	assert_int_equal(h.last.status, RESOLVED_FAILED);
	assert_int_equal(role->died, 1);
	assert_int_equal(ask(role, "both.example").status, RESOLVED_FAILED);
	role_stop(role, SIGKILL);
}

static void many_questions_at_once(void **state)
{
	struct role *role = role_start(ONE, "");
	struct heard h = { 0 };

	(void)state;
	for (unsigned i = 0; i < RESOLVER_ASKED_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "both-%u.many", i);
		resolve_ask(role->r, span_str(name), hear, &h);
	}
	hear_within(role, &h, RESOLVER_ASKED_MAX, RESOLVE_LIMIT_MS + 500);
	assert_int_equal(h.last.status, RESOLVED_OK);
	assert_int_equal(h.last.count, 4);
	role_stop(role, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_families_make_one_answer),
		cmocka_unit_test(names_that_exist),
		cmocka_unit_test(names_that_libunbound_would_answer_itself),
		cmocka_unit_test(names_that_do_not),
		cmocka_unit_test(hostile_answers),
		cmocka_unit_test(names_that_cannot_be_asked_for),
		cmocka_unit_test(answers_too_big_for_udp),
		cmocka_unit_test(a_server_with_an_ipv6_address),
		cmocka_unit_test(hosts_come_first),
		cmocka_unit_test(the_second_server_is_asked_only_for_what_the_first_cannot_say),
		cmocka_unit_test(a_server_that_fails_is_left_at_once),
		cmocka_unit_test(a_quiet_server_costs_patience_once),
		cmocka_unit_test(without_servers_the_own_machine_is_asked),
		cmocka_unit_test(a_server_that_drops_aaaa_delays_little),
		cmocka_unit_test(silence_fails_in_time_and_hinders_nobody),
		cmocka_unit_test(a_server_comes_back),
		cmocka_unit_test(a_killed_resolver_fails_what_waits),
		cmocka_unit_test(many_questions_at_once),
	};
	int failed;

	lonely_enter();
	first = dns_server_start("127.0.0.1");
	second = dns_server_start("127.0.0.2");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	dns_server_stop(&first);
	dns_server_stop(&second);
	return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

/* This machine: 192.0.2.10 and a public address; a connected network that looks public */
static const struct place *here(void)
{
	static struct net own[2], connected[2];
	static struct place place = { own, 2, connected, 2 };

	assert_true(net_parse(SPAN("192.0.2.10"), &own[0]));
	assert_true(net_parse(SPAN("185.1.1.1"), &own[1]));
	assert_true(net_parse(SPAN("185.1.1.0/24"), &connected[0]));
	assert_true(net_parse(SPAN("192.0.2.0/24"), &connected[1]));
	return &place;
}

struct row {
	const char *ask, *addr, *want;
};

static void check_policy(const struct policy *p, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct question q = ask(rows[i].ask);
		struct verdict v = policy_decide(p, &q);
		enum reason got;
		struct addr a;

		assert_true(addr_parse(span_str(rows[i].addr), &a));
		if (v.answer != ANSWER_ALLOW)
			fail_msg("%s: %s", rows[i].ask, verdict_word(&v));
		got = policy_address(p, &q, &v, here(), &a);
		if (strcmp(reason_name(got), rows[i].want))
			fail_msg("%s at %s: %s, not %s", rows[i].ask, rows[i].addr, reason_name(got),
				 rows[i].want);
	}
}

static void check_rows(const char *rules, const struct row *rows, size_t count)
{
	struct policy *p = make(rules);

	check_policy(p, rows, count);
	policy_free(p);
}
#define CHECK(rules, rows) check_rows(rules, rows, ARRAY_SIZE(rows))
#define NO "special_address"

static void public_addresses_pass_and_special_ones_do_not(void **state)
{
	static const struct row rows[] = {
		{ "x.example:22", "8.8.8.8", "allowed" }, { "x.example:22", "2606:4700::1", "allowed" },
		{ "x.example:22", "10.0.0.1", NO }, { "x.example:22", "127.0.0.1", NO },
		{ "x.example:22", "0.0.0.0", NO }, { "x.example:22", "100.64.0.1", NO },
		{ "x.example:22", "169.254.1.1", NO }, { "x.example:22", "224.0.0.1", NO },
		{ "x.example:22", "255.255.255.255", NO }, { "x.example:22", "192.0.2.1", NO },
		{ "x.example:22", "198.18.0.1", NO }, { "x.example:22", "::1", NO },
		{ "x.example:22", "::", NO }, { "x.example:22", "fd00::1", NO },
		{ "x.example:22", "fe80::1", NO }, { "x.example:22", "ff02::1", NO },
		{ "x.example:22", "2001:db8::1", NO }, { "x.example:22", "168.63.129.16", NO },
		/* more specific blocks of the registry that are reachable */
		{ "x.example:22", "192.0.0.9", "allowed" }, { "x.example:22", "192.0.0.8", NO },
		{ "x.example:22", "2001:1::1", "allowed" }, { "x.example:22", "2001:1::4", NO },
		/* ours, and our neighbours, whatever they look like */
		{ "x.example:22", "185.1.1.1", NO }, { "x.example:22", "185.1.1.2", NO },
		{ "x.example:22", "185.1.2.2", "allowed" },
		/* judged for a name that is only looked up, too */
		{ "x.example", "8.8.8.8", "allowed" }, { "x.example", "10.0.0.1", NO },
	};

	(void)state;
	CHECK("allow: [{host: x.example, ports: [22]}]", rows);
}

static void an_address_inside_counts_too(void **state)
{
	static const struct row rows[] = {
		{ "x.example:22", "::ffff:10.0.0.1", NO }, { "x.example:22", "::ffff:8.8.8.8", "allowed" },
		{ "x.example:22", "64:ff9b::8.8.8.8", "allowed" },
		{ "x.example:22", "64:ff9b::10.0.0.1", NO },
		{ "x.example:22", "64:ff9b::185.1.1.1", NO },
		{ "x.example:22", "64:ff9b::168.63.129.16", NO },
		{ "x.example:22", "2002:a00:1::1", NO }, { "x.example:22", "2002:808:808::1", NO },
		{ "x.example:22", "::10.0.0.1", NO }, { "x.example:22", "::ffff:0:7f00:1", NO },
	};
	static const struct row private[] = {
		{ "x.example:22", "64:ff9b::10.0.0.1", "allowed" },
		{ "x.example:22", "64:ff9b::127.0.0.1", NO },
		{ "x.example:22", "64:ff9b:1::169.254.169.254", NO },
		{ "x.example:22", "64:ff9b:1:a9fe:a9:fe00::", NO },
		{ "x.example:22", "64:ff9b:1::10.0.0.1", "allowed" },
		{ "x.example:22", "2002:7f00:1::1", NO }, { "x.example:22", "2002:a00:1::1", "allowed" },
		{ "x.example:22", "2001:0:808:808::80ff:fffe", NO },	/* a client at 127.0.0.1 */
		{ "x.example:22", "::127.0.0.1", NO }, { "x.example:22", "::ffff:0:a9fe:a9fe", NO },
	};

	(void)state;
	CHECK("allow: [{host: x.example, ports: [22]}]", rows);
	CHECK("allow: [{host: x.example, ports: [22], private: true}]", private);
}

static void private_opens_all_but_what_is_ours(void **state)
{
	static const struct row rows[] = {
		{ "x.example:22", "10.0.0.1", "allowed" }, { "x.example:22", "fd00::1", "allowed" },
		{ "x.example:22", "192.0.2.1", "allowed" }, { "x.example:22", "185.1.1.2", "allowed" },
		{ "x.example:22", "192.0.2.10", NO }, { "x.example:22", "185.1.1.1", NO },
		{ "x.example:22", "127.0.0.1", NO }, { "x.example:22", "0.0.0.0", NO },
		{ "x.example:22", "169.254.169.254", NO }, { "x.example:22", "fd00:ec2::254", NO },
		{ "x.example:22", "168.63.129.16", NO }, { "x.example:22", "224.0.0.1", NO },
		{ "x.example:22", "ff02::1", NO },
		/* another rule allows this port, without it */
		{ "x.example:23", "10.0.0.1", NO },
	};

	(void)state;
	CHECK("allow:\n- {host: .example, ports: [22], private: true, unsafe_wildcard: true}\n"
	      "- {host: x.example, ports: [22, 23]}", rows);
}

/* The preset nat-filtered is this */
static void all_of_a_family_names_nobody(void **state)
{
	static const struct row rows[] = {
		{ "x.example:22", "8.8.8.8", "allowed" }, { "x.example:22", "2606:4700::1", "allowed" },
		{ "[8.8.8.8]:22", "8.8.8.8", "allowed" }, { "[185.1.2.2]:22", "185.1.2.2", "allowed" },
		{ "x.example:22", "10.0.0.1", NO }, { "x.example:22", "169.254.169.254", NO },
		{ "x.example:22", "127.0.0.1", NO }, { "x.example:22", "fd00::1", NO },
		/* ours, and our neighbours, by name and by address */
		{ "x.example:22", "185.1.1.1", NO }, { "x.example:22", "185.1.1.2", NO },
		{ "[185.1.1.1]:22", "185.1.1.1", NO }, { "[185.1.1.2]:22", "185.1.1.2", NO },
		{ "[64:ff9b::185.1.1.1]:22", "64:ff9b::185.1.1.1", NO },
		{ "[64:ff9b::10.0.0.1]:22", "64:ff9b::10.0.0.1", NO },
	};

	(void)state;
	CHECK("allow:\n- {host: '*', ports: [22], unsafe_wildcard: true}\n- {ip: 0.0.0.0/0, ports: [22]}\n"
	      "- {ip: '::/0', ports: [22]}", rows);
}

static void an_ip_rule_opens_what_it_names(void **state)
{
	static const struct row rows[] = {
		{ "x.example:22", "10.1.2.3", "allowed" }, { "x.example:22", "10.2.0.1", NO },
		{ "x.example:22", "127.0.0.1", "allowed" }, { "x.example:22", "127.0.0.2", NO },
		{ "x.example:22", "169.254.169.254", "allowed" },
		{ "x.example:22", "192.0.2.10", "allowed" }, { "x.example:22", "192.0.2.11", NO },
		/* not on this port */
		{ "x.example:23", "10.1.2.3", NO },
		{ "[10.1.2.3]:22", "10.1.2.3", "allowed" }, { "[127.0.0.1]:22", "127.0.0.1", "allowed" },
		{ "[64:ff9b::1.1.1.1]:22", "64:ff9b::1.1.1.1", "allowed" },
		{ "[64:ff9b::10.2.0.1]:22", "64:ff9b::10.2.0.1", NO },
		{ "[64:ff9b::10.1.2.3]:22", "64:ff9b::10.1.2.3", "allowed" },
	};

	(void)state;
	CHECK("allow:\n- {host: x.example, ports: [22, 23]}\n- {ip: 10.1.0.0/16, ports: [22]}\n"
	      "- {ip: 127.0.0.1, ports: [22]}\n- {ip: 169.254.169.254, ports: [22]}\n"
	      "- {ip: 192.0.2.10, ports: [22]}\n- {ip: 64:ff9b::/96, ports: [22]}", rows);
}

static void a_denied_network_is_denied_to_names_too(void **state)
{
	static const struct row rows[] = {
		{ "x.example:22", "8.8.8.8", "deny_rule" }, { "x.example:22", "8.8.4.4", "allowed" },
		{ "x.example:22", "64:ff9b::8.8.8.8", "deny_rule" },
		{ "x.example:22", "9.9.9.9", "deny_rule" }, { "x.example:23", "9.9.9.9", "allowed" },
		{ "x.example:22", "10.0.0.1", "deny_rule" },
	};

	(void)state;
	CHECK("allow: [{host: x.example, ports: [22, 23], private: true}]\n"
	      "deny:\n- ip: 8.8.8.0/24\n- {ip: 9.9.9.9, ports: [22]}\n- ip: 10.0.0.0/8", rows);
}

static void private_networks_are_for_exact_hosts(void **state)
{
	static const struct row rows[] = {
		{ "x.example:443 tls=x.example", "10.20.1.1", "allowed" },
		{ "x.example:443 tls=x.example", "10.21.1.1", NO },
		{ "x.example:443 tls=x.example", "127.0.0.1", NO },
		{ "x.example:443 tls=x.example", "185.1.1.1", NO },
		{ "x.example:443 tls=x.example", "185.1.1.2", "allowed" },
		{ "a.wild.example:443 tls=a.wild.example", "10.20.1.1", NO },
		{ "both.example:443 tls=both.example", "10.20.1.1", NO },
	};

	(void)state;
	CHECK("private_networks: [10.20.0.0/16, 127.0.0.0/8, 185.1.1.0/24]\n"
	      "allow: [{host: x.example}, {host: '*.wild.example'}, {host: .both.example}]", rows);
}

static void a_private_network_may_be_for_one_host(void **state)
{
	static const struct row rows[] = {
		{ "x.example:443 tls=x.example", "10.20.1.1", "allowed" },
		{ "y.example:443 tls=y.example", "10.20.1.1", NO },
		{ "y.example:443 tls=y.example", "10.30.1.1", "allowed" },
		{ "a.wild.example:443 tls=a.wild.example", "10.40.1.1", "allowed" },
		{ "b.wild.example:443 tls=b.wild.example", "10.40.1.1", NO },
	};
	static char x[] = "x.example", y[] = "y.example", wild[] = "*.wild.example";
	static char x_net[] = "X.Example.=10.20.0.0/16", net[] = "10.30.0.0/16";
	static char wild_net[] = "a.wild.example=10.40.0.0/16";
	static char *const allows[] = { x, y, wild, NULL };
	static char *const nets[] = { x_net, net, wild_net, NULL };
	struct policy_input in = { .allows = allows, .private_networks = nets };
	struct err err = { "" };
	struct policy *p = policy_load(&in, &err);

	(void)state;
	assert_non_null(p);
	check_policy(p, rows, ARRAY_SIZE(rows));
	policy_free(p);
}

static void a_denied_question_has_no_address(void **state)
{
	struct policy *p = make("");
	struct question q = ask("x.example:443");
	struct verdict v = policy_decide(p, &q);
	struct addr a = addr_v4(0x08080808);

	(void)state;
	assert_int_equal(policy_address(p, &q, &v, here(), &a), REASON_SPECIAL_ADDRESS);
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_addresses_pass_and_special_ones_do_not),
		cmocka_unit_test(an_address_inside_counts_too),
		cmocka_unit_test(private_opens_all_but_what_is_ours),
		cmocka_unit_test(all_of_a_family_names_nobody),
		cmocka_unit_test(an_ip_rule_opens_what_it_names),
		cmocka_unit_test(a_denied_network_is_denied_to_names_too),
		cmocka_unit_test(private_networks_are_for_exact_hosts),
		cmocka_unit_test(a_private_network_may_be_for_one_host),
		cmocka_unit_test(a_denied_question_has_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

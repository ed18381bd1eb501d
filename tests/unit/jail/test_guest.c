/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "jail/guest.h"

static void only_a_link_and_a_mac_of_one(void **state)
{
	static const char *const bad[] = {
		"", "=", "vnet0", "vnet0=", "=52:54:00:00:00:0a", "vnet0=52:54:00:00:00:0",
		"vnet0=52:54:00:00:00:0a ", "vnet0=52-54-00-00-00-0a", "vnet0=5g:54:00:00:00:0a",
		"vnet0=01:54:00:00:00:0a", "vnet0=ff:ff:ff:ff:ff:ff", "lo=52:54:00:00:00:0a",
		".=52:54:00:00:00:0a", "..=52:54:00:00:00:0a", "-a=52:54:00:00:00:0a",
		"a/b=52:54:00:00:00:0a", "a b=52:54:00:00:00:0a", "a\"=52:54:00:00:00:0a",
		"a;=52:54:00:00:00:0a", "abcdefghijklmnop=52:54:00:00:00:0a",
	};
	struct jail_guest g;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (guest_parse(span_str(bad[i]), &g))
			fail_msg("%s", bad[i]);
	assert_true(guest_parse(SPAN("abcdefghijklmno=52:54:00:AB:cD:0a"), &g));
	assert_string_equal(g.link, "abcdefghijklmno");
	assert_string_equal(g.mac, "52:54:00:ab:cd:0a");
}

static char *text_of(void (*write)(const struct jail_guest *, bool, struct buf *), bool flag)
{
	struct jail_guest g;
	struct buf b = buf_new(8192);

	assert_true(guest_parse(SPAN("vnet7=52:54:00:00:00:0a"), &g));
	write(&g, flag, &b);
	assert_true(buf_add(&b, "", 1));
	return (char *)b.at;
}

static void what_is_forged_is_dropped_first(void **state)
{
	AUTO_FREE char *text = text_of(guest_rules, false);
	const char *hook = strstr(text, "hook ingress device \"vnet7\""), *mac, *ip;

	(void)state;
	assert_non_null(hook);
	assert_non_null(strstr(hook, "policy drop;"));
	mac = strstr(hook, "ether saddr != 52:54:00:00:00:0a goto forged\n");
	ip = strstr(hook, "ether type ip ip saddr 192.168.101.10 accept\n");
	assert_true(mac && ip && mac < ip);
	assert_null(strstr(text, "ip6"));
	assert_null(strstr(text, "delete table"));
	assert_non_null(strstr(ip, "\t\tgoto forged\n\t}\n}\n"));
}

static void rules_that_stand_are_replaced(void **state)
{
	AUTO_FREE char *text = text_of(guest_rules, true);

	(void)state;
	assert_int_equal(strncmp(text, "table netdev sluice { }\ndelete table netdev sluice\n", 50), 0);
}

static void its_own_network_is_refused_but_dhcp_and_dns(void **state)
{
	AUTO_FREE char *text = text_of(guest_chains, false), *counted = text_of(guest_chains, true);
	const char *dhcp = strstr(text, "udp sport 68 udp dport 67 goto gate\n");
	const char *dns = strstr(text, "th dport 53 goto gate\n");
	const char *rest = strstr(text, "192.168.101.0/24, 224.0.0.0/4, 255.255.255.255 } goto refuse\n");

	(void)state;
	assert_true(dhcp && dns && rest && dhcp < rest && dns < rest);
	assert_null(strstr(text, "postrouting"));
	assert_non_null(strstr(counted, "oifname \"vnet7\" counter name received\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_link_and_a_mac_of_one),
		cmocka_unit_test(what_is_forged_is_dropped_first),
		cmocka_unit_test(rules_that_stand_are_replaced),
		cmocka_unit_test(its_own_network_is_refused_but_dhcp_and_dns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "jail/guest.h"
#include "jail/link.h"

static void only_a_link_and_a_mac_of_one(void **state)
{
	static const char *const bad[] = {
		"", "=", "vnet0", "vnet0=", "=52:54:00:00:00:0a", "vnet0=52:54:00:00:00:0",
		"vnet0=52:54:00:00:00:0a ", "vnet0=52-54-00-00-00-0a", "vnet0=5g:54:00:00:00:0a",
		"vnet0=01:54:00:00:00:0a", "vnet0=ff:ff:ff:ff:ff:ff", "lo=52:54:00:00:00:0a",
		".=52:54:00:00:00:0a", "..=52:54:00:00:00:0a", "-a=52:54:00:00:00:0a",
		"a/b=52:54:00:00:00:0a", "a b=52:54:00:00:00:0a", "a\"=52:54:00:00:00:0a",
		"v=52:54:00:00:00:0a,", "v=52:54:00:00:00:0a,up=", "v=52:54:00:00:00:0a,up=0",
		"v=52:54:00:00:00:0a,up=1,up=2", "v=52:54:00:00:00:0a,up=1 ", "v=52:54:00:00:00:0aup=1",
		"v=52:54:00:00:00:0a,low=1", "v=52:54:00:00:00:0a,up=99999999999999",
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
	assert_true(g.down == 0 && g.up == 0);
	assert_true(guest_parse(SPAN("v=52:54:00:00:00:0a,down=1000,up=5"), &g));
	assert_true(g.down == 1000 && g.up == 5);
}

static char *text_of(bool anew)
{
	struct jail_guest g;
	struct buf b = buf_new(8192);

	assert_true(guest_parse(SPAN("vnet7=52:54:00:00:00:0a"), &g));
	guest_rules(&g, anew, &b);
	assert_true(buf_add(&b, "", 1));
	return (char *)b.at;
}

static void what_is_forged_is_dropped_first(void **state)
{
	AUTO_FREE char *text = text_of(false);
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
	AUTO_FREE char *text = text_of(true);

	(void)state;
	assert_int_equal(strncmp(text, "table netdev sluice { }\ndelete table netdev sluice\n", 50), 0);
}

static char *chains_of(bool counts, size_t publish_count)
{
	static const struct port_map publish[] = { { .outside = 2222, .inside = 22 } };
	struct buf b = buf_new(8192);
	struct jail_guest g;
	const struct link_rules rules = { .counts = counts, .guest = &g, .publish = publish,
					  .publish_count = publish_count };

	assert_true(guest_parse(SPAN("vnet7=52:54:00:00:00:0a"), &g));
	guest_chains(&rules, &b);
	assert_true(buf_add(&b, "", 1));
	return (char *)b.at;
}

static void its_own_network_is_refused_but_dhcp_and_dns(void **state)
{
	AUTO_FREE char *text = chains_of(false, 0), *counted = chains_of(true, 0);
	const char *dhcp = strstr(text, "udp sport 68 udp dport 67 goto gate\n");
	const char *dns = strstr(text, "th dport 53 goto gate\n");
	const char *rest = strstr(text, "192.168.101.0/24, 224.0.0.0/4, 255.255.255.255 } goto refuse\n");

	(void)state;
	assert_true(dhcp && dns && rest && dhcp < rest && dns < rest);
	assert_null(strstr(text, "postrouting"));
	assert_non_null(strstr(counted, "oifname \"vnet7\" counter name received\n"));
}

static void what_is_published_answers_and_begins_nothing(void **state)
{
	AUTO_FREE char *text = chains_of(false, 1), *without = chains_of(false, 0);
	const char *rule = strstr(text, "\t\tip daddr 192.168.101.1 tcp sport 22 "
				  "tcp flags & (syn | ack) != syn accept\n");
	const char *rest = strstr(text, "goto refuse\n");

	(void)state;
	assert_true(rule && rest && rule < rest);
	assert_null(strstr(without, "sport 22 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_link_and_a_mac_of_one),
		cmocka_unit_test(what_is_forged_is_dropped_first),
		cmocka_unit_test(rules_that_stand_are_replaced),
		cmocka_unit_test(what_is_published_answers_and_begins_nothing),
		cmocka_unit_test(its_own_network_is_refused_but_dhcp_and_dns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

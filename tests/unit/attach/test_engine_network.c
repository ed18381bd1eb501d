/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "attach/engine_network.h"

static const char networks[] =
	"[{'Name':'bridge','Id':'aaaaaaaaaaaaaaaaaa','Driver':'bridge','Internal':false,"
	"'Options':{'com.docker.network.bridge.name':'docker0'},"
	"'IPAM':{'Config':[{'Subnet':'172.17.0.0/16'}]}},"
	"{'Name':'in','Id':'0123456789abcdef','Driver':'bridge','Internal':true,'Options':{},"
	"'IPAM':{'Config':[{'Subnet':'fd00::/64'},{'Subnet':'172.28.1.0/24'}]}},"
	"{'Name':'called','Id':'bbbbbbbbbbbbbbbbbb','Driver':'bridge','Internal':true,"
	"'Options':{'com.docker.network.bridge.name':'agents'},"
	"'IPAM':{'Config':[{'Subnet':'172.28.3.0/24'}]}},"
	"{'Name':'mac','Id':'cccccccccccccccccc','Driver':'macvlan','Internal':true,'Options':null,"
	"'IPAM':{'Config':[{'Subnet':'172.28.4.0/24'}]}},"
	"{'Name':'odd','Id':'dd'}, 7, {}]";

static json_t *all(void)
{
	char text[sizeof(networks)];
	json_t *list;

	for (size_t i = 0; i < sizeof(networks); i++)
		text[i] = networks[i] == '\'' ? '"' : networks[i];
	list = json_loads(text, 0, NULL);
	assert_non_null(list);
	return list;
}

static const struct {
	const char	*bridge, *subnet, *why;	/* why NULL: it is internal */
} cases[] = {
	{ "br-0123456789ab", "172.28.1.0/24", NULL },
	{ "agents", "172.28.3.0/24", NULL },
	{ "br-0123456789ab", "172.28.2.0/24", "none of its subnets" },
	{ "br-0123456789ab", "172.28.1.0/25", "none of its subnets" },
	{ "docker0", "172.17.0.0/16", "not internal" },
	{ "br-bbbbbbbbbbbb", "172.28.3.0/24", "no network that Docker knows" },
	{ "br-cccccccccccc", "172.28.4.0/24", "not of driver bridge" },
	{ "br-", "172.28.1.0/24", "no network that Docker knows" },
	{ "br-0123456789a", "172.28.1.0/24", "no network that Docker knows" },
	{ "", "172.28.1.0/24", "no network that Docker knows" },
};

static void only_an_internal_one_will_do(void **state)
{
	json_t *list = all(), *none = json_object();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { "" };
		struct net n;

		assert_true(net_parse(span_str(cases[i].subnet), &n));
		assert_int_equal(engine_network_check(list, cases[i].bridge, &n, &err), !cases[i].why);
		if (cases[i].why && !strstr(err.text, cases[i].why))
			fail_msg("%s: %s", cases[i].bridge, err.text);
		err.text[0] = '\0';
		assert_false(engine_network_check(none, cases[i].bridge, &n, &err));
	}
	json_decref(list);
	json_decref(none);
}

static const struct {
	const char	*text;
	bool		 local, stub;
} files[] = {
	{ "", false, false },
	{ "search example.com\nnameserver 192.0.2.1\n", false, false },
	{ "nameserver 127.0.0.1\n", true, false },
	{ "nameserver 127.0.0.53", true, true },
	{ "nameserver\t127.0.0.53\noptions edns0\n", true, true },
	{ "nameserver 127.0.0.53\nnameserver 192.0.2.1\n", true, false },
	{ "nameserver 192.0.2.1\n  nameserver  127.9.9.9  # ours\n", true, false },
	{ "nameserver ::1\n", true, false }, { "nameserver 2001:db8::1\n", false, false },
	{ "nameserver fe80::1%eth0\n", false, false },
	{ "nameserver\n", true, false }, { "nameserver 127.1\n", true, false },
	{ "# nameserver 127.0.0.1\n#nameserver 127.0.0.1\n", false, false },
};

static void a_loopback_server_is_seen(void **state)
{
	bool stub;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (engine_dns_is_local(span_str(files[i].text), &stub) != files[i].local ||
		    stub != files[i].stub)
			fail_msg("%s", files[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_an_internal_one_will_do),
		cmocka_unit_test(a_loopback_server_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <stdio.h>

#include "jail/uplink.h"
#include "policy/load.h"
#include "policy/policy.h"

static struct jail_uplink uplink(void)
{
	struct jail_uplink u = {
		.link = "eth0", .mac = "02:42:ac:1c:01:0b", .port = "veth7", .bridge = "br-1",
		.bridge_mac = "02:42:00:00:00:01", .gateway_count = 1, .names = true, .session = "s.1",
	};

	assert_true(addr_parse(SPAN("172.28.1.11"), &u.own));
	assert_true(addr_parse(SPAN("172.28.1.1"), &u.gateway[0]));
	assert_true(net_parse(SPAN("172.28.1.0/24"), &u.subnet));
	return u;
}

static struct policy *policy_of(const char *text, const char *system)
{
	const struct policy_file files[] = {
		{ LAYER_POLICY, "p.yaml", span_str(text) },
		{ LAYER_SYSTEM, "s.yaml", span_str(system ? system : "") },
	};
	struct policy_input in = { .files = files, .file_count = system ? 2 : 1 };
	struct err err = { "" };
	struct policy *p = policy_load(&in, &err);

	if (!p)
		fail_msg("%s", err.text);
	return p;
}

#define TEAM "version: 1\nmode: internal\npeers: [172.28.1.0/24]\n"

static const struct {
	const char	*text, *system, *why;
} policies[] = {
	{ TEAM, NULL, NULL },
	{ "version: 1\nmode: internal\npeers: [10.0.0.0/8, \"fd00::/8\", 172.28.1.11]\n", NULL, NULL },
	{ TEAM "deny:\n  - ip: 172.28.1.12\n  - host: x.example\n", NULL, NULL },
	{ "version: 1\nmode: internal\n", NULL, "none of the policy's peers" },
	{ "version: 1\nmode: internal\npeers: [172.28.2.0/24]\n", NULL, "none of the policy's peers" },
	{ "version: 1\n", NULL, "mode filtered" }, { "version: 1\nmode: isolated\n", NULL, "mode isolated" },
	{ "version: 1\nmode: monitor\n", NULL, "mode monitor" },
	/* What a ceiling bounds these rules cannot say: only the machine's own peers are sure */
	{ TEAM, "version: 1\nceiling:\n  - host: a.example\n", "none of the policy's peers" },
	{ TEAM, "version: 1\npeers: [172.28.1.8/29]\nceiling:\n  - host: a.example\n", NULL },
};

static void only_what_the_rules_can_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		struct policy *p = policy_of(policies[i].text, policies[i].system);
		struct jail_uplink u = uplink();
		struct err err = { "" };
		bool ok = uplink_judge(&u, p, &err);

		if (ok != !policies[i].why || (policies[i].why && !strstr(err.text, policies[i].why)))
			fail_msg("%s: %s", policies[i].text, err.text);
		policy_free(p);
	}
}

static char *text_of(const struct jail_uplink *u, int which)
{
	struct buf b = buf_new(UPLINK_RULES_MAX);

	if (which == 2)
		uplink_rules_inside(u, &b);
	else
		uplink_rules_port(u, which, &b);
	assert_true(buf_add(&b, "", 1));
	return (char *)b.at;
}

/* Without both bits nothing passes, closed or open */
#define ALIVE "\t\tmeta mark & 3 != 3 drop\n\t\tmeta mark set 0\n"

#define PEER(field) field " 172.28.1.0/24 " field \
	" != { 172.28.1.11, 172.28.1.0, 172.28.1.255, 172.28.1.1, 172.28.1.12/32 } " field " @peers accept\n"

static void the_port_lets_pass_its_own_and_peers(void **state)
{
	struct policy *p = policy_of(TEAM "deny:\n  - ip: 172.28.1.12\n", NULL);
	struct jail_uplink u = uplink();
	struct err err = { "" };
	AUTO_FREE char *text = NULL, *closed = NULL;

	(void)state;
	assert_true(uplink_judge(&u, p, &err));
	text = text_of(&u, true);
	closed = text_of(&u, false);
	assert_non_null(strstr(text, "delete table netdev sluice-s.1\n"));
	assert_non_null(strstr(text, "elements = { 172.28.1.0/24 }"));
	assert_non_null(strstr(text, "hook ingress device \"veth7\" priority -500; policy drop;\n" ALIVE
			       "\t\tether saddr != 02:42:ac:1c:01:0b goto forged\n"));
	assert_non_null(strstr(text, "\t\tether daddr 02:42:00:00:00:01 goto forged\n"));
	assert_non_null(strstr(text, "\t\tfib daddr type != unicast goto forged\n\t\tether type ip ip saddr"));
	assert_non_null(strstr(text, "ether type ip ip saddr 172.28.1.11 " PEER("ip daddr") "\t\tgoto forged\n\t}\n\tchain to {"));
	assert_non_null(strstr(text, "arp saddr ip 172.28.1.11 " PEER("arp daddr ip")));
	assert_non_null(strstr(text, "hook egress device \"veth7\" priority -500; policy drop;\n" ALIVE));
	assert_non_null(strstr(text, "ingress device \"veth7\" priority -520; policy accept;\n\t\tmeta mark set 0\n\t}\n"));
	assert_non_null(strstr(text, "egress device \"veth7\" priority -520; policy accept;\n\t\tmeta mark set 0\n\t}\n"));
	assert_null(strstr(text, "ip6"));
	assert_null(strstr(closed, "elements"));
	assert_non_null(strstr(closed, "policy drop;"));
	policy_free(p);
}

static void the_engine_hears_one_label(void **state)
{
	struct jail_uplink u = uplink();
	AUTO_FREE char *text = text_of(&u, 2), *deaf = NULL;
	char line[80];

	(void)state;
	for (int len = 1; len <= 63; len++) {
		snprintf(line, sizeof(line), "\t\t@th,160,8 %d @th,%d,8 0 accept\n", len, 168 + 8 * len);
		assert_non_null(strstr(text, line));
	}
	assert_null(strstr(text, "@th,160,8 64"));
	assert_null(strstr(text, "@th,160,8 0"));
	u.names = false;
	deaf = text_of(&u, 2);
	assert_non_null(strstr(deaf, "\tchain names {\n\t\tgoto refuse\n\t}\n"));
	assert_non_null(strstr(deaf, "\t\tip daddr 127.0.0.11 goto names\n\t\tiifname \"lo\" accept\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_rules_can_say),
		cmocka_unit_test(the_port_lets_pass_its_own_and_peers),
		cmocka_unit_test(the_engine_hears_one_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "jail/guest.h"
#include "jail/link.h"

static struct link_rules rules(void)
{
	struct link_rules r = { .open_all = false };

	assert_true(net_parse(SPAN("28.0.0.0/12"), &r.pool4));
	assert_true(net_parse(SPAN("2d00:736c::/64"), &r.pool6));
	return r;
}

/* Where @line stands in the text of the ruleset; fails if it doesn't */
static const char *line_of(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	if (!at)
		fail_msg("not in the ruleset: %s", line);
	return at;
}

static char *text_of(const struct link_rules *r)
{
	struct buf b = buf_new(LINK_RULESET_MAX);

	link_ruleset(r, &b);
	assert_true(buf_add(&b, "", 1));
	return (char *)b.at;
}

static void test_order(void **state)
{
	struct link_rules r = rules();
	AUTO_FREE char *text = text_of(&r);
	const char *pre = line_of(text, "chain pre {");
	const char *own = line_of(pre, "ip daddr { 127.0.0.0/8, 28.0.0.1 } accept\n");
	const char *dns = line_of(pre, "th dport 53 goto gate\n");
	const char *open = line_of(pre, "@open4 goto gate\n");
	const char *last = line_of(pre, "goto refuse\n\t}\n}\n");

	(void)state;
	assert_true(own < dns && dns < open && open < last);
	line_of(pre, "policy drop;");
	line_of(pre, "iifname != \"lo\" drop\n");
	/* A dead gate falls out of tproxy into the rejects */
	line_of(line_of(text, "tproxy ip6 to [2d00:736c::3]:1 accept\n"), "goto refuse\n\t}\n\tchain nets {\n\t}\n\tchain pre");
	line_of(pre, "\t\tjump nets\n\t\tgoto refuse\n");
	line_of(text, "set open4 { type ipv4_addr . inet_proto . inet_service;"
		      " elements = { 28.0.0.4 . tcp . 1, 28.0.0.5 . tcp . 80 }; }\n");
}

/* A guest's interface comes in too, and what is the namespace's own is not its */
static void test_guest_is_let_in_and_no_further(void **state)
{
	struct jail_guest guest = { "vnet7", "52:54:00:00:00:0a" };
	struct link_rules r = rules();
	AUTO_FREE char *text = NULL;
	const char *pre, *jump;

	(void)state;
	r.guest = &guest;
	text = text_of(&r);
	pre = line_of(text, "chain pre {");
	jump = line_of(pre, "iifname != { \"lo\", \"vnet7\" } drop\n\t\tiifname \"vnet7\" jump guest\n");
	line_of(jump, "\t\tiifname \"lo\" meta mark 0x51 accept\n");
	line_of(jump, "\t\tiifname \"lo\" ip daddr { 127.0.0.0/8, 28.0.0.1 } accept\n");
	line_of(jump, "\t\tiifname \"lo\" ip6 daddr { ::1, 2d00:736c::1 } accept\n");
	line_of(jump, "\t\tjump nets\n\t\tgoto refuse\n\t}\n}\ntable netdev sluice {\n");
}

static void test_counters_only_for_who_wants_them(void **state)
{
	struct link_rules r = rules();
	AUTO_FREE char *without = text_of(&r), *with = NULL;
	const char *pre;

	(void)state;
	assert_null(strstr(without, "counter"));
	r.counts = true;
	with = text_of(&r);
	line_of(with, "\tcounter received { }\n\tcounter sent { }\n\tchain pre {");
	pre = line_of(with, "meta mark 0x51 counter name received accept\n");
	/* the agent's own loopback is neither */
	line_of(line_of(pre, "ip6 daddr { ::1, 2d00:736c::1 } accept\n"),
		"accept\n\t\tcounter name sent\n\t\tmeta l4proto { tcp, udp } th dport 53 goto gate\n");
}

static void test_nets(void **state)
{
	static const struct port_range ports[] = {
		{ 22, 22, TRANSPORT_TCP }, { 123, 123, TRANSPORT_UDP },
		{ 8000, 8010, TRANSPORT_TCP },
	};
	struct link_net nets[2] = { { .ports = ports, .port_count = 3 },
				    { .ports = ports, .port_count = 1 } };
	struct link_rules r = rules();
	struct buf again = buf_new(LINK_RULESET_MAX);
	AUTO_FREE char *text = NULL;

	(void)state;
	assert_true(net_parse(SPAN("203.0.113.0/24"), &nets[0].net));
	assert_true(net_parse(SPAN("2001:db8::/32"), &nets[1].net));
	r.nets = nets;
	r.net_count = 2;
	text = text_of(&r);
	line_of(text, "ip daddr 203.0.113.0/24 tcp dport { 22, 8000-8010 } goto gate\n");
	line_of(text, "ip daddr 203.0.113.0/24 udp dport { 123 } goto gate\n");
	line_of(text, "ip6 daddr 2001:db8::/32 tcp dport { 22 } goto gate\n");
	assert_null(strstr(text, "2001:db8::/32 udp"));
	/* the same again, to replace what stands */
	link_nets(&r, &again);
	assert_true(buf_add(&again, "", 1));
	assert_true(!strncmp((char *)again.at, "flush chain inet sluice nets\n", 29));
	line_of((char *)again.at, "ip6 daddr 2001:db8::/32 tcp dport { 22 } goto gate\n\t}\n}\n");
	assert_null(strstr((char *)again.at, "chain pre"));
	buf_done(&again);
}

static void test_open_all_still_refuses_when_the_gate_is_dead(void **state)
{
	struct link_rules r = rules();
	AUTO_FREE char *text = NULL;

	(void)state;
	r.open_all = true;
	text = text_of(&r);
	line_of(line_of(text, "chain pre {"), "goto gate\n\t}\n}\n");
	line_of(text, "chain refuse {");
}

static void test_too_many_nets_fill_the_buffer(void **state)
{
	struct link_rules r = rules();
	struct buf small = buf_new(64);

	(void)state;
	link_ruleset(&r, &small);
	assert_true(small.full);
	buf_done(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order), cmocka_unit_test(test_guest_is_let_in_and_no_further),
		cmocka_unit_test(test_counters_only_for_who_wants_them),
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_open_all_still_refuses_when_the_gate_is_dead),
		cmocka_unit_test(test_too_many_nets_fill_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

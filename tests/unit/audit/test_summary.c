/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "audit/summary.h"

static void check_print(struct summary *s, const char *want)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	summary_print(s, f, 5);
	fclose(f);
	assert_string_equal(text, want);
	free(text);
	summary_done(s);
}

static void add(struct summary *s, const char *host, uint16_t port, enum reason reason,
		uint64_t times)
{
	summary_add(s, &(struct denied){ .host = span_str(host), .port = port, .reason = reason,
		.times = times });
}

static void the_most_frequent_first(void **state)
{
	struct summary s = { 0 };

	(void)state;
	add(&s, "a.example", 0, REASON_NO_RULE, 1);
	add(&s, "b.example", 8443, REASON_NO_RULE, 2);
	add(&s, "b.example", 8443, REASON_NO_RULE, 2);
	add(&s, "b.example", 8443, REASON_DENY_RULE, 1);
	check_print(&s, "sluice: denied b.example:8443 (no_rule, 4 times): "
		    "--allow b.example:8443\n"
		    "sluice: denied a.example (no_rule): --allow a.example\n"
		    "sluice: denied b.example:8443 (deny_rule): no flag allows this\n");
}

static void never_more_than_five_lines(void **state)
{
	struct summary s = { 0 };
	char host[16];

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		snprintf(host, sizeof(host), "h%u", i);
		add(&s, host, 443, REASON_MODE, 10 - i);
	}
	check_print(&s, "sluice: denied h0:443 (mode, 10 times): no flag allows this\n"
		    "sluice: denied h1:443 (mode, 9 times): no flag allows this\n"
		    "sluice: denied h2:443 (mode, 8 times): no flag allows this\n"
		    "sluice: denied h3:443 (mode, 7 times): no flag allows this\n"
		    "sluice: denied 15 more (sluice report shows all)\n");
	check_print(&s, "");
}

static void addresses_stand_in_for_names(void **state)
{
	struct addr ip = addr_v4(0x0a000001);
	struct summary s = { 0 };

	(void)state;
	summary_add(&s, &(struct denied){ .addr = &ip, .port = 53, .transport = TRANSPORT_UDP,
		.reason = REASON_IP_LITERAL, .times = 1 });
	ip = addr_v4(0);		/* it was copied */
	assert_true(addr_is_v4(summary_at(&s, 0).addr));
	assert_int_equal(addr_v4_value(summary_at(&s, 0).addr), 0x0a000001);
	check_print(&s, "sluice: denied 10.0.0.1:53/udp (ip_literal): no flag allows this\n");
}

static void hostile_hosts_print_harmlessly(void **state)
{
	struct summary s = { 0 };

	(void)state;
	add(&s, "\x1b[2J\xe2\x80\xae$(id)", 0, REASON_NO_RULE, 1);
	check_print(&s, "sluice: denied \\x1b[2J\\xe2\\x80\\xae$(id) (no_rule): "
		    "no flag allows this\n");
	add(&s, "a;id", 0, REASON_NO_RULE, 1);
	check_print(&s, "sluice: denied a;id (no_rule): no flag allows this\n");
}

static void unix_sockets_have_their_own_flag(void **state)
{
	struct summary s = { 0 };

	(void)state;
	summary_add(&s, &(struct denied){ .host = SPAN("/run/x.sock"), .unix_socket = true,
		.times = 2 });
	summary_add(&s, &(struct denied){ .host = SPAN("/tmp/a --allow x"), .unix_socket = true,
		.times = 1 });
	check_print(&s, "sluice: denied /run/x.sock (a Unix socket of the host, 2 times): "
		    "--allow-unix /run/x.sock\n"
		    "sluice: denied /tmp/a --allow x (a Unix socket of the host): "
		    "no flag allows this\n");
}

static void the_table_is_bounded(void **state)
{
	struct summary s = { 0 };
	char host[400];

	(void)state;
	memset(host, 'x', sizeof(host));
	host[sizeof(host) - 1] = '\0';
	for (unsigned i = 0; i < SUMMARY_MAX + 50; i++) {
		memcpy(host, "00000", 5);
		for (unsigned rest = i, at = 5; rest; rest /= 10)
			host[--at] = (char)('0' + rest % 10);
		add(&s, host, 1, REASON_PORT, 1);
	}
	add(&s, host, 1, REASON_PORT, 3);
	assert_int_equal(s.count, SUMMARY_MAX);
	assert_int_equal(s.others, 53);
	assert_int_equal(summary_at(&s, 0).host.len, HOST_MAX);
	/* the first are still found */
	memcpy(host, "00000", 5);
	add(&s, host, 1, REASON_PORT, 4);
	assert_int_equal(summary_at(&s, 0).times, 5);
	summary_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_frequent_first),
		cmocka_unit_test(never_more_than_five_lines),
		cmocka_unit_test(addresses_stand_in_for_names),
		cmocka_unit_test(hostile_hosts_print_harmlessly),
		cmocka_unit_test(unix_sockets_have_their_own_flag),
		cmocka_unit_test(the_table_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

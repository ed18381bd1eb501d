/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "watch/page.h"

static const struct page_about about = { "0.1.0", "abc" };

static char *page_of(const struct page_session *sessions, size_t count)
{
	struct buf b = buf_new(PAGE_MAX(count));

	page_print(&b, sessions, count, &about);
	assert_false(b.full);
	assert_true(buf_add(&b, "", 1));
	return (char *)b.at;
}

static char *page_of_one(const char *name, const struct counters *c)
{
	return page_of(&(struct page_session){ name, c }, 1);
}

static void has(const char *page, const char *line)
{
	if (!strstr(page, line))
		fail_msg("not on the page: %s", line);
}

static void numbers_are_told(void **state)
{
	struct counters c = { .bytes_in = 7, .bytes_out = 5, .active = 2, .malformed = 3 };
	AUTO_FREE char *page = NULL;

	(void)state;
	c.connections[PASSED_NO] = 11;
	c.blocked[REASON_NO_RULE] = 10;
	c.dns[PASSED_YES] = 4;
	c.http[METHOD_OTHER][PASSED_NO] = 6;
	c.alerts[ALERT_ERROR_RATE] = 1;
	c.gauge[GAUGE_RECORDS] = 99;
	page = page_of_one("s1", &c);
	has(page, "\nagent_vm_network_tx_bytes_total{session=\"s1\"} 5\n");
	has(page, "\nagent_vm_network_rx_bytes_total{session=\"s1\"} 7\n");
	has(page, "\nagent_network_connection_attempts_total{session=\"s1\",verdict=\"deny\"} 11\n");
	has(page, "\nagent_network_connection_attempts_total{session=\"s1\",verdict=\"allow\"} 0\n");
	has(page, "\nagent_network_blocked_connections_total{session=\"s1\",reason=\"no_rule\"} 10\n");
	has(page, "\nsluice_dns_queries_total{session=\"s1\",verdict=\"allow\"} 4\n");
	has(page, "\nsluice_http_requests_total{session=\"s1\",method=\"other\",verdict=\"deny\"} 6\n");
	has(page, "\nsluice_alerts_total{session=\"s1\",kind=\"error_rate\"} 1\n");
	has(page, "\nsluice_active_connections{session=\"s1\"} 2\n");
	has(page, "\nsluice_malformed_total{session=\"s1\"} 3\n");
	has(page, "\nsluice_records_total{session=\"s1\"} 99\n");
	has(page, "\nsluice_build_info{version=\"0.1.0\",revision=\"abc\"} 1\n");
	/* what allows is no reason to block */
	assert_null(strstr(page, "reason=\"allowed"));
}

static void packets_only_where_they_are_counted(void **state)
{
	struct counters c = { 0 };
	AUTO_FREE char *without = page_of_one("s1", &c), *with = NULL;

	(void)state;
	assert_null(strstr(without, "x_packets_total{"));
	c.gauge[GAUGE_HAS_PACKETS] = 1;
	c.gauge[GAUGE_PACKETS_IN] = 8;
	c.gauge[GAUGE_PACKETS_OUT] = 9;
	with = page_of_one("s1", &c);
	has(with, "\nagent_vm_network_rx_packets_total{session=\"s1\"} 8\n");
	has(with, "\nagent_vm_network_tx_packets_total{session=\"s1\"} 9\n");
}

static void a_guest_has_the_numbers_of_its_interface(void **state)
{
	struct counters c = { .bytes_in = 1, .bytes_out = 2, .gauge = {
		[GAUGE_HAS_PACKETS] = 1, [GAUGE_PACKETS_IN] = 3, [GAUGE_HAS_LINK] = 1,
		[GAUGE_LINK_BYTES_IN] = 10, [GAUGE_LINK_BYTES_OUT] = 11, [GAUGE_LINK_PACKETS_IN] = 12,
		[GAUGE_LINK_PACKETS_OUT] = 13, [GAUGE_DROPPED_FORGED] = 14, [GAUGE_DROPPED_REFUSED] = 15,
		[GAUGE_DROPPED_LOST] = 16 } };
	AUTO_FREE char *page = page_of_one("s1", &c);

	(void)state;
	has(page, "\nagent_vm_network_rx_bytes_total{session=\"s1\"} 10\n");
	has(page, "\nagent_vm_network_tx_bytes_total{session=\"s1\"} 11\n");
	has(page, "\nagent_vm_network_rx_packets_total{session=\"s1\"} 12\n");
	has(page, "\nagent_vm_network_tx_packets_total{session=\"s1\"} 13\n");
	has(page, "\nsluice_guest_dropped_packets_total{session=\"s1\",reason=\"forged\"} 14\n");
	has(page, "\nsluice_guest_dropped_packets_total{session=\"s1\",reason=\"refused\"} 15\n");
	has(page, "\nsluice_guest_dropped_packets_total{session=\"s1\",reason=\"lost\"} 16\n");
	assert_null(strstr(strstr(page, "rx_bytes_total{") + 1, "rx_bytes_total{"));
}

static void histograms_are_cumulative(void **state)
{
	struct counters c = { 0 };
	AUTO_FREE char *page = NULL;

	(void)state;
	histogram_add(&c.connect, 10);
	histogram_add(&c.connect, 700);
	histogram_add(&c.connect, 90000000);
	page = page_of_one("s1", &c);
	has(page, "\nsluice_upstream_connect_seconds_bucket{le=\"1e-05\"} 1\n");
	has(page, "\nsluice_upstream_connect_seconds_bucket{le=\"0.0005\"} 1\n");
	has(page, "\nsluice_upstream_connect_seconds_bucket{le=\"0.001\"} 2\n");
	has(page, "\nsluice_upstream_connect_seconds_bucket{le=\"10\"} 2\n");
	has(page, "\nsluice_upstream_connect_seconds_bucket{le=\"+Inf\"} 3\n");
	has(page, "\nsluice_upstream_connect_seconds_sum 90.000710\n");
	has(page, "\nsluice_upstream_connect_seconds_count 3\n");
	has(page, "\nsluice_decision_seconds_count 0\n");
}

static void labels_are_escaped(void **state)
{
	struct counters c = { 0 };
	AUTO_FREE char *page = page_of_one("a\"b\\c\nd", &c);

	(void)state;
	has(page, "{session=\"a\\\"b\\\\c\\nd\"}");
}

static void the_largest_page_fits(void **state)
{
	char name[65];
	struct counters c;
	AUTO_FREE char *page = NULL;

	(void)state;
	memset(name, 's', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(&c, 0xff, sizeof(c));
	page = page_of_one(name, &c);
	assert_true(strlen(page) < PAGE_MAX(1) / 2);
}

/* A parser ends at a name's second group: it is to be one */
static void sessions_stand_together(void **state)
{
	struct counters c[3] = { { .bytes_in = 1 }, { .bytes_in = 2 }, { .bytes_in = 3 } };
	const struct page_session sessions[] = { { "a", &c[0] }, { "b", &c[1] }, { "c", &c[2] } };
	AUTO_FREE char *page = NULL, *none = page_of(sessions, 0);
	const char *at;

	(void)state;
	histogram_add(&c[0].connect, 700);
	histogram_add(&c[2].connect, 700);
	c[1].gauge[GAUGE_HAS_PACKETS] = 1;
	c[1].gauge[GAUGE_PACKETS_IN] = 5;
	page = page_of(sessions, 3);
	has(page, "# TYPE agent_vm_network_rx_bytes_total counter\n"
		  "agent_vm_network_rx_bytes_total{session=\"a\"} 1\n"
		  "agent_vm_network_rx_bytes_total{session=\"b\"} 2\n"
		  "agent_vm_network_rx_bytes_total{session=\"c\"} 3\n# HELP ");
	has(page, "counter\nagent_vm_network_rx_packets_total{session=\"b\"} 5\n# HELP ");
	has(page, "sluice_upstream_connect_seconds_count 2\n");
	for (at = page; (at = strstr(at, "# TYPE ")); at++) {
		char line[128];

		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
		assert_null(strstr(at + 1, line));
	}
	has(none, "\nsluice_build_info{");
	assert_null(strstr(none, "session="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_told),
		cmocka_unit_test(a_guest_has_the_numbers_of_its_interface),
		cmocka_unit_test(packets_only_where_they_are_counted),
		cmocka_unit_test(histograms_are_cumulative),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(the_largest_page_fits),
		cmocka_unit_test(sessions_stand_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/ports.h"

static void ports_are_read(void **state)
{
	static const struct {
		const char *text;
		struct port_range want;
	} rows[] = {
		{ "443", { 443, 443, TRANSPORT_TCP } }, { "443/tcp", { 443, 443, TRANSPORT_TCP } },
		{ "8000-8010", { 8000, 8010, TRANSPORT_TCP } }, { "1", { 1, 1, TRANSPORT_TCP } },
		{ "123/udp", { 123, 123, TRANSPORT_UDP } }, { "65535", { 65535, 65535, TRANSPORT_TCP } },
		{ "60000-60010/udp", { 60000, 60010, TRANSPORT_UDP } },
		{ "54-852", { 54, 852, TRANSPORT_TCP } }, { "7-7", { 7, 7, TRANSPORT_TCP } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct port_range r;

		assert_true(ports_parse(span_str(rows[i].text), &r));
		assert_int_equal(r.first, rows[i].want.first);
		assert_int_equal(r.last, rows[i].want.last);
		assert_int_equal(r.transport, rows[i].want.transport);
	}
}

static void what_is_no_port_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "0", "65536", "-1", "1-", "-", "10-9", "443 ", " 443", "+443", "0443", "0x1bb",
		"443/", "443/UDP", "443/sctp", "443/udp/tcp", "1-2-3", "a", "1,2", "99999999999999999999",
		"53", "853", "53/udp", "853/udp", "50-60", "1-65535", "800-900/udp",
	};
	struct port_range r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (ports_parse(span_str(bad[i]), &r))
			fail_msg("%s was taken", bad[i]);
}

static void ranges_are_sorted_and_joined(void **state)
{
	struct port_range r[] = {
		{ 443, 443, TRANSPORT_TCP }, { 8000, 8010, TRANSPORT_TCP }, { 80, 80, TRANSPORT_TCP },
		{ 8005, 8020, TRANSPORT_TCP }, { 81, 82, TRANSPORT_TCP }, { 443, 443, TRANSPORT_UDP },
		{ 8001, 8002, TRANSPORT_TCP }, { 65535, 65535, TRANSPORT_TCP },
		{ 65535, 65535, TRANSPORT_TCP },
	};
	static const struct port_range want[] = {
		{ 80, 82, TRANSPORT_TCP }, { 443, 443, TRANSPORT_TCP }, { 8000, 8020, TRANSPORT_TCP },
		{ 65535, 65535, TRANSPORT_TCP }, { 443, 443, TRANSPORT_UDP },
	};

	(void)state;
	assert_int_equal(ports_tidy(r, ARRAY_SIZE(r)), ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(r[i].first, want[i].first);
		assert_int_equal(r[i].last, want[i].last);
		assert_int_equal(r[i].transport, want[i].transport);
	}
	assert_int_equal(ports_tidy(NULL, 0), 0);
}

static void maps_are_read(void **state)
{
	static const struct {
		const char *text;
		bool publish;
		const char *addr;	/* NULL: refused */
		uint16_t outside, inside;
	} rows[] = {
		{ "5432", false, "::", 5432, 5432 }, { "15432:5432", false, "::", 5432, 15432 },
		{ "", false, NULL, 0, 0 }, { "1:2:3", false, NULL, 0, 0 }, { "0", false, NULL, 0, 0 },
		{ "127.0.0.1:80", false, NULL, 0, 0 }, { ":80", false, NULL, 0, 0 },
		{ "3000", true, "127.0.0.1", 3000, 3000 }, { "3000:80", true, "127.0.0.1", 3000, 80 },
		{ "0.0.0.0:3000", true, "0.0.0.0", 3000, 3000 },
		{ "192.0.2.1:3000:80", true, "192.0.2.1", 3000, 80 },
		{ "[::1]:3000", true, "::1", 3000, 3000 }, { "[::1]:3000:80", true, "::1", 3000, 80 },
		{ "::1:3000", true, NULL, 0, 0 }, { "[127.0.0.1]:80", true, NULL, 0, 0 },
		{ "[::1]", true, NULL, 0, 0 }, { "[::1", true, NULL, 0, 0 }, { "127.1:80", true, NULL, 0, 0 },
		{ "localhost:80", true, NULL, 0, 0 }, { "127.0.0.1", true, NULL, 0, 0 },
		{ "1:2:3", true, NULL, 0, 0 }, { "", true, NULL, 0, 0 }, { "[::1]3000", true, NULL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct port_map map;
		char text[ADDR_TEXT_MAX];
		bool ok = rows[i].publish ? port_map_publish(span_str(rows[i].text), &map)
					  : port_map_host(span_str(rows[i].text), &map);

		if (ok != (rows[i].addr != NULL))
			fail_msg("%s: %s", rows[i].text, ok ? "taken" : "refused");
		if (!ok)
			continue;
		assert_string_equal(addr_text(&map.addr, text), rows[i].addr);
		assert_int_equal(map.outside, rows[i].outside);
		assert_int_equal(map.inside, rows[i].inside);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_read),
		cmocka_unit_test(what_is_no_port_is_refused),
		cmocka_unit_test(ranges_are_sorted_and_joined),
		cmocka_unit_test(maps_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

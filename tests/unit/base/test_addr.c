/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <arpa/inet.h>

#include "base/addr.h"

static void text_has_one_reading(void **state)
{
	static const struct {
		const char *text, *want;	/* want NULL: refused */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" }, { "::ffff:192.0.2.1", "192.0.2.1" },
		{ "2001:DB8::1", "2001:db8::1" }, { "192.0.2.01", NULL }, { "0x7f.1", NULL },
		{ "127.1", NULL }, { "2130706433", NULL }, { "[::1]", NULL },
		{ "fe80::1%lo", NULL }, { "", NULL }, { "1.2.3.4 ", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr a;
		bool ok = addr_parse(span_str(rows[i].text), &a);

		assert_int_equal(ok, rows[i].want != NULL);
		if (ok)
			assert_string_equal(addr_text(&a, text), rows[i].want);
	}
}

/* Every pattern of zero groups, with groups of one to four digits */
static void text_is_that_of_inet_ntop(void **state)
{
	static const uint16_t groups[] = { 0x1, 0x20, 0x300, 0xf00d };
	char text[ADDR_TEXT_MAX], want[ADDR_TEXT_MAX];

	(void)state;
	for (unsigned zeros = 0; zeros < 256; zeros++) {
		for (size_t shift = 0; shift < ARRAY_SIZE(groups); shift++) {
			struct addr a = { { 0 } };

			for (size_t i = 0; i < 8; i++) {
				uint16_t g = groups[(i + shift) % ARRAY_SIZE(groups)];

				if (zeros & BIT(i))
					continue;
				a.b[2 * i] = (uint8_t)(g >> 8);
				a.b[2 * i + 1] = (uint8_t)g;
			}
			inet_ntop(AF_INET6, a.b, want, sizeof(want));
			assert_string_equal(addr_text(&a, text), want);
		}
	}
	for (uint32_t v = 0; v < 256; v++) {
		struct addr a = addr_v4(v << 24 | v << 16 | (255 - v) << 8 | v);

		inet_ntop(AF_INET, a.b + 12, want, sizeof(want));
		assert_string_equal(addr_text(&a, text), want);
	}
}

static void networks_hold_what_they_should(void **state)
{
	static const struct {
		const char *net, *addr;
		bool has;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true }, { "10.0.0.0/8", "11.0.0.0", false },
		{ "0.0.0.0/0", "8.8.8.8", true }, { "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "8.8.8.8", false }, { "::/64", "8.8.8.8", false }, { "0.0.0.0/0", "::1", false },
		{ "::/0", "::1", true }, { "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "192.0.2.7", "192.0.2.7", true }, { "192.0.2.7", "192.0.2.6", false },
		{ "172.16.0.0/12", "172.31.255.255", true }, { "172.16.0.0/12", "172.32.0.0", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net n;
		struct addr a;

		assert_true(net_parse(span_str(rows[i].net), &n));
		assert_true(addr_parse(span_str(rows[i].addr), &a));
		assert_int_equal(net_has(&n, &a), rows[i].has);
	}
}

static void slips_in_networks_are_refused(void **state)
{
	static const char *const bad[] = { "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "::/129",
					   "2001:db8::1/32", "10/8", "::ffff:10.0.0.0/33x" };
	struct net n;
	char text[NET_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(net_parse(span_str(bad[i]), &n));
	assert_true(net_parse(SPAN("10.0.0.0/8"), &n));
	assert_string_equal(net_text(&n, text), "10.0.0.0/8");
}

static void sockaddrs_go_there_and_back(void **state)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::5" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct sockaddr_in6 sa;
		struct addr a, back;
		uint16_t port = 0;

		assert_true(addr_parse(span_str(texts[i]), &a));
		assert_true(addr_from_sockaddr(&sa, addr_to_sockaddr(&a, 443, &sa), &back, &port));
		assert_true(addr_eq(&a, &back));
		assert_int_equal(port, 443);
		assert_false(addr_from_sockaddr(&sa, 4, &back, &port));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_has_one_reading),
		cmocka_unit_test(text_is_that_of_inet_ntop),
		cmocka_unit_test(networks_hold_what_they_should),
		cmocka_unit_test(slips_in_networks_are_refused),
		cmocka_unit_test(sockaddrs_go_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

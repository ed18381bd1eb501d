/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "policy/upstream.h"

static void servers_have_one_text(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "system", "system" }, { "9.9.9.9", "9.9.9.9:53" }, { "9.9.9.9:5353", "9.9.9.9:5353" },
		{ "2620:FE::fe", "[2620:fe::fe]:53" }, { "[2620:fe::fe]", "[2620:fe::fe]:53" },
		{ "[2620:fe::fe]:5353", "[2620:fe::fe]:5353" }, { "127.0.0.53", "127.0.0.53:53" },
		{ "tls://9.9.9.9#dns.quad9.net", "tls://9.9.9.9:853#dns.quad9.net" },
		{ "tls://9.9.9.9:443#Dns.Quad9.NET.", "tls://9.9.9.9:443#dns.quad9.net" },
		{ "tls://2620:fe::fe#dns.quad9.net", "tls://[2620:fe::fe]:853#dns.quad9.net" },
		{ "tls://[2620:fe::fe]:1#a", "tls://[2620:fe::fe]:1#a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[UPSTREAM_TEXT_MAX];
		const char *why = "";
		struct upstream u;

		if (!upstream_parse(span_str(rows[i].text), &u, &why))
			fail_msg("%s is refused", rows[i].text);
		assert_null(why);
		assert_string_equal(upstream_text(&u, text), rows[i].want);
		/* and that text is the same server again */
		assert_true(upstream_parse(span_str(text), &u, &why));
		assert_string_equal(upstream_text(&u, text), rows[i].want);
	}
}

static void what_is_no_server_is_refused(void **state)
{
	static const char *const rows[] = {
		"", "System", "system:53", "dns.quad9.net", "9.9.9", "9.9.9.9:", "9.9.9.9:0",
		"9.9.9.9:65536", "9.9.9.9:53x", "9.9.9.9 ", " 9.9.9.9", "[9.9.9.9]:53", "[2620:fe::fe",
		"2620:fe::fe]:53", "[2620:fe::fe]53", "[2620:fe::fe]:", "0.0.0.0", "::", "[::]:53",
		"fe80::1%eth0", "udp://9.9.9.9", "https://9.9.9.9#a", "TLS://9.9.9.9#a", "tls:9.9.9.9#a",
		"tls://9.9.9.9", "tls://9.9.9.9#", "tls://#a", "tls://9.9.9.9#9.9.9.9", "tls://9.9.9.9#a#b",
		"tls://9.9.9.9#a b", "tls://9.9.9.9#*.a", "tls://dns.quad9.net#dns.quad9.net",
		"tls://9.9.9.9:0#a", "tls://0.0.0.0#a", "tls://system#a", "9.9.9.9#a",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why;
		struct upstream u;

		if (upstream_parse(span_str(rows[i]), &u, &why))
			fail_msg("%s is read", rows[i]);
	}
}

static void a_tls_server_without_a_good_name_is_told_why(void **state)
{
	const char *why = NULL;
	struct upstream u;

	(void)state;
	assert_false(upstream_parse(SPAN("tls://9.9.9.9"), &u, &why));
	assert_string_equal(why, "without the name that its certificate must have");
	assert_false(upstream_parse(SPAN("tls://9.9.9.9#"), &u, &why));
	assert_string_equal(why, "with what is no host name behind '#'");
	assert_false(upstream_parse(SPAN("x"), &u, &why));
	assert_null(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_have_one_text),
		cmocka_unit_test(what_is_no_server_is_refused),
		cmocka_unit_test(a_tls_server_without_a_good_name_is_told_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

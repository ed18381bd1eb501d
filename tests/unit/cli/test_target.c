/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "cli/target.h"

static void each_form_is_read(void **state)
{
	static const struct {
		const char *text;
		enum target_kind kind;
		const char *host; /* or the address */
		uint16_t port;
		const char *method, *path;
	} rows[] = {
		{"https://a.example", TARGET_TLS, "a.example", 443, "GET", "/"},
		{"HTTPS://A.Example./x?y#z", TARGET_TLS, "a.example", 443, "GET", "/x"},
		{"https://a.example?y", TARGET_TLS, "a.example", 443, "GET", "/"},
		{"http://a.example:8080/x/../y", TARGET_HTTP, "a.example", 8080, "GET", "/x/../y"},
		{"POST https://a.example/x", TARGET_TLS, "a.example", 443, "POST", "/x"},
		{"M-SEARCH http://a.example/", TARGET_HTTP, "a.example", 80, "M-SEARCH", "/"},
		{"http://192.0.2.1/", TARGET_HTTP, "192.0.2.1", 80, "GET", "/"},
		{"https://[2001:db8::1]:8443/", TARGET_TLS, "2001:db8::1", 8443, "GET", "/"},
		{"a.example:22", TARGET_CONN, "a.example", 22, "GET", "/"},
		{"a.example:22/tcp", TARGET_CONN, "a.example", 22, "GET", "/"},
		{"192.0.2.1:22", TARGET_CONN, "192.0.2.1", 22, "GET", "/"},
		{"[2001:db8::1]:22", TARGET_CONN, "2001:db8::1", 22, "GET", "/"},
		{"[::ffff:192.0.2.1]:22", TARGET_CONN, "192.0.2.1", 22, "GET", "/"},
		{"b\303\274cher.example:443", TARGET_CONN, "xn--bcher-kva.example", 443, "GET",
		 "/"},
		{"dns:a.example", TARGET_DNS, "a.example", 0, "GET", "/"},
		{"dns:a.example/MX", TARGET_DNS, "a.example", 0, "GET", "/"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why = NULL;
		char text[ADDR_TEXT_MAX];
		struct target t;

		assert_true(target_parse(span_str(rows[i].text), &t, &why));
		assert_int_equal(t.kind, rows[i].kind);
		assert_string_equal(t.host[0] ? t.host : addr_text(&t.addr, text), rows[i].host);
		assert_int_equal(t.port, rows[i].port);
		assert_true(span_eq(t.method, span_str(rows[i].method)));
		assert_true(span_eq(t.path, span_str(rows[i].path)));
		assert_int_equal(t.transport, TRANSPORT_TCP);
		assert_false(t.malformed);
		assert_null(why);
	}
}

static void what_is_no_target_says_why(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"a.example",
		"a.example:",
		"a.example:0",
		"a.example:65536",
		"a.example:22x",
		"a.example:22/sctp",
		":22",
		"[2001:db8::1:22",
		"[192.0.2.1]:22",
		"[a.example]:22",
		"2001:db8::1:22",
		"127.1:22",
		"0x7f.1:22",
		"a..example:22",
		"a example:22",
		"http://",
		"https:///x",
		"https://a.example:/",
		"https://a.example/a b",
		"https://a.example\t/",
		"ftp://a.example/",
		"GET",
		"GET a.example",
		"GET  https://a.example/",
		"G=T https://a.example/",
		"dns:",
		"dns:192.0.2.1",
		"dns:a.example/",
		"dns:a.example/NOPE",
		"dns:a.example/TYPE65536",
		"dns:a.example/TYPE",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why = NULL;
		struct target t;

		assert_false(target_parse(span_str(rows[i]), &t, &why));
		assert_non_null(why);
	}
}

static void a_url_with_two_readings_is_malformed(void **state)
{
	static const char *const rows[] = {
		"https://a.example@b.example/",
		"http://u:p@b.example/",
		"http://a@b.example@b.example/",
		"http://b.example\\@a.example/",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why = NULL;
		struct target t;

		assert_true(target_parse(span_str(rows[i]), &t, &why));
		assert_true(t.malformed);
		assert_string_equal(t.host, "b.example");
	}
}

static void a_look_up_has_a_type(void **state)
{
	static const struct {
		const char *text;
		uint16_t type;
	} rows[] = {
		{"dns:a.example", 1},	     {"dns:a.example/aaaa", 28}, {"dns:a.example/TYPE28", 28},
		{"dns:a.example/TXT", 16},   {"dns:a.example/HTTPS", 65},
		{"dns:a.example/type65", 65},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why;
		struct target t;

		assert_true(target_parse(span_str(rows[i].text), &t, &why));
		assert_int_equal(t.dns_type, rows[i].type);
		assert_int_equal(target_question(&t, SEEN_NOT_YET, 0).dns_type, rows[i].type);
	}
}

static void a_question_agrees_with_its_target(void **state)
{
	struct question q;
	const char *why;
	struct target t;

	(void)state;
	assert_true(target_parse(SPAN("POST http://a.example/x"), &t, &why));
	q = target_question(&t, SEEN_HTTP, 7);
	assert_true(q.about == ABOUT_CONN && q.now_s == 7 && q.seen == SEEN_HTTP && !q.has_sni);
	assert_true(span_eq(q.http_host, SPAN("a.example")) && span_eq(q.method, SPAN("POST")));
	q = target_question(&t, SEEN_TLS, 7);
	assert_true(q.has_sni && span_eq(q.sni, q.host) && !q.http_host.len);
	assert_true(target_parse(SPAN("192.0.2.1:443"), &t, &why));
	q = target_question(&t, SEEN_TLS, 7);
	assert_true(!q.has_sni && !q.host.len);
	assert_true(target_parse(SPAN("a.example:53000/udp"), &t, &why));
	assert_int_equal(target_question(&t, SEEN_NOT_YET, 7).transport, TRANSPORT_UDP);
	assert_true(target_parse(SPAN("dns:a.example"), &t, &why));
	assert_int_equal(target_question(&t, SEEN_NOT_YET, 7).about, ABOUT_NAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_is_read),
		cmocka_unit_test(what_is_no_target_says_why),
		cmocka_unit_test(a_url_with_two_readings_is_malformed),
		cmocka_unit_test(a_look_up_has_a_type),
		cmocka_unit_test(a_question_agrees_with_its_target),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/http_head.h"

#define LIT(s) { (const uint8_t *)(s), sizeof(s) - 1 }
#define GET(fields) LIT("GET / HTTP/1.1\r\n" fields "\r\n")
#define ABS(target, fields) LIT("GET " target " HTTP/1.1\r\n" fields "\r\n")
#define CON(fields) LIT("CONNECT a.test:443 HTTP/1.1\r\n" fields "\r\n")
#define H "Host: a.test\r\n"

static void a_request_is_read(void **state)
{
	const struct span head = SPAN("POST /v1/x?y HTTP/1.1\r\nHost: A.test:8080\r\n"
				      "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	struct http_request r;
	uint8_t bytes[256];

	(void)state;
	memcpy(bytes, head.at, head.len);
	memcpy(bytes + head.len, "abc\r\n\r\n", 7);
	assert_int_equal(http_request_parse(span_of(bytes, head.len + 7), &r), PARSE_OK);
	assert_int_equal(r.head_bytes, head.len);
	assert_true(span_eq(r.method, SPAN("POST")));
	assert_true(span_eq(r.target, SPAN("/v1/x?y")));
	assert_true(span_eq(r.path, SPAN("/v1/x")));
	assert_true(span_eq(r.host, SPAN("A.test")));
	assert_int_equal(r.host_port, 8080);
	assert_int_equal(r.form, HTTP_ORIGIN);
	assert_int_equal(r.minor, 1);
	assert_true(r.keep_alive && r.expect_continue && !r.upgrade && !r.websocket);
	assert_int_equal(r.framing, HTTP_BODY_LENGTH);
	assert_int_equal(r.length, 3);
}

static const struct {
	enum parse want;
	struct span head;
} requests[] = {
	{ PARSE_OK, GET(H) },
	{ PARSE_OK, LIT("M-SEARCH / HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_OK, LIT("get / HTTP/1.0\r\n\r\n") },
	{ PARSE_BAD, LIT("\r\nGET / HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("\nGET / HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT(" GET / HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET  / HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET /  HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET\t/ HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET / HTTP/1.1 \r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET / HTTP/1.1\r\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET / HTTP/1.1\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET / HTTP/1.1\r\n" H "\n") },
	{ PARSE_BAD, LIT("GET /a b HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET / HTTP/1.2\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET / HTTP/2.0\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET / http/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET / HTTP/1.10\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET / HTTP/01.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET /\r\n") }, { PARSE_BAD, LIT("GET\r\n") }, { PARSE_BAD, LIT("\r\n") },
	{ PARSE_BAD, LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") },
	{ PARSE_BAD, LIT("G(T / HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("G\0T / HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET /\0 HTTP/1.1\r\n" H "\r\n") },
	{ PARSE_BAD, LIT("GET * HTTP/1.1\r\n" H "\r\n") },
	/* Host */
	{ PARSE_BAD, GET("") }, { PARSE_BAD, GET("Host:\r\n") }, { PARSE_BAD, GET(H H) },
	{ PARSE_BAD, GET("Host: u@a.test\r\n") }, { PARSE_BAD, GET("Host: a.test, b.test\r\n") },
	{ PARSE_BAD, GET("Host: a.test/x\r\n") }, { PARSE_BAD, GET("Host : a.test\r\n") },
	{ PARSE_BAD, LIT("GET / HTTP/1.0\r\n" H H "\r\n") },
	{ PARSE_OK, ABS("http://a.test/", H) }, { PARSE_OK, ABS("http://A.test:80/", H) },
	{ PARSE_OK, ABS("http://a.test/", "Host: a.test:80\r\n") },
	{ PARSE_OK, ABS("https://a.test/", "Host: a.test:443\r\n") },
	{ PARSE_BAD, ABS("http://a.test/", "Host: a.test:443\r\n") },
	{ PARSE_BAD, ABS("http://a.test:81/", H) }, { PARSE_BAD, ABS("http://b.test/", H) },
	{ PARSE_BAD, ABS("http://a.test/", "") }, { PARSE_BAD, ABS("http://a.test/", "Host:\r\n") },
	{ PARSE_OK, LIT("GET http://a.test/ HTTP/1.0\r\n\r\n") },
	{ PARSE_BAD, LIT("GET http://a.test/ HTTP/1.0\r\nHost: b.test\r\n\r\n") },
	{ PARSE_OK, CON(H) }, { PARSE_OK, CON("Host: A.test:443\r\n") },
	{ PARSE_BAD, CON("Host: a.test:80\r\n") }, { PARSE_BAD, CON("Host: b.test\r\n") },
	{ PARSE_BAD, CON("") }, { PARSE_OK, LIT("CONNECT a.test:443 HTTP/1.0\r\n\r\n") },
	/* framing */
	{ PARSE_OK, CON(H "Content-Length: 0\r\n") },
	{ PARSE_BAD, CON(H "Content-Length: 1\r\n") },
	{ PARSE_BAD, CON(H "Transfer-Encoding: chunked\r\n") },
	{ PARSE_BAD, GET(H "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n") },
	{ PARSE_BAD, GET(H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") },
	{ PARSE_BAD, LIT("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") },
};

static void requests_are_good_or_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct http_request r = { .minor = 77 };

		if (http_request_parse(requests[i].head, &r) != requests[i].want)
			fail_msg("row %zu", i);
		assert_int_equal(r.minor == 77, requests[i].want != PARSE_OK);
	}
}

static void a_cut_request_waits_for_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		struct http_request r;

		if (requests[i].want != PARSE_OK)
			continue;
		for (size_t len = 0; len < requests[i].head.len; len++)
			assert_int_equal(http_request_parse(span_head(requests[i].head, len), &r),
					 PARSE_MORE);
		assert_int_equal(http_request_parse(requests[i].head, &r), PARSE_OK);
		assert_int_equal(r.head_bytes, requests[i].head.len);
	}
}

static void who_is_meant(void **state)
{
	static const struct {
		struct span head;
		const char *host, *path;
		unsigned port;
	} rows[] = {
		{ GET(H), "a.test", "/", 0 },
		{ LIT("GET / HTTP/1.0\r\n\r\n"), "", "/", 0 },
		{ GET("Host: [::1]:81\r\n"), "::1", "/", 81 },
		{ ABS("http://a.test", "Host: a.test:80\r\n"), "a.test", "/", 0 },
		{ ABS("http://a.test:80/x", H), "a.test", "/x", 80 },
		{ CON(H), "a.test", "", 443 },
		{ LIT("OPTIONS * HTTP/1.1\r\n" H "\r\n"), "a.test", "*", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r;

		assert_int_equal(http_request_parse(rows[i].head, &r), PARSE_OK);
		assert_true(span_eq(r.host, span_str(rows[i].host)));
		assert_true(span_eq(r.path, span_str(rows[i].path)));
		assert_int_equal(r.host_port, rows[i].port);
	}
}

static void connections_go_on_or_end(void **state)
{
	static const struct {
		struct span head;
		bool keep_alive;
		enum http_framing framing;
	} rows[] = {
		{ GET(H), true, HTTP_BODY_NONE },
		{ GET(H "Connection: close\r\n"), false, HTTP_BODY_NONE },
		{ GET(H "Connection: x, CLOSE\r\nConnection: keep-alive\r\n"), false,
		  HTTP_BODY_NONE },
		{ GET(H "Content-Length: 0\r\n"), true, HTTP_BODY_NONE },
		{ GET(H "Transfer-Encoding: chunked\r\n"), true, HTTP_BODY_CHUNKED },
		{ LIT("GET / HTTP/1.0\r\n\r\n"), false, HTTP_BODY_NONE },
		{ LIT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), true, HTTP_BODY_NONE },
		{ LIT("GET / HTTP/1.0\r\nConnection: Keep-Alive, close\r\n\r\n"), false,
		  HTTP_BODY_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_request r;

		assert_int_equal(http_request_parse(rows[i].head, &r), PARSE_OK);
		assert_int_equal(r.keep_alive, rows[i].keep_alive);
		assert_int_equal(r.framing, rows[i].framing);
	}
}

static void a_head_has_a_bound(void **state)
{
	static uint8_t head[HTTP_HEAD_MAX + 1];
	const struct span start = SPAN("GET / HTTP/1.0\r\nA: ");
	struct http_request r;

	(void)state;
	memset(head, 'a', sizeof(head));
	memcpy(head, start.at, start.len);
	assert_int_equal(http_request_parse(span_of(head, HTTP_HEAD_MAX - 1), &r), PARSE_MORE);
	assert_int_equal(http_request_parse(span_of(head, HTTP_HEAD_MAX), &r), PARSE_BAD);
	memcpy(head + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(http_request_parse(span_of(head, HTTP_HEAD_MAX), &r), PARSE_OK);
	memcpy(head + HTTP_HEAD_MAX - 4, "a\r\n\r\n", 5);
	assert_int_equal(http_request_parse(span_of(head, HTTP_HEAD_MAX + 1), &r), PARSE_BAD);
}

static const struct {
	enum parse want;
	struct span head;
	const char *method;
	unsigned status;
	bool keep_alive;
	enum http_framing framing;
	uint64_t length;
} responses[] = {
#define OK(m, s, k, f, l, head) { PARSE_OK, LIT(head "\r\n"), m, s, k, f, l }
#define BAD(head) { PARSE_BAD, LIT(head "\r\n"), "GET", 0, false, HTTP_BODY_NONE, 0 }
#define CL "Content-Length: 5\r\n"
#define TE "Transfer-Encoding: chunked\r\n"
	OK("GET", 200, true, HTTP_BODY_LENGTH, 5, "HTTP/1.1 200 OK\r\n" CL),
	OK("GET", 200, true, HTTP_BODY_CHUNKED, 0, "HTTP/1.1 200 \r\n" TE),
	OK("GET", 404, true, HTTP_BODY_NONE, 0, "HTTP/1.1 404\r\nContent-Length: 0\r\n"),
	OK("GET", 200, false, HTTP_BODY_CLOSE, 0, "HTTP/1.1 200 a \344\tb\r\n"),
	OK("GET", 200, false, HTTP_BODY_CLOSE, 0, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"),
	OK("GET", 200, true, HTTP_BODY_LENGTH, 5,
	   "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" CL),
	OK("GET", 200, false, HTTP_BODY_LENGTH, 5, "HTTP/1.0 200 OK\r\n" CL),
	OK("GET", 200, false, HTTP_BODY_LENGTH, 5, "HTTP/1.1 200 OK\r\nConnection: close\r\n" CL),
	OK("HEAD", 200, true, HTTP_BODY_NONE, 0, "HTTP/1.1 200 OK\r\n" CL),
	OK("HEAD", 200, true, HTTP_BODY_NONE, 0, "HTTP/1.1 200 OK\r\n" TE),
	OK("GET", 100, true, HTTP_BODY_NONE, 0, "HTTP/1.1 100 Continue\r\n"),
	OK("GET", 101, true, HTTP_BODY_NONE, 0, "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n"),
	OK("GET", 204, true, HTTP_BODY_NONE, 0, "HTTP/1.1 204 x\r\n" CL),
	OK("GET", 304, true, HTTP_BODY_NONE, 0, "HTTP/1.1 304 x\r\n" CL),
	OK("CONNECT", 200, true, HTTP_BODY_NONE, 0, "HTTP/1.1 200 x\r\n" CL),
	OK("CONNECT", 403, true, HTTP_BODY_LENGTH, 5, "HTTP/1.1 403 x\r\n" CL),
	OK("GET", 599, true, HTTP_BODY_LENGTH, 5, "HTTP/1.1 599 x\r\n" CL),
	BAD("HTTP/1.1 200 OK\r\n" CL TE), BAD("HTTP/1.0 200 OK\r\n" TE),
	BAD("HTTP/1.1 200 OK\r\n" CL "Content-Length: 6\r\n"),
	BAD("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n"),
	BAD("HTTP/1.1 200 OK\n" CL), BAD("HTTP/1.1 200 OK\r\nA: b\n"), BAD("HTTP/1.1 200 O\rK\r\n"),
	BAD("HTTP/1.1 200 O\0K\r\n"), BAD("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n"),
	BAD("HTTP/1.1  200 OK\r\n"), BAD("HTTP/1.1 20 OK\r\n"), BAD("HTTP/1.1 2000\r\n"),
	BAD("HTTP/1.1 099 x\r\n"), BAD("HTTP/1.1 600 x\r\n"), BAD("HTTP/1.1 +20 x\r\n"),
	BAD("HTTP/1.2 200 OK\r\n"), BAD("HTTP/2 200 OK\r\n"), BAD("ICY 200 OK\r\n"),
	BAD("http/1.1 200 OK\r\n"), BAD("HTTP/1.1\r\n"), BAD(""), BAD("HTTP/1.1 200\tOK\r\n"),
	BAD("HTTP/1.1\t200 OK\r\n"), BAD("\r\nHTTP/1.1 200 OK\r\n"),
};

static void responses_are_good_or_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(responses); i++) {
		struct http_response r = { .minor = 77 };
		struct span method = span_str(responses[i].method), head = responses[i].head;

		if (http_response_parse(head, method, &r) != responses[i].want)
			fail_msg("row %zu", i);
		if (responses[i].want != PARSE_OK) {
			assert_int_equal(r.minor, 77);
			continue;
		}
		assert_int_equal(r.head_bytes, head.len);
		assert_int_equal(r.status, responses[i].status);
		assert_int_equal(r.keep_alive, responses[i].keep_alive);
		assert_int_equal(r.framing, responses[i].framing);
		assert_int_equal(r.length, responses[i].length);
		for (size_t len = 0; len < head.len; len++)
			assert_int_equal(http_response_parse(span_head(head, len), method, &r),
					 PARSE_MORE);
	}
}

static void likely_is_wide(void **state)
{
	static const struct {
		struct span bytes;
		bool likely;
	} rows[] = {
		{ LIT("G"), true }, { LIT("GET "), true }, { LIT("GET /"), true },
		{ LIT("get\t/"), true }, { LIT("GET\v/"), true }, { LIT("GET\r"), true },
		{ LIT("GET\rx"), true }, { LIT("\r\n\r\nGET / "), true }, { LIT(" GET /"), true },
		{ LIT("\n"), true }, { LIT("PRI * HTTP/2.0\r\n"), true },
		{ LIT("SSH-2.0-OpenSSH_9\r\n"), false }, { LIT("PING\r\n"), false },
		{ LIT("PING\n"), false }, { LIT("\x16\3\1"), false }, { LIT("{\"a\": 1}"), false },
		{ LIT("\0"), false }, { LIT("*1\r\n$4\r\n"), false }, { LIT("a:b c"), false },
		{ LIT("G\344T /"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (http_likely(rows[i].bytes) != rows[i].likely)
			fail_msg("row %zu", i);
}

static void the_preface_is_known_byte_by_byte(void **state)
{
	const struct span preface = SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore");
	uint8_t bytes[32];

	(void)state;
	for (size_t len = 1; len <= preface.len; len++) {
		assert_int_equal(http_preface(span_head(preface, len)),
				 len < 24 ? PARSE_MORE : PARSE_OK);
		assert_true(http_likely(span_head(preface, len)));
		memcpy(bytes, preface.at, len);
		bytes[len - 1] ^= 1;
		assert_int_equal(http_preface(span_of(bytes, len)),
				 len <= 24 ? PARSE_BAD : PARSE_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read),
		cmocka_unit_test(requests_are_good_or_bad),
		cmocka_unit_test(a_cut_request_waits_for_more),
		cmocka_unit_test(who_is_meant),
		cmocka_unit_test(connections_go_on_or_end),
		cmocka_unit_test(a_head_has_a_bound),
		cmocka_unit_test(responses_are_good_or_bad),
		cmocka_unit_test(likely_is_wide),
		cmocka_unit_test(the_preface_is_known_byte_by_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

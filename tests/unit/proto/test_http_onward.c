/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/http_onward.h"

static const struct {
	const char *head, *want;
} rows[] = {
	{ "GET http://a.test/x?y=1 HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n",
	  "GET /x?y=1 HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n" },
	{ "GET HTTP://A.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n" },
	{ "OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
	  "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n" },
	{ "GET http://a.test//b//c HTTP/1.1\r\nHost: a.test\r\n\r\n",
	  "GET //b//c HTTP/1.1\r\nHost: a.test\r\n\r\n" },
	{ "GET http://a.test/http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
	  "GET /http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n" },
	/* what is for the proxy stays here */
	{ "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nProxy-Authorization: Basic c2VjcmV0\r\n"
	  "PROXY-CONNECTION: keep-alive\r\nProxy_Authorization: Basic c2VjcmV0\r\n"
	  "Keep-Alive: 5\r\nTE: trailers\r\nConnection: TE, X-Mine,, x-other\r\n"
	  "x-mine: 1\r\nX-Other: 2\r\nX-Else: 3\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: a.test\r\nX-Else: 3\r\n\r\n" },
	{ "GET http://a.test/ HTTP/1.1\r\nX-Two: 2\r\nConnection: x-one\r\nX-One: 1\r\n"
	  "Host: a.test\r\nConnection: x-two\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n" },
	/* a length is no option's to remove, however it is written */
	{ "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n"
	  "Connection: content_length, close\r\n\r\n",
	  "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nConnection: close\r\n\r\n" },
	{ "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n",
	  "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ "GET http://a.test/ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n"
	  "Upgrade: websocket\r\n\r\n",
	  "GET /ws HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n" },
	/* HTTP/1.0: it says what a server needs, and ends with its answer */
	{ "GET http://a.test:8080/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	  "GET / HTTP/1.0\r\nHost: a.test:8080\r\n\r\n" },
	{ "GET http://[2001:db8::1]/ HTTP/1.0\r\n\r\n",
	  "GET / HTTP/1.0\r\nHost: [2001:db8::1]\r\n\r\n" },
};

static void heads_go_onward(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span head = span_str(rows[i].head);
		struct buf out = buf_new(1024);
		struct http_request r, again;

		assert_int_equal(http_request_parse(head, &r), PARSE_OK);
		assert_int_equal(r.form, HTTP_ABSOLUTE);
		assert_true(http_onward(head, &r, &out));
		if (!span_eq(buf_span(&out), span_str(rows[i].want)))
			fail_msg("row %zu: " SPAN_FMT, i, SPAN_ARG(buf_span(&out)));
		assert_int_equal(http_request_parse(buf_span(&out), &again), PARSE_OK);
		assert_true(span_eq(r.path, again.path) && span_eq_fold(r.host, again.host));
		assert_int_equal(r.framing, again.framing);
		assert_int_equal(r.length, again.length);
		buf_done(&out);
	}
}

static void no_room_is_told(void **state)
{
	struct span head = span_str(rows[0].head), want = span_str(rows[0].want);
	struct http_request r;

	(void)state;
	assert_int_equal(http_request_parse(head, &r), PARSE_OK);
	for (size_t max = 1; max <= want.len; max++) {
		struct buf out = buf_new(max);

		assert_int_equal(http_onward(head, &r, &out), max == want.len);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_go_onward),
		cmocka_unit_test(no_room_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

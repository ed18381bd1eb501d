/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/http_fields.h"
#include "proto/http_head.h"

#define LIT(s) { (const uint8_t *)(s), sizeof(s) - 1 }

static void octets_have_their_kinds(void **state)
{
	const struct span tokens = SPAN("!#$%&'*+-.^_`|~09azAZ");
	const struct span delimiters = SPAN("\"(),/:;<=>?@[\\]{}");

	(void)state;
	assert_true(http_all(tokens, HTTP_TOKEN));
	for (size_t i = 0; i < delimiters.len; i++)
		assert_false(http_octet_is(delimiters.at[i], HTTP_TOKEN));
	for (unsigned c = 0; c < 256; c++) {
		bool control = (c < ' ' && c != '\t') || c == 0x7f;
		bool visible = c > ' ' && c < 0x7f;

		assert_int_equal(http_octet_is((uint8_t)c, HTTP_VALUE), !control);
		assert_int_equal(http_octet_is((uint8_t)c, HTTP_TARGET),
				 visible && c != '#' && c != '\\');
		if (!visible)
			assert_false(http_octet_is((uint8_t)c, HTTP_TOKEN | HTTP_HOST_NAME));
	}
	assert_true(http_all(SPAN("a-B_9."), HTTP_HOST_NAME));
	assert_false(http_all(SPAN("a%41"), HTTP_HOST_NAME));
}

static void lines_end_in_crlf(void **state)
{
	struct span left = SPAN("ab\r\n\r\nc\nd"), line;

	(void)state;
	assert_int_equal(http_line(&left, &line), PARSE_OK);
	assert_true(span_eq(line, SPAN("ab")));
	assert_int_equal(http_line(&left, &line), PARSE_OK);
	assert_int_equal(line.len, 0);
	assert_int_equal(http_line(&left, &line), PARSE_BAD);
	left = SPAN("\n");
	assert_int_equal(http_line(&left, &line), PARSE_BAD);
	left = SPAN("ab\r");
	assert_int_equal(http_line(&left, &line), PARSE_MORE);
	assert_int_equal(left.len, 3);
}

static void fields_are_good_or_bad(void **state)
{
	static const struct {
		enum parse want;
		struct span lines;
	} rows[] = {
		{ PARSE_OK, LIT("") }, { PARSE_OK, LIT("A:\r\n") },
		{ PARSE_OK, LIT("A:b\r\nA: b\r\na:\t b \r\n") },
		{ PARSE_OK, LIT("A: \344\"\\(\r\n") },
		{ PARSE_BAD, LIT(":b\r\n") }, { PARSE_BAD, LIT("A\r\n") },
		{ PARSE_BAD, LIT("A : b\r\n") }, { PARSE_BAD, LIT("A\t: b\r\n") },
		{ PARSE_BAD, LIT(" A: b\r\n") }, { PARSE_BAD, LIT("A: b\r\n c\r\n") },
		{ PARSE_BAD, LIT("A: b\r\n\tc\r\n") }, { PARSE_BAD, LIT("A(: b\r\n") },
		{ PARSE_BAD, LIT("\344: b\r\n") }, { PARSE_BAD, LIT("A: b\n") },
		{ PARSE_BAD, LIT("A: b\rc\r\n") }, { PARSE_BAD, LIT("A: b\r\r\n") },
		{ PARSE_BAD, LIT("A: \0\r\n") }, { PARSE_BAD, LIT("A: \33\r\n") },
		{ PARSE_BAD, LIT("A: \177\r\n") }, { PARSE_BAD, LIT("A\0: b\r\n") },
		{ PARSE_BAD, LIT("Host: a\r\nhOST: a\r\n") },
		{ PARSE_BAD, LIT("Host:\r\nHost: a\r\n") },
		{ PARSE_OK, LIT("Content-Length: 5\r\ncontent-length:5\r\n") },
		{ PARSE_BAD, LIT("Content-Length: 5\r\nContent-Length: 6\r\n") },
		{ PARSE_BAD, LIT("Content-Length: 0\r\nContent-Length: 6\r\n") },
		{ PARSE_BAD, LIT("Content-Length: 5, 5\r\n") },
		{ PARSE_BAD, LIT("Content-Length:\r\n") },
		{ PARSE_BAD, LIT("Content-Length: +5\r\n") }, { PARSE_BAD, LIT("Content-Length: -5\r\n") },
		{ PARSE_BAD, LIT("Content-Length: 0x5\r\n") },
		{ PARSE_BAD, LIT("Content-Length: 5 5\r\n") },
		{ PARSE_OK, LIT("Content-Length: 9223372036854775807\r\n") },
		{ PARSE_BAD, LIT("Content-Length: 9223372036854775808\r\n") },
		{ PARSE_BAD, LIT("Content-Length: 18446744073709551621\r\n") },
		{ PARSE_OK, LIT("Transfer-Encoding: Chunked \r\n") },
		{ PARSE_BAD, LIT("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") },
		{ PARSE_BAD, LIT("Transfer-Encoding: gzip, chunked\r\n") },
		{ PARSE_BAD, LIT("Transfer-Encoding: identity\r\n") },
		{ PARSE_BAD, LIT("Transfer-Encoding: \"chunked\"\r\n") },
		{ PARSE_BAD, LIT("Transfer-Encoding: chunked;x\r\n") },
		{ PARSE_BAD, LIT("Transfer-Encoding: xchunked\r\n") },
		{ PARSE_BAD, LIT("Transfer-Encoding: \vchunked\r\n") },
		{ PARSE_BAD, LIT("Transfer-Encoding:\r\n") },
		{ PARSE_OK, LIT("Connection:\r\nConnection: , TE,,x\r\n") },
		{ PARSE_BAD, LIT("Connection: a b\r\n") },
		{ PARSE_BAD, LIT("Connection: \"close\"\r\n") },
		{ PARSE_BAD, LIT("Connection: close, HOST\r\n") },
		{ PARSE_BAD, LIT("Connection: content-length\r\n") },
		{ PARSE_BAD, LIT("Connection: transfer-encoding\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t head[256];
		struct span left = span_of(head, rows[i].lines.len + 2);
		struct http_fields f;

		memcpy(head, rows[i].lines.at, rows[i].lines.len);
		memcpy(head + rows[i].lines.len, "\r\n", 2);
		if (http_fields_parse(&left, &f) != rows[i].want)
			fail_msg("row %zu", i);
		assert_int_equal(left.len, rows[i].want == PARSE_OK ? 0 : rows[i].lines.len + 2);
	}
}

static void what_fields_say(void **state)
{
	struct span left = SPAN("Host:  a.test \r\nContent-Length: 007\r\nConnection: x, Close\r\n"
				"Connection: keep-alive,Upgrade\r\nUpgrade: WebSocket\r\n"
				"Expect: 100-Continue\r\n\r\nbody");
	struct http_fields f;

	(void)state;
	assert_int_equal(http_fields_parse(&left, &f), PARSE_OK);
	assert_true(span_eq(left, SPAN("body")));
	assert_true(f.has_host && span_eq(f.host, SPAN("a.test")));
	assert_true(f.has_length && f.length == 7);
	assert_true(f.close && f.keep_alive);
	assert_true(f.upgrade && f.websocket && f.expect_continue);
	assert_false(f.chunked);
}

static void fields_that_change_the_method(void **state)
{
	static const struct {
		struct span	lines;
		bool		overrides;
	} rows[] = {
		{ LIT("X-HTTP-Method-Override: PUT\r\n\r\n"), true },
		{ LIT("x-http-method: PUT\r\n\r\n"), true },
		{ LIT("X-Method-Override:\r\n\r\n"), true },
		{ LIT("X_HTTP_Method-Override: GET\r\n\r\n"), true },
		{ LIT("X-HTTP-Method-Overrides: PUT\r\n\r\n"), false },
		{ LIT("HTTP-Method: PUT\r\n\r\n"), false },
		{ LIT("X-Padding-That-Is-Longer-Than-Each: 1\r\n\r\n"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span left = rows[i].lines;
		struct http_fields f;

		assert_int_equal(http_fields_parse(&left, &f), PARSE_OK);
		assert_int_equal(f.overrides, rows[i].overrides);
	}
}

static void only_websocket_alone_is_websocket(void **state)
{
	static const struct span rows[] = {
		LIT("Upgrade: h2c\r\n\r\n"), LIT("Upgrade: websocket, h2c\r\n\r\n"),
		LIT("Upgrade:\r\n\r\n"), LIT("Upgrade: websocket/13\r\n\r\n"),
		LIT("Upgrade: h2c\r\nUpgrade: websocket\r\n\r\n"),
		LIT("Upgrade: websocket\r\nUpgrade: websocket\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span left = rows[i];
		struct http_fields f;

		assert_int_equal(http_fields_parse(&left, &f), PARSE_OK);
		assert_true(f.upgrade);
		assert_false(f.websocket);
	}
}

static void fields_are_counted(void **state)
{
	uint8_t head[4 * (HTTP_FIELDS_MAX + 1) + 2];
	struct http_fields f;

	(void)state;
	for (size_t count = HTTP_FIELDS_MAX; count <= HTTP_FIELDS_MAX + 1; count++) {
		struct span left = span_of(head, 4 * count + 2);

		for (size_t i = 0; i < count; i++)
			memcpy(head + 4 * i, "a:\r\n", 4);
		memcpy(head + 4 * count, "\r\n", 2);
		assert_int_equal(http_fields_parse(&left, &f),
				 count > HTTP_FIELDS_MAX ? PARSE_BAD : PARSE_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(octets_have_their_kinds),
		cmocka_unit_test(lines_end_in_crlf),
		cmocka_unit_test(fields_are_good_or_bad),
		cmocka_unit_test(what_fields_say),
		cmocka_unit_test(fields_that_change_the_method),
		cmocka_unit_test(only_websocket_alone_is_websocket),
		cmocka_unit_test(fields_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

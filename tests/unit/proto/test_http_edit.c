/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/http_edit.h"
#include "proto/http_head.h"

static const struct http_edits edits = {
	.at = { { SPAN("x-api-key"), SPAN("Bearer new") }, { SPAN("Accept-Encoding"), SPAN("identity") },
		{ SPAN("range"), { NULL, 0 } } },
	.count = 3,
};

static void fields_are_replaced(void **state)
{
	static const struct {
		const char *head, *want;
	} rows[] = {
		{ "GET /x?X-Api-Key:1 HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n",
		  "GET /x?X-Api-Key:1 HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n" },
		{ "GET / HTTP/1.1\r\nX-API-Key: old\r\nHost: a.test\r\nx-api-key:older\r\n"
		  "X_Api-Key: oldest\r\nX-Api-Keys: other\r\n\r\n",
		  "GET / HTTP/1.1\r\nHost: a.test\r\nX-Api-Keys: other\r\n" },
		{ "GET / HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\naccept_encoding: br\r\n"
		  "RANGE: bytes=0-1\r\nIf-Range: x\r\n\r\n",
		  "GET / HTTP/1.1\r\nHost: a.test\r\nIf-Range: x\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out = buf_new(1024), want = buf_new(1024);
		struct http_request r;
		struct span value;

		assert_int_equal(http_request_parse(span_str(rows[i].head), &r), PARSE_OK);
		/* what follows the head is not looked at */
		assert_true(http_edited(span_str(rows[i].head), &edits, &out));
		buf_add_str(&want, rows[i].want);
		buf_add_str(&want, "x-api-key: Bearer new\r\nAccept-Encoding: identity\r\n\r\n");
		if (!span_eq(buf_span(&out), buf_span(&want)))
			fail_msg("row %zu: " SPAN_FMT, i, SPAN_ARG(buf_span(&out)));
		assert_int_equal(http_request_parse(buf_span(&out), &r), PARSE_OK);
		assert_int_equal(http_field(buf_span(&out), SPAN("X-Api-Key"), &value), 1);
		assert_true(span_eq(value, SPAN("Bearer new")));
		buf_done(&out);
		buf_done(&want);
	}
}

static void a_head_that_does_not_fit_is_none(void **state)
{
	struct buf out = buf_new(40);

	(void)state;
	assert_false(http_edited(SPAN("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), &edits, &out));
	buf_done(&out);
	assert_true(http_edit_hits(&edits, SPAN("X_API_KEY")));
	assert_false(http_edit_hits(&edits, SPAN("X-API-KE")));
	assert_false(http_edit_hits(&edits, SPAN("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_replaced),
		cmocka_unit_test(a_head_that_does_not_fit_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

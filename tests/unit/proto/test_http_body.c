/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/http_body.h"

#define LIT(s) { (const uint8_t *)(s), sizeof(s) - 1 }

static enum parse feed_all(enum http_framing framing, uint64_t length, struct span bytes,
			   size_t *ret_used)
{
	struct http_body b;

	http_body_init(&b, framing, length);
	return http_body_feed(&b, bytes, ret_used);
}

static void plain_framings(void **state)
{
	struct http_body b;
	size_t used;

	(void)state;
	assert_int_equal(feed_all(HTTP_BODY_NONE, 0, SPAN("next"), &used), PARSE_OK);
	assert_int_equal(used, 0);
	assert_int_equal(feed_all(HTTP_BODY_LENGTH, 0, SPAN("next"), &used), PARSE_OK);
	assert_int_equal(used, 0);
	assert_int_equal(feed_all(HTTP_BODY_LENGTH, 3, SPAN("abcnext"), &used), PARSE_OK);
	assert_int_equal(used, 3);
	assert_int_equal(feed_all(HTTP_BODY_LENGTH, UINT64_MAX, SPAN("abc"), &used), PARSE_MORE);
	assert_int_equal(used, 3);

	http_body_init(&b, HTTP_BODY_LENGTH, 4);
	assert_int_equal(http_body_feed(&b, SPAN("abc"), &used), PARSE_MORE);
	assert_false(http_body_end_is_whole(&b));
	assert_int_equal(http_body_feed(&b, SPAN(""), &used), PARSE_MORE);
	assert_int_equal(http_body_feed(&b, SPAN("de"), &used), PARSE_OK);
	assert_int_equal(used, 1);
	assert_true(http_body_end_is_whole(&b));
	assert_int_equal(http_body_feed(&b, SPAN("e"), &used), PARSE_OK);
	assert_int_equal(used, 0);

	http_body_init(&b, HTTP_BODY_CLOSE, 0);
	assert_int_equal(http_body_feed(&b, SPAN("abc"), &used), PARSE_MORE);
	assert_int_equal(used, 3);
	assert_true(http_body_end_is_whole(&b));
}

static const struct span good[] = {
	LIT("0\r\n\r\n"),
	LIT("000\r\n\r\n"),
	LIT("3\r\nabc\r\n0\r\n\r\n"),
	LIT("3\r\n\r\n\r\r\n1\r\n0\r\n0\r\n\r\n"),
	LIT("A\r\n0123456789\r\n0\r\n\r\n"),
	LIT("a\r\n0123456789\r\n01\r\nx\r\n0\r\n\r\n"),
	LIT("1;x\r\na\r\n0;y=z\r\n\r\n"),
	LIT("1 \t;x = \"a;\344\" \r\na\r\n0\r\n\r\n"),
	LIT("0\r\nX: y\r\nDigest:\r\nabc:\t\344 \"\r\n\r\n"),
};

static void chunks_end_where_they_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		uint8_t more[128];
		size_t used;

		memcpy(more, good[i].at, good[i].len);
		memcpy(more + good[i].len, "GET", 3);
		assert_int_equal(feed_all(HTTP_BODY_CHUNKED, 0, span_of(more, good[i].len + 3),
					  &used), PARSE_OK);
		assert_int_equal(used, good[i].len);
	}
}

static void every_cut_gives_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		for (size_t cut = 0; cut < good[i].len; cut++) {
			struct http_body b;
			size_t used;

			http_body_init(&b, HTTP_BODY_CHUNKED, 0);
			assert_int_equal(http_body_feed(&b, span_head(good[i], cut), &used),
					 PARSE_MORE);
			assert_int_equal(used, cut);
			assert_false(http_body_end_is_whole(&b));
			assert_int_equal(http_body_feed(&b, span_skip(good[i], cut), &used),
					 PARSE_OK);
			assert_int_equal(used, good[i].len - cut);
			assert_true(http_body_end_is_whole(&b));
		}
	}
}

static void broken_framing_is_found_at_the_octet(void **state)
{
	static const struct {
		struct span bytes;
		size_t used;
	} rows[] = {
		{ LIT("\r\n"), 1 }, { LIT("x\r\n"), 1 }, { LIT(" 1\r\n"), 1 }, { LIT("-1\r\n"), 1 },
		{ LIT("+1\r\n"), 1 }, { LIT("0x1\r\n"), 2 }, { LIT("1_0\r\n"), 2 },
		{ LIT("1\n"), 2 }, { LIT("1\ra"), 3 }, { LIT("1 \r\n"), 3 },
		{ LIT("1\v;a\r\n"), 2 },
		{ LIT("1;a\nb"), 4 }, { LIT("1;a\r\r\n"), 5 }, { LIT("1;a\0"), 4 },
		{ LIT("1;\"a\nb\"\r\n"), 5 },
		{ LIT("1\r\nab"), 5 }, { LIT("1\r\na\n"), 5 }, { LIT("1\r\na\rb"), 6 },
		{ LIT("0\r\n\n"), 4 }, { LIT("0\r\n\rx"), 5 }, { LIT("0\r\n a: b\r\n"), 4 },
		{ LIT("0\r\na\r\n"), 5 }, { LIT("0\r\na : b\r\n"), 5 }, { LIT("0\r\n: b\r\n"), 4 },
		{ LIT("0\r\na: b\n"), 8 }, { LIT("0\r\na: b\rc"), 9 }, { LIT("0\r\na:\0"), 6 },
		{ LIT("0\r\na: b\r\n c\r\n"), 10 },
		{ LIT("7fffffffffffffff0"), 17 }, { LIT("8000000000000000"), 16 },
		{ LIT("10000000000000000"), 17 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_body b;
		size_t used;

		http_body_init(&b, HTTP_BODY_CHUNKED, 0);
		if (http_body_feed(&b, rows[i].bytes, &used) != PARSE_BAD || used != rows[i].used)
			fail_msg("row %zu: %zu used", i, used);
		assert_int_equal(http_body_feed(&b, SPAN("0\r\n\r\n"), &used), PARSE_BAD);
		assert_int_equal(used, 0);
		assert_false(http_body_end_is_whole(&b));
	}
}

static void the_largest_chunk_is_counted(void **state)
{
	struct http_body b;
	size_t used;

	(void)state;
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(http_body_feed(&b, SPAN("7fffffffffffffff\r\n"), &used), PARSE_MORE);
	assert_true(b.left == INT64_MAX);
}

/* Feed @head, @count times @c, @tail */
static enum parse feed_long(struct span head, uint8_t c, size_t count, struct span tail)
{
	struct http_body b;
	enum parse got;
	size_t used;

	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	got = http_body_feed(&b, head, &used);
	for (size_t i = 0; i < count && got == PARSE_MORE; i++)
		got = http_body_feed(&b, span_of(&c, 1), &used);
	return got == PARSE_MORE ? http_body_feed(&b, tail, &used) : got;
}

static void lines_have_bounds(void **state)
{
	(void)state;
	/* "0;" and CRLF count, and a new line starts anew */
	assert_int_equal(feed_long(SPAN("1\r\nx\r\n0;"), 'a', HTTP_CHUNK_LINE_MAX - 4,
				   SPAN("\r\n\r\n")), PARSE_OK);
	assert_int_equal(feed_long(SPAN("1\r\nx\r\n0;"), 'a', HTTP_CHUNK_LINE_MAX - 3,
				   SPAN("\r\n\r\n")), PARSE_BAD);
	assert_int_equal(feed_long(SPAN(""), '0', HTTP_CHUNK_LINE_MAX + 1, SPAN("")), PARSE_BAD);
	/* "a:", its CRLF and the last CRLF count */
	assert_int_equal(feed_long(SPAN("0\r\na:"), 'b', HTTP_TRAILERS_MAX - 6,
				   SPAN("\r\n\r\n")), PARSE_OK);
	assert_int_equal(feed_long(SPAN("0\r\na:"), 'b', HTTP_TRAILERS_MAX - 5,
				   SPAN("\r\n\r\n")), PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_framings),
		cmocka_unit_test(chunks_end_where_they_end),
		cmocka_unit_test(every_cut_gives_the_same),
		cmocka_unit_test(broken_framing_is_found_at_the_octet),
		cmocka_unit_test(the_largest_chunk_is_counted),
		cmocka_unit_test(lines_have_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

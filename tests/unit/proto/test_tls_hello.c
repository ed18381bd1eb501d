/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/wire.h"
#include "proto/tls_hello.h"

#define LIT(s) { (const uint8_t *)(s), sizeof(s) - 1 }
#define SNI_A "\0\0\0\13\0\11\0\0\6a.test"	/* server_name: a.test */
#define ALPN_H2 "\0\20\0\16\0\14\2h2\10http/1.1"
#define VERSIONS "\0\53\0\7\6\x7a\x7a\3\4\3\3"
#define ECH "\xfe\x0d\0\4\0\1\2\3"

static uint8_t scratch[TLS_HELLO_MAX];

/* A handshake message: header and a hello with these extensions */
static struct span message_make(struct span extensions, uint8_t *out, size_t size)
{
	static const uint8_t rest[] = { 0, /* ciphers */ 0, 2, 0x13, 1, /* compressions */ 1, 0 };
	struct wire_out w = { .at = out, .size = size };
	static const uint8_t random[32];

	wire_put_u8(&w, 1);
	wire_put_u8(&w, 0);
	wire_put_u16(&w, (uint16_t)(2 + 32 + sizeof(rest) + 2 + extensions.len));
	wire_put_u16(&w, 0x0303);
	wire_put(&w, random, sizeof(random));
	wire_put(&w, rest, sizeof(rest));
	wire_put_u16(&w, (uint16_t)extensions.len);
	wire_put(&w, extensions.at, extensions.len);
	assert_false(w.full);
	return span_of(out, w.len);
}

/* The message in records of @cut bytes */
static struct span records_make(struct span message, size_t cut, uint8_t *out, size_t size)
{
	struct wire_out w = { .at = out, .size = size };

	for (; message.len; message = span_skip(message, cut)) {
		struct span piece = span_head(message, cut);

		wire_put_u8(&w, 22);
		wire_put_u16(&w, 0x0301);
		wire_put_u16(&w, (uint16_t)piece.len);
		wire_put(&w, piece.at, piece.len);
	}
	assert_false(w.full);
	return span_of(out, w.len);
}

static enum parse parse_extensions(struct span extensions, struct tls_hello *ret)
{
	static uint8_t message[4096], stream[4096];
	struct span m = message_make(extensions, message, sizeof(message));

	return tls_hello_parse(records_make(m, 16384, stream, sizeof(stream)), scratch,
			       sizeof(scratch), ret);
}

static void a_hello_is_read(void **state)
{
	struct tls_hello h;

	(void)state;
	assert_int_equal(parse_extensions(SPAN(SNI_A ALPN_H2 VERSIONS), &h), PARSE_OK);
	assert_true(h.has_sni);
	assert_true(span_eq(h.sni, SPAN("a.test")));
	assert_true(h.sni.at > scratch && h.sni.at < scratch + sizeof(scratch));
	assert_false(h.ech);
	assert_true(h.has_http2);
	assert_true(span_eq(h.alpn, SPAN("h2")));
	assert_int_equal(h.version, 0x0304);

	assert_int_equal(parse_extensions(SPAN(ECH "\0\20\0\5\0\3\2h3"), &h), PARSE_OK);
	assert_false(h.has_sni);
	assert_true(h.ech);
	assert_false(h.has_http2);
	assert_true(span_eq(h.alpn, SPAN("h3")));
	assert_int_equal(h.version, 0x0303);
}

static void every_draft_of_ech_counts(void **state)
{
	static const uint16_t types[] = { 0xfe0d, 0xfe0a, 0xfe09, 0xfe08, 0xffce };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		uint8_t ext[] = { (uint8_t)(types[i] >> 8), (uint8_t)types[i], 0, 0 };
		struct tls_hello h;

		assert_int_equal(parse_extensions(span_of(ext, sizeof(ext)), &h), PARSE_OK);
		assert_true(h.ech);
	}
}

static void extensions_that_disagree_are_bad(void **state)
{
	static const struct {
		enum parse want;
		struct span extensions;
	} rows[] = {
		{ PARSE_OK, LIT("") },
		{ PARSE_OK, LIT(SNI_A) },
		{ PARSE_OK, LIT("\x4a\x4a\0\0" SNI_A "\x5a\x5a\0\1\0") },
		{ PARSE_BAD, LIT(SNI_A SNI_A) },
		{ PARSE_BAD, LIT("\x4a\x4a\0\0" SNI_A "\x4a\x4a\0\0") },
		{ PARSE_BAD, LIT("\0") }, { PARSE_BAD, LIT("\0\0\0") },
		{ PARSE_BAD, LIT("\0\27\0\1") },
		{ PARSE_BAD, LIT("\0\0\0\0") },				/* no list */
		{ PARSE_BAD, LIT("\0\0\0\2\0\0") },			/* no name */
		{ PARSE_BAD, LIT("\0\0\0\5\0\3\0\0\0") },		/* an empty one */
		{ PARSE_BAD, LIT("\0\0\0\6\0\4\1\0\1a") },		/* of another type */
		{ PARSE_BAD, LIT("\0\0\0\12\0\10\0\0\1a\0\0\1b") },	/* two */
		{ PARSE_BAD, LIT("\0\0\0\7\0\4\0\0\1ab") },		/* behind the list */
		{ PARSE_BAD, LIT("\0\0\0\7\0\5\0\0\1ab") },		/* behind the name */
		{ PARSE_BAD, LIT("\0\0\0\6\0\5\0\0\1a") },
		{ PARSE_BAD, LIT("\0\0\0\6\0\4\0\0\2a") },
		{ PARSE_BAD, LIT("\0\0\0\6\0\4\0\0\1\0") },
		{ PARSE_BAD, LIT("\0\0\0\6\0\4\0\0\1 ") },
		{ PARSE_BAD, LIT("\0\0\0\6\0\4\0\0\1\177") },
		{ PARSE_BAD, LIT("\0\0\0\6\0\4\0\0\1\344") },
		{ PARSE_BAD, LIT("\0\20\0\0") }, { PARSE_BAD, LIT("\0\20\0\2\0\0") },
		{ PARSE_BAD, LIT("\0\20\0\3\0\1\0") },
		{ PARSE_BAD, LIT("\0\20\0\5\0\3\3h2") },
		{ PARSE_BAD, LIT("\0\20\0\6\0\3\2h2\0") },
		{ PARSE_BAD, LIT("\0\53\0\1\0") }, { PARSE_BAD, LIT("\0\53\0\2\1\3") },
		{ PARSE_BAD, LIT("\0\53\0\4\2\3\4\0") },
		{ PARSE_BAD, LIT("\0\53\0\3\4\3\4") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tls_hello h;

		if (parse_extensions(rows[i].extensions, &h) != rows[i].want)
			fail_msg("row %zu", i);
	}
}

static void bounds_of_names_and_extensions(void **state)
{
	uint8_t ext[1024] = { 0, 0, 1, 4, 1, 2, 0, 0, 255 };
	struct tls_hello h;

	(void)state;
	memset(ext + 9, 'a', 256);
	assert_int_equal(parse_extensions(span_of(ext, 4 + 260), &h), PARSE_OK);
	assert_int_equal(h.sni.len, 255);
	ext[3]++, ext[5]++;
	ext[7] = 1;
	ext[8] = 0;
	assert_int_equal(parse_extensions(span_of(ext, 4 + 261), &h), PARSE_BAD);

	memset(ext, 0, sizeof(ext));
	for (size_t i = 0; i < 129; i++)
		ext[4 * i] = 1, ext[4 * i + 1] = (uint8_t)i;
	assert_int_equal(parse_extensions(span_of(ext, 4 * 128), &h), PARSE_OK);
	assert_int_equal(parse_extensions(span_of(ext, 4 * 129), &h), PARSE_BAD);
}

/* Patch one byte of a good stream */
static void the_fixed_part_is_checked(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		enum parse want;
	} rows[] = {
		{ 0, 23, PARSE_BAD }, { 0, 0x80, PARSE_BAD },	/* no handshake; SSLv2 */
		{ 1, 2, PARSE_BAD }, { 2, 9, PARSE_OK },	/* the minor is ignored */
		{ 3, 0x50, PARSE_BAD },				/* a record over 2^14 bytes */
		{ 5, 2, PARSE_BAD },				/* ServerHello */
		{ 6, 1, PARSE_BAD },				/* over TLS_HELLO_MAX */
		{ 8, 1, PARSE_BAD },				/* shorter than its record */
		{ 9, 2, PARSE_BAD }, { 43, 33, PARSE_BAD },	/* version, session id */
		{ 45, 0, PARSE_BAD }, { 45, 3, PARSE_BAD },	/* ciphers: none, odd */
		{ 48, 0, PARSE_BAD }, { 51, 1, PARSE_BAD }, { 51, 200, PARSE_BAD },
	};
	uint8_t message[256], stream[256];
	struct span m = message_make(SPAN(SNI_A), message, sizeof(message));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span s = records_make(m, 16384, stream, sizeof(stream));
		struct tls_hello h;

		stream[rows[i].at] = rows[i].value;
		if (tls_hello_parse(s, scratch, sizeof(scratch), &h) != rows[i].want)
			fail_msg("row %zu", i);
	}
}

static void extensions_may_be_missing_but_nothing_else(void **state)
{
	uint8_t message[256], stream[256];
	struct span m = message_make(SPAN(""), message, sizeof(message));
	struct tls_hello h;

	(void)state;
	for (size_t len = 4; len <= m.len; len++) {
		struct span s;
		bool good = len == m.len || len == m.len - 2;

		message[3] = (uint8_t)(len - 4);
		s = records_make(span_head(m, len), 16384, stream, sizeof(stream));
		assert_int_equal(tls_hello_parse(s, scratch, sizeof(scratch), &h),
				 good ? PARSE_OK : PARSE_BAD);
	}
}

static void records_may_cut_it_anywhere(void **state)
{
	uint8_t message[256];
	static uint8_t stream[4096];
	struct span m = message_make(SPAN(SNI_A ALPN_H2 VERSIONS ECH), message, sizeof(message));

	(void)state;
	for (size_t cut = 1; cut <= m.len; cut++) {
		struct span s = records_make(m, cut, stream, sizeof(stream));

		for (size_t len = 0; len <= s.len; len++) {
			struct tls_hello h = { .version = 77 };
			enum parse got = tls_hello_parse(span_head(s, len), scratch,
							 sizeof(scratch), &h);

			assert_int_equal(got, len < s.len ? PARSE_MORE : PARSE_OK);
			assert_int_equal(h.version, len < s.len ? 77 : 0x0304);
			assert_true(len == 0 || tls_hello_likely(span_head(s, len)));
			if (len == s.len)
				assert_true(span_eq(h.sni, SPAN("a.test")) && h.ech);
		}
	}
}

static void what_follows_the_hello(void **state)
{
	uint8_t message[256], stream[512];
	struct span m = message_make(SPAN(SNI_A), message, sizeof(message));
	struct span s = records_make(m, 60, stream, sizeof(stream));
	struct tls_hello h;

	(void)state;
	/* another record: early data, nothing of ours */
	memcpy(stream + s.len, "\x17\3\3\0\1x", 6);
	assert_int_equal(tls_hello_parse(span_of(stream, s.len + 6), scratch, sizeof(scratch), &h),
			 PARSE_OK);
	/* in the same record */
	message[m.len] = 0;
	s = records_make(span_of(message, m.len + 1), 60, stream, sizeof(stream));
	assert_int_equal(tls_hello_parse(s, scratch, sizeof(scratch), &h), PARSE_BAD);
	assert_int_equal(tls_hello_parse(span_head(s, 70), scratch, sizeof(scratch), &h),
			 PARSE_BAD);
	/* a record of another kind, or an empty one, in between */
	s = records_make(m, 60, stream, sizeof(stream));
	stream[65] = 23;
	assert_int_equal(tls_hello_parse(s, scratch, sizeof(scratch), &h), PARSE_BAD);
	stream[65] = 22;
	stream[68] = stream[69] = 0;
	assert_int_equal(tls_hello_parse(s, scratch, sizeof(scratch), &h), PARSE_BAD);
}

static void a_hello_ends_within_its_bound(void **state)
{
	static uint8_t stream[TLS_HELLO_MAX + 6];
	struct tls_hello h;
	size_t len = 0;

	(void)state;
	/* a message of 32 KiB in records of one byte */
	for (size_t i = 0; len + 6 <= sizeof(stream); i++, len += 6)
		memcpy(stream + len, (uint8_t[]){ 22, 3, 1, 0, 1, i == 0 ? 1 : i == 2 ? 128 : 0 },
		       6);
	assert_int_equal(tls_hello_parse(span_of(stream, TLS_HELLO_MAX - 6), scratch,
					 sizeof(scratch), &h), PARSE_MORE);
	assert_int_equal(tls_hello_parse(span_of(stream, TLS_HELLO_MAX), scratch,
					 sizeof(scratch), &h), PARSE_BAD);
	assert_int_equal(tls_hello_parse(span_of(stream, 60), scratch, 8, &h), PARSE_BAD);
}

static void likely_is_told_by_few_bytes(void **state)
{
	(void)state;
	assert_true(tls_hello_likely(SPAN("\x16")));
	assert_true(tls_hello_likely(SPAN("\x16\3")));
	assert_true(tls_hello_likely(SPAN("\x16\3\1\2\0\1")));
	assert_false(tls_hello_likely(SPAN("\x16\2")));
	assert_false(tls_hello_likely(SPAN("\x16\3\1\2\0\2")));
	assert_false(tls_hello_likely(SPAN("\x17")));
	assert_false(tls_hello_likely(SPAN("SSH-2.0")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_is_read),
		cmocka_unit_test(every_draft_of_ech_counts),
		cmocka_unit_test(extensions_that_disagree_are_bad),
		cmocka_unit_test(bounds_of_names_and_extensions),
		cmocka_unit_test(the_fixed_part_is_checked),
		cmocka_unit_test(extensions_may_be_missing_but_nothing_else),
		cmocka_unit_test(records_may_cut_it_anywhere),
		cmocka_unit_test(what_follows_the_hello),
		cmocka_unit_test(a_hello_ends_within_its_bound),
		cmocka_unit_test(likely_is_told_by_few_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

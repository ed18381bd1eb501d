/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/wire.h"
#include "proto/tls_answer.h"

#define RETRY \
	"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" \
	"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"
#define NEARLY \
	"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" \
	"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9d"
#define HELLO(random) "\2\0\0\50\3\3" random "\0\x13\1\0\0\0"
#define CCS "\x14\3\3\0\1\1"
#define ALERT "\x15\3\3\0\2\1\x70"
#define RECORD(len) "\x16\3\3\0" len

struct row {
	const char	*what;
	struct span	 bytes;
	bool		 answered;
};

#define ROW(what, bytes, answered) { what, { (const uint8_t *)(bytes), sizeof(bytes) - 1 }, answered }

static const struct row rows[] = {
	ROW("a hello", RECORD("\54") HELLO(NEARLY), true),
	ROW("a retry", RECORD("\54") HELLO(RETRY), false),
	ROW("a retry, then a hello", RECORD("\54") HELLO(RETRY) CCS RECORD("\54") HELLO(NEARLY), true),
	ROW("both in one record", RECORD("\130") HELLO(RETRY) HELLO(NEARLY), true),
	ROW("two retries", RECORD("\130") HELLO(RETRY) HELLO(RETRY), false),
	ROW("a warning before it", ALERT RECORD("\54") HELLO(NEARLY), true),
	ROW("a warning before a retry", ALERT RECORD("\54") HELLO(RETRY), false),
	ROW("an empty record", RECORD("\0") RECORD("\54") HELLO(NEARLY), true),
	ROW("a hello request before it", RECORD("\60") "\0\0\0\0" HELLO(NEARLY), true),
	ROW("a hello that is too short", RECORD("\5") "\2\0\0\1\3", false),
	ROW("one inside of another message", RECORD("\60") "\13\0\0\54" HELLO(NEARLY), false),
	ROW("one in a record of another kind", "\x17\3\3\0\54" HELLO(NEARLY), false),
	ROW("no TLS", "HTTP/1.1 400 Bad Request\r\n\r\n", false),
	ROW("TLS after what is none", "\n" RECORD("\54") HELLO(NEARLY), false),
	ROW("another major version", "\x16\2\3\0\54" HELLO(NEARLY), false),
};

/* The whole stream, in pieces of @cut bytes */
static bool answered(struct span s, size_t cut)
{
	struct tls_answer a = { 0 };

	for (; s.len; s = span_skip(s, cut))
		if (tls_answer_read(&a, span_head(s, cut)))
			return true;
	return false;
}

static void whole_and_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t cut = 1; cut <= rows[i].bytes.len; cut++) {
			print_message("%s, pieces of %zu\n", rows[i].what, cut);
			assert_int_equal(answered(rows[i].bytes, cut), rows[i].answered);
		}
}

static void records_may_cut_a_message_anywhere(void **state)
{
	static const char *const hellos[] = { HELLO(RETRY), HELLO(NEARLY) };
	const size_t len = sizeof(HELLO(RETRY)) - 1;

	(void)state;
	for (size_t which = 0; which < 2; which++)
		for (size_t cut = 1; cut < len; cut++) {
			uint8_t out[512];
			struct wire_out w = { .at = out, .size = sizeof(out) };
			struct span message = span_of(hellos[which], len);

			for (; message.len; message = span_skip(message, cut)) {
				struct span piece = span_head(message, cut);

				wire_put_u8(&w, 22);
				wire_put_u16(&w, 0x0301);
				wire_put_u16(&w, (uint16_t)piece.len);
				wire_put(&w, piece.at, piece.len);
			}
			assert_false(w.full);
			assert_int_equal(answered(span_of(out, w.len), 512), which);
		}
}

/* The answer is there with the last byte of the random, and not before */
static void not_before_the_random(void **state)
{
	const struct span s = rows[0].bytes;
	const size_t head = 5 + TLS_ANSWER_HEAD;

	(void)state;
	assert_false(answered(span_head(s, head - 1), s.len));
	assert_true(answered(span_head(s, head), s.len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_and_in_pieces),
		cmocka_unit_test(records_may_cut_a_message_anywhere),
		cmocka_unit_test(not_before_the_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

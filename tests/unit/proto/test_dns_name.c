/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/dns_name.h"

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567890"

static void names_have_one_text(void **state)
{
	static const struct {
		struct span wire;
		const char *text;
		bool plain;
	} rows[] = {
#define ROW(w, t, p) { { (const uint8_t *)(w), sizeof(w) - 1 }, t, p }
		ROW("\0", ".", true),
		ROW("\3WWW\7Example\3com\0", "www.example.com", true),
		ROW("\4_dns\3a-b\0", "_dns.a-b", true),
		ROW("\3a.b\1c\0", "a\\046b.c", false),
		ROW("\5a\\046\0", "a\\092046", false),
		ROW("\4a b\377\0", "a\\032b\\255", false),
		ROW("\2\0\177\0", "\\000\\127", false),
		ROW("\3*!~\0", "*!~", false),
		ROW("\77" L63 "\0", L63, true),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire w = wire_over(rows[i].wire);
		uint8_t back[DNS_NAME_WIRE_MAX];
		struct wire_out out = { .at = back, .size = sizeof(back) };
		char text[DNS_NAME_TEXT_MAX];
		bool plain = !rows[i].plain;
		size_t len = dns_name_read(&w, text, &plain);

		assert_string_equal(text, rows[i].text);
		assert_int_equal(len, strlen(text));
		assert_int_equal(plain, rows[i].plain);
		assert_int_equal(w.left.len, 0);
		assert_true(dns_name_put(&out, span_of(text, len)));
		assert_true(out.len == rows[i].wire.len);
		for (size_t k = 0; k < out.len; k++)
			assert_int_equal(back[k], ascii_lower(rows[i].wire.at[k]));
	}
}

static void what_is_no_name_is_refused(void **state)
{
	static const struct span rows[] = {
#undef ROW
#define ROW(w) { (const uint8_t *)(w), sizeof(w) - 1 }
		ROW(""), ROW("\3ab"), ROW("\3abc"),
		ROW("\300\014"), ROW("\1a\300\014"),		/* pointers */
		ROW("\100" L63 "x\0"), ROW("\200" L63 "x\0"),	/* labels of 64 octets and more */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire w = wire_over(rows[i]);
		char text[DNS_NAME_TEXT_MAX] = "before";
		bool plain;

		assert_int_equal(dns_name_read(&w, text, &plain), 0);
		assert_string_equal(text, "");
	}
}

static void a_name_has_255_octets_at_most(void **state)
{
	/* three labels of 63 octets, one of 61, the root: exactly 255 */
	uint8_t wire[300] = { 0 };
	struct wire w;
	char text[DNS_NAME_TEXT_MAX];
	uint8_t back[DNS_NAME_WIRE_MAX];
	struct wire_out out = { .at = back, .size = sizeof(back) };
	bool plain;
	size_t len;

	(void)state;
	memset(wire, 0xff, 255);
	wire[0] = wire[64] = wire[128] = 63;
	wire[192] = 61;
	wire[254] = 0;
	w = wire_over(span_of(wire, 255));
	len = dns_name_read(&w, text, &plain);
	assert_int_equal(len, 250 * 4 + 3);
	assert_true(dns_name_put(&out, span_of(text, len)));
	assert_int_equal(out.len, 255);
	assert_memory_equal(back, wire, 255);

	wire[192] = 62;
	wire[254] = 0xff;
	wire[255] = 0;
	w = wire_over(span_of(wire, 256));
	assert_int_equal(dns_name_read(&w, text, &plain), 0);
}

static void texts_that_are_no_names_are_not_written(void **state)
{
	static const char *const rows[] = {
		"", "..", ".a", "a..b", "a.b..", "\\", "\\1", "\\12", "\\256", "\\999", "\\1x2",
		L63 "x", L63 "." L63 "." L63 "." L63,
	};
	uint8_t room[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire_out out = { .at = room, .size = sizeof(room) };

		assert_false(dns_name_put(&out, span_str(rows[i])));
		assert_int_equal(out.len, 0);
	}
}

static void a_trailing_dot_changes_nothing(void **state)
{
	uint8_t room[16];
	struct wire_out out = { .at = room, .size = sizeof(room) };

	(void)state;
	assert_true(dns_name_put(&out, SPAN("a.b.")));
	assert_true(span_eq(span_of(room, out.len), SPAN("\1a\1b\0")));
}

/* Twelve bytes of header, then a message in which names lie at known places */
#define MSG "............" "\1a\4test\0" "\1b\300\16" "\300\24" "\300\32" "\1c\300\34"

static void packed_names_are_unpacked(void **state)
{
	static const struct {
		size_t at, after;
		struct span name;		/* empty: it is none */
	} rows[] = {
		{ 12, 20, SPAN("\1a\4test\0") },
		{ 14, 20, SPAN("\4test\0") },
		{ 19, 20, SPAN("\0") },
		{ 20, 24, SPAN("\1b\4test\0") },
		{ 24, 26, SPAN("\1b\4test\0") },	/* a pointer to a name with a pointer */
		{ 26, 0, { 0 } },			/* to itself */
		{ 28, 0, { 0 } },			/* behind a label, to another's pointer to it */
		{ 31, 0, { 0 } },			/* cut */
		{ 32, 0, { 0 } },			/* nothing */
	};
	const struct span msg = SPAN(MSG);

	(void)state;
	assert_int_equal(msg.len, 32);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire w = wire_over(span_skip(msg, rows[i].at));
		uint8_t out[DNS_NAME_WIRE_MAX];
		size_t len = dns_name_unpack(msg, &w, out);

		assert_true(span_eq(span_of(out, len), rows[i].name));
		assert_int_equal(w.spent, !len);
		if (len)
			assert_int_equal(w.left.len, msg.len - rows[i].after);
	}
}

static void unpacked_names_have_their_bounds(void **state)
{
	uint8_t msg[600] = { 0 }, out[DNS_NAME_WIRE_MAX];
	struct wire w;

	(void)state;
	/* four labels of 63 and the root are 257 octets; with 61 in the last it is the longest */
	for (size_t i = 0; i < 4; i++)
		msg[12 + i * 64] = 63;
	w = wire_over(span_of(msg + 12, sizeof(msg) - 12));
	assert_int_equal(dns_name_unpack(span_of(msg, sizeof(msg)), &w, out), 0);
	msg[12 + 3 * 64] = 61;
	w = wire_over(span_of(msg + 12, sizeof(msg) - 12));
	assert_int_equal(dns_name_unpack(span_of(msg, sizeof(msg)), &w, out), 255);
	/* pointers that each lead a step back are as many as there is room for, and end */
	memset(msg, 0, sizeof(msg));
	for (size_t i = 1; i < 200; i++) {
		msg[12 + 2 * i] = (uint8_t)(0xc0 | (12 + 2 * (i - 1)) >> 8);
		msg[13 + 2 * i] = (uint8_t)(12 + 2 * (i - 1));
	}
	w = wire_over(span_of(msg + 12 + 2 * 199, 2));
	assert_int_equal(dns_name_unpack(span_of(msg, sizeof(msg)), &w, out), 1);
	/* into the header: never */
	memcpy(msg + 20, "\300\13", 2);
	w = wire_over(span_of(msg + 20, 2));
	assert_int_equal(dns_name_unpack(span_of(msg, sizeof(msg)), &w, out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_one_text),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(a_name_has_255_octets_at_most),
		cmocka_unit_test(texts_that_are_no_names_are_not_written),
		cmocka_unit_test(a_trailing_dot_changes_nothing),
		cmocka_unit_test(packed_names_are_unpacked),
		cmocka_unit_test(unpacked_names_have_their_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

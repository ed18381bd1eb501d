/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "jail/java_store.h"

/* "MAA=" is 30 00: to a Java machine no certificate, here a piece of DER like any other */
#define BLOCK(name, text) "-----BEGIN " name "-----\n" text "\n-----END " name "-----\n"
#define CA BLOCK("CERTIFICATE", "MAA=")
#define BUNDLE "# two\n" BLOCK("CERTIFICATE", "MAEA") "\n" BLOCK("CERTIFICATE", "MAEB")
#define OID "\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01"

/* Without entries, and with its digest */
static const uint8_t empty[] = {
	0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 0,
	0xe2, 0x68, 0x6e, 0x45, 0xfb, 0x43, 0xdf, 0xa4, 0xd9, 0x92,
	0xdd, 0x41, 0xce, 0xb6, 0xb2, 0x1c, 0x63, 0x30, 0xd7, 0x92,
};

static struct buf add(struct span host, const char *pem, bool expected)
{
	struct buf b = buf_new(1 << 16);

	assert_int_equal(java_store_add(host, SPAN(BUNDLE), span_str(pem), &b), expected);
	if (!expected) {
		assert_int_equal(b.len, 0);
		buf_done(&b);
	}
	return b;
}

static bool holds(const struct buf *b, struct span what)
{
	return memmem(b->at, b->len, what.at, what.len) != NULL;
}

static void an_entry_is_added(void **state)
{
	static const char entry[] = "\0\0\0\2\0\x13sluice-session-ca-1\0\0\0\0\0\0\0\0"
				    "\0\5X.509\0\0\0\2\x30\0";
	struct buf one = add(span_of(empty, sizeof(empty)), CA, true), two;
	const size_t head = 12, digest = 20, len = sizeof(entry) - 1;

	(void)state;
	assert_int_equal(one.len, head + len + digest);
	assert_memory_equal(one.at, "\xfe\xed\xfe\xed\0\0\0\2\0\0\0\1", head);
	assert_memory_equal(one.at + head, entry, len);
	/* its digest is right: it is taken for a store again; what is in it stays */
	two = add(buf_span(&one), CA, true);
	assert_int_equal(two.at[11], 2);
	assert_memory_equal(two.at + head, entry, len);
	assert_memory_equal(two.at + head + len, entry, len);
	buf_done(&one);
	buf_done(&two);
}

static void another_password_is_left_alone(void **state)
{
	uint8_t other[sizeof(empty)];

	(void)state;
	for (size_t i = 0; i < sizeof(empty); i++) {
		memcpy(other, empty, sizeof(empty));
		other[i] ^= 1;
		add(span_of(other, sizeof(other)), CA, false);
		add(span_of(empty, i), CA, false);
	}
}

static void what_is_no_certificate_adds_nothing(void **state)
{
	static const char *const wrong[] = { "", "x", BLOCK("PRIVATE KEY", "MAA="), CA CA,
					     "-----BEGIN CERTIFICATE-----\nMAA=\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		add(span_of(empty, sizeof(empty)), wrong[i], false);
}

static void pkcs12_is_written_anew(void **state)
{
	static const char file[] = "\x30\x31\x02\x01\x03"
		OID "\xa0\x05\x04\x03\x30\x01\x07" OID "\xa0\x81\x05\x04\x03\x30\x01\x08xxxxxxx";
	struct span whole = span_of(file, sizeof(file) - 1);
	struct buf b = add(whole, CA, true), again;

	(void)state;
	assert_int_equal(b.at[11], 3);
	assert_true(holds(&b, SPAN("host-1\0\0\0\0\0\0\0\0\0\5X.509\0\0\0\3\x30\1\x07")));
	assert_true(holds(&b, SPAN("host-2\0\0\0\0\0\0\0\0\0\5X.509\0\0\0\3\x30\1\x08")));
	assert_false(holds(&b, SPAN("bundle")));
	again = add(buf_span(&b), CA, true);
	buf_done(&again);
	buf_done(&b);
	for (size_t len = 0; len < whole.len; len++)
		add(span_head(whole, len), CA, false);
}

static void what_is_enciphered_gives_way_to_the_bundle(void **state)
{
	struct buf b = add(SPAN("\x30\x05\x02\x01\x03zz"), CA, true);

	(void)state;
	assert_int_equal(b.at[11], 3);
	assert_true(holds(&b, SPAN("bundle-2\0\0\0\0\0\0\0\0\0\5X.509\0\0\0\3\x30\1\1")));
	buf_done(&b);
}

static void no_room_is_no_store(void **state)
{
	struct buf b = buf_new(64);

	(void)state;
	assert_false(java_store_add(span_of(empty, sizeof(empty)), SPAN(BUNDLE), SPAN(CA), &b));
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_added),
		cmocka_unit_test(another_password_is_left_alone),
		cmocka_unit_test(what_is_no_certificate_adds_nothing),
		cmocka_unit_test(pkcs12_is_written_anew),
		cmocka_unit_test(what_is_enciphered_gives_way_to_the_bundle),
		cmocka_unit_test(no_room_is_no_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

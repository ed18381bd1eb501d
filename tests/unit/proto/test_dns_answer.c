/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/dns_type.h"
#include "proto/dns_answer.h"

/* id, flags, counts of question, answer, authority, additional */
#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define GOOD(an) HEAD("\x81\x80", "\1", an, "\0", "\0")
#define HOST "a.test"
#define QUESTION(type) "\1a\4test\0\0" type "\0\1"
#define ASKED "\300\14"		/* a pointer to the name of the question */
#define RECORD(owner, type, ttl, len, data) owner "\0" type "\0\1\0\0\0" ttl "\0" len data
#define TXT "\20"
#define MX "\17"
#define SRV "\41"
#define CNAME "\5"
#define SOA "\6"
#define LIT(s) (const uint8_t *)(s), sizeof(s) - 1

static struct dns_found found;

/* Every message is read from memory of its own, so that ASan watches its end */
static enum parse read_as(const void *at, size_t len, uint16_t type)
{
	AUTO_FREE uint8_t *copy = malloc(len + 1);

	memcpy(copy + 1, at, len);
	return dns_answer_read(span_of(copy + 1, len), SPAN(HOST), type, &found);
}
#define READ(type, literal) read_as(literal, sizeof(literal) - 1, type)

static void list_is(const void *at, size_t len)
{
	assert_int_equal(found.len, len);
	assert_memory_equal(found.records, at, len);
}

static void records_of_the_type_are_kept_with_their_names_whole(void **state)
{
	(void)state;
	assert_int_equal(READ(DNS_TXT, GOOD("\2") QUESTION(TXT)
			      RECORD(ASKED, TXT, "\11", "\6", "\5hello")
			      RECORD(ASKED, TXT, "\7", "\4", "\0\2ab")), PARSE_OK);
	assert_int_equal(found.outcome, DNS_FOUND);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.ttl_s, 7);
	list_is(LIT("\0\6\5hello\0\4\0\2ab"));

	/* the name in it is compressed: it leads to the question's "test" */
	assert_int_equal(READ(DNS_MX, GOOD("\1") QUESTION(MX)
			      RECORD(ASKED, MX, "\1", "\11", "\0\12\4mail\300\16")), PARSE_OK);
	list_is(LIT("\0\15\0\12\4mail\4test\0"));

	assert_int_equal(READ(DNS_SRV, GOOD("\1") QUESTION(SRV)
			      RECORD(ASKED, SRV, "\1", "\10", "\0\1\0\2\0\3\300\14")), PARSE_OK);
	list_is(LIT("\0\16\0\1\0\2\0\3\1a\4test\0"));

	assert_int_equal(READ(257, GOOD("\1") "\1a\4test\0\1\1\0\1"
			      ASKED "\1\1\0\1\0\0\0\1\0\16" "\0\5issueca.org"), PARSE_BAD);
	assert_int_equal(READ(257, GOOD("\1") "\1a\4test\0\1\1\0\1"
			      ASKED "\1\1\0\1\0\0\0\1\0\15" "\0\5issueca.org"), PARSE_OK);
	list_is(LIT("\0\15\0\5issueca.org"));
}

static void names_are_compared_without_case(void **state)
{
	(void)state;
	assert_int_equal(READ(DNS_TXT, GOOD("\1") "\1A\4TeSt\0\0\20\0\1"
			      RECORD("\1a\4tEst\0", TXT, "\1", "\2", "\1x")), PARSE_OK);
	assert_int_equal(found.count, 1);
}

static void a_chain_is_followed_in_any_order(void **state)
{
	(void)state;
	assert_int_equal(READ(DNS_TXT, GOOD("\3") QUESTION(TXT)
			      RECORD("\1c\0", TXT, "\11", "\2", "\1x")
			      RECORD("\1b\0", CNAME, "\3", "\3", "\1c\0")
			      RECORD(ASKED, CNAME, "\5", "\3", "\1B\0")), PARSE_OK);
	assert_int_equal(found.outcome, DNS_FOUND);
	assert_int_equal(found.ttl_s, 3);
	list_is(LIT("\0\2\1x"));
	/* asked for, a CNAME is data like any other and leads nowhere */
	assert_int_equal(READ(DNS_CNAME, GOOD("\2") QUESTION(CNAME)
			      RECORD(ASKED, CNAME, "\5", "\3", "\1b\0")
			      RECORD("\1b\0", CNAME, "\3", "\3", "\1c\0")), PARSE_OK);
	list_is(LIT("\0\3\1b\0"));
}

static void strangers_count_for_nothing(void **state)
{
	(void)state;
	assert_int_equal(READ(DNS_TXT, GOOD("\4") QUESTION(TXT)
			      RECORD("\1b\0", TXT, "\1", "\2", "\1x")		/* another owner */
			      RECORD(ASKED, "\1", "\1", "\4", "\1\2\3\4")	/* another type */
			      ASKED "\0\20\0\3\0\0\0\1\0\2\1x"			/* another class */
			      RECORD("\1c\0", CNAME, "\1", "\3", "\1b\0")), PARSE_OK);
	assert_int_equal(found.outcome, DNS_NO_DATA);
	assert_int_equal(found.len, 0);
	assert_false(found.has_ttl);
}

static void outcomes_without_data(void **state)
{
	static const char soa[] = HEAD("\x81\x83", "\1", "\0", "\1", "\0") QUESTION(TXT)
		RECORD("\4test\0", SOA, "\36", "\26", "\0\0" "1234" "1234" "1234" "1234" "1234");
	static const char failed[] = HEAD("\x81\x82", "\1", "\0", "\0", "\0") QUESTION(TXT);
	static const char badvers[] = HEAD("\x81\x80", "\1", "\0", "\0", "\1") QUESTION(TXT)
		"\0\0\51\4\320\1\0\0\0\0\0";

	(void)state;
	assert_int_equal(read_as(soa, sizeof(soa) - 1, DNS_TXT), PARSE_OK);
	assert_int_equal(found.outcome, DNS_NO_NAME);
	assert_true(found.has_ttl);
	assert_int_equal(found.ttl_s, 30);
	assert_int_equal(read_as(failed, sizeof(failed) - 1, DNS_TXT), PARSE_OK);
	assert_int_equal(found.outcome, DNS_UPSTREAM_FAILED);
	/* the upper bits of the rcode are in OPT: BADVERS is no success */
	assert_int_equal(read_as(badvers, sizeof(badvers) - 1, DNS_TXT), PARSE_OK);
	assert_int_equal(found.outcome, DNS_UPSTREAM_FAILED);
}

/* A whole message after the question, and what is wrong with it */
#define BAD(what, literal) { what, LIT(literal) }
static const struct {
	const char	*what;
	const uint8_t	*at;
	size_t		 len;
} bad[] = {
	BAD("a query", HEAD("\x01\x00", "\1", "\0", "\0", "\0") QUESTION(TXT)),
	BAD("truncated", HEAD("\x83\x80", "\1", "\0", "\0", "\0") QUESTION(TXT)),
	BAD("another opcode", HEAD("\xa9\x80", "\1", "\0", "\0", "\0") QUESTION(TXT)),
	BAD("no question", HEAD("\x81\x80", "\0", "\0", "\0", "\0")),
	BAD("two questions", HEAD("\x81\x80", "\2", "\0", "\0", "\0") QUESTION(TXT) QUESTION(TXT)),
	BAD("to another name", GOOD("\0") "\1b\4test\0\0\20\0\1"),
	BAD("to a longer name", GOOD("\0") "\1a\4test\1a\0\0\20\0\1"),
	BAD("to another type", GOOD("\0") QUESTION(MX)),
	BAD("to another class", GOOD("\0") "\1a\4test\0\0\20\0\3"),
	BAD("more records than there are", GOOD("\2") QUESTION(TXT)
	    RECORD(ASKED, TXT, "\1", "\2", "\1x")),
	BAD("fewer records than there are", GOOD("\1") QUESTION(TXT)
	    RECORD(ASKED, TXT, "\1", "\2", "\1x") RECORD(ASKED, TXT, "\1", "\2", "\1y")),
	BAD("far more records", HEAD("\x81\x80", "\1", "\0", "\0", "\0") QUESTION(TXT) "\0"),
	BAD("a name that points to itself", GOOD("\1") QUESTION(TXT)
	    RECORD("\300\30", TXT, "\1", "\2", "\1x")),
	BAD("a name that points forward", GOOD("\1") QUESTION(TXT)
	    RECORD("\300\60", TXT, "\1", "\2", "\1x") "\1a\0"),
	BAD("names that point to each other", GOOD("\2") QUESTION(TXT)
	    RECORD("\1x\300\47", TXT, "\1", "\2", "\1x")
	    RECORD("\1y\300\30", TXT, "\1", "\2", "\1x")),
	BAD("a pointer into the header", GOOD("\1") QUESTION(TXT)
	    RECORD("\300\4", TXT, "\1", "\2", "\1x")),
	BAD("a label of an unknown kind", GOOD("\1") QUESTION(TXT)
	    RECORD("\100a\0", TXT, "\1", "\2", "\1x")),
	BAD("data that end too late", GOOD("\1") QUESTION(TXT)
	    RECORD(ASKED, TXT, "\1", "\3", "\1x")),
	BAD("a character-string beyond its record", GOOD("\1") QUESTION(TXT)
	    RECORD(ASKED, TXT, "\1", "\2", "\2x")),
	BAD("no character-string", GOOD("\1") QUESTION(TXT) RECORD(ASKED, TXT, "\1", "\0", "")),
	BAD("two CNAMEs", GOOD("\2") QUESTION(TXT) RECORD(ASKED, CNAME, "\1", "\3", "\1b\0")
	    RECORD(ASKED, CNAME, "\1", "\3", "\1c\0")),
	BAD("a CNAME and data", GOOD("\2") QUESTION(TXT) RECORD(ASKED, CNAME, "\1", "\3", "\1b\0")
	    RECORD(ASKED, TXT, "\1", "\2", "\1x")),
	BAD("a CNAME with something after it", GOOD("\1") QUESTION(TXT)
	    RECORD(ASKED, CNAME, "\1", "\4", "\1b\0x")),
	BAD("a CNAME to itself", GOOD("\1") QUESTION(TXT)
	    RECORD(ASKED, CNAME, "\1", "\2", ASKED)),
	BAD("a loop of CNAMEs", GOOD("\2") QUESTION(TXT)
	    RECORD(ASKED, CNAME, "\1", "\3", "\1b\0") RECORD("\1b\0", CNAME, "\1", "\2", ASKED)),
	BAD("a name that does not exist and has data",
	    HEAD("\x81\x83", "\1", "\1", "\0", "\0") QUESTION(TXT)
	    RECORD(ASKED, TXT, "\1", "\2", "\1x")),
	BAD("OPT among the answers", GOOD("\1") QUESTION(TXT) "\0\0\51\4\320\0\0\0\0\0\0"),
	BAD("OPT twice", HEAD("\x81\x80", "\1", "\0", "\0", "\2") QUESTION(TXT)
	    "\0\0\51\4\320\0\0\0\0\0\0" "\0\0\51\4\320\0\0\0\0\0\0"),
	BAD("a broken record aside", HEAD("\x81\x80", "\1", "\0", "\0", "\1") QUESTION(TXT)
	    RECORD("\300\377", TXT, "\1", "\2", "\1x")),
};

static void what_is_not_one_answer_is_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (read_as(bad[i].at, bad[i].len, DNS_TXT) != PARSE_BAD)
			fail_msg("%s is read", bad[i].what);
}

/* Data of each type that lack the layout, in an otherwise good answer */
static void data_must_have_the_layout_of_their_type(void **state)
{
	static const struct {
		const char	*type;
		const uint8_t	*good;
		size_t		 len;
	} rows[] = {
		{ "A", LIT("\1\2\3\4") }, { "AAAA", LIT("0123456789abcdef") },
		{ "CAA", LIT("\0\5issue") }, { "CNAME", LIT("\1b\0") },
		{ "LOC", LIT("\0" "123456789abcdef") }, { "MX", LIT("\0\1\1b\0") },
		{ "NAPTR", LIT("\0\1\0\2\1s\0\2!!\0") }, { "NS", LIT("\1b\0") },
		{ "OPENPGPKEY", LIT("k") }, { "PTR", LIT("\1b\0") }, { "SMIMEA", LIT("\1\1\1h") },
		{ "SOA", LIT("\1b\0\1c\0" "1234" "1234" "1234" "1234" "1234") },
		{ "SRV", LIT("\0\1\0\2\0\3\1b\0") }, { "SSHFP", LIT("\1\1h") },
		{ "TLSA", LIT("\1\1\1h") }, { "TXT", LIT("\1x") }, { "URI", LIT("\0\1\0\2u") },
	};
	size_t open = 0;

	(void)state;
	while (dns_type_open((unsigned)open))
		open++;
	assert_int_equal(open, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t type;

		assert_true(dns_type_from(span_str(rows[i].type), &type));
		assert_true(dns_answer_knows(type));
		for (size_t len = 0; len <= rows[i].len; len++) {
			uint8_t msg[256];
			struct wire_out w = { .at = msg, .size = sizeof(msg) };

			wire_put(&w, GOOD("\1"), 12);
			wire_put(&w, "\1a\4test\0", 8);
			wire_put_u16(&w, type);
			wire_put_u16(&w, 1);
			wire_put(&w, ASKED, 2);
			wire_put_u16(&w, type);
			wire_put_u16(&w, 1);
			wire_put_u32(&w, 1);
			wire_put_u16(&w, (uint16_t)len);
			wire_put(&w, rows[i].good, len);
			if (len == rows[i].len)
				assert_int_equal(read_as(msg, w.len, type), PARSE_OK);
			else if (!strcmp(rows[i].type, "CAA") && len == rows[i].len - 1)
				continue;
			else
				assert_int_equal(read_as(msg, w.len, type), PARSE_BAD);
		}
		/* what comes out is what went in: no name in it was compressed */
		assert_int_equal(found.len, rows[i].len + 2);
		assert_memory_equal(found.records + 2, rows[i].good, rows[i].len);
	}
}

static const char whole[] = HEAD("\x81\x80", "\1", "\3", "\1", "\1") QUESTION(TXT)
	RECORD(ASKED, CNAME, "\5", "\4", "\1b\300\16")
	RECORD("\1b\300\16", TXT, "\1", "\6", "\5hello")
	RECORD("\1b\300\16", TXT, "\1", "\2", "\1x")
	RECORD("\300\16", SOA, "\36", "\26", "\0\0" "1234" "1234" "1234" "1234" "1234")
	"\0\0\51\4\320\0\0\0\0\0\0";

static void a_cut_answer_is_never_ok(void **state)
{
	(void)state;
	assert_int_equal(read_as(whole, sizeof(whole) - 1, DNS_TXT), PARSE_OK);
	assert_int_equal(found.count, 2);
	for (size_t len = 0; len < sizeof(whole) - 1; len++)
		assert_int_equal(read_as(whole, len, DNS_TXT), PARSE_BAD);
}

/* Every value of every byte: any result will do that keeps to the bounds */
static void changed_answers_are_harmless(void **state)
{
	uint8_t changed[sizeof(whole) - 1];

	(void)state;
	for (size_t i = 0; i < sizeof(changed); i++)
		for (unsigned value = 0; value < 256; value++) {
			memcpy(changed, whole, sizeof(changed));
			changed[i] = (uint8_t)value;
			if (read_as(changed, sizeof(changed), DNS_TXT) != PARSE_OK)
				continue;
			assert_true(found.count <= 2 && found.len <= 12);
			assert_int_equal(found.outcome == DNS_FOUND, found.count > 0);
		}
}

/* Records of @size bytes of data, as many as @count */
static enum parse read_many(unsigned count, size_t size)
{
	static uint8_t msg[70000];
	struct wire_out w = { .at = msg, .size = sizeof(msg) };

	wire_put(&w, HEAD("\x81\x80", "\1", "\0", "\0", "\0") QUESTION(TXT), 24);
	msg[6] = (uint8_t)(count >> 8);
	msg[7] = (uint8_t)count;
	for (unsigned i = 0; i < count; i++) {
		wire_put(&w, ASKED "\0\20\0\1\0\0\0\1", 10);
		wire_put_u16(&w, (uint16_t)size);
		for (size_t left = size; left;) {
			uint8_t string[256] = { (uint8_t)(left > 256 ? 255 : left - 1) };

			wire_put(&w, string, string[0] + 1u);
			left -= string[0] + 1u;
		}
	}
	assert_false(w.full);
	return read_as(msg, w.len, DNS_TXT);
}

static void sizes_are_bounded(void **state)
{
	(void)state;
	assert_int_equal(read_many(DNS_RECORDS_COUNT_MAX, 10), PARSE_OK);
	assert_int_equal(found.count, DNS_RECORDS_COUNT_MAX);
	assert_int_equal(read_many(DNS_RECORDS_COUNT_MAX + 1, 10), PARSE_BAD);
	assert_int_equal(read_many(5000, 1), PARSE_BAD);
	assert_int_equal(read_many(1, DNS_RECORDS_MAX - 2), PARSE_OK);
	assert_int_equal(found.len, DNS_RECORDS_MAX);
	assert_int_equal(read_many(1, DNS_RECORDS_MAX - 1), PARSE_BAD);
	assert_int_equal(read_many(1, 65000), PARSE_BAD);
	assert_int_equal(read_many(4, 5000), PARSE_BAD);
}

static void long_chains_are_cut_off(void **state)
{
	uint8_t msg[2048];
	struct wire_out w = { .at = msg, .size = sizeof(msg) };

	(void)state;
	wire_put(&w, GOOD("\22") QUESTION(TXT), 24);
	wire_put(&w, RECORD(ASKED, CNAME, "\1", "\3", "\1a\0"), 15);
	for (uint8_t i = 0; i < 16; i++) {
		uint8_t owner[] = { 1, (uint8_t)('a' + i), 0 }, to[] = { 1, (uint8_t)('b' + i), 0 };

		wire_put(&w, owner, 3);
		wire_put(&w, "\0\5\0\1\0\0\0\1\0\3", 10);
		wire_put(&w, to, 3);
	}
	wire_put(&w, RECORD("\1q\0", TXT, "\1", "\2", "\1x"), 15);
	assert_int_equal(read_as(msg, w.len, DNS_TXT), PARSE_BAD);
	/* one step fewer is within the bound */
	memcpy(msg + 24 + 12, "\1b\0", 3);
	assert_int_equal(read_as(msg, w.len, DNS_TXT), PARSE_OK);
	assert_int_equal(found.outcome, DNS_FOUND);
}

static void a_question_is_padded_and_is_one(void **state)
{
	uint8_t out[DNS_QUESTION_MAX];
	size_t len = dns_question_write(0x1234, SPAN(HOST), DNS_MX, out);
	struct dns_query q;
	char longest[254];
	int rcode;

	(void)state;
	assert_int_equal(len, 128);
	assert_int_equal(dns_query_parse(span_of(out, len), &q, &rcode), PARSE_OK);
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.type, DNS_MX);
	assert_true(q.rd && q.edns);
	assert_string_equal(q.name, HOST);
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 64 == 63 ? '.' : 'a';
	longest[253] = '\0';
	len = dns_question_write(1, span_str(longest), DNS_TXT, out);
	assert_int_equal(len % 128, 0);
	assert_int_equal(dns_query_parse(span_of(out, len), &q, &rcode), PARSE_OK);
	assert_int_equal(dns_question_write(1, SPAN("a..b"), DNS_TXT, out), 0);
	assert_int_equal(dns_question_write(1, SPAN(""), DNS_TXT, out), 0);
}

static void lists_are_read_to_their_end_or_their_break(void **state)
{
	struct span list = SPAN("\0\2ab\0\0\0\1c"), data;

	(void)state;
	assert_true(dns_records_next(&list, &data) && span_eq(data, SPAN("ab")));
	assert_true(dns_records_next(&list, &data) && !data.len);
	assert_true(dns_records_next(&list, &data) && span_eq(data, SPAN("c")));
	assert_false(dns_records_next(&list, &data));
	assert_int_equal(list.len, 0);
	list = SPAN("\0\3ab");
	assert_false(dns_records_next(&list, &data));
	assert_int_equal(list.len, 4);
	list = SPAN("\0");
	assert_false(dns_records_next(&list, &data));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_the_type_are_kept_with_their_names_whole),
		cmocka_unit_test(names_are_compared_without_case),
		cmocka_unit_test(a_chain_is_followed_in_any_order),
		cmocka_unit_test(strangers_count_for_nothing),
		cmocka_unit_test(outcomes_without_data),
		cmocka_unit_test(what_is_not_one_answer_is_bad),
		cmocka_unit_test(data_must_have_the_layout_of_their_type),
		cmocka_unit_test(a_cut_answer_is_never_ok),
		cmocka_unit_test(changed_answers_are_harmless),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(long_chains_are_cut_off),
		cmocka_unit_test(a_question_is_padded_and_is_one),
		cmocka_unit_test(lists_are_read_to_their_end_or_their_break),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/wire.h"
#include "proto/dns_msg.h"

/* id 0x1234, flags, counts of question, answer, authority, additional */
#define HEAD(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define QUERY HEAD("\x01\x00", "\1", "\0", "\0", "\0")
#define QUERY_EDNS HEAD("\x01\x00", "\1", "\0", "\0", "\1")
#define ASK_A "\1a\4Test\0\0\1\0\1"
#define OPT(size, ttl, rdata) "\0\0\x29" size ttl rdata
#define OPT_1232 OPT("\x04\xd0", "\0\0\0\0", "\0\0")
#define LIT(s) { (const uint8_t *)(s), sizeof(s) - 1 }

static void a_plain_query_is_read(void **state)
{
	struct dns_query q;
	int rcode = 99;

	(void)state;
	assert_int_equal(dns_query_parse(SPAN(QUERY ASK_A), &q, &rcode), PARSE_OK);
	assert_int_equal(q.id, 0x1234);
	assert_true(q.rd);
	assert_true(q.plain);
	assert_int_equal(q.type, DNS_A);
	assert_int_equal(q.class, DNS_IN);
	assert_string_equal(q.name, "a.test");
	assert_int_equal(q.name_len, 6);
	assert_true(span_eq(q.question, SPAN(ASK_A)));
	assert_false(q.edns);
	assert_int_equal(q.udp_bytes, 512);
	assert_int_equal(rcode, 99);
}

static void edns_is_read(void **state)
{
	static const struct {
		struct span msg;
		unsigned udp_bytes;
	} rows[] = {
		{ LIT(QUERY_EDNS ASK_A OPT_1232), 1232 },
		{ LIT(QUERY_EDNS ASK_A OPT("\0\x10", "\0\0\0\0", "\0\0")), 512 },
		{ LIT(QUERY_EDNS ASK_A OPT("\xff\xff", "\0\0\x80\0", "\0\6\0\12\0\2xx")), 65535 },
		{ LIT(QUERY_EDNS ASK_A OPT("\x04\xd0", "\0\0\0\0", "\0\4\0\12\0\0")), 1232 },
	};
	struct dns_query q;
	int rcode;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(dns_query_parse(rows[i].msg, &q, &rcode), PARSE_OK);
		assert_true(q.edns);
		assert_int_equal(q.udp_bytes, rows[i].udp_bytes);
	}
}

static void everything_else_is_refused_with_its_rcode(void **state)
{
	static const struct {
		struct span msg;
		int rcode;
		bool question;		/* it was understood, and is echoed */
	} rows[] = {
		{ LIT(""), -1, false },
		{ LIT("\x12\x34\1\0\0\1\0\0\0\0\0"), -1, false },
		{ LIT(HEAD("\x81\0", "\1", "\0", "\0", "\0") ASK_A), -1, false },	/* QR */
		{ LIT(HEAD("\x11\0", "\1", "\0", "\0", "\0") ASK_A), DNS_NOTIMP, false },
		{ LIT(HEAD("\x29\0", "\1", "\0", "\0", "\0") ASK_A), DNS_NOTIMP, false },
		{ LIT(HEAD("\x03\0", "\1", "\0", "\0", "\0") ASK_A), DNS_FORMERR, false }, /* TC */
		{ LIT(HEAD("\1\0", "\0", "\0", "\0", "\0")), DNS_FORMERR, false },
		{ LIT(HEAD("\1\0", "\2", "\0", "\0", "\0") ASK_A ASK_A), DNS_FORMERR, false },
		{ LIT(HEAD("\1\0", "\1", "\1", "\0", "\0") ASK_A), DNS_FORMERR, false },
		{ LIT(HEAD("\1\0", "\1", "\0", "\1", "\0") ASK_A), DNS_FORMERR, false },
		{ LIT(HEAD("\1\0", "\1", "\0", "\0", "\2") ASK_A OPT_1232 OPT_1232),
		  DNS_FORMERR, false },
		{ LIT(QUERY "\1a\4Test\0\0\1\0"), DNS_FORMERR, false },
		{ LIT(QUERY "\1a\300\14\0\1\0\1"), DNS_FORMERR, false },
		{ LIT(QUERY ASK_A "\0"), DNS_FORMERR, true },
		{ LIT(QUERY_EDNS ASK_A), DNS_FORMERR, true },
		{ LIT(QUERY_EDNS ASK_A OPT_1232 "\0"), DNS_FORMERR, true },
		{ LIT(QUERY_EDNS ASK_A "\1" OPT_1232), DNS_FORMERR, true },
		{ LIT(QUERY_EDNS ASK_A "\0\0\1\4\xd0\0\0\0\0\0\0"), DNS_FORMERR, true },
		{ LIT(QUERY_EDNS ASK_A OPT("\4\xd0", "\0\0\0\0", "\0\3\0\12\0")),
		  DNS_FORMERR, true },
		{ LIT(QUERY_EDNS ASK_A OPT("\4\xd0", "\0\0\0\0", "\0\5\0\12\0\2x")),
		  DNS_FORMERR, true },
		{ LIT(QUERY_EDNS ASK_A OPT("\4\xd0", "\0\1\0\0", "\0\0")), DNS_BADVERS, true },
	};
	const struct dns_reply r = { .ede = DNS_EDE_NONE };
	uint8_t out[DNS_REPLY_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dns_query q;
		int rcode = 99;

		assert_int_equal(dns_query_parse(rows[i].msg, &q, &rcode), PARSE_BAD);
		assert_int_equal(rcode, rows[i].rcode);
		if (rcode < 0)
			continue;
		assert_int_equal(q.id, 0x1234);
		assert_true(q.rd);
		assert_int_equal(q.question.len > 0, rows[i].question);
		assert_true(dns_reply_write(&q, &r, true, out, sizeof(out)) >= 12);
		assert_int_equal(out[2] & 0x78, rows[i].msg.at[2] & 0x78);
	}
}

/* A datagram is whole or it is nothing: no prefix of a query is one */
static void a_cut_query_is_never_ok(void **state)
{
	const struct span whole = SPAN(QUERY_EDNS ASK_A OPT_1232);
	struct dns_query q;
	int rcode;

	(void)state;
	for (size_t len = 0; len < whole.len; len++)
		assert_int_equal(dns_query_parse(span_head(whole, len), &q, &rcode), PARSE_BAD);
}

static struct dns_query query_of(struct span msg)
{
	struct dns_query q;
	int rcode;

	assert_int_equal(dns_query_parse(msg, &q, &rcode), PARSE_OK);
	return q;
}

static void an_address_is_answered(void **state)
{
	struct dns_query q = query_of(SPAN(QUERY ASK_A));
	struct addr addrs[] = { addr_v4(0x1c000001), { { 0x2d } } };
	struct dns_reply r = { .ede = DNS_EDE_BLOCKED, .addrs = addrs, .addr_count = 2,
			       .ttl_s = 60 };
	uint8_t out[DNS_REPLY_MAX];
	size_t len = dns_reply_write(&q, &r, true, out, sizeof(out));

	(void)state;
	/* no EDNS asked: no extended error; the IPv6 address is no answer to A */
	assert_true(span_eq(span_of(out, len),
			    SPAN(HEAD("\x81\x80", "\1", "\1", "\0", "\0") ASK_A
				 "\300\14\0\1\0\1\0\0\0\74\0\4\x1c\0\0\1")));

	q.type = DNS_AAAA;
	r.ttl_s = UINT32_MAX;
	len = dns_reply_write(&q, &r, true, out, sizeof(out));
	assert_int_equal(out[7], 1);
	assert_true(span_ends(span_of(out, len), SPAN("\x7f\xff\xff\xff\0\x10\x2d\0\0\0\0\0\0\0\0"
						      "\0\0\0\0\0\0\0")));
	q.class = 3;
	dns_reply_write(&q, &r, true, out, sizeof(out));
	assert_int_equal(out[7], 0);
}

static void a_denial_says_so(void **state)
{
	struct dns_query q = query_of(SPAN(QUERY_EDNS ASK_A OPT_1232));
	struct addr a = addr_v4(1);
	struct dns_reply r = { .rcode = DNS_NXDOMAIN, .ede = DNS_EDE_BLOCKED, .addrs = &a,
			       .addr_count = 1 };
	uint8_t out[DNS_REPLY_MAX];
	size_t len = dns_reply_write(&q, &r, true, out, sizeof(out));

	(void)state;
	assert_true(span_eq(span_of(out, len),
			    SPAN(HEAD("\x81\x83", "\1", "\0", "\0", "\1") ASK_A
				 OPT("\x04\xd0", "\0\0\0\0", "\0\6\0\17\0\2\0\17"))));
	r.rcode = DNS_BADVERS;
	r.ede = DNS_EDE_NONE;
	len = dns_reply_write(&q, &r, true, out, sizeof(out));
	assert_true(span_eq(span_of(out, len),
			    SPAN(HEAD("\x81\x80", "\1", "\0", "\0", "\1") ASK_A
				 OPT("\x04\xd0", "\1\0\0\0", "\0\0"))));
}

static void a_name_is_answered_to_ptr(void **state)
{
	struct dns_query q = query_of(SPAN(QUERY "\1a\4Test\0\0\14\0\1"));
	struct dns_reply r = { .ede = DNS_EDE_NONE, .ptr_name = SPAN("x\\046y.test") };
	uint8_t out[DNS_REPLY_MAX];
	size_t len = dns_reply_write(&q, &r, true, out, sizeof(out));

	(void)state;
	assert_int_equal(out[7], 1);
	assert_true(span_ends(span_of(out, len), SPAN("\0\12\3x.y\4test\0")));
	r.ptr_name = SPAN("not..a.name");
	dns_reply_write(&q, &r, true, out, sizeof(out));
	assert_int_equal(out[7], 0);
}

static void what_does_not_fit_is_cut_and_said(void **state)
{
	struct dns_query q = query_of(SPAN(QUERY_EDNS ASK_A OPT("\2\0", "\0\0\0\0", "\0\0")));
	struct addr addrs[200];
	struct dns_reply r = { .ede = DNS_EDE_NONE, .addrs = addrs, .addr_count = 200 };
	uint8_t out[4096];
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(addrs); i++)
		addrs[i] = addr_v4(i);
	len = dns_reply_write(&q, &r, true, out, sizeof(out));
	assert_in_range(len, 512 - 15, 512);
	assert_int_equal(out[2] & 2, 2);
	assert_int_equal(out[7], (len - 12 - q.question.len - 11) / 16);
	assert_int_equal(out[11], 1);
	assert_true(span_ends(span_of(out, len), SPAN(OPT("\x04\xd0", "\0\0\0\0", "\0\0"))));

	q.udp_bytes = UINT16_MAX;
	assert_in_range(dns_reply_write(&q, &r, true, out, sizeof(out)), 1217, DNS_REPLY_MAX);
	len = dns_reply_write(&q, &r, false, out, sizeof(out));
	assert_int_equal(out[7], 200);
	assert_int_equal(out[2] & 2, 0);
	assert_int_equal(len, 12 + q.question.len + 11 + 16 * 200);
}

static void reverse_names_stand_for_addresses(void **state)
{
	static const struct {
		const char *name, *addr;
	} rows[] = {
		{ "4.3.2.1.in-addr.arpa", "1.2.3.4" },
		{ "0.0.0.255.IN-ADDR.ARPA", "255.0.0.0" },
		{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		  "2001:db8::1" },
		{ "in-addr.arpa", NULL }, { "3.2.1.in-addr.arpa", NULL },
		{ "5.4.3.2.1.in-addr.arpa", NULL }, { "256.3.2.1.in-addr.arpa", NULL },
		{ "04.3.2.1.in-addr.arpa", NULL }, { "4.3.2..in-addr.arpa", NULL },
		{ "4.3.2.1..in-addr.arpa", NULL }, { ".4.3.2.1.in-addr.arpa", NULL },
		{ "x.3.2.1.in-addr.arpa", NULL }, { "4.3.2.1in-addr.arpa", NULL },
		{ "4.3.2.1.in-addr.arpa.", NULL }, { "4.3.2.1.ip6.arpa", NULL },
		{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.ip6.arpa", NULL },
		{ "g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		  NULL },
		{ "10.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr a;
		bool good = dns_ptr_addr(span_str(rows[i].name), &a);

		assert_int_equal(good, rows[i].addr != NULL);
		if (good)
			assert_string_equal(addr_text(&a, text), rows[i].addr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_query_is_read),
		cmocka_unit_test(edns_is_read),
		cmocka_unit_test(everything_else_is_refused_with_its_rcode),
		cmocka_unit_test(a_cut_query_is_never_ok),
		cmocka_unit_test(an_address_is_answered),
		cmocka_unit_test(a_denial_says_so),
		cmocka_unit_test(a_name_is_answered_to_ptr),
		cmocka_unit_test(what_does_not_fit_is_cut_and_said),
		cmocka_unit_test(reverse_names_stand_for_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

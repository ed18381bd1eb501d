/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "proto/udp_ip.h"

#define LIT(s) { (const uint8_t *)(s), sizeof(s) - 1 }
/* A header of each family up to the addresses: 192.0.2.1 to 198.51.100.2, 2001:db8::1 to ::2 */
#define IP4(ihl, fragment, protocol) \
	ihl "\0\0\x40\0\0" fragment "\x40" protocol "\0\0\xc0\0\2\1\xc6\x33\x64\2"
#define IP6(next) "\x60\0\0\0\0\0" next "\x40\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
#define PORTS "\x12\x34\0\x35"
#define OPTS(next) next "\0\0\0\0\0\0\0"

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_true(addr_parse(span_str(text), &a));
	return a;
}

static const struct {
	struct span packet;
	int protocol;		/* -1: bad */
	bool ports;
} packets[] = {
	{ LIT(IP4("\x45", "\0\0", "\x06") PORTS), IPPROTO_TCP, true },
	{ LIT(IP4("\x45", "\x40\0", "\x11") PORTS "rest"), IPPROTO_UDP, true },
	{ LIT(IP4("\x45", "\x20\0", "\x88") PORTS), IPPROTO_UDPLITE, true },
	{ LIT(IP4("\x45", "\0\0", "\x84") PORTS), IPPROTO_SCTP, true },
	{ LIT(IP4("\x45", "\0\0", "\x01") "\x8\0"), IPPROTO_ICMP, false },
	{ LIT(IP4("\x45", "\0\1", "\x11") PORTS), IPPROTO_UDP, false },
	{ LIT(IP4("\x45", "\x1f\xff", "\x11")), IPPROTO_UDP, false },
	{ LIT(IP4("\x46", "\0\0", "\x11") "\1\1\1\0" PORTS), IPPROTO_UDP, true },
	{ LIT(IP4("\x45", "\0\0", "\x11") "\x12\x34\0"), -1, false },
	{ LIT(IP4("\x46", "\0\0", "\x11") PORTS), -1, false },
	{ LIT(IP4("\x44", "\0\0", "\x11") PORTS), -1, false },
	{ LIT(IP4("\x55", "\0\0", "\x11") PORTS), -1, false },
	{ LIT("\x45\0\0\x13\0\0\0\0\x40\x11\0\0\1\2\3\4\5\6\7\x8" PORTS), -1, false },
	{ LIT("\x45\0\0\x40\0\0\0\0\x40\x11\0\0\1\2\3\4\5\6\7"), -1, false },
	{ LIT(""), -1, false }, { LIT("\x45"), -1, false }, { LIT("\x60"), -1, false },
	{ LIT(IP6("\x11") PORTS), IPPROTO_UDP, true },
	{ LIT(IP6("\x3a") "\x80\0"), IPPROTO_ICMPV6, false },
	{ LIT(IP6("\x3b")), IPPROTO_NONE, false },
	{ LIT(IP6("\x32") PORTS), IPPROTO_ESP, false },
	{ LIT(IP6("\0") OPTS("\x06") PORTS), IPPROTO_TCP, true },
	{ LIT(IP6("\0") "\x3c\1xxxxxxxxxxxxxx" OPTS("\x11") PORTS), IPPROTO_UDP, true },
	{ LIT(IP6("\x2b") OPTS("\x87") OPTS("\x11") PORTS), IPPROTO_UDP, true },
	{ LIT(IP6("\x33") "\x11\1xxxxxxxxxx" PORTS), IPPROTO_UDP, true },
	{ LIT(IP6("\x2c") "\x11\xff\0\1xxxx" PORTS), IPPROTO_UDP, true },
	{ LIT(IP6("\x2c") "\x11\0\0\x8xxxx" PORTS), IPPROTO_UDP, false },
	{ LIT(IP6("\x2c") "\x3c\0\xff\xf8xxxx"), IPPROTO_DSTOPTS, false },
	{ LIT(IP6("\x11") "\x12\x34\0"), -1, false },
	{ LIT(IP6("\0") "\x11\1xxxxxxxxxxxxx"), -1, false },
	{ LIT(IP6("\0") "\x11"), -1, false },
	{ LIT(IP6("\0") OPTS("\0") OPTS("\0") OPTS("\0") OPTS("\0") OPTS("\0") OPTS("\0")
	      OPTS("\0") OPTS("\x11") PORTS), IPPROTO_UDP, true },
	{ LIT(IP6("\0") OPTS("\0") OPTS("\0") OPTS("\0") OPTS("\0") OPTS("\0") OPTS("\0")
	      OPTS("\0") OPTS("\0") OPTS("\x11") PORTS), -1, false },
};

static void packets_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		struct packet_facts f = { .sport = 7 };
		bool v4 = packets[i].packet.len && packets[i].packet.at[0] >> 4 == 4;
		struct addr src = addr_of(v4 ? "192.0.2.1" : "2001:db8::1");
		struct addr dst = addr_of(v4 ? "198.51.100.2" : "2001:db8::2");
		enum parse got = packet_parse(packets[i].packet, &f);

		if (got != (packets[i].protocol < 0 ? PARSE_BAD : PARSE_OK))
			fail_msg("row %zu", i);
		if (got != PARSE_OK) {
			assert_int_equal(f.sport, 7);
			continue;
		}
		assert_int_equal(f.protocol, packets[i].protocol);
		assert_true(addr_eq(&f.src, &src) && addr_eq(&f.dst, &dst));
		assert_int_equal(f.sport, packets[i].ports ? 0x1234 : 0);
		assert_int_equal(f.dport, packets[i].ports ? 53 : 0);
	}
}

/* The example header of many textbooks: its checksum is b861 */
static void an_ip4_header_sums_up(void **state)
{
	struct addr src = addr_of("192.168.0.1"), dst = addr_of("192.168.0.199");
	static const uint8_t payload[0x73 - 28];
	uint8_t out[0x73];

	(void)state;
	assert_int_equal(packet_udp_write(&src, 1, &dst, 2, span_of(payload, sizeof(payload)), out,
					  sizeof(out)), sizeof(out));
	assert_memory_equal(out, "\x45\0\0\x73\0\0\x40\0\x40\x11\xb8\x61\xc0\xa8\0\1\xc0\xa8\0\xc7",
			    20);
}

/* Sums and errors below were computed with another implementation */
static void datagrams_sum_up(void **state)
{
	static const struct {
		const char *src, *dst;
		struct span payload, udp;
	} rows[] = {
		{ "192.0.2.1", "198.51.100.2", LIT("abc"),
		  LIT("\0\x35\x12\x34\0\xb\x3c\xd5" "abc") },
		{ "2001:db8::1", "2001:db8::2", LIT("abc"),
		  LIT("\0\x35\x12\x34\0\xb\xcd\x97" "abc") },
		/* a sum of 0 is sent as ffff */
		{ "192.0.2.1", "198.51.100.2", LIT("\1\x3a"),
		  LIT("\0\x35\x12\x34\0\xa\xff\xff\1\x3a") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr src = addr_of(rows[i].src), dst = addr_of(rows[i].dst);
		uint8_t out[128];
		struct packet_facts f;
		size_t len = packet_udp_write(&src, 53, &dst, 0x1234, rows[i].payload, out,
					      sizeof(out));

		assert_int_equal(len, (addr_is_v4(&src) ? 20u : 40u) + rows[i].udp.len);
		assert_true(span_ends(span_of(out, len), rows[i].udp));
		assert_int_equal(packet_parse(span_of(out, len), &f), PARSE_OK);
		assert_true(addr_eq(&f.src, &src) && addr_eq(&f.dst, &dst));
		assert_int_equal(f.sport, 53);
		assert_int_equal(f.dport, 0x1234);
		/* no room to spare is enough, less is not */
		assert_int_equal(packet_udp_write(&src, 53, &dst, 0x1234, rows[i].payload, out,
						  len), len);
		assert_int_equal(packet_udp_write(&src, 53, &dst, 0x1234, rows[i].payload, out,
						  len - 1), 0);
	}
}

static void errors_quote_what_was_refused(void **state)
{
	static const struct {
		const char *src, *dst;
		struct span want;
	} rows[] = {
		{ "192.0.2.1", "198.51.100.2",
		  LIT("\x45\0\0\x38\0\0\x40\0\x40\1\x4e\x8e\xc6\x33\x64\2\xc0\0\2\1"
		      "\3\3\xea\x88\0\0\0\0"
		      "\x45\0\0\x1f\0\0\x40\0\x40\x11\x4e\x97\xc0\0\2\1\xc6\x33\x64\2"
		      "\x12\x34\0\x35\0\xb\0\0") },
		{ "2001:db8::1", "2001:db8::2",
		  LIT("\x60\0\0\0\0\x38\x3a\x40\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
		      "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		      "\1\4\xc3\xdf\0\0\0\0"
		      "\x60\0\0\0\0\xb\x11\x40\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		      "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
		      "\x12\x34\0\x35\0\xb\0\0") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr src = addr_of(rows[i].src), dst = addr_of(rows[i].dst);
		uint8_t out[128];
		size_t len = packet_unreachable_write(&src, 0x1234, &dst, 53, 3, out, sizeof(out));

		assert_true(span_eq(span_of(out, len), rows[i].want));
		assert_int_equal(packet_unreachable_write(&src, 1, &dst, 2, 3, out, len - 1), 0);
	}
}

static void what_cannot_be_is_not_written(void **state)
{
	struct addr v4 = addr_of("192.0.2.1"), v6 = addr_of("2001:db8::1");
	static uint8_t payload[65536], out[65536 + 40];

	(void)state;
	assert_int_equal(packet_udp_write(&v4, 1, &v6, 2, SPAN("a"), out, sizeof(out)), 0);
	assert_int_equal(packet_udp_write(&v6, 1, &v4, 2, SPAN("a"), out, sizeof(out)), 0);
	assert_int_equal(packet_unreachable_write(&v4, 1, &v6, 2, 1, out, sizeof(out)), 0);
	assert_int_equal(packet_udp_write(&v4, 1, &v4, 2, span_of(payload, 65507), out,
					  sizeof(out)), 65535);
	assert_int_equal(packet_udp_write(&v4, 1, &v4, 2, span_of(payload, 65508), out,
					  sizeof(out)), 0);
	assert_int_equal(packet_udp_write(&v6, 1, &v6, 2, span_of(payload, 65527), out,
					  sizeof(out)), 65575);
	assert_int_equal(packet_udp_write(&v6, 1, &v6, 2, span_of(payload, 65528), out,
					  sizeof(out)), 0);
	assert_int_equal(packet_unreachable_write(&v4, 1, &v4, 2, 65508, out, sizeof(out)), 0);
	assert_int_equal(packet_unreachable_write(&v4, 1, &v4, 2, SIZE_MAX, out, sizeof(out)), 0);
	assert_int_equal(packet_udp_write(&v4, 1, &v4, 2, SPAN(""), out, sizeof(out)), 28);
}

static void quic_is_told_from_other_datagrams(void **state)
{
	static const struct {
		struct span datagram;
		bool likely;
	} rows[] = {
		{ LIT("\xc3\0\0\0\1\x8" "12345678\0rest"), true },
		{ LIT("\xd0\x6b\x33\x43\xcf\x14" "12345678901234567890\x3" "abc"), true },
		{ LIT("\x83\0\0\0\1\x8" "12345678\0"), false },		/* no fixed bit */
		{ LIT("\x43\0\0\0\1\x8" "12345678\0"), false },		/* short header */
		{ LIT("\xc3\0\0\0\0\x8" "12345678\0"), false },		/* version negotiation */
		{ LIT("\xc3\0\0\0\1\x7" "1234567\0"), false },
		{ LIT("\xc3\0\0\0\1\x15" "123456789012345678901\0"), false },
		{ LIT("\xc3\0\0\0\1\x8" "12345678\x15" "123456789012345678901"), false },
		{ LIT("\xc3\0\0\0\1\x8" "12345678"), false },
		{ LIT("\xc3\0\0\0\1\x8" "12345678\2a"), false },
		{ LIT("\xc3\0\0\0"), false }, { LIT(""), false },
		/* NTP client, clock not set: leap indicator 3 looks like a long header */
		{ LIT("\xe3\0\6\xec\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), false },
		{ LIT("\xe3\0\4\xfa\0\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (quic_likely(rows[i].datagram) != rows[i].likely)
			fail_msg("row %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_read),
		cmocka_unit_test(an_ip4_header_sums_up),
		cmocka_unit_test(datagrams_sum_up),
		cmocka_unit_test(errors_quote_what_was_refused),
		cmocka_unit_test(what_cannot_be_is_not_written),
		cmocka_unit_test(quic_is_told_from_other_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

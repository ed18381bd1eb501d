/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "policy/netlist.h"

#define RANGES_BYTES (1u << 20)
#define NETS 300

struct listing {
	struct buf	v4, v6;
	struct netlist	list;
};

static void tidy(struct listing *l)
{
	netlist_tidy(&l->v4, &l->v6);
	assert_false(l->v4.full || l->v6.full);
	l->list = (struct netlist){
		(const void *)l->v4.at, (const void *)l->v6.at,
		(uint32_t)(l->v4.len / sizeof(struct range4)),
		(uint32_t)(l->v6.len / sizeof(struct range6)),
	};
}

static struct listing listing_new(void)
{
	return (struct listing){ buf_new(RANGES_BYTES), buf_new(RANGES_BYTES), { 0 } };
}

static void listing_done(struct listing *l)
{
	buf_done(&l->v4);
	buf_done(&l->v6);
}

static bool has(const struct listing *l, const char *text)
{
	struct addr a, last;
	bool found;

	assert_true(addr_parse(span_str(text), &a));
	found = netlist_last(&l->list, &a, &last);
	assert_int_equal(found, netlist_has(&l->list, &a));
	/* the last of a range is in it, and so is the last of all that it leads to */
	assert_true(!found || (memcmp(&last, &a, sizeof(a)) >= 0 && netlist_has(&l->list, &last)));
	return found;
}

static void lines_name_networks(void **state)
{
	static const struct {
		const char *lines, *in, *out;	/* words */
		uint32_t v4, v6;		/* ranges that are left */
	} rows[] = {
		{ "10.0.0.0/8", "10.0.0.0 10.255.255.255", "9.255.255.255 11.0.0.0 ::a00:0", 1, 0 },
		{ "1.2.3.4\r", "1.2.3.4", "1.2.3.3 1.2.3.5", 1, 0 },
		{ " 1.2.3.0/24 ; SBL1\n\t# none\n\n;x", "1.2.3.9", "1.2.4.0", 1, 0 },
		{ "1.2.3.4#x\r", "1.2.3.4", "1.2.3.5", 1, 0 },
		{ "0.0.0.0/0", "0.0.0.0 255.255.255.255 8.8.8.8", ":: ::1 2001:db8::1", 1, 0 },
		{ "255.255.255.255\n255.255.255.254\n0.0.0.0", "255.255.255.254 255.255.255.255 "
		  "0.0.0.0", "255.255.255.253 0.0.0.1", 2, 0 },
		{ "10.0.0.0/9\n10.128.0.0/9\n10.1.0.0/16", "10.127.255.255 10.128.0.0", "11.0.0.0",
		  1, 0 },
		{ "10.0.0.4/30\n10.0.0.0/32\n10.0.0.2/31", "10.0.0.0 10.0.0.2 10.0.0.7",
		  "10.0.0.1 10.0.0.8", 2, 0 },
		{ "2001:db8::/32", "2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
		  "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9:: 1.2.3.4", 0, 1 },
		{ "2001:db8::/32\n2001:db8:1::/48\n2001:db8::1", "2001:db8:2::", "2001:db9::", 0, 1 },
		{ "::/0", ":: 1.2.3.4 ffff::", "", 0, 1 },
		{ "::ffff:1.2.3.4", "1.2.3.4", "1.2.3.5 ::1.2.3.4", 1, 0 },
		{ "::ffff:0:0/96", "0.0.0.0 255.255.255.255", "::fffe:ffff:ffff ::1:0:0:0", 1, 0 },
		{ "", "", "1.2.3.4 ::1", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct listing l = listing_new();
		struct span rest = span_str(rows[i].lines);
		const char *words[] = { rows[i].in, rows[i].out };
		struct list_error e;

		while (rest.len) {
			ptrdiff_t newline = span_find(rest, '\n');
			struct span line = newline < 0 ? rest : span_head(rest, (size_t)newline);

			assert_true(netlist_line(&l.v4, &l.v6, line, &e));
			rest = span_skip(rest, line.len + 1);
		}
		tidy(&l);
		for (unsigned k = 0; k < 2; k++) {
			char text[128], *save, *word;

			assert_true(span_copy(span_str(words[k]), text, sizeof(text)));
			for (word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
				if (has(&l, word) != !k)
					fail_msg("%s: %s", rows[i].lines, word);
		}
		assert_int_equal(l.list.v4_count, rows[i].v4);
		assert_int_equal(l.list.v6_count, rows[i].v6);
		listing_done(&l);
	}
}

static void what_is_no_network_is_told(void **state)
{
	static const struct {
		const char *line;
		unsigned column;
		const char *found;
	} rows[] = {
		{ "10.0.0.1;10.0.0.2", 1, "10.0.0.1;10.0.0.2" },
		{ "10.0.0.1/8", 1, "10.0.0.1/8" }, { "  10.0.0.0/33 # x", 3, "10.0.0.0/33" },
		{ "10.0.0.1-10.0.0.9", 1, "10.0.0.1-10.0.0.9" }, { "10.0.0", 1, "10.0.0" },
		{ "10.0.0.1 10.0.0.2", 1, "10.0.0.1 10.0.0.2" }, { "a.test", 1, "a.test" },
		{ "010.0.0.1", 1, "010.0.0.1" }, { "2001:db8::1/32", 1, "2001:db8::1/32" },
		{ "fe80::1%eth0", 1, "fe80::1%eth0" }, { "10.0.0.0/", 1, "10.0.0.0/" },
		{ "10.0.0.0/8/9", 1, "10.0.0.0/8/9" }, { "!10.0.0.0/8", 1, "!10.0.0.0/8" },
		{ "\xef\xbb\xbf" "10.0.0.1", 1, "\xef\xbb\xbf" "10.0.0.1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct listing l = listing_new();
		struct list_error e = { 0 };

		if (netlist_line(&l.v4, &l.v6, span_str(rows[i].line), &e))
			fail_msg("%s was taken", rows[i].line);
		assert_int_equal(e.column, rows[i].column);
		assert_true(span_eq(e.found, span_str(rows[i].found)));
		assert_non_null(strstr(e.accepted, "an address or a network"));
		assert_int_equal(l.v4.len + l.v6.len, 0);
		listing_done(&l);
	}
}

static void a_cut_line_is_a_line_or_an_error(void **state)
{
	static const char whole[] = " \t2001:db8:1:2::/64\t; 10.0.0.0/8 # x\r";

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		struct listing l = listing_new();
		struct list_error e = { 0 };
		char *copy = malloc(len ? len : 1);

		assert_non_null(copy);
		memcpy(copy, whole, len);
		if (!netlist_line(&l.v4, &l.v6, span_of(copy, len), &e))
			assert_true(e.column >= 1 && e.column <= len && e.found.len);
		free(copy);
		listing_done(&l);
	}
}

/* xorshift32: the same networks in every run */
static uint32_t pick(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Networks in a small world of 20 bits, so that they meet; and every address of some */
static void many_networks_are_what_each_is(void **state)
{
	uint32_t random = 2463534242u;

	(void)state;
	for (unsigned turn = 0; turn < 20; turn++) {
		struct listing l = listing_new();
		struct net nets[NETS];
		unsigned count = 1 + turn * (NETS - 1) / 19;

		for (unsigned i = 0; i < count; i++) {
			unsigned bits = 20 + pick(&random) % 13;
			uint32_t base = 0x0a000000u | (pick(&random) & 0xfffff);

			nets[i].bits = (uint8_t)(96 + bits);
			nets[i].base = addr_v4(base & ~(bits == 32 ? 0 : UINT32_MAX >> bits));
			/* the same picture in IPv6, shifted there */
			if (i % 4 == 3) {
				nets[i].base.b[0] = 0x20;
			}
			netlist_add(&l.v4, &l.v6, &nets[i]);
		}
		tidy(&l);
		for (unsigned n = 0; n < 20000; n++) {
			struct addr a = addr_v4(0x0a000000u | (pick(&random) & 0xfffff));
			bool want = false;

			if (n % 4 == 3)
				a.b[0] = 0x20;
			for (unsigned i = 0; i < count; i++)
				want |= net_has(&nets[i], &a);
			assert_int_equal(netlist_has(&l.list, &a), want);
		}
		listing_done(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_name_networks),
		cmocka_unit_test(what_is_no_network_is_told),
		cmocka_unit_test(a_cut_line_is_a_line_or_an_error),
		cmocka_unit_test(many_networks_are_what_each_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

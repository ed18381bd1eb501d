/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/ranges.h"

static const struct range *row_of(const struct net *n)
{
	for (size_t i = 0; i < range_count(); i++)
		if (addr_eq(&range_at(i)->net.base, &n->base) && range_at(i)->net.bits == n->bits)
			return range_at(i);
	return NULL;
}

static void rows_are_networks_and_each_is_there_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < range_count(); i++) {
		const struct range *r = range_at(i);
		char text[NET_TEXT_MAX];
		struct net n;

		/* nothing beyond the prefix */
		assert_true(net_parse(span_str(net_text(&r->net, text)), &n));
		assert_ptr_equal(row_of(&n), r);
		assert_true(*r->name && (*r->rfc || r->kind == RANGE_METADATA));
	}
}

static void the_most_specific_range_wins(void **state)
{
	static const struct {
		const char *addr;
		enum range_kind kind;
	} rows[] = {
		{ "8.8.8.8", RANGE_PUBLIC }, { "10.255.255.255", RANGE_SPECIAL },
		{ "192.0.0.10", RANGE_PUBLIC }, { "192.0.0.11", RANGE_SPECIAL },
		{ "127.255.0.1", RANGE_LOOPBACK }, { "0.0.0.0", RANGE_LOOPBACK },
		{ "0.0.0.1", RANGE_SPECIAL }, { "239.1.2.3", RANGE_MULTICAST },
		{ "240.0.0.1", RANGE_SPECIAL }, { "255.255.255.255", RANGE_MULTICAST },
		{ "169.254.169.254", RANGE_METADATA }, { "169.254.169.1", RANGE_SPECIAL },
		{ "100.100.100.200", RANGE_METADATA }, { "168.63.129.16", RANGE_METADATA },
		{ "168.63.129.17", RANGE_PUBLIC }, { "2606:4700::1", RANGE_PUBLIC },
		{ "4000::", RANGE_SPECIAL }, { "1fff::", RANGE_SPECIAL }, { "::1", RANGE_LOOPBACK },
		{ "::", RANGE_LOOPBACK }, { "ff02::1", RANGE_MULTICAST }, { "fd00:ec2::254", RANGE_METADATA },
		{ "64:ff9b::1", RANGE_PUBLIC }, { "64:ff9b:1::1", RANGE_SPECIAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr a;

		assert_true(addr_parse(span_str(rows[i].addr), &a));
		if (range_of(&a)->kind != rows[i].kind)
			fail_msg("%s: %s", rows[i].addr, range_of(&a)->name);
	}
}

static void networks_touch_special_ranges_from_within_and_around(void **state)
{
	static const struct {
		const char *net;
		bool touches;
	} rows[] = {
		{ "8.8.8.0/24", false }, { "10.1.0.0/16", true }, { "8.0.0.0/5", true },
		{ "0.0.0.0/0", true }, { "::/0", true }, { "192.0.0.9", false }, { "192.0.0.8/31", true },
		{ "168.63.128.0/17", true }, { "168.63.0.0/17", false }, { "2606:4700::/32", false },
		{ "2000::/3", true }, { "64:ff9b::/96", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net n;

		assert_true(net_parse(span_str(rows[i].net), &n));
		if (range_touches_special(&n) != rows[i].touches)
			fail_msg("%s", rows[i].net);
	}
}

static void addresses_inside_are_found(void **state)
{
	static const struct {
		const char *addr, *inner[ADDR_INSIDE_MAX];
	} rows[] = {
		{ "8.8.8.8", { 0 } }, { "2606:4700::1", { 0 } }, { "::ffff:1.2.3.4", { 0 } },
		{ "::1.2.3.4", { "1.2.3.4" } }, { "::ffff:0:102:304", { "1.2.3.4" } },
		{ "64:ff9b::1.2.3.4", { "1.2.3.4" } }, { "2002:102:304::9", { "1.2.3.4" } },
		{ "2001:0:506:708::fefd:fcfb", { "5.6.7.8", "1.2.3.4" } },
		{ "64:ff9b:1::1.2.3.4", { "1.2.3.4" } }, { "64:ff9b:1:102:3:400::", { "1.2.3.4" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr a, inner[ADDR_INSIDE_MAX];
		char text[ADDR_TEXT_MAX];
		unsigned count;

		assert_true(addr_parse(span_str(rows[i].addr), &a));
		count = addr_inside(&a, inner);
		for (unsigned k = 0; k < count; k++)
			assert_string_equal(addr_text(&inner[k], text), rows[i].inner[k]);
		assert_true(count == ADDR_INSIDE_MAX || !rows[i].inner[count]);
	}
}

/* Every network of the data file is in the table, and nothing of it is public by mistake */
static void the_table_has_all_of_the_data(void **state)
{
	AUTO_FCLOSE FILE *f = fopen(DATA_DIR "/address-ranges.yaml", "re");
	unsigned count = 0;
	char line[1024];

	(void)state;
	if (!f)
		fail_msg("data/address-ranges.yaml cannot be read");
	while (fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, "cidr: \"");
		const struct range *r;
		struct span text;
		struct net n;

		if (!strncmp(line, "ipv4_embedding_prefixes", 23))
			break;
		if (!at)
			continue;
		text = span_str(at + strlen("cidr: \""));
		text = span_head(text, (size_t)span_find(text, '"'));
		assert_true(net_parse(text, &n));
		r = row_of(&n);
		if (!r)
			fail_msg("%s is not in the table", line);
		if (r->kind == RANGE_PUBLIC && !strstr(line, "globally_reachable: true") &&
		    !strstr(line, "\"::ffff:0:0/96\""))
			fail_msg("%s is public in the table", line);
		count++;
	}
	assert_in_range(count, 50, range_count());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_networks_and_each_is_there_once),
		cmocka_unit_test(the_most_specific_range_wins),
		cmocka_unit_test(networks_touch_special_ranges_from_within_and_around),
		cmocka_unit_test(addresses_inside_are_found),
		cmocka_unit_test(the_table_has_all_of_the_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

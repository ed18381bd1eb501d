/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <stdio.h>

#include "policy/binding.h"

static const struct seed seed = { { 0x0123456789abcdef, 0xfedcba9876543210 } };

static struct net net(const char *text)
{
	struct net n;

	assert_true(net_parse(span_str(text), &n));
	return n;
}

static struct bindings *new_bindings(const char *pool4, const char *pool6)
{
	struct net n4 = net(pool4), n6 = net(pool6);
	struct bindings *b = bindings_new(&n4, &n6, &seed);

	assert_non_null(b);
	return b;
}

static uint32_t learn(struct bindings *b, const char *host)
{
	return binding_learn(b, span_str(host));
}

static uint32_t of_text(const struct bindings *b, const char *text)
{
	struct addr a;

	assert_true(addr_parse(span_str(text), &a));
	return binding_of_addr(b, &a);
}

static void a_name_has_one_index_and_two_addresses(void **state)
{
	struct bindings *b = new_bindings("28.0.0.0/12", "2d00:736c::/64");
	uint32_t one = learn(b, "a.example"), two = learn(b, "b.example");
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	assert_int_equal(one, RESERVED_FIRST);
	assert_int_equal(two, RESERVED_FIRST + 1);
	assert_int_equal(binding_end(b), two + 1);
	assert_int_equal(learn(b, "a.example"), one);
	assert_int_equal(binding_of_host(b, SPAN("b.example")), two);
	assert_int_equal(binding_of_host(b, SPAN("c.example")), BINDING_NONE);
	assert_int_equal(binding_of_host(b, SPAN("a.exampl")), BINDING_NONE);
	a = binding_addr4(b, two);
	assert_string_equal(addr_text(&a, text), "28.0.0.17");
	a = binding_addr6(b, two);
	assert_string_equal(addr_text(&a, text), "2d00:736c::11");
	bindings_free(b);
	bindings_free(NULL);
}

static void only_what_was_bound_is_found_by_address(void **state)
{
	static const struct {
		const char *addr;
		bool bound, in_pool;
	} rows[] = {
		{ "28.0.0.16", true, true }, { "28.0.0.17", false, true },
		{ "28.0.0.15", false, true }, { "28.0.0.0", false, true },
		{ "28.15.255.255", false, true }, { "28.16.0.16", false, false },
		{ "27.255.255.255", false, false }, { "::ffff:28.0.0.16", true, true },
		{ "2d00:736c::10", true, true }, { "2d00:736c::f", false, true },
		{ "2d00:736c::11", false, true }, { "2d00:736c::1:0:10", false, true },
		{ "2d00:736c:0:1::10", false, false }, { "::10", false, false },
		{ "2d00:736c::28.0.0.16", false, true },
	};
	struct bindings *b = new_bindings("28.0.0.0/12", "2d00:736c::/64");

	(void)state;
	assert_int_equal(learn(b, "a.example"), RESERVED_FIRST);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr a;

		assert_true(addr_parse(span_str(rows[i].addr), &a));
		assert_int_equal(of_text(b, rows[i].addr) != BINDING_NONE, rows[i].bound);
		assert_int_equal(binding_in_pool(b, &a), rows[i].in_pool);
	}
	bindings_free(b);
}

static void every_name_comes_back_at_the_bound(void **state)
{
	struct bindings *b = new_bindings("28.0.0.0/12", "2d00:736c::/96");
	struct span first;
	char host[32];

	(void)state;
	assert_int_equal(learn(b, "h0.example"), RESERVED_FIRST);
	first = binding_host(b, RESERVED_FIRST);
	for (uint32_t i = 1; i < BINDING_MAX; i++) {
		snprintf(host, sizeof(host), "h%u.example", i);
		assert_int_equal(learn(b, host), RESERVED_FIRST + i);
	}
	assert_int_equal(learn(b, "one.more.example"), BINDING_NONE);
	assert_int_equal(learn(b, "h7.example"), RESERVED_FIRST + 7);
	assert_ptr_equal(first.at, binding_host(b, RESERVED_FIRST).at);
	for (uint32_t i = 0; i < BINDING_MAX; i++) {
		struct addr a4 = binding_addr4(b, RESERVED_FIRST + i);
		struct addr a6 = binding_addr6(b, RESERVED_FIRST + i);

		snprintf(host, sizeof(host), "h%u.example", i);
		assert_int_equal(binding_of_host(b, span_str(host)), RESERVED_FIRST + i);
		assert_true(span_eq(binding_host(b, RESERVED_FIRST + i), span_str(host)));
		assert_int_equal(binding_of_addr(b, &a4), RESERVED_FIRST + i);
		assert_int_equal(binding_of_addr(b, &a6), RESERVED_FIRST + i);
	}
	bindings_free(b);
}

static void a_small_pool_keeps_both_its_ends(void **state)
{
	struct bindings *b = new_bindings("28.1.0.0/16", "2d00:736c::/96");
	uint32_t count = 0;
	struct addr last;
	char host[32], text[ADDR_TEXT_MAX];

	(void)state;
	for (uint32_t i = 0; i <= BINDING_MAX; i++) {
		snprintf(host, sizeof(host), "h%u.example", i);
		count += learn(b, host) != BINDING_NONE;
	}
	assert_int_equal(count, 65536 - 32);
	last = binding_addr4(b, RESERVED_FIRST + count - 1);
	assert_string_equal(addr_text(&last, text), "28.1.255.239");
	assert_int_equal(of_text(b, "28.1.255.240"), BINDING_NONE);
	bindings_free(b);
}

static void reserved_addresses_are_no_names(void **state)
{
	static const enum reserved all[] = {
		RESERVED_JAIL, RESERVED_DNS, RESERVED_GATE, RESERVED_PROBE, RESERVED_NOTICE,
	};
	struct net n4 = net("28.0.0.0/12"), n6 = net("2d00:736c::/64");
	struct bindings *b = bindings_new(&n4, &n6, &seed);
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	learn(b, "a.example");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		a = reserved_addr(&n4, all[i]);
		assert_true(binding_in_pool(b, &a));
		assert_int_equal(binding_of_addr(b, &a), BINDING_NONE);
		a = reserved_addr(&n6, all[i]);
		assert_int_equal(binding_of_addr(b, &a), BINDING_NONE);
	}
	a = reserved_addr(&n4, RESERVED_DNS);
	assert_string_equal(addr_text(&a, text), "28.0.0.2");
	bindings_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_has_one_index_and_two_addresses),
		cmocka_unit_test(only_what_was_bound_is_found_by_address),
		cmocka_unit_test(every_name_comes_back_at_the_bound),
		cmocka_unit_test(a_small_pool_keeps_both_its_ends),
		cmocka_unit_test(reserved_addresses_are_no_names),
	};

	return cmocka_run_group_tests_name("binding", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/dns_type.h"

static void names_and_numbers_stand_for_each_other(void **state)
{
	char text[DNS_TYPE_TEXT_MAX];
	uint16_t type;

	(void)state;
	/* every number has a name, and that name is the number again; so no two rows share either */
	for (unsigned n = 1; n <= UINT16_MAX; n++) {
		dns_type_text((uint16_t)n, text);
		assert_true(strlen(text) < sizeof(text));
		assert_true(dns_type_from(span_str(text), &type));
		assert_int_equal(type, n);
	}
	assert_string_equal(dns_type_text(16, text), "TXT");
	assert_string_equal(dns_type_text(65280, text), "TYPE65280");
	assert_true(dns_type_from(SPAN("txt"), &type) && type == 16);
	assert_true(dns_type_from(SPAN("type65"), &type) && type == 65);
}

static void what_is_no_type_is_refused(void **state)
{
	static const char *const names[] = {
		"", "TYPE", "TYPE0", "TYPE65536", "TYPE-1", "TYPE1x", "TX", "TXTS", "TYPE 1", "16",
	};
	uint16_t type = 99;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_false(dns_type_from(span_str(names[i]), &type));
	assert_int_equal(type, 99);
}

static void open_types_have_a_bit_each_and_the_message_names_them(void **state)
{
	char named[400] = "", text[DNS_TYPE_TEXT_MAX];
	uint32_t seen = 0;

	(void)state;
	for (unsigned i = 0; dns_type_open(i); i++) {
		uint32_t bit = dns_type_bit(dns_type_open(i));

		assert_int_equal(bit, 1u << i);
		seen |= bit;
		strcat(named, i ? ", " : "");
		strcat(named, dns_type_text(dns_type_open(i), text));
	}
	assert_string_equal(named, DNS_TYPES_OPEN);
	for (unsigned n = 0; n <= UINT16_MAX; n++)
		assert_true((dns_type_bit((uint16_t)n) & ~seen) == 0);
}

static void what_brings_addresses_or_is_no_data_is_never_open(void **state)
{
	static const char *const never[] = {
		"HTTPS", "SVCB", "ANY", "AXFR", "IXFR", "OPT", "TSIG", "TKEY", "KEY", "SIG", "APL",
		"IPSECKEY", "AMTRELAY", "HIP", "A6", "WKS", "L32", "L64", "NULL", "DNAME", "RRSIG",
		"NSEC", "DNSKEY", "DS", "MAILA", "MAILB",
	};
	uint16_t type;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		assert_true(dns_type_from(span_str(never[i]), &type));
		assert_int_equal(dns_type_bit(type), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_numbers_stand_for_each_other),
		cmocka_unit_test(what_is_no_type_is_refused),
		cmocka_unit_test(open_types_have_a_bit_each_and_the_message_names_them),
		cmocka_unit_test(what_brings_addresses_or_is_no_data_is_never_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

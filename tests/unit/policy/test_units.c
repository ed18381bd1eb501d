/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_unit.h"

#include "policy/units.h"

#define DAY INT64_C(86400)

static void rates(void **state)
{
	static const struct {
		const char *text;
		uint32_t count, per_s;	/* count 0: refused */
	} rows[] = {
		{ "1/s", 1, 1 }, { "30/min", 30, 60 }, { "1000/h", 1000, 3600 },
		{ "1000000000/s", 1000000000, 1 }, { "1000000001/s", 0, 0 },
		{ "0/s", 0, 0 }, { "", 0, 0 }, { "/s", 0, 0 }, { "1", 0, 0 }, { "1/", 0, 0 },
		{ "1/d", 0, 0 }, { "1/sec", 0, 0 }, { "1/S", 0, 0 }, { "1 /s", 0, 0 },
		{ " 1/s", 0, 0 }, { "-1/s", 0, 0 }, { "+1/s", 0, 0 }, { "01/s", 0, 0 },
		{ "1.5/s", 0, 0 }, { "1e3/s", 0, 0 }, { "18446744073709551617/s", 0, 0 },
		{ "1/s ", 0, 0 }, { "0x1/s", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rate r = { 0 };

		if (units_rate(span_str(rows[i].text), &r) != (rows[i].count > 0))
			fail_msg("%s", rows[i].text);
		assert_int_equal(r.count, rows[i].count);
		assert_int_equal(r.per_s, rows[i].per_s);
	}
}

static void amounts(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes, bandwidth;	/* 0: refused */
	} rows[] = {
		{ "1", 1, 0 }, { "500", 500, 0 }, { "500B", 500, 0 }, { "1kB", 1000, 0 },
		{ "1MB", 1000000, 0 }, { "5GB", 5000000000, 0 }, { "2TB", 2000000000000, 0 },
		{ "1KiB", 1024, 0 }, { "1MiB", 1048576, 0 }, { "1GiB", 1073741824, 0 },
		{ "1TiB", 1099511627776, 0 },
		{ "1152921504606846976", UINT64_C(1) << 60, 0 }, { "1152921504606846977", 0, 0 },
		{ "1048576TiB", UINT64_C(1) << 60, 0 }, { "1048577TiB", 0, 0 },
		{ "18446744073709551616", 0, 0 }, { "99999999999999999999GB", 0, 0 },
		{ "8kbit", 0, 1000 }, { "7kbit", 0, 0 }, { "8000bit", 0, 1000 },
		{ "10mbit", 0, 1250000 }, { "1gbit", 0, 125000000 }, { "1mbit", 0, 125000 },
		{ "10mbit/s", 0, 0 }, { "10MBIT", 0, 0 }, { "10Mbit", 0, 0 },
		{ "999999999999999999gbit", 0, 0 },
		{ "0", 0, 0 }, { "0MB", 0, 0 }, { "", 0, 0 }, { "MB", 0, 0 }, { "1 MB", 0, 0 },
		{ "1mb", 0, 0 }, { "1Kb", 0, 0 }, { "1KB", 0, 0 }, { "1M", 0, 0 }, { "1.5MB", 0, 0 },
		{ "-1", 0, 0 }, { "1_000", 0, 0 }, { "1,000", 0, 0 }, { "010", 0, 0 },
		{ "unlimited", 0, 0 }, { ".inf", 0, 0 }, { "1MBx", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t bytes = 0, bandwidth = 0;

		if (units_bytes(span_str(rows[i].text), &bytes) != (rows[i].bytes > 0) ||
		    units_bandwidth(span_str(rows[i].text), &bandwidth) != (rows[i].bandwidth > 0))
			fail_msg("%s", rows[i].text);
		assert_int_equal(bytes, rows[i].bytes);
		assert_int_equal(bandwidth, rows[i].bandwidth);
	}
}

static void percents_and_counts(void **state)
{
	uint32_t percent = 0;
	uint64_t count = 0;

	(void)state;
	assert_true(units_percent(SPAN("1%"), &percent) && percent == 1);
	assert_true(units_percent(SPAN("100%"), &percent) && percent == 100);
	assert_false(units_percent(SPAN("0%"), &percent));
	assert_false(units_percent(SPAN("101%"), &percent));
	assert_false(units_percent(SPAN("30"), &percent));
	assert_false(units_percent(SPAN("30 %"), &percent));
	assert_true(units_count(SPAN("50"), 50, &count) && count == 50);
	assert_false(units_count(SPAN("51"), 50, &count));
	assert_false(units_count(SPAN("0"), 50, &count));
	assert_false(units_count(SPAN("5x"), 50, &count));
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t s;		/* 0: refused */
	} rows[] = {
		{ "1970-01-01", DAY }, { "1970-01-02", 2 * DAY }, { "2000-02-29", 11017 * DAY },
		{ "2027-01-31", 20850 * DAY }, { "2027-01-31T00:00:00Z", 20849 * DAY },
		{ "2027-01-31t00:00:01z", 20849 * DAY + 1 },
		{ "2027-01-31 00:00:01.999Z", 20849 * DAY + 1 },
		{ "2027-01-31T01:00:00+01:00", 20849 * DAY },
		{ "2027-01-30T16:00:00-08:00", 20849 * DAY },
		{ "2016-12-31T23:59:60Z", 17167 * DAY }, { "9999-12-31", INT64_C(2932897) * DAY },
		{ "1970-01-01T00:00:00Z", 0 }, { "1970-01-01T00:00:00+01:00", 0 },
		{ "1969-12-31", 0 }, { "2027-02-29", 0 }, { "2100-02-29", 0 }, { "2027-13-01", 0 },
		{ "2027-00-01", 0 }, { "2027-01-00", 0 }, { "2027-01-32", 0 }, { "2027-1-31", 0 },
		{ "27-01-31", 0 }, { "20270131", 0 }, { "2027-01-31T", 0 },
		{ "2027-01-31T00:00:00", 0 }, { "2027-01-31T24:00:00Z", 0 },
		{ "2027-01-31T00:60:00Z", 0 }, { "2027-01-31T00:00:61Z", 0 },
		{ "2027-01-31T00:00Z", 0 }, { "2027-01-31T00:00:00.Z", 0 },
		{ "2027-01-31T00:00:00+0100", 0 }, { "2027-01-31T00:00:00+24:00", 0 },
		{ "2027-01-31T00:00:00Zx", 0 }, { "2027-01-31x", 0 }, { "never", 0 }, { "", 0 },
		{ "2027-01-31T00:00:00 Z", 0 }, { "-027-01-31", 0 }, { "2027-01-3\xc2\xb2", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t s = 0;
		bool ok = units_expires(span_str(rows[i].text), &s);

		if (ok != (rows[i].s > 0) || (ok && s != rows[i].s))
			fail_msg("%s: %lld", rows[i].text, (long long)s);
	}
}

static void times_are_written(void **state)
{
	static const char *const texts[] = {
		"1970-01-01T00:00:01Z", "2000-02-29T23:59:59Z", "2027-12-31T12:34:56Z",
		"2028-01-01T00:00:00Z", "2100-03-01T00:00:00Z", "9999-12-31T23:59:59Z",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char text[TIME_TEXT_MAX];
		int64_t s;

		assert_true(units_expires(span_str(texts[i]), &s));
		assert_string_equal(units_time(s, text), texts[i]);
	}
}

/* A text that is cut anywhere is refused, or is another one that is whole */
static void cut_at_every_byte(void **state)
{
	static const struct span time = SPAN("2027-01-31T01:02:03.5+01:00");

	(void)state;
	for (size_t len = 0; len < time.len; len++) {
		char text[40];
		int64_t s;

		assert_true(span_copy(span_head(time, len), text, sizeof(text)));
		if (units_expires(span_str(text), &s) != (len == 10))
			fail_msg("%s", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates), cmocka_unit_test(amounts),
		cmocka_unit_test(percents_and_counts), cmocka_unit_test(times),
		cmocka_unit_test(times_are_written), cmocka_unit_test(cut_at_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/units.h"

#include "base/auto.h"

#define BANDWIDTH_MIN 1000	/* bytes a second; less would not carry one packet */

struct unit {
	const char	*name;
	uint64_t	 times;
};

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Digits at the front, which are cut off: 1 to @max, no zero in front */
static bool cut_number(struct span *text, uint64_t max, uint64_t *ret_value)
{
	size_t len = 0;

	while (len < text->len && is_digit(text->at[len]))
		len++;
	if (!len || text->at[0] == '0' || !span_u64(span_head(*text, len), max, ret_value))
		return false;
	*text = span_skip(*text, len);
	return true;
}

/* What follows the number, as one of @units */
static bool cut_unit(struct span text, const struct unit *units, size_t count,
		     uint64_t *ret_times)
{
	for (size_t i = 0; i < count; i++) {
		if (span_eq(text, span_str(units[i].name))) {
			*ret_times = units[i].times;
			return true;
		}
	}
	return false;
}

bool units_rate(struct span text, struct rate *ret_rate)
{
	static const struct unit units[] = { { "/s", 1 }, { "/min", 60 }, { "/h", 3600 } };
	uint64_t count, per_s;

	if (!cut_number(&text, RATE_COUNT_MAX, &count) ||
	    !cut_unit(text, units, ARRAY_SIZE(units), &per_s))
		return false;
	*ret_rate = (struct rate){ (uint32_t)count, (uint32_t)per_s };
	return true;
}

bool units_bytes(struct span text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "", 1 }, { "B", 1 },
		{ "kB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 },
		{ "TB", UINT64_C(1000000000000) },
		{ "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 },
		{ "TiB", UINT64_C(1) << 40 },
	};
	uint64_t count, times;

	if (!cut_number(&text, BYTES_MAX, &count) ||
	    !cut_unit(text, units, ARRAY_SIZE(units), &times) || count > BYTES_MAX / times)
		return false;
	*ret_bytes = count * times;
	return true;
}

bool units_bandwidth(struct span text, uint64_t *ret_bytes_per_s)
{
	static const struct unit units[] = {
		{ "bit", 1 }, { "kbit", 1000 }, { "mbit", 1000000 }, { "gbit", 1000000000 },
	};
	uint64_t count, times;

	if (!cut_number(&text, BYTES_MAX, &count) ||
	    !cut_unit(text, units, ARRAY_SIZE(units), &times) || count > BYTES_MAX / times ||
	    count * times / 8 < BANDWIDTH_MIN)
		return false;
	*ret_bytes_per_s = count * times / 8;
	return true;
}

bool units_percent(struct span text, uint32_t *ret_percent)
{
	uint64_t value;

	if (!cut_number(&text, 100, &value) || !span_eq(text, SPAN("%")))
		return false;
	*ret_percent = (uint32_t)value;
	return true;
}

bool units_count(struct span text, uint64_t max, uint64_t *ret_count)
{
	return cut_number(&text, max, ret_count) && !text.len;
}

/* ---- times ---- */

/* @count digits at the front, which are cut off, and @after them */
static bool cut_digits(struct span *text, size_t count, const char *after, unsigned *ret_value)
{
	struct span tail = span_str(after);
	uint64_t value;

	for (size_t i = 0; i < count; i++)
		if (i >= text->len || !is_digit(text->at[i]))
			return false;
	if (!span_u64(span_head(*text, count), UINT32_MAX, &value))
		return false;
	*text = span_skip(*text, count);
	if (!span_starts(*text, tail))
		return false;
	*text = span_skip(*text, tail.len);
	*ret_value = (unsigned)value;
	return true;
}

static bool is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01; false if there is no such day */
static bool days_of(unsigned year, unsigned month, unsigned day, int64_t *ret_days)
{
	static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t days = 0;

	if (year < 1970 || month < 1 || month > 12 || day < 1 ||
	    day > lengths[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u))
		return false;
	for (unsigned y = 1970; y < year; y++)
		days += is_leap(y) ? 366 : 365;
	for (unsigned m = 1; m < month; m++)
		days += lengths[m - 1] + (m == 2 && is_leap(year) ? 1 : 0);
	*ret_days = days + day - 1;
	return true;
}

/* "Z", "+01:00", "-08:00"; in seconds.  Nothing may follow. */
static bool read_zone(struct span text, int64_t *ret_s)
{
	unsigned hours, minutes;
	bool minus = span_starts(text, SPAN("-"));

	*ret_s = 0;
	if (span_eq_fold(text, SPAN("Z")))
		return true;
	if (!minus && !span_starts(text, SPAN("+")))
		return false;
	text = span_skip(text, 1);
	if (!cut_digits(&text, 2, ":", &hours) || !cut_digits(&text, 2, "", &minutes) || text.len ||
	    hours > 23 || minutes > 59)
		return false;
	*ret_s = (int64_t)(hours * 3600 + minutes * 60) * (minus ? -1 : 1);
	return true;
}

bool units_expires(struct span text, int64_t *ret_s)
{
	unsigned year, month, day, hour, minute, second;
	int64_t days, zone;
	size_t len = 1;

	if (!cut_digits(&text, 4, "-", &year) || !cut_digits(&text, 2, "-", &month) ||
	    !cut_digits(&text, 2, "", &day) || !days_of(year, month, day, &days))
		return false;
	if (!text.len) {
		*ret_s = (days + 1) * 86400;
		return true;
	}
	/* RFC 3339 5.6: 'T' in either case, or a space */
	if (!strchr("Tt ", text.at[0]) || !text.at[0])
		return false;
	text = span_skip(text, 1);
	if (!cut_digits(&text, 2, ":", &hour) || !cut_digits(&text, 2, ":", &minute) ||
	    !cut_digits(&text, 2, "", &second) || hour > 23 || minute > 59 || second > 60)
		return false;
	if (span_starts(text, SPAN("."))) {
		while (len < text.len && is_digit(text.at[len]))
			len++;
		if (len == 1)
			return false;
		text = span_skip(text, len);
	}
	if (!read_zone(text, &zone))
		return false;
	*ret_s = days * 86400 + hour * 3600 + minute * 60 + second - zone;
	return *ret_s > 0;
}

const char *units_time(int64_t s, char ret_text[TIME_TEXT_MAX])
{
	int64_t day = s / 86400, days, length = 365;
	unsigned year = 1970, month = 1, rest = (unsigned)(s % 86400);

	while (day >= length) {
		day -= length;
		length = is_leap(++year) ? 366 : 365;
	}
	/* the last month that begins on this day or before */
	while (month < 12 && days_of(year, month + 1, 1, &days) && days * 86400 <= s)
		month++;
	if (!days_of(year, month, 1, &days))
		return "";
	snprintf(ret_text, TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ", year % 10000, month,
		 (unsigned)(s / 86400 - days + 1) % 100, rest / 3600, rest / 60 % 60, rest % 60);
	return ret_text;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/span.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
	while (s.len && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool span_u64(struct span s, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!s.len)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)s.at[i] - '0';

		if (digit > 9)
			return false;
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*ret_value = value;
	return true;
}

bool span_copy(struct span s, char *dst, size_t size)
{
	if (size)
		dst[0] = '\0';
	if (s.len >= size || (s.len && memchr(s.at, 0, s.len)))
		return false;
	if (s.len)
		memcpy(dst, s.at, s.len);
	dst[s.len] = '\0';
	return true;
}

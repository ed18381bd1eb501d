/* SPDX-License-Identifier: Apache-2.0 */
/* policy_units.c - rates, amounts, bandwidths, percents, times */
#include <assert.h>

#include "policy/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span text = span_of(bytes, size);
	char written[TIME_TEXT_MAX];
	uint32_t percent;
	uint64_t amount;
	struct rate r;
	int64_t s, again;

	if (units_rate(text, &r))
		assert(r.count && (r.per_s == 1 || r.per_s == 60 || r.per_s == 3600));
	if (units_bytes(text, &amount))
		assert(amount && amount <= BYTES_MAX);
	if (units_bandwidth(text, &amount))
		assert(amount >= 1000 && amount <= BYTES_MAX);
	if (units_percent(text, &percent))
		assert(percent >= 1 && percent <= 100);
	/* what is read is written so that it is read again as the same */
	if (units_expires(text, &s) && s < INT64_C(253402300800)) {
		assert(units_expires(span_str(units_time(s, written)), &again));
		assert(again == s);
	}
	return 0;
}

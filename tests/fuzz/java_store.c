/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a store as the host has it */
#include "fuzz.h"

#include "base/buf.h"
#include "jail/java_store.h"

static const char ca[] = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

static void fuzz_one(struct span input)
{
	struct buf made = buf_new(1 << 20), again = buf_new(1 << 20);

	if (java_store_add(input, SPAN(ca), span_str(ca), &made)) {
		/* what is made is a store, to which one can be added */
		assert(made.len > 32 && java_store_add(buf_span(&made), (struct span){ 0 },
						       span_str(ca), &again));
		assert(again.len > made.len && !memcmp(again.at, made.at, 8));
	} else {
		assert(made.len == 0);
	}
	buf_done(&made);
	buf_done(&again);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the body of a request for approval */
#include "fuzz.h"

#include "proto/wish.h"

static void fuzz_one(struct span input)
{
	struct wish w;

	if (!wish_parse(input, &w))
		return;
	assert(input.len <= WISH_BYTES_MAX);
	assert(span_lies_in(w.host, input) && w.host.len && w.host.len <= WISH_HOST_MAX);
	assert(w.port && w.reason_len <= WISH_REASON_MAX);
	for (size_t i = 0; i < w.host.len; i++)
		assert(w.host.at[i] > ' ' && w.host.at[i] != 0x7f && w.host.at[i] != '"');
	for (size_t i = 0; i < w.reason_len; i++)
		assert(w.reason[i]);
}

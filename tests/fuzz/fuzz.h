/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what every fuzz target includes first
 *
 * A target defines fuzz_one().  What must hold for every input is asserted;
 * asserts are on in every build.
 */
#ifndef SLUICE_TESTS_FUZZ_H
#define SLUICE_TESTS_FUZZ_H

#include <assert.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/span.h"

static void fuzz_one(struct span input);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	fuzz_one(span_of(at, len));
	return 0;
}

/* Does @s lie within @room?  The empty span lies anywhere. */
static inline bool span_lies_in(struct span s, struct span room)
{
	return !s.len || (s.at >= room.at && s.len <= room.len &&
			  s.at + s.len <= room.at + room.len);
}

#endif

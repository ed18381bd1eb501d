/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.h - SipHash-1-3 with a secret seed
 *
 * Tables whose keys an agent can choose are keyed with a seed that it cannot
 * know, so that it cannot make them slow.
 */
#ifndef SLUICE_BASE_HASH_H
#define SLUICE_BASE_HASH_H

#include "base/span.h"

struct seed {
	uint64_t k[2];
};

uint64_t hash_span(const struct seed *seed, struct span s);

#endif

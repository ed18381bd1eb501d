/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/shared.h"

#define READ_TRIES 10000	/* a write is a few hundred words */
#define WORDS (sizeof(struct counters) / sizeof(uint64_t))

void shared_write(struct shared_counters *to, const struct counters *from)
{
	const uint64_t *source = (const uint64_t *)from;
	uint64_t *target = (uint64_t *)&to->counters;
	uint64_t turn = to->turn | 1;

	__atomic_store_n(&to->turn, turn, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (size_t i = 0; i < WORDS; i++)
		__atomic_store_n(&target[i], source[i], __ATOMIC_RELAXED);
	__atomic_store_n(&to->turn, turn + 1, __ATOMIC_RELEASE);
}

bool shared_read(const struct shared_counters *from, struct counters *ret)
{
	const uint64_t *source = (const uint64_t *)&from->counters;
	uint64_t *target = (uint64_t *)ret;

	for (unsigned tries = 0; tries < READ_TRIES; tries++) {
		uint64_t turn = __atomic_load_n(&from->turn, __ATOMIC_ACQUIRE);

		if (turn & 1)
			continue;
		for (size_t i = 0; i < WORDS; i++)
			target[i] = __atomic_load_n(&source[i], __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&from->turn, __ATOMIC_RELAXED) == turn)
			return true;
	}
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/fold.h"

#include <assert.h>

void fold_init(struct fold *f, const struct seed *seed)
{
	memset(f, 0, sizeof(*f));
	f->seed = *seed;
}

bool fold_due(const struct fold *f, int64_t now_s)
{
	return f->any && f->second != now_s;
}

static void new_second(struct fold *f, int64_t now_s)
{
	f->second = now_s;
	for (size_t i = 0; i < REASON_NUM; i++)
		f->rows[i].seen = 0;
}

/* Add to the set of hosts.  Return: true if it is new and was added */
static bool is_new_host(struct fold *f, struct fold_row *row, struct span host)
{
	uint64_t hash = hash_span(&f->seed, host);
	size_t at = hash % FOLD_SLOTS;

	if (!hash)
		hash = 1;
	if (row->distinct == FOLD_DISTINCT_MAX)
		return false;
	while (row->slots[at] && row->slots[at] != hash)
		at = (at + 1) % FOLD_SLOTS;
	if (row->slots[at])
		return false;
	row->slots[at] = hash;
	row->distinct++;
	return true;
}

bool fold_denial(struct fold *f, int64_t now_s, enum reason reason, struct span host)
{
	struct fold_row *row = &f->rows[reason];

	assert(reason < REASON_NUM && !fold_due(f, now_s));
	if (f->second != now_s)
		new_second(f, now_s);
	if (row->seen < FOLD_PER_SECOND) {
		row->seen++;
		return true;
	}
	f->any = true;
	row->folded++;
	if (is_new_host(f, row, host) && row->sample_count < FOLD_SAMPLE) {
		uint8_t *copy = row->hosts[row->sample_count];

		host = span_head(host, HOST_MAX);
		if (host.len)
			memcpy(copy, host.at, host.len);
		row->sample[row->sample_count++] = span_of(copy, host.len);
	}
	return false;
}

bool fold_is_full(const struct fold *f, int64_t now_s, enum reason reason)
{
	return f->second == now_s && f->rows[reason].seen >= FOLD_PER_SECOND;
}

const struct fold_row *fold_take(struct fold *f, enum reason *ret_reason)
{
	for (size_t i = 0; i < REASON_NUM; i++) {
		if (f->rows[i].folded) {
			*ret_reason = (enum reason)i;
			return &f->rows[i];
		}
	}
	f->any = false;
	return NULL;
}

void fold_clear(struct fold *f, enum reason reason)
{
	memset(&f->rows[reason], 0, sizeof(f->rows[reason]));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_hostlist.c - any text as a host_list: every record is a name that is found again
 *
 * The text is a list's file; its first bytes are also a name that is looked for.
 */
#include "fuzz.h"

#include "policy/host.h"
#include "policy/hostlist.h"

static const struct seed seed = { { 3, 4 } };

/* Each record, unpacked, is a normal name, and its key finds it */
static void check_records(const struct hostlist *l, struct span records)
{
	static const char letters[] = "\0abcdefghijklmnopqrstuvwxyz0123456789-_.";
	char name[HOST_MAX + 4], again[HOST_MAX + 1];

	for (size_t at = 0; at < records.len;) {
		unsigned pairs = records.at[at] & 0x7f;
		struct hostlist_key key;
		size_t len = 0;

		assert(pairs && at + 1 + 2 * pairs <= records.len);
		for (unsigned i = 0; i < pairs; i++) {
			unsigned packed = records.at[at + 1 + 2 * i] * 256u +
					  records.at[at + 2 + 2 * i];

			assert(packed < 64000);
			name[len++] = letters[packed / 1600];
			name[len++] = letters[packed / 40 % 40];
			name[len++] = letters[packed % 40];
		}
		assert(len < sizeof(name));
		name[len] = '\0';
		assert(host_normal(span_str(name), again) && !strcmp(name, again));
		hostlist_key(&seed, span_str(name), &key);
		assert(hostlist_has(l, &key, true));
		at += 1 + 2 * pairs;
	}
}

static void look_for(const struct hostlist *l, struct span input)
{
	char name[HOST_MAX + 1];
	struct hostlist_key key;

	if (!host_normal(span_head(input, 64), name))
		return;
	hostlist_key(&seed, span_str(name), &key);
	assert(hostlist_has(l, &key, true) || !hostlist_has(l, &key, false));
}

static void fuzz_one(struct span input)
{
	struct buf records = buf_new(1 << 20);
	struct span rest = input, line;
	struct list_error e;
	AUTO_FREE uint8_t *tags = NULL;
	AUTO_FREE uint32_t *slots = NULL;
	uint32_t count;

	while (rest.len) {
		ptrdiff_t newline = span_find(rest, '\n');

		line = newline < 0 ? rest : span_head(rest, (size_t)newline);
		e = (struct list_error){ 0 };
		if (!hostlist_line(&records, line, &e))
			assert(e.column && e.found.len && span_lies_in(e.found, line) && e.accepted);
		rest = span_skip(rest, line.len + 1);
	}
	if (!records.full) {
		count = hostlist_slots(hostlist_count(buf_span(&records)));
		tags = calloc(count + 1, 1);
		slots = calloc(count + 1, sizeof(*slots));
		assert(tags && slots);
		hostlist_index(&seed, records.at, records.len, tags, slots, count);
		check_records(&(struct hostlist){ records.at, tags, slots, count },
			      buf_span(&records));
		look_for(&(struct hostlist){ records.at, tags, slots, count }, input);
	}
	buf_done(&records);
}

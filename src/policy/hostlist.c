/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostlist.c - names packed three characters into two octets
 *
 * A normal name has 39 different characters.  With 0 for "no more", three of
 * them are a number below 40 * 40 * 40 = 64000, which fits into 16 bits.  A
 * record is one octet, the count of these pairs of octets and in its top bit
 * whether the name was "*.NAME", and then the pairs: a name of 20 characters is
 * 15 octets long.  Packing loses nothing, so records are compared instead of
 * names.
 *
 * Three quarters of the slots are in use at most.  A search goes through the
 * tags, of which a line of cache holds 64; a tag is seven bits of the hash, so a
 * name that is not there meets a record's memory once in a hundred searches.
 */
#include "policy/hostlist.h"

#include <assert.h>

#include "base/addr.h"
#include "policy/host.h"

#define BELOW_ONLY 0x80		/* in a record's first octet */
#define PAIRS 0x7f
#define TAG 0x80		/* in every tag that is in use */

_Static_assert(HOSTLIST_PAIRS_MAX <= PAIRS, "the count fits beside the bit");

/* 1 to 39; 0 for what is in no name */
static const uint8_t codes[256] = {
	['a'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
	24, 25, 26,
	['0'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,
	['-'] = 37, ['_'] = 38, ['.'] = 39,
};

static size_t record_len(const uint8_t *record)
{
	return 1 + 2 * (size_t)(record[0] & PAIRS);
}

/* Return: bytes written */
static size_t pack(struct span name, uint8_t ret_record[HOSTLIST_RECORD_MAX])
{
	uint8_t *to = ret_record + 1;
	unsigned packed;

	assert(name.len && name.len <= HOST_MAX);
	ret_record[0] = (uint8_t)((name.len + 2) / 3);
	for (size_t i = 0; i < name.len; i += 3) {
		packed = codes[name.at[i]] * 1600u;
		if (i + 1 < name.len)
			packed += codes[name.at[i + 1]] * 40u;
		if (i + 2 < name.len)
			packed += codes[name.at[i + 2]];
		*to++ = (uint8_t)(packed >> 8);
		*to++ = (uint8_t)packed;
	}
	return (size_t)(to - ret_record);
}

/* The name alone decides, not how much below it is meant */
static uint64_t record_hash(const struct seed *seed, const uint8_t *record)
{
	return hash_span(seed, span_of(record + 1, record_len(record) - 1));
}

static bool record_same(const uint8_t *a, const uint8_t *b)
{
	return record_len(a) == record_len(b) && !memcmp(a + 1, b + 1, record_len(a) - 1);
}

void hostlist_key(const struct seed *seed, struct span name, struct hostlist_key *ret_key)
{
	pack(name, ret_key->record);
	ret_key->hash = record_hash(seed, ret_key->record);
}

static uint32_t first_slot(uint64_t hash, uint32_t slot_count)
{
	return (uint32_t)((hash & UINT32_MAX) * slot_count >> 32);
}

static uint8_t tag_of(uint64_t hash)
{
	return (uint8_t)(TAG | hash >> 57);
}

/* The slot of the record, or the free one where the search ends */
static uint32_t find(const struct hostlist *l, uint64_t hash, const uint8_t *record)
{
	uint32_t i = first_slot(hash, l->slot_count);
	uint8_t tag = tag_of(hash);

	for (; l->tags[i]; i = i + 1 == l->slot_count ? 0 : i + 1)
		if (l->tags[i] == tag && record_same(l->records + l->slots[i], record))
			break;
	return i;
}

bool hostlist_has(const struct hostlist *l, const struct hostlist_key *key, bool below)
{
	uint32_t i;

	if (!l->slot_count)
		return false;
	i = find(l, key->hash, key->record);
	return l->tags[i] && (below || !(l->records[l->slots[i]] & BELOW_ONLY));
}

static bool add_name(struct buf *records, const char *name, bool below_only)
{
	uint8_t record[HOSTLIST_RECORD_MAX];
	size_t len = pack(span_str(name), record);

	record[0] |= below_only ? BELOW_ONLY : 0;
	buf_add(records, record, len);
	return true;
}

bool hostlist_add(struct buf *records, struct span text)
{
	char name[HOST_MAX + 1];
	enum form form;

	return host_pattern(text, &form, name) && add_name(records, name, form == FORM_BELOW);
}

/* Cut the first word off the front of @line */
static struct span cut_word(struct span *line)
{
	struct span word;
	size_t len = 0;

	while (len < line->len && (line->at[len] == ' ' || line->at[len] == '\t'))
		len++;
	*line = span_skip(*line, len);
	for (len = 0; len < line->len && line->at[len] != ' ' && line->at[len] != '\t';)
		len++;
	word = span_head(*line, len);
	*line = span_skip(*line, len);
	return word;
}

/* What files like hosts(5) have about the machine itself, and blocklists keep */
static bool is_furniture(struct span word)
{
	static const char *const names[] = {
		"localhost", "localhost.localdomain", "localhost4", "localhost6",
		"localhost4.localdomain4", "localhost6.localdomain6", "local", "broadcasthost",
		"ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes",
		"ip6-allrouters", "ip6-allhosts", "0.0.0.0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_eq_fold(word, span_str(names[i])))
			return true;
	return false;
}

static bool bad_word(struct span line, struct span word, const char *accepted,
		     struct list_error *ret_error)
{
	*ret_error = (struct list_error){
		(unsigned)(word.at - line.at) + 1, word, accepted,
	};
	return false;
}

/* With a zone too, as in "fe80::1%lo0" */
static bool is_addr(struct span word)
{
	ptrdiff_t zone = span_find(word, '%');
	struct addr ignored;

	return addr_parse(zone < 0 ? word : span_head(word, (size_t)zone), &ignored);
}

/* The names behind the address of a line of hosts(5) */
static bool hosts_line(struct buf *records, struct span line, struct span rest,
		       struct span first, struct list_error *ret_error)
{
	struct span word = cut_word(&rest);
	char name[HOST_MAX + 1];

	if (!word.len)
		return bad_word(line, first, "host names; addresses are for an ip_list",
				ret_error);
	for (; word.len; word = cut_word(&rest)) {
		if (is_furniture(word))
			continue;
		if (!host_normal(word, name))
			return bad_word(line, word, "after an address host names", ret_error);
		add_name(records, name, false);
	}
	return true;
}

bool hostlist_line(struct buf *records, struct span line, struct list_error *ret_error)
{
	ptrdiff_t comment = span_find(line, '#');
	struct span rest = comment < 0 ? line : span_head(line, (size_t)comment), word, more;

	if (comment < 0 && rest.len && rest.at[rest.len - 1] == '\r')
		rest.len--;
	word = cut_word(&rest);
	if (!word.len)
		return true;
	if (hostlist_add(records, word)) {
		more = cut_word(&rest);
		return !more.len || bad_word(line, more, "one name a line, or an address and "
					     "names as in hosts(5)", ret_error);
	}
	if (is_addr(word))
		return hosts_line(records, line, rest, word, ret_error);
	return bad_word(line, word, "NAME, *.NAME for what is below it, an address and names as "
			"in hosts(5), # comments", ret_error);
}

uint32_t hostlist_count(struct span records)
{
	uint32_t count = 0;

	for (size_t at = 0; at < records.len; at += record_len(records.at + at))
		count++;
	return count;
}

uint32_t hostlist_slots(uint32_t count)
{
	return count ? count + count / 3 + 1 : 0;
}

void hostlist_index(const struct seed *seed, uint8_t *records, size_t len, uint8_t *tags,
		    uint32_t *slots, uint32_t slot_count)
{
	const struct hostlist l = { records, tags, slots, slot_count };

	for (size_t at = 0; at < len; at += record_len(records + at)) {
		uint64_t hash = record_hash(seed, records + at);
		uint32_t i = find(&l, hash, records + at);

		if (tags[i]) {
			/* NAME is more than *.NAME */
			records[slots[i]] &= (uint8_t)(records[at] | PAIRS);
			continue;
		}
		tags[i] = tag_of(hash);
		slots[i] = (uint32_t)at;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.c - lay a draft out as an image
 *
 * The same rules make the same tables, in whatever order they were written:
 * rules with one key are sorted by what they say, and the seed of the tables
 * comes from the hash of the canonical text.  That text holds one line for each
 * thing that decides, sorted, each once; ids, reasons and layers decide nothing.
 */
#include "policy/image.h"

#include <assert.h>
#include <openssl/evp.h>

#include "policy/canonical.h"
#include "policy/lists.h"

#define LINES_MAX (1u << 30)	/* bytes of canonical text */

struct build {
	struct draft	*d;
	struct buf	 image;
	struct buf	 links;		/* uint32_t */
	struct policy	 head;		/* is copied to the front at the end */
};

static int compare_u32(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

/* By the texts of two lists of words, which are sorted */
static int words_order(const struct draft *d, struct slice a, struct slice b)
{
	const uint32_t *words = (const void *)d->words.at;
	int order = compare_u32(a.count, b.count);

	for (uint32_t i = 0; !order && i < a.count; i++)
		order = strcmp(draft_text_at(d, words[a.at + i]), draft_text_at(d, words[b.at + i]));
	return order;
}

/* What is left when all that points elsewhere is left out */
static struct image_more more_numbers(const struct image_more *m)
{
	struct image_more numbers = *m;

	numbers.methods = numbers.paths = numbers.digests = (struct slice){ 0 };
	numbers.inject_header = numbers.credential_header = 0;
	numbers.credential = 0;
	return numbers;
}

static int more_order(const struct draft *d, const struct image_rule *left,
		      const struct image_rule *right)
{
	static const struct image_more none = MORE_NONE;
	const struct image_more *a = draft_more_of(d, left), *b = draft_more_of(d, right);
	struct image_more x, y;
	int order;

	if (!a && !b)
		return 0;
	a = a ? a : &none;
	b = b ? b : &none;
	order = words_order(d, a->methods, b->methods);
	if (!order)
		order = words_order(d, a->paths, b->paths);
	if (!order)
		order = compare_u32(a->digests.count, b->digests.count);
	if (!order && a->digests.count)
		order = memcmp(draft_digests_of(d, a), draft_digests_of(d, b),
			       (size_t)a->digests.count * DIGEST_BYTES);
	if (!order)
		order = strcmp(draft_text_at(d, a->inject_header),
			       draft_text_at(d, b->inject_header));
	if (!order)
		order = strcmp(draft_text_at(d, a->credential_header),
			       draft_text_at(d, b->credential_header));
	x = more_numbers(a);
	y = more_numbers(b);
	return order ? order : memcmp(&x, &y, sizeof(x));
}

int rule_content_order(const struct draft *d, const struct image_rule *a,
		       const struct image_rule *b)
{
	const struct port_range *pa = draft_ports_of(d, a), *pb = draft_ports_of(d, b);
	int order = compare_u32(a->layer, b->layer);

	if (!order)
		order = compare_u32(a->flags, b->flags);
	if (!order)
		order = compare_u32(a->protocol, b->protocol);
	if (!order)
		order = compare_u32(a->ports.count, b->ports.count);
	for (uint32_t i = 0; !order && i < a->ports.count; i++) {
		order = compare_u32(pa[i].transport, pb[i].transport);
		if (!order)
			order = compare_u32(pa[i].first, pb[i].first);
		if (!order)
			order = compare_u32(pa[i].last, pb[i].last);
	}
	return order ? order : more_order(d, a, b);
}

/* Networks before names, by key, then the more specific form, then content */
static int rule_order(const void *left, const void *right, void *arg)
{
	const struct draft *d = arg;
	uint32_t i = *(const uint32_t *)left, k = *(const uint32_t *)right;
	const struct image_rule *a = draft_rule_at(d, i), *b = draft_rule_at(d, k);
	int order = compare_u32(a->form != FORM_NET, b->form != FORM_NET);

	if (!order)
		order = strcmp(draft_text_at(d, a->name), draft_text_at(d, b->name));
	if (!order)
		order = memcmp(&a->net, &b->net, sizeof(a->net));
	if (!order)
		order = compare_u32(a->form, b->form);
	if (!order)
		order = rule_content_order(d, a, b);
	return order ? order : compare_u32(i, k);
}

struct slice image_section(struct buf *image, const void *bytes, size_t count, size_t size)
{
	static const uint8_t zeroes[8];
	struct slice s = { .count = (uint32_t)count };

	buf_add(image, zeroes, -image->len & 7);
	s.at = (uint32_t)image->len;
	if (bytes) {
		buf_add(image, bytes, count * size);
	} else if (buf_reserve(image, count * size)) {
		memset(image->at + image->len, 0, count * size);
		image->len += count * size;
	}
	return s;
}

static struct slice section(struct build *b, const void *bytes, size_t count, size_t size)
{
	return image_section(&b->image, bytes, count, size);
}

static struct slice buf_section(struct build *b, const struct buf *from, size_t size)
{
	return section(b, from->at, from->len / size, size);
}

static bool forms_self(const struct image_rule *r)
{
	return r->form != FORM_BELOW;
}

static bool forms_below(const struct image_rule *r)
{
	return r->form == FORM_BELOW || r->form == FORM_BOTH;
}

/* Append the rules of @group that are in, as one list of links */
static struct slice link_rules(struct build *b, const uint32_t *group, size_t count,
			       bool (*in)(const struct image_rule *))
{
	struct slice list = { .at = (uint32_t)(b->links.len / sizeof(uint32_t)) };

	for (size_t i = 0; i < count; i++)
		if (in(draft_rule_at(b->d, group[i])) &&
		    buf_add(&b->links, &group[i], sizeof(group[i])))
			list.count++;
	return list;
}

static bool same_key(const struct draft *d, uint32_t i, uint32_t k)
{
	const struct image_rule *a = draft_rule_at(d, i), *b = draft_rule_at(d, k);

	return !strcmp(draft_text_at(d, a->name), draft_text_at(d, b->name)) &&
	       !memcmp(&a->net, &b->net, sizeof(a->net));
}

static struct image_entry entry_of(struct build *b, const uint32_t *group, size_t count)
{
	const struct image_rule *r = draft_rule_at(b->d, group[0]);
	struct image_entry e = {
		.self = link_rules(b, group, count, forms_self),
		.below = link_rules(b, group, count, forms_below),
	};

	if (r->form == FORM_NET) {
		e.key = b->head.rules.at + group[0] * (uint32_t)sizeof(*r) +
			(uint32_t)offsetof(struct image_rule, net);
		e.key_len = sizeof(r->net);
	} else {
		e.key = b->head.strings.at + r->name;
		e.key_len = (uint32_t)strlen(draft_text_at(b->d, r->name));
	}
	return e;
}

static struct slice build_slots(struct build *b, const struct buf *entries)
{
	const struct image_entry *e = (const void *)entries->at;
	uint32_t count = (uint32_t)(entries->len / sizeof(*e)), size = 2;
	AUTO_FREE uint32_t *slots = NULL;

	while (size < count * 2)
		size *= 2;
	slots = calloc(size, sizeof(*slots));
	if (!slots || b->image.full) {
		b->image.full = true;
		return (struct slice){ 0 };
	}
	for (uint32_t n = 0; n < count; n++) {
		struct span key = span_of(b->image.at + e[n].key, e[n].key_len);
		uint32_t i = table_slot(&b->head.seed, key, size);

		while (slots[i])
			i = (i + 1) & (size - 1);
		slots[i] = n + 1;
	}
	return section(b, slots, size, sizeof(*slots));
}

/* @order: numbers of the rules that belong in, sorted by rule_order() */
static struct image_table build_table(struct build *b, const uint32_t *order, size_t count)
{
	struct buf entries = buf_new(IMAGE_MAX);
	struct image_table t;
	size_t next;

	for (size_t i = 0; i < count; i = next) {
		struct image_entry e;

		for (next = i + 1; next < count && same_key(b->d, order[i], order[next]);)
			next++;
		e = entry_of(b, order + i, next - i);
		buf_add(&entries, &e, sizeof(e));
	}
	b->image.full |= entries.full;
	t.slots = build_slots(b, &entries);
	t.entries = buf_section(b, &entries, sizeof(struct image_entry));
	buf_done(&entries);
	return t;
}

static bool build_tables(struct build *b)
{
	AUTO_FREE uint32_t *order = calloc(draft_rule_count(b->d) + 1, sizeof(*order));
	size_t count = 0, nets = 0;

	if (!order)
		return false;
	for (size_t i = 0; i < draft_rule_count(b->d); i++) {
		const struct image_rule *r = draft_rule_at(b->d, i);

		if (form_is_list(r->form))
			continue;
		order[count++] = (uint32_t)i;
		if (r->form != FORM_NET)
			continue;
		nets++;
		b->head.net_lengths[r->net.bits / 64] |= (uint64_t)1 << r->net.bits % 64;
	}
	qsort_r(order, count, sizeof(*order), rule_order, (void *)(uintptr_t)b->d);
	b->head.nets = build_table(b, order, nets);
	b->head.hosts = build_table(b, order + nets, count - nets);
	b->head.links = buf_section(b, &b->links, sizeof(uint32_t));
	return true;
}

static int line_order(const void *left, const void *right)
{
	const struct span *a = left, *b = right;
	int order = memcmp(a->at, b->at, a->len < b->len ? a->len : b->len);

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* Sort the lines of @text and leave out what is there twice; appended to @ret_text */
static void sort_lines(struct span text, struct buf *ret_text)
{
	struct buf spans = buf_new(LINES_MAX);
	struct span *line;
	size_t count;

	while (text.len) {
		struct span one = span_head(text, (size_t)span_find(text, '\n') + 1);

		buf_add(&spans, &one, sizeof(one));
		text = span_skip(text, one.len);
	}
	ret_text->full |= spans.full;
	line = (void *)spans.at;
	count = spans.len / sizeof(*line);
	qsort(line, count, sizeof(*line), line_order);
	for (size_t i = 0; i < count; i++)
		if (!i || !span_eq(line[i], line[i - 1]))
			buf_add_span(ret_text, line[i]);
	buf_done(&spans);
}

static bool build_hash(struct build *b)
{
	struct buf lines = buf_new(LINES_MAX), sorted = buf_new(LINES_MAX);
	uint8_t digest[EVP_MAX_MD_SIZE];
	bool ok;

	ok = canonical_lines(&lines, b->d);
	sort_lines(buf_span(&lines), &sorted);
	ok = ok && !lines.full && !sorted.full &&
	     EVP_Digest(sorted.at, sorted.len, digest, NULL, EVP_sha256(), NULL) == 1;
	buf_done(&lines);
	buf_done(&sorted);
	if (!ok)
		return false;
	for (unsigned i = 0; i < SHA256_HEX / 2; i++)
		snprintf(b->head.sha256 + 2 * i, 3, "%02x", digest[i]);
	memcpy(&b->head.seed, digest, sizeof(b->head.seed));
	return true;
}

static bool build(struct build *b)
{
	const struct draft *d = b->d;

	if (draft_is_full(d) || !build_hash(b))
		return false;
	/* it begins with room for the header, and the lists */
	b->image = b->d->image;
	b->d->image = buf_new(IMAGE_MAX);
	b->head.mode = d->mode;
	b->head.mode_layer = d->mode_layer;
	b->head.synthetic4 = d->dns.synthetic4;
	b->head.synthetic6 = d->dns.synthetic6;
	b->head.dns_types = d->dns.types;
	b->head.inspect = d->inspect;
	b->head.asks = draft_asks(d);
	b->head.has_ceiling = d->has_ceiling;
	b->head.system_peers = d->system_peers;
	b->head.limits = d->limits;
	b->head.log = d->log;
	b->head.upstream_proxy = d->upstream_proxy;
	b->head.no_proxy = d->no_proxy;
	memcpy(b->head.credential_names, d->credential_names, sizeof(d->credential_names));
	lists_build(b->d, &b->image, &b->head);
	b->head.rules = buf_section(b, &d->rules, sizeof(struct image_rule));
	b->head.ports = buf_section(b, &d->ports, sizeof(struct port_range));
	b->head.strings = buf_section(b, &d->strings, 1);
	b->head.privates = buf_section(b, &d->privates, sizeof(struct image_private));
	b->head.host_ports = buf_section(b, &d->host_ports, sizeof(struct port_map));
	b->head.publish = buf_section(b, &d->publish, sizeof(struct port_map));
	b->head.more = buf_section(b, &d->more, sizeof(struct image_more));
	b->head.words = buf_section(b, &d->words, sizeof(uint32_t));
	b->head.digests = buf_section(b, &d->digests, DIGEST_BYTES);
	b->head.tls_ca = buf_section(b, &d->tls_ca, sizeof(struct image_ca));
	b->head.peers = buf_section(b, &d->peers, sizeof(struct net));
	b->head.upstreams = section(b, d->dns.upstreams, d->dns.upstream_count, sizeof(uint32_t));
	if (b->image.full || !build_tables(b) || b->image.full || b->links.full)
		return false;
	b->head.size = (uint32_t)b->image.len;
	memcpy(b->image.at, &b->head, sizeof(b->head));
	return true;
}

struct policy *policy_compile(struct draft *d, struct err *err)
{
	struct build b = {
		.d = d,
		.links = buf_new(IMAGE_MAX),
		.head.magic = IMAGE_MAGIC,
	};
	struct policy *p = NULL;

	if (build(&b)) {
		/* give back what doubling took too much */
		p = realloc(b.image.at, b.image.len);
		b.image.at = p ? NULL : b.image.at;
	}
	if (!p)
		err_set(err, "policy: too large: more than %u rules, %u port ranges, or out of "
			"memory", RULES_MAX, PORTS_MAX);
	buf_done(&b.image);
	buf_done(&b.links);
	return p;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* image_lists.c - what lists add to an image: hashes, tables, and which rule uses which */
#include <openssl/evp.h>

#include "policy/hostlist.h"
#include "policy/lists.h"
#include "policy/netlist.h"

static bool hash_add(EVP_MD_CTX *ctx, const struct draft *d, struct slice s, size_t size)
{
	return !s.count || EVP_DigestUpdate(ctx, d->image.at + s.at, s.count * size) == 1;
}

static bool list_hash(EVP_MD_CTX *ctx, const struct draft *d, const struct image_list *l,
		      char ret_hex[SHA256_HEX + 1])
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
	    !hash_add(ctx, d, l->records, 1) ||
	    !hash_add(ctx, d, l->v4, sizeof(struct range4)) ||
	    !hash_add(ctx, d, l->v6, sizeof(struct range6)) ||
	    EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
		return false;
	for (unsigned i = 0; i < SHA256_HEX / 2; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
	return true;
}

bool lists_hash(const struct draft *d, char (*ret_hex)[SHA256_HEX + 1])
{
	const struct image_list *lists = (const void *)d->lists.at;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL;

	for (size_t i = 0; ok && i < d->lists.len / sizeof(*lists); i++)
		ok = list_hash(ctx, d, &lists[i], ret_hex[i]);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static void build_table(struct buf *image, const struct seed *seed, struct image_list *l)
{
	struct span records = span_of(image->at + l->records.at, l->records.count);
	uint32_t slots = hostlist_slots(hostlist_count(records));

	l->tags = image_section(image, NULL, slots, 1);
	l->slots = image_section(image, NULL, slots, sizeof(uint32_t));
	if (image->full)
		return;
	hostlist_index(seed, image->at + l->records.at, l->records.count, image->at + l->tags.at,
		       (uint32_t *)(void *)(image->at + l->slots.at), slots);
}

/* The strongest layer first; what follows makes that the order of rules in files is nothing */
static int use_order(const void *left, const void *right, void *arg)
{
	const struct draft *d = arg;
	const struct image_use *a = left, *b = right;
	const struct image_list *lists = (const void *)d->lists.at;
	const struct image_rule *ra = draft_rule_at(d, a->rule), *rb = draft_rule_at(d, b->rule);
	int order = ra->layer - rb->layer;

	if (!order)
		order = ra->form - rb->form;
	if (!order)
		order = strcmp(draft_text_at(d, ra->host), draft_text_at(d, rb->host));
	if (!order)
		order = strcmp(draft_text_at(d, lists[a->list].name),
			       draft_text_at(d, lists[b->list].name));
	if (!order)
		order = rule_content_order(d, ra, rb);
	return order ? order : (a->rule > b->rule) - (a->rule < b->rule);
}

static bool is_about_addrs(const struct draft *d, const struct image_use *u)
{
	return draft_rule_at(d, u->rule)->form == FORM_IP_LIST;
}

static struct slice build_uses(struct draft *d, struct buf *image, bool addrs)
{
	const struct image_use *uses = (const void *)d->uses.at;
	struct slice s = image_section(image, NULL, 0, 1);

	for (size_t i = 0; i < d->uses.len / sizeof(*uses); i++)
		if (is_about_addrs(d, &uses[i]) == addrs &&
		    buf_add(image, &uses[i], sizeof(uses[i])))
			s.count++;
	return s;
}

void lists_build(struct draft *d, struct buf *image, struct policy *head)
{
	struct image_list *lists = (void *)d->lists.at;
	size_t count = d->lists.len / sizeof(*lists);

	if (d->uses.len)
		qsort_r(d->uses.at, d->uses.len / sizeof(struct image_use),
			sizeof(struct image_use), use_order, d);
	for (size_t i = 0; i < count; i++)
		if (lists[i].form != FORM_IP_LIST)
			build_table(image, &head->seed, &lists[i]);
	head->lists = image_section(image, lists, count, sizeof(*lists));
	head->host_uses = build_uses(d, image, false);
	head->addr_uses = build_uses(d, image, true);
}

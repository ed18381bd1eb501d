/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/netlist.h"

#define V4_BITS 96	/* of ::ffff:0:0/96, in which IPv4 addresses are kept */

static const struct range4 *v4_find(const struct netlist *l, uint32_t a)
{
	uint32_t low = 0, high = l->v4_count;

	/* those below @low begin at or before @a, those from @high on after it */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (l->v4[middle].first <= a)
			low = middle + 1;
		else
			high = middle;
	}
	return low && a <= l->v4[low - 1].last ? &l->v4[low - 1] : NULL;
}

static int addr_order(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

static const struct range6 *v6_find(const struct netlist *l, const struct addr *a)
{
	uint32_t low = 0, high = l->v6_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (addr_order(&l->v6[middle].first, a) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low && addr_order(a, &l->v6[low - 1].last) <= 0 ? &l->v6[low - 1] : NULL;
}

bool netlist_has(const struct netlist *l, const struct addr *a)
{
	return (addr_is_v4(a) && v4_find(l, addr_v4_value(a))) || v6_find(l, a);
}

bool netlist_last(const struct netlist *l, const struct addr *a, struct addr *ret_last)
{
	const struct range4 *v4 = addr_is_v4(a) ? v4_find(l, addr_v4_value(a)) : NULL;
	const struct range6 *v6 = v4 ? NULL : v6_find(l, a);

	if (v4)
		*ret_last = addr_v4(v4->last);
	else if (v6)
		*ret_last = v6->last;
	return v4 || v6;
}

void netlist_add(struct buf *v4, struct buf *v6, const struct net *n)
{
	if (addr_is_v4(&n->base) && n->bits >= V4_BITS) {
		uint32_t first = addr_v4_value(&n->base);
		/* a shift by all 32 bits would be none */
		uint32_t free_bits = n->bits == 128 ? 0 : UINT32_MAX >> (n->bits - V4_BITS);
		struct range4 r = { first, first | free_bits };

		buf_add(v4, &r, sizeof(r));
	} else {
		struct range6 r = { n->base, n->base };

		for (unsigned i = n->bits; i < 128; i++)
			r.last.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
		buf_add(v6, &r, sizeof(r));
	}
}

/* A ';' right behind an address may be what separates it from the next */
static bool is_comment(struct span line, size_t at)
{
	uint8_t before = at ? line.at[at - 1] : ' ';

	return line.at[at] == '#' || (line.at[at] == ';' && (before == ' ' || before == '\t'));
}

bool netlist_line(struct buf *v4, struct buf *v6, struct span line, struct list_error *ret_error)
{
	struct span text;
	struct net n;
	size_t len = 0;

	while (len < line.len && !is_comment(line, len))
		len++;
	text = span_head(line, len);
	if (len == line.len && len && text.at[len - 1] == '\r')
		text.len--;
	text = span_trim(text);
	if (!text.len)
		return true;
	if (net_parse(text, &n)) {
		netlist_add(v4, v6, &n);
		return true;
	}
	*ret_error = (struct list_error){
		(unsigned)(text.at - line.at) + 1, text,
		"an address or a network like 203.0.113.0/24, with no bits beyond its prefix; "
		"# or ; comments",
	};
	return false;
}

static int range4_order(const void *left, const void *right)
{
	const struct range4 *a = left, *b = right;

	return a->first < b->first ? -1 : a->first > b->first;
}

static int range6_order(const void *left, const void *right)
{
	const struct range6 *a = left, *b = right;

	return addr_order(&a->first, &b->first);
}

static void tidy4(struct buf *b)
{
	struct range4 *r = (void *)b->at;
	size_t count = b->len / sizeof(*r), kept = 0;

	if (count)
		qsort(r, count, sizeof(*r), range4_order);
	for (size_t i = 0; i < count; i++) {
		if (kept && (r[kept - 1].last == UINT32_MAX || r[i].first <= r[kept - 1].last + 1)) {
			if (r[i].last > r[kept - 1].last)
				r[kept - 1].last = r[i].last;
			continue;
		}
		r[kept++] = r[i];
	}
	b->len = kept * sizeof(*r);
}

static void tidy6(struct buf *b)
{
	struct range6 *r = (void *)b->at;
	size_t count = b->len / sizeof(*r), kept = 0;

	if (count)
		qsort(r, count, sizeof(*r), range6_order);
	for (size_t i = 0; i < count; i++) {
		if (kept && addr_order(&r[i].first, &r[kept - 1].last) <= 0) {
			if (addr_order(&r[i].last, &r[kept - 1].last) > 0)
				r[kept - 1].last = r[i].last;
			continue;
		}
		r[kept++] = r[i];
	}
	b->len = kept * sizeof(*r);
}

void netlist_tidy(struct buf *v4, struct buf *v6)
{
	tidy4(v4);
	tidy6(v6);
}

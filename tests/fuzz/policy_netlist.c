/* SPDX-License-Identifier: Apache-2.0 */
/* policy_netlist.c - any text as an ip_list: the ends of what each line names are in it */
#include "fuzz.h"

#include "policy/netlist.h"

static void check_ordered(const struct netlist *l)
{
	for (uint32_t i = 0; i < l->v4_count; i++) {
		assert(l->v4[i].first <= l->v4[i].last);
		assert(!i || l->v4[i].first > (uint64_t)l->v4[i - 1].last + 1);
	}
	for (uint32_t i = 0; i < l->v6_count; i++) {
		assert(memcmp(&l->v6[i].first, &l->v6[i].last, sizeof(struct addr)) <= 0);
		assert(!i || memcmp(&l->v6[i - 1].last, &l->v6[i].first, sizeof(struct addr)) < 0);
	}
}

/* The lines again, each for itself: what it names is in the list of all */
static void check_line(const struct netlist *l, struct span line)
{
	struct buf v4 = buf_new(64), v6 = buf_new(64);
	const struct range4 *r4;
	const struct range6 *r6;
	struct list_error e = { 0 };
	struct addr a;

	if (!netlist_line(&v4, &v6, line, &e))
		assert(e.column && e.found.len && span_lies_in(e.found, line) && e.accepted);
	r4 = (const void *)v4.at;
	r6 = (const void *)v6.at;
	for (size_t i = 0; i < v4.len / sizeof(*r4); i++) {
		a = addr_v4(r4[i].first);
		assert(netlist_has(l, &a));
		a = addr_v4(r4[i].last);
		assert(netlist_has(l, &a));
	}
	for (size_t i = 0; i < v6.len / sizeof(*r6); i++)
		assert(netlist_has(l, &r6[i].first) && netlist_has(l, &r6[i].last));
	buf_done(&v4);
	buf_done(&v6);
}

static struct span cut_line(struct span *rest)
{
	ptrdiff_t newline = span_find(*rest, '\n');
	struct span line = newline < 0 ? *rest : span_head(*rest, (size_t)newline);

	*rest = span_skip(*rest, line.len + 1);
	return line;
}

static void fuzz_one(struct span input)
{
	struct buf v4 = buf_new(1 << 20), v6 = buf_new(1 << 20);
	struct list_error ignored;
	struct span rest = input;
	struct netlist l;

	while (rest.len)
		netlist_line(&v4, &v6, cut_line(&rest), &ignored);
	netlist_tidy(&v4, &v6);
	l = (struct netlist){
		(const void *)v4.at, (const void *)v6.at,
		(uint32_t)(v4.len / sizeof(struct range4)),
		(uint32_t)(v6.len / sizeof(struct range6)),
	};
	check_ordered(&l);
	for (rest = input; rest.len && !v4.full && !v6.full;)
		check_line(&l, cut_line(&rest));
	buf_done(&v4);
	buf_done(&v6);
}

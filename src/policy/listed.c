/* SPDX-License-Identifier: Apache-2.0 */
/* listed.c - is what is asked for in a list that a deny rule is about? */
#include <assert.h>

#include "policy/hostlist.h"
#include "policy/image.h"
#include "policy/netlist.h"

enum reason listed_reason(const struct image_rule *r)
{
	static const enum reason reasons[] = {
		[FORM_CATEGORY] = REASON_CATEGORY, [FORM_HOST_LIST] = REASON_HOST_LIST,
		[FORM_IP_LIST] = REASON_IP_LIST,
	};

	assert(form_is_list(r->form) && r->form <= FORM_IP_LIST);
	return reasons[r->form];
}

static const struct image_list *list_at(const struct policy *p, uint32_t list)
{
	return (const struct image_list *)image_at(p, p->lists.at) + list;
}

static struct hostlist names_of(const struct policy *p, const struct image_list *l)
{
	return (struct hostlist){
		image_at(p, l->records.at), image_at(p, l->tags.at), image_at(p, l->slots.at),
		l->slots.count,
	};
}

static struct netlist ranges_of(const struct policy *p, const struct image_list *l)
{
	return (struct netlist){
		image_at(p, l->v4.at), image_at(p, l->v6.at), l->v4.count, l->v6.count,
	};
}

uint32_t listed_host(const struct policy *p, struct span host,
		     bool (*holds)(void *arg, uint32_t rule), void *arg,
		     const struct image_list **ret_list)
{
	const struct image_use *uses = image_at(p, p->host_uses.at);
	uint32_t best = p->host_uses.count;

	if (!best || host_is_own(host))
		return RULE_NONE;
	for (struct span name = host; name.len && best; name = host_parent(name)) {
		struct hostlist_key key;

		hostlist_key(&p->seed, name, &key);
		for (uint32_t i = 0; i < best; i++) {
			struct hostlist l = names_of(p, list_at(p, uses[i].list));

			if (hostlist_has(&l, &key, name.at != host.at) &&
			    holds(arg, uses[i].rule))
				best = i;
		}
	}
	if (best == p->host_uses.count)
		return RULE_NONE;
	if (ret_list)
		*ret_list = list_at(p, uses[best].list);
	return uses[best].rule;
}

uint32_t listed_addr(const struct policy *p, const struct addr *a,
		     bool (*holds)(void *arg, uint32_t rule), void *arg)
{
	const struct image_use *uses = image_at(p, p->addr_uses.at);

	for (uint32_t i = 0; i < p->addr_uses.count; i++) {
		struct netlist l = ranges_of(p, list_at(p, uses[i].list));

		if (netlist_has(&l, a) && holds(arg, uses[i].rule))
			return uses[i].rule;
	}
	return RULE_NONE;
}

bool listed_last(const struct policy *p, const struct addr *a, struct addr *ret_last)
{
	const struct image_use *uses = image_at(p, p->addr_uses.at);

	for (uint32_t i = 0; i < p->addr_uses.count; i++) {
		struct netlist l = ranges_of(p, list_at(p, uses[i].list));

		if (netlist_last(&l, a, ret_last))
			return true;
	}
	return false;
}

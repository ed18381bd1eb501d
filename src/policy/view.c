/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - what others may see of an image */
#include <assert.h>

#include "base/auto.h"
#include "policy/image.h"
#include "policy/load.h"
#include "policy/netlist.h"

static const char *const layer_names[] = {
	[LAYER_SYSTEM] = "system", [LAYER_USER] = "user", [LAYER_PROJECT] = "project",
	[LAYER_POLICY] = "policy", [LAYER_FLAG] = "flag",
};
_Static_assert(ARRAY_SIZE(layer_names) == LAYER_NUM, "one name per layer");

static const char *const mode_names[] = {
	[MODE_ISOLATED] = "isolated", [MODE_INTERNAL] = "internal",
	[MODE_FILTERED] = "filtered", [MODE_MONITOR] = "monitor",
};
_Static_assert(ARRAY_SIZE(mode_names) == MODE_NUM, "one name per mode");

const char *layer_name(enum layer l)
{
	assert(l < LAYER_NUM);
	return layer_names[l];
}

const char *mode_name(enum mode m)
{
	assert(m < MODE_NUM);
	return mode_names[m];
}

size_t policy_rule_count(const struct policy *p)
{
	return p->rules.count;
}

const char *texts_at(const struct texts *t, uint32_t i)
{
	assert(i < t->count);
	return image_word(t->policy, t->at + i);
}

static struct texts texts_of(const struct policy *p, struct slice s)
{
	return (struct texts){ p, s.at, s.count };
}

static void view_more(const struct policy *p, const struct image_more *m, struct rule_view *v)
{
	const uint8_t (*digests)[DIGEST_BYTES] = image_at(p, p->digests.at);

	v->methods = texts_of(p, m->methods);
	v->paths = texts_of(p, m->paths);
	v->expires_s = m->expires_s;
	v->rate = m->rate;
	v->down_bps = m->down_bps;
	v->up_bps = m->up_bps;
	v->burst_bytes = m->burst_bytes;
	v->quota_down = m->quota_down;
	v->quota_up = m->quota_up;
	v->max_request = m->max_request;
	v->websocket = m->websocket;
	v->ech = m->ech;
	v->inspect = m->inspect;
	v->inject_header = image_text(p, m->inject_header);
	v->credential_header = image_text(p, m->credential_header);
	v->credentials = digests + m->digests.at;
	v->credential_count = m->digests.count;
}

struct rule_view policy_rule(const struct policy *p, uint32_t rule)
{
	const struct image_more none = MORE_NONE, *more;
	const struct image_rule *r;
	struct rule_view v;

	assert(rule < p->rules.count);
	r = image_rule(p, rule);
	more = image_more(p, r);
	v = (struct rule_view){
		.list = form_is_list(r->form) ? reason_name(listed_reason(r)) : NULL,
		.id = image_text(p, r->id),
		.host = image_text(p, r->host),
		.note = image_text(p, r->note),
		.layer = r->layer,
		.allow = r->flags & RULE_ALLOW,
		.is_net = r->form == FORM_NET,
		.net = r->net,
		.protocol = r->protocol,
		.ports = image_ports(p, r),
		.port_count = r->ports.count,
		.private = r->flags & RULE_PRIVATE,
		.ceiling = r->flags & RULE_CEILING,
		.unsafe_wildcard = r->flags & RULE_UNSAFE_WILDCARD,
		.quiet = r->flags & RULE_QUIET,
		.origin = { image_text(p, r->file), r->line },
	};
	view_more(p, more ? more : &none, &v);
	return v;
}

const char *policy_credential(const struct policy *p, unsigned n)
{
	return n < CREDENTIALS_MAX && p->credential_names[n] ?
	       image_text(p, p->credential_names[n]) : NULL;
}

size_t policy_ports(const struct policy *p, struct span host,
		    struct port_range *ret_ranges, size_t max, bool *ret_more)
{
	struct cursor c = { 0 };
	struct match m;
	uint32_t rule;
	size_t count = 0;

	*ret_more = p->asks;	/* any port may be approved */
	if (p->mode == MODE_ISOLATED)
		return 0;
	match_host(p, host, &m);
	while ((rule = match_next(p, &m, &c)) != RULE_NONE) {
		const struct image_rule *r = image_rule(p, rule);
		const struct port_range *ports = image_ports(p, r);

		for (uint32_t i = 0; (r->flags & RULE_ALLOW) && i < r->ports.count; i++) {
			if (count < max)
				ret_ranges[count++] = ports[i];
			else
				*ret_more = true;
		}
	}
	return count;
}

enum mode policy_mode(const struct policy *p)
{
	return p->mode;
}

struct policy_settings policy_settings(const struct policy *p)
{
	return (struct policy_settings){
		.synthetic4 = p->synthetic4,
		.synthetic6 = p->synthetic6,
		.host_ports = image_at(p, p->host_ports.at),
		.host_port_count = p->host_ports.count,
		.publish = image_at(p, p->publish.at),
		.publish_count = p->publish.count,
		.limits = p->limits,
		.log = p->log,
		.peers = image_at(p, p->peers.at),
		.peer_count = p->peers.count,
		.peer_sure = p->has_ceiling ? p->system_peers : p->peers.count,
		.dns_types = p->dns_types,
		.upstream_count = p->upstreams.count,
		.ca_count = p->tls_ca.count,
		.asks = p->asks,
		.upstream_proxy = image_text(p, p->upstream_proxy),
		.no_proxy = image_text(p, p->no_proxy),
	};
}

const char *policy_upstream(const struct policy *p, size_t index)
{
	const uint32_t *texts = image_at(p, p->upstreams.at);

	assert(index < p->upstreams.count);
	return image_text(p, texts[index]);
}

struct ca_file policy_ca(const struct policy *p, size_t index)
{
	const struct image_ca *files = image_at(p, p->tls_ca.at);

	assert(index < p->tls_ca.count);
	return (struct ca_file){ image_text(p, files[index].path), image_text(p, files[index].pem) };
}

bool policy_same_ca(const struct policy *a, const struct policy *b)
{
	bool same = a->tls_ca.count == b->tls_ca.count;

	for (size_t i = 0; same && i < a->tls_ca.count; i++)
		same = !strcmp(policy_ca(a, i).pem, policy_ca(b, i).pem);
	return same;
}

const char *policy_sha256(const struct policy *p)
{
	return p->sha256;
}

struct span policy_image(const struct policy *p)
{
	return span_of(p, p->size);
}

static bool slice_fits(const struct policy *p, struct slice s, size_t size)
{
	return !(s.at & 7) && s.at <= p->size && s.count <= (p->size - s.at) / size;
}

static bool lists_fit(const struct policy *p)
{
	const struct image_list *lists = image_at(p, p->lists.at);

	if (!slice_fits(p, p->lists, sizeof(*lists)) ||
	    !slice_fits(p, p->host_uses, sizeof(struct image_use)) ||
	    !slice_fits(p, p->addr_uses, sizeof(struct image_use)))
		return false;
	for (uint32_t i = 0; i < p->lists.count; i++)
		if (!slice_fits(p, lists[i].records, 1) || !slice_fits(p, lists[i].tags, 1) ||
		    !slice_fits(p, lists[i].slots, sizeof(uint32_t)) ||
		    !slice_fits(p, lists[i].v4, sizeof(struct range4)) ||
		    !slice_fits(p, lists[i].v6, sizeof(struct range6)))
			return false;
	return true;
}

const struct policy *policy_attach(struct span image)
{
	const struct policy *p = (const void *)image.at;

	if (image.len < sizeof(*p) || (uintptr_t)image.at & 7)
		return NULL;
	if (memcmp(p->magic, IMAGE_MAGIC, sizeof(p->magic)) || p->size != image.len ||
	    p->mode >= MODE_NUM || p->mode_layer >= LAYER_NUM)
		return NULL;
	if (!slice_fits(p, p->rules, sizeof(struct image_rule)) ||
	    !slice_fits(p, p->ports, sizeof(struct port_range)) ||
	    !slice_fits(p, p->links, sizeof(uint32_t)) ||
	    !slice_fits(p, p->strings, 1) ||
	    !slice_fits(p, p->privates, sizeof(struct image_private)) ||
	    !slice_fits(p, p->host_ports, sizeof(struct port_map)) ||
	    !slice_fits(p, p->publish, sizeof(struct port_map)) ||
	    !slice_fits(p, p->more, sizeof(struct image_more)) ||
	    !slice_fits(p, p->words, sizeof(uint32_t)) ||
	    !slice_fits(p, p->digests, DIGEST_BYTES) ||
	    !slice_fits(p, p->peers, sizeof(struct net)) ||
	    !slice_fits(p, p->upstreams, sizeof(uint32_t)) ||
	    !slice_fits(p, p->hosts.slots, sizeof(uint32_t)) ||
	    !slice_fits(p, p->hosts.entries, sizeof(struct image_entry)) ||
	    !slice_fits(p, p->nets.slots, sizeof(uint32_t)) ||
	    !slice_fits(p, p->nets.entries, sizeof(struct image_entry)) || !lists_fit(p))
		return NULL;
	return p;
}

void policy_free(struct policy *p)
{
	free(p);
}

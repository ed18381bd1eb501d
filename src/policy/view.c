/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - what others may see of an image */
#include <assert.h>

#include "base/auto.h"
#include "policy/image.h"
#include "policy/load.h"

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

struct rule_view policy_rule(const struct policy *p, uint32_t rule)
{
	const struct image_rule *r;

	assert(rule < p->rules.count);
	r = image_rule(p, rule);
	return (struct rule_view){
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
	};
}

size_t policy_ports(const struct policy *p, struct span host,
		    struct port_range *ret_ranges, size_t max, bool *ret_more)
{
	struct cursor c = { 0 };
	struct match m;
	uint32_t rule;
	size_t count = 0;

	*ret_more = false;
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
	};
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
	    !slice_fits(p, p->hosts.slots, sizeof(uint32_t)) ||
	    !slice_fits(p, p->hosts.entries, sizeof(struct image_entry)) ||
	    !slice_fits(p, p->nets.slots, sizeof(uint32_t)) ||
	    !slice_fits(p, p->nets.entries, sizeof(struct image_entry)))
		return NULL;
	return p;
}

void policy_free(struct policy *p)
{
	free(p);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draft.h - a policy while it is being put together
 *
 * Rules, ports and texts are appended to what will be the sections of the
 * image.  Memory that runs out, or a bound that is reached, is remembered by
 * the buffers and asked for once, by policy_compile().
 */
#ifndef SLUICE_POLICY_DRAFT_H
#define SLUICE_POLICY_DRAFT_H

#include "policy/image.h"
#include "policy/tree.h"

#define RULES_MAX 100000		/* in all layers and presets together */
#define MAPS_MAX 1024			/* host_ports, and publish */
#define PRIVATES_MAX 4096		/* private networks */
#define STRINGS_MAX (256u << 20)	/* bytes: four policy files at their bound */
#define PORTS_MAX (RULES_MAX * 16)	/* port ranges of all rules */

struct draft {
	struct buf	 rules;		/* struct image_rule */
	struct buf	 ports;		/* struct port_range */
	struct buf	 strings;
	struct buf	 privates;	/* struct image_private */
	struct buf	 host_ports;	/* struct port_map */
	struct buf	 publish;	/* struct port_map */
	enum mode	 mode;
	enum layer	 mode_layer;
	bool		 mode_set;
	struct net	 synthetic4, synthetic6;
	bool		 synthetic_set;
};

void draft_init(struct draft *d);
void draft_done(struct draft *d);
bool draft_is_full(const struct draft *d);

/* The offset of a copy of @s among the strings; 0 for the empty one */
uint32_t draft_text(struct draft *d, struct span s);

static inline const char *draft_text_at(const struct draft *d, uint32_t text)
{
	return (const char *)d->strings.at + text;
}

static inline size_t draft_rule_count(const struct draft *d)
{
	return d->rules.len / sizeof(struct image_rule);
}

static inline const struct image_rule *draft_rule_at(const struct draft *d, size_t i)
{
	return (const struct image_rule *)(const void *)d->rules.at + i;
}

static inline struct port_range *draft_ports_of(const struct draft *d, const struct image_rule *r)
{
	return r->ports.count ? (struct port_range *)(void *)d->ports.at + r->ports.at : NULL;
}

/*
 * A rule is begun, filled, and added.  Only one may be open at a time: its
 * ports are the last ones.
 */
struct image_rule draft_begin(struct draft *d, enum layer layer, unsigned flags);
bool draft_host(struct draft *d, struct image_rule *r, struct span text);
bool draft_net(struct draft *d, struct image_rule *r, struct span text);
bool draft_port(struct draft *d, struct image_rule *r, struct span text);
/* An allow rule for a name that has no ports gets 443 and 80 */
void draft_add(struct draft *d, struct image_rule *r);

/* The stricter of this and what is set wins */
void draft_mode(struct draft *d, enum mode mode, enum layer layer);

/* [HOST=]CIDR */
bool draft_private(struct draft *d, struct span text);

/*
 * draft_map() - add a port mapping to host_ports or publish
 *
 * Return: false if another one wants the same port.
 */
bool draft_map(struct buf *maps, const struct port_map *map, bool publish);

#endif

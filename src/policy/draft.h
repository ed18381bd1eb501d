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
#include "policy/secret.h"
#include "policy/tree.h"
#include "policy/upstream.h"

#define RULES_MAX 100000		/* in all layers and presets together */
#define MAPS_MAX 1024			/* host_ports, and publish */
#define PRIVATES_MAX 4096		/* private networks */
#define LISTS_MAX 256			/* categories, host_lists, ip_lists */
#define USES_MAX 4096			/* a rule and one of its lists */
#define TLS_CA_FILES_MAX 64
#define STRINGS_MAX (256u << 20)	/* bytes: four policy files at their bound */
#define PORTS_MAX (RULES_MAX * 16)	/* port ranges of all rules */
#define WORDS_MAX (RULES_MAX * 16)	/* methods and paths of all rules */
#define DIGESTS_MAX (RULES_MAX * 4)	/* credentials of all rules */
#define PEERS_MAX 4096			/* networks of peers */

/* A value that inject puts into requests to a rule's host */
struct draft_secret {
	uint32_t	rule;
	uint32_t	at, len;	/* in secret_text */
	uint32_t	names_at;	/* text: " env:NAME" and the like, of what is in it */
	uint32_t	part, part_count;	/* in secret_parts */
};

struct draft_part {
	uint32_t	at, len;	/* in secret_text */
	uint32_t	placeholder;	/* text */
};

/* The mapping dns: of one file, or the defaults */
struct draft_dns {
	struct net	 synthetic4, synthetic6;
	uint32_t	 types;			/* bits of base/dns_type.h */
	uint32_t	 upstreams[UPSTREAMS_MAX];	/* texts */
	size_t		 upstream_count;
};

struct draft {
	struct buf	 rules;		/* struct image_rule */
	struct buf	 ports;		/* struct port_range */
	struct buf	 strings;
	struct buf	 privates;	/* struct image_private */
	struct buf	 host_ports;	/* struct port_map */
	struct buf	 publish;	/* struct port_map */
	struct buf	 more;		/* struct image_more */
	struct buf	 words;		/* uint32_t: texts of methods and paths */
	struct buf	 digests;	/* of credentials */
	struct buf	 peers;		/* struct net */
	struct buf	 tls_ca;	/* struct image_ca */
	struct buf	 secrets;	/* struct draft_secret, by rule; never part of the image */
	struct buf	 secret_text;
	struct buf	 secret_parts;	/* struct draft_part */
	uint32_t	 credential_names[CREDENTIALS_MAX];	/* texts; 0: free */
	uint32_t	 system_peers;
	struct policy_limits limits;
	struct policy_log log;
	bool		 has_ceiling, log_set;
	struct buf	 image;		/* what it will begin with: its header, empty, and lists */
	struct buf	 lists;		/* struct image_list */
	struct buf	 uses;		/* struct image_use, in the order of rules */
	enum inspect	 inspect;
	enum mode	 mode;
	enum layer	 mode_layer;
	bool		 mode_set;
	bool		 default_deny, default_ask;	/* some file says so */
	bool		 system_denies;		/* the system's file says deny */
	bool		 flag_ask;		/* --ask */
	struct draft_dns dns;
	bool		 dns_set;
	uint32_t	 upstream_proxy, no_proxy;	/* texts */
	char		*proxy_credentials;	/* "USER:PASSWORD"; never part of the image */
	char		*webhook;		/* URL, which may hold a token: nor is it */
	bool		 alerts_set;
};

/* What holds for what a file does not say */
struct draft_dns draft_dns_defaults(struct draft *d);

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

/* What the rule says besides; NULL if nothing */
static inline const struct image_more *draft_more_of(const struct draft *d,
						     const struct image_rule *r)
{
	return r->more ? (const struct image_more *)(const void *)d->more.at + (r->more - 1) : NULL;
}

static inline const uint8_t *draft_digests_of(const struct draft *d, const struct image_more *m)
{
	return m->digests.count ? d->digests.at + (size_t)m->digests.at * DIGEST_BYTES : NULL;
}

/* The strongest layer with a rule about a list; LAYER_NUM: none has one */
enum layer draft_list_layer(const struct draft *d);

/*
 * A rule is begun, filled, and added.  Only one may be open at a time: its
 * ports are the last ones.
 */
struct image_rule draft_begin(struct draft *d, enum layer layer, unsigned flags);
bool draft_host(struct draft *d, struct image_rule *r, struct span text);
bool draft_net(struct draft *d, struct image_rule *r, struct span text);
bool draft_port(struct draft *d, struct image_rule *r, struct span text);
/* One more text for a list of words; the lists of a rule are each written without a break */
bool draft_word(struct draft *d, struct slice *list, struct span text);
/* What the open rule says besides.  The words are sorted, and each is kept once. */
void draft_more(struct draft *d, struct image_rule *r, struct image_more *more);
/* The number of a credential's header field, or CREDENTIALS_MAX if there are too many */
unsigned draft_credential(struct draft *d, struct span name);
/* A rule that allows a name, or is of the ceiling, and has no ports gets 443 and 80 */
void draft_add(struct draft *d, struct image_rule *r);

/* The stricter of this and what is set wins */
void draft_mode(struct draft *d, enum mode mode, enum layer layer);

/* Is a person asked about what no rule matches?  Only in mode filtered. */
bool draft_asks(const struct draft *d);

/* [HOST=]CIDR */
bool draft_private(struct draft *d, struct span text);

/*
 * draft_map() - add a port mapping to host_ports or publish
 *
 * Return: false if another one wants the same port.
 */
bool draft_map(struct buf *maps, const struct port_map *map, bool publish);

#endif

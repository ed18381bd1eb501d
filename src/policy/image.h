/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - how a compiled policy lies in memory; for the files of policy/ only
 *
 * One block: this header, then sections.  A slice tells where a section begins,
 * in bytes from the start of the image, and how many elements it has; texts are
 * named by their offset in the section of strings, where 0 is "".
 *
 * Rules are found through two hash tables of one make.  The key of the first is
 * a name, of the second a network; what an entry holds are the rules for the
 * key itself (`self`) and for everything below it (`below`, names only), each a
 * run of the section of links.  A host is looked up by its own name and then by
 * each parent suffix, an address by each prefix length in use, so what a
 * question costs depends on its labels and not on the number of rules.
 */
#ifndef SLUICE_POLICY_IMAGE_H
#define SLUICE_POLICY_IMAGE_H

#include "base/err.h"
#include "base/hash.h"
#include "policy/host.h"
#include "policy/policy.h"

#define IMAGE_MAGIC "sluice5"	/* 8 bytes with its NUL; changes with this file */
#define SHA256_HEX 64		/* digits */
#define IMAGE_MAX (1u << 30)	/* bytes; offsets are 32 bits */

struct slice {
	uint32_t	at;		/* of a section: bytes; else index of the first */
	uint32_t	count;
};

#define RULE_ALLOW 1		/* flags of a rule: else it denies */
#define RULE_PRIVATE 2		/* private: true */
#define RULE_CEILING 4		/* of the ceiling; without RULE_ALLOW, and yet denies nothing */
#define RULE_UNSAFE_WILDCARD 8	/* unsafe_wildcard: true */
#define RULE_QUIET 16		/* quiet: true */
#define RULE_UNDER_LISTS 32	/* over_lists: false */
#define RULE_APPROVED 128	/* of approved.yaml */
#define RULE_UNDER_CEILING 64	/* under_ceiling: true */

struct image_rule {
	uint32_t	id, host, note;	/* texts; host as it was written */
	uint32_t	name;		/* text: the host without "*." or ".", in normal form */
	uint32_t	file, line;	/* text, and where in it; a flag has line 0 */
	uint32_t	more;		/* number of its struct image_more plus 1; 0: it has none */
	struct slice	ports;		/* in the section of ports; a deny rule may have none */
	struct net	net;		/* for FORM_NET */
	uint8_t		form;		/* enum form */
	uint8_t		layer, protocol, flags;
};

/* What few rules say: keys beyond host, ports and protocol */
struct image_more {
	int64_t		expires_s;	/* 0: never */
	uint64_t	down_bps, up_bps, burst_bytes;	/* these seven: or AMOUNT_NONE */
	uint64_t	quota_down, quota_up, max_request;
	struct rate	rate;
	struct slice	methods, paths;	/* in the section of words */
	struct slice	digests;	/* of credentials, in the section of digests */
	uint32_t	inject_header;	/* texts; "": none */
	uint32_t	credential_header;
	uint8_t		credential;	/* its number among credential_names */
	uint8_t		websocket, ech, inspect;
	uint8_t		pad[4];
};

/* A rule that says none of these */
#define MORE_NONE { .down_bps = AMOUNT_NONE, .up_bps = AMOUNT_NONE, .burst_bytes = AMOUNT_NONE, \
	.quota_down = AMOUNT_NONE, .quota_up = AMOUNT_NONE, .max_request = AMOUNT_NONE }

struct image_entry {
	uint32_t	key;		/* bytes from the start of the image */
	uint32_t	key_len;
	struct slice	self, below;
};

struct image_table {
	struct slice	slots;		/* uint32_t: an entry's number plus 1, or 0 */
	struct slice	entries;
};

/*
 * A list of many: names (hostlist.h) for FORM_CATEGORY and FORM_HOST_LIST, ranges
 * (netlist.h) for FORM_IP_LIST.  It lies behind the header, where it was written
 * while it was read.
 */
struct image_list {
	uint32_t	name;		/* text: of the category, or the file's path */
	uint32_t	form;
	struct slice	records;	/* bytes */
	struct slice	tags, slots;	/* of the table over them */
	struct slice	v4, v6;		/* struct range4, struct range6 */
};

/* A deny rule and one of its lists; the strongest layer first, then by what they say */
struct image_use {
	uint32_t	rule, list;
};

/* private_networks: who may resolve into a network */
struct image_private {
	uint32_t	host;		/* text: it alone; "": those that a rule names exactly */
	struct net	net;
};

/* A file of tls_ca */
struct image_ca {
	uint32_t	path, pem;	/* texts */
};

struct policy {
	char			magic[8];
	uint32_t		size;		/* bytes of the image */
	uint32_t		mode;
	uint32_t		mode_layer;	/* the one that asked for it */
	struct seed		seed;		/* of both tables */
	uint64_t		net_lengths[3];	/* bit n: there are rules with an n-bit prefix */
	uint32_t		has_ceiling;	/* the system's file has one; it may be empty */
	uint32_t		system_peers;	/* the first so many of peers are the system's */
	struct net		synthetic4, synthetic6;
	uint32_t		dns_types;	/* bits of base/dns_type.h */
	uint32_t		inspect;	/* enum inspect, of all TLS: --inspect, --no-inspect */
	uint32_t		asks;		/* default: ask, or --ask; counts in mode filtered */
	struct policy_limits	limits;
	struct policy_log	log;
	uint32_t		credential_names[CREDENTIALS_MAX];	/* texts; 0: no more */
	struct slice		rules, ports, links, strings, privates, host_ports, publish;
	struct slice		upstreams;	/* uint32_t: texts */
	uint32_t		upstream_proxy, no_proxy;	/* texts; "": none */
	struct slice		more, words, digests, peers;	/* words: uint32_t, texts */
	struct slice		tls_ca;
	struct image_table	hosts, nets;
	struct slice		lists;
	struct slice		host_uses, addr_uses;	/* struct image_use */
	char			sha256[SHA256_HEX + 1];
};

static inline const void *image_at(const struct policy *p, uint32_t at)
{
	return (const uint8_t *)p + at;
}

static inline const char *image_text(const struct policy *p, uint32_t text)
{
	return (const char *)image_at(p, p->strings.at) + text;
}

static inline const struct image_rule *image_rule(const struct policy *p, uint32_t rule)
{
	return (const struct image_rule *)image_at(p, p->rules.at) + rule;
}

static inline const struct port_range *image_ports(const struct policy *p,
						   const struct image_rule *r)
{
	return (const struct port_range *)image_at(p, p->ports.at) + r->ports.at;
}

/* What the rule says besides; NULL if nothing */
static inline const struct image_more *image_more(const struct policy *p,
						  const struct image_rule *r)
{
	return r->more ? (const struct image_more *)image_at(p, p->more.at) + (r->more - 1) : NULL;
}

static inline const char *image_word(const struct policy *p, uint32_t word)
{
	return image_text(p, ((const uint32_t *)image_at(p, p->words.at))[word]);
}

/*
 * match_* - the rules that a host or an address falls under
 *
 * Lists of links, the most specific first; within a list too.
 */
#define MATCH_MAX 129		/* prefix lengths; a host has fewer suffixes */

struct match {
	struct slice	lists[MATCH_MAX];
	unsigned	count;
};

struct cursor {			/* begins as zeroes */
	unsigned	list;
	uint32_t	at;
};

void match_host(const struct policy *p, struct span host, struct match *ret_match);
void match_addr(const struct policy *p, const struct addr *a, struct match *ret_match);

/*
 * listed_* - the deny rule about a list that the host, or the address, is in
 * @holds:	asked of the rules whose list it is in; one for which it is false is passed over
 * @ret_list:	of the rule's lists the one it is in; or NULL
 *
 * Of several the strongest layer's.  Return: its number, or RULE_NONE.
 */
uint32_t listed_host(const struct policy *p, struct span host,
		     bool (*holds)(void *arg, uint32_t rule), void *arg,
		     const struct image_list **ret_list);
uint32_t listed_addr(const struct policy *p, const struct addr *a,
		     bool (*holds)(void *arg, uint32_t rule), void *arg);

/* The last address of a listed range that has @a.  Return: false if @a is in no list */
bool listed_last(const struct policy *p, const struct addr *a, struct addr *ret_last);

/* "category", "host_list", "ip_list" for the rule's form */
enum reason listed_reason(const struct image_rule *r);

/*
 * rule_beats_list() - is it an allow rule that counts more than the rule about a list?
 *
 * It names the host or the address exactly, is of the same or a stronger layer, and does not
 * say over_lists: false.
 */
bool rule_beats_list(const struct policy *p, const struct image_rule *r, uint32_t listed);

/* The next rule's number, or RULE_NONE */
uint32_t match_next(const struct policy *p, const struct match *m, struct cursor *c);

/* Where in a table of @slots slots the search for a key begins */
static inline uint32_t table_slot(const struct seed *seed, struct span key, uint32_t slots)
{
	return (uint32_t)hash_span(seed, key) & (slots - 1);
}

/* Is @q's port, or for ABOUT_NAME any port, among the rule's? */
bool rule_has_port(const struct policy *p, const struct image_rule *r, const struct question *q);

/* Does the ceiling bound the rule? */
static inline bool rule_is_bounded(const struct image_rule *r)
{
	return r->layer != LAYER_SYSTEM || (r->flags & RULE_UNDER_CEILING);
}

static inline bool rule_is_exact(const struct image_rule *r)
{
	return r->form == FORM_EXACT || (r->form == FORM_NET && r->net.bits == 128);
}

/*
 * rule_lies_under() - what of a rule's layer decides, as if it were said by its keys
 * @lists:	the strongest layer with a rule about a list; LAYER_NUM: none has one
 *
 * Where there are lists in several layers it is stricter than the layers are.
 * Return: of RULE_UNDER_LISTS and RULE_UNDER_CEILING those that hold.
 */
static inline unsigned rule_lies_under(const struct image_rule *r, enum layer lists,
				       bool has_ceiling)
{
	unsigned under = 0;

	if (!(r->flags & RULE_ALLOW))
		return 0;
	if ((r->flags & RULE_UNDER_LISTS) || (rule_is_exact(r) && r->layer > lists))
		under |= RULE_UNDER_LISTS;
	if ((r->flags & RULE_UNDER_CEILING) || (has_ceiling && rule_is_bounded(r)))
		under |= RULE_UNDER_CEILING;
	return under;
}

/* A rule of the ceiling neither allows nor denies by itself */
static inline bool rule_denies(const struct image_rule *r)
{
	return !(r->flags & (RULE_ALLOW | RULE_CEILING));
}

/*
 * rule_names_addr() - does an allow rule for a network name this address?
 *
 * A network wider than the special-purpose block that the address lies in does
 * not: who opens 0.0.0.0/0 means the Internet, not the metadata service.
 */
bool rule_names_addr(const struct image_rule *r, const struct addr *a);

/*
 * Would the rule let @q pass as far as can be told by now, under the ceiling?
 * @m: what @q's host or address matches
 */
bool rule_passes(const struct policy *p, const struct image_rule *r, const struct match *m,
		 const struct question *q);

/*
 * rule_may_deny() - is it a deny rule that may hold for @q, given that the subject matches?
 *
 * One that is for some requests only counts whole.
 */
bool rule_may_deny(const struct policy *p, const struct image_rule *r, const struct question *q);

/*
 * The first deny rule among the matches that may hold for @q, or RULE_NONE.  One
 * that is for some requests only counts whole: this is asked where later
 * requests are not judged again.
 */
uint32_t match_denied(const struct policy *p, const struct match *m, const struct question *q);

struct draft;

/*
 * policy_compile() - the image of a draft, which must not be used any more
 *
 * Return: a policy, or NULL and @err.
 */
struct policy *policy_compile(struct draft *d, struct err *err);

#endif

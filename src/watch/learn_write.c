/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn_write.c - places become rules, rules become YAML
 *
 * A place becomes a rule; of requests, one for the methods that read and one for those
 * that write, so that what may be read may not be written for that.  Rules of one host
 * that differ in their ports alone become one.  Nothing but hosts in normal form,
 * addresses, numbers, names of methods and patterns in normal form is ever written.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/dns_type.h"
#include "policy/host.h"
#include "policy/path.h"
#include "watch/learnt.h"

#define RULE_PORTS_MAX 64
#define UNUSED_PORT 9		/* discard: for a name that is only looked up, since a rule has a port */

struct rule {
	const struct learnt *place;
	enum protocol	 protocol;
	uint16_t	 ports[RULE_PORTS_MAX];
	size_t		 port_count;
	uint32_t	 methods;	/* 0: every method, and every path */
	struct buf	 paths;		/* each with a NUL */
	bool		 websocket, special;
	enum doubt	 doubt;
};

struct writing {
	struct learn	*l;
	struct buf	*out;
	struct rule	*rules;
	size_t		 count, size;
	bool		 spent;
	struct learn_result *result;
};

static const char *const doubts[DOUBT_NUM] = {
	[DOUBT_RANDOM] = "nobody would choose such a name: it can carry data, or be one of a CDN's",
	[DOUBT_ONCE] = "used once, in one session of several",
	[DOUBT_LATE] = "first used at the very end, and hardly at all",
	[DOUBT_SPECIAL] = "it leads to special-purpose addresses, and nobody has verified the log",
	[DOUBT_OWN_ADDRESS] = "it leads to an address that only an ip rule opens: this machine, "
			      "multicast, or the metadata of a cloud",
};

/* ---- rules ---- */

static struct rule *rule_new(struct writing *w, const struct learnt *p, enum protocol protocol)
{
	size_t size = w->size ? 2 * w->size : 64;
	struct rule *rules = w->rules;

	if (w->count == w->size) {
		rules = reallocarray(rules, size, sizeof(*rules));
		if (!rules) {
			w->spent = true;
			return NULL;
		}
		w->rules = rules;
		w->size = size;
	}
	rules[w->count] = (struct rule){
		.place = p, .protocol = protocol, .ports = { p->port }, .port_count = 1,
		.paths = buf_new(LEARN_PATTERNS_MAX * PATTERN_MAX), .special = p->special,
		.doubt = w->l->o.all ? DOUBT_NONE : p->doubt,
	};
	return &rules[w->count++];
}

static bool is_same(const struct rule *a, const struct rule *b)
{
	return !strcmp(a->place->host, b->place->host) &&
	       (a->place->host[0] || addr_eq(&a->place->addr, &b->place->addr)) &&
	       a->place->udp == b->place->udp && a->protocol == b->protocol &&
	       a->methods == b->methods && a->websocket == b->websocket && a->doubt == b->doubt &&
	       a->special == b->special && span_eq(buf_span(&a->paths), buf_span(&b->paths));
}

/* The rule made last may be another one's but for its port */
static void rule_join(struct writing *w)
{
	struct rule *last = &w->rules[w->count - 1];

	for (size_t i = w->count - 1; i-- > 0;) {
		struct rule *r = &w->rules[i];

		if (strcmp(r->place->host, last->place->host) != 0)
			return;
		if (!is_same(r, last) || r->port_count == RULE_PORTS_MAX)
			continue;
		r->ports[r->port_count++] = last->ports[0];
		buf_done(&last->paths);
		w->count--;
		return;
	}
}

static uint32_t reading(const struct learn *l)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < l->method_count; i++)
		if (!strcmp(l->methods[i], "GET") || !strcmp(l->methods[i], "HEAD") ||
		    !strcmp(l->methods[i], "OPTIONS"))
			bits |= (uint32_t)BIT(i);
	return bits;
}

static void add_requests(struct writing *w, const struct learnt *p, enum protocol protocol,
			 uint32_t methods)
{
	struct rule *r = methods ? rule_new(w, p, protocol) : NULL;

	if (!r)
		return;
	r->methods = methods;
	r->websocket = p->websocket && methods & reading(w->l);	/* it begins as a GET */
	requests_patterns(&p->requests, methods, &r->paths);
	w->spent |= r->paths.full;
	rule_join(w);
}

static void add_rules(struct writing *w, const struct learnt *p, enum protocol protocol)
{
	uint32_t methods = requests_methods(&p->requests), reads = reading(w->l);

	if (!p->blind && p->asked) {
		add_requests(w, p, protocol, methods & reads);
		add_requests(w, p, protocol, methods & ~reads);
	} else if (rule_new(w, p, protocol)) {
		rule_join(w);
	}
}

/* Ports 443 and 80 carry TLS and HTTP; what else was there has to be said */
static void add_place(struct writing *w, const struct learnt *p)
{
	static const enum protocol other[] = {
		[SAID_TLS] = PROTOCOL_TLS, [SAID_HTTP] = PROTOCOL_HTTP,
	};
	enum said usual = p->port == 443 ? SAID_TLS : SAID_HTTP;

	if (p->udp || (p->port != 443 && p->port != 80)) {
		add_rules(w, p, PROTOCOL_AUTO);
	} else if (p->said & BIT(SAID_TCP)) {
		add_rules(w, p, PROTOCOL_TCP);
	} else {
		for (enum said s = SAID_TLS; s <= SAID_HTTP; s++)
			if (p->said & BIT(s))
				add_rules(w, p, s == usual ? PROTOCOL_AUTO : other[s]);
	}
}

/* ---- names that were only looked up ---- */

static int by_host(const void *left, const void *right)
{
	const struct learnt *const *a = left, *const *b = right;
	int order = strcmp((*a)->host, (*b)->host);

	if (!order)
		order = memcmp((*a)->addr.b, (*b)->addr.b, sizeof((*a)->addr.b));
	if (!order)
		order = (*a)->udp - (*b)->udp;
	/* names that were looked up come behind what else is known of them */
	return order ? order : (uint16_t)((*a)->port - 1) - (uint16_t)((*b)->port - 1);
}

/* Is there a wildcard over it? */
static bool is_below_wildcard(struct learnt *const *all, size_t count, const struct learnt *p)
{
	struct span parent = host_parent(span_str(p->host));

	for (size_t i = 0; parent.len && i < count && all[i]->host[0] <= '*'; i++)
		if (all[i]->host[0] == '*' && span_eq(span_skip(span_str(all[i]->host), 2), parent))
			return true;
	return false;
}

/* A name waits with all that is known of it; @p comes behind all[@at], of the same host or not */
static bool is_known(struct learnt *const *all, size_t at, struct learnt *p)
{
	enum doubt doubt = p->doubt;
	bool known = false;

	while (at-- > 0 && !strcmp(all[at]->host, p->host)) {
		if (!known || all[at]->covered || !all[at]->doubt)
			doubt = all[at]->covered ? DOUBT_NONE : all[at]->doubt;
		known = true;
		if (!doubt)
			break;
	}
	p->doubt = doubt;
	return known;
}

static void make_rules(struct writing *w)
{
	struct learn *l = w->l;
	struct learnt **all = calloc(l->count + 1, sizeof(struct learnt *));
	size_t count = 0;

	w->spent = !all;
	for (size_t i = 0; all && i < l->count; i++)
		if (learnt_counts(&l->places[i]))
			all[count++] = &l->places[i];
	if (count)
		qsort(all, count, sizeof(struct learnt *), by_host);
	for (size_t i = 0; i < count; i++) {
		struct learnt *p = all[i];

		if (p->covered)
			continue;
		if (p->port)
			add_place(w, p);
		else if (!is_below_wildcard(all, count, p) && !is_known(all, i, p))
			rule_new(w, p, PROTOCOL_AUTO);
	}
	free(all);
}

/* ---- YAML ---- */

static void put_texts(struct buf *b, const char *key, const char *indent, struct span texts)
{
	const char *before = "[";

	buf_printf(b, "%s  %s: ", indent, key);
	while (texts.len) {
		struct span text = span_str((const char *)texts.at);

		buf_printf(b, "%s\"" SPAN_FMT "\"", before, SPAN_ARG(text));
		before = ", ";
		texts = span_skip(texts, text.len + 1);
	}
	buf_add_str(b, "]\n");
}

static void put_methods(const struct learn *l, struct buf *b, const char *indent, uint32_t methods)
{
	const char *before = "[";

	buf_printf(b, "%s  methods: ", indent);
	for (size_t i = 0; i < l->method_count; i++) {
		if (!(methods & BIT(i)))
			continue;
		buf_printf(b, "%s%s", before, l->methods[i]);
		before = ", ";
	}
	buf_add_str(b, "]\n");
}

static void put_ports(struct buf *b, const char *indent, const struct rule *r)
{
	bool udp = r->place->udp;

	buf_printf(b, "%s  ports: ", indent);
	for (size_t i = 0; i < r->port_count; i++)
		buf_printf(b, "%s%s%u%s", i ? ", " : "[", udp ? "\"" : "",
			   r->ports[i] ? r->ports[i] : UNUSED_PORT, udp ? "/udp\"" : "");
	buf_printf(b, "]%s\n", r->ports[0] ? "" : "\t# only looked up; a rule has a port, and nobody "
		   "answers on this one");
}

static void put_rule(const struct learn *l, struct buf *b, const struct rule *r)
{
	static const char *const names[] = {
		[PROTOCOL_TLS] = "tls", [PROTOCOL_HTTP] = "http", [PROTOCOL_TCP] = "tcp",
	};
	const char *indent = r->doubt ? "  # " : "  ";
	const struct learnt *p = r->place;
	char text[ADDR_TEXT_MAX];

	if (p->host[0])
		buf_printf(b, "%s- host: \"%s\"\n", indent, p->host);
	else
		buf_printf(b, "%s- ip: \"%s\"\n", indent, addr_text(&p->addr, text));
	put_ports(b, indent, r);
	if (r->protocol != PROTOCOL_AUTO)
		buf_printf(b, "%s  protocol: %s\n", indent, names[r->protocol]);
	if (r->methods)
		put_methods(l, b, indent, r->methods);
	if (r->paths.len)
		put_texts(b, "paths", indent, buf_span(&r->paths));
	if (r->websocket)
		buf_printf(b, "%s  websocket: true\n", indent);
	if (r->special && p->host[0])
		buf_printf(b, "%s  private: true\t# it led to special-purpose addresses\n", indent);
}

static void put_review(struct writing *w)
{
	enum doubt said = DOUBT_NONE;
	size_t shown = 0;

	for (enum doubt d = DOUBT_NONE + 1; d < DOUBT_NUM; d++) {
		for (size_t i = 0; i < w->count; i++) {
			if (w->rules[i].doubt != d)
				continue;
			if (!w->result->review++)
				buf_add_str(w->out, "\n  # To review: these do not hold before you "
					    "take away the \"# \" in front of them\n");
			if (shown++ >= LEARN_REVIEWS_MAX)
				continue;
			if (said != d)
				buf_printf(w->out, "\n  # %s:\n", doubts[d]);
			said = d;
			put_rule(w->l, w->out, &w->rules[i]);
		}
	}
	if (shown > LEARN_REVIEWS_MAX)
		buf_printf(w->out, "  # and %zu more\n", shown - LEARN_REVIEWS_MAX);
}

static void put_presets(struct writing *w)
{
	const struct learn *l = w->l;
	const char *before = "presets: [";

	for (size_t i = 0; i < l->o.preset_count; i++) {
		if (!l->chosen[i])
			continue;
		buf_printf(w->out, "%s\"%s\"", before, l->o.presets[i].name);
		before = ", ";
		w->result->presets++;
	}
	if (w->result->presets)
		buf_add_str(w->out, "]\n");
}

/* Types of records beyond those that are answered anyway */
static void put_dns(struct writing *w)
{
	char text[DNS_TYPE_TEXT_MAX];
	uint16_t a = 0, aaaa = 0;
	uint32_t usual;

	if (!dns_type_from(SPAN("A"), &a) || !dns_type_from(SPAN("AAAA"), &aaaa))
		return;
	usual = dns_type_bit(a) | dns_type_bit(aaaa);
	if (!(w->l->dns_types & ~usual))
		return;
	buf_add_str(w->out, "dns:\n  types: [A, AAAA");
	for (unsigned i = 0; i < DNS_TYPES_OPEN_MAX; i++) {
		uint16_t type = dns_type_open(i);

		if (type && w->l->dns_types & ~usual & dns_type_bit(type))
			buf_printf(w->out, ", %s", dns_type_text(type, text));
	}
	buf_add_str(w->out, "]\n");
}

static void put_head(struct writing *w)
{
	const struct learn_result *r = w->result;
	const struct learn *l = w->l;

	buf_printf(w->out, LEARN_MARK ": %" PRIu64 " sessions, %" PRIu64 " connections, %" PRIu64
		   " requests.\n# It allows what was done, good or bad: read it before you use it.\n",
		   r->sessions, r->connections, r->requests);
	if (r->left_out)
		buf_printf(w->out, "# Left out: %" PRIu64 " uses of what no rule can name.\n",
			   r->left_out);
	if (l->unix_sockets)
		buf_printf(w->out, "# Left out: %" PRIu64 " uses of Unix sockets (--allow-unix).\n",
			   l->unix_sockets);
	if (l->own_names)
		buf_printf(w->out, "# Left out: %" PRIu64 " uses of localhost (host_ports, publish).\n",
			   l->own_names);
	if (l->lost)
		buf_printf(w->out, "# Left out: %" PRIu64 " uses of places beyond the first %u.\n",
			   l->lost, LEARN_PLACES_MAX);
	buf_add_str(w->out, "version: 1\n");
}

static void put_rules(struct writing *w)
{
	for (size_t i = 0; i < w->count; i++)
		w->result->rules += !w->rules[i].doubt;
	/* a list without an entry would be no list */
	if (w->count)
		buf_add_str(w->out, w->result->rules ? "allow:\n" : "# allow:\n");
	for (size_t i = 0; i < w->count; i++) {
		if (w->rules[i].doubt)
			continue;
		w->result->private += w->rules[i].special;
		put_rule(w->l, w->out, &w->rules[i]);
	}
}

static void count_all(const struct learn *l, struct learn_result *r)
{
	*r = (struct learn_result){ .sessions = l->session, .left_out = l->left_out,
				   .lost = l->lost };
	for (size_t i = 0; i < l->count; i++) {
		const struct learnt *p = &l->places[i];

		if (!p->port || p->host[0] == '*')
			continue;
		r->connections += p->uses;
		r->requests += p->asked;
	}
}

bool learn_write(struct learn *l, struct buf *ret_text, struct learn_result *ret_result)
{
	struct writing w = { .l = l, .out = ret_text, .result = ret_result };
	bool ok;

	learn_event(l, NULL);
	presets_choose(l);
	places_doubt(l);
	places_join(l);
	count_all(l, ret_result);
	make_rules(&w);
	put_head(&w);
	put_presets(&w);
	put_dns(&w);
	put_rules(&w);
	put_review(&w);
	ok = !w.spent && !ret_text->full;
	for (size_t i = 0; i < w.count; i++)
		buf_done(&w.rules[i].paths);
	free(w.rules);
	return ok;
}

size_t learn_stopped(const struct learn *l, const struct policy *p, char ret_first[HOST_MAX + 16])
{
	size_t stopped = 0;

	for (size_t i = 0; i < l->count; i++) {
		const struct learnt *place = &l->places[i];
		char text[ADDR_TEXT_MAX];

		if (place->host[0] == '*' || !(place->uses || place->asked) ||
		    (place->doubt && !l->o.all) || learnt_passes(l, p, place))
			continue;
		if (!stopped++)
			snprintf(ret_first, HOST_MAX + 16, "%s:%u", place->host[0] ? place->host :
				 addr_text(&place->addr, text), place->port);
	}
	return stopped;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn.c - events in
 *
 * What counts is what was used.  A connection that was allowed is held by its number until
 * it ends: only then is it known whether requests were seen on it, and whether it ended
 * for a reason that is a denial.  A request that was allowed counts by itself.  If no
 * request was seen on a connection that carried bytes, nothing but host and port is known
 * of it (the place is "blind"), and its rule can say no more.
 */
#include "watch/learn.h"

#include <stdlib.h>

#include "audit/reader.h"
#include "base/auto.h"
#include "base/dns_type.h"
#include "policy/host.h"
#include "policy/ports.h"
#include "policy/ranges.h"
#include "watch/learnt.h"

#define SLOTS (2 * 16384)	/* more than twice LEARN_PLACES_MAX */
#define OPEN_MAX 65536		/* connections open at once that are told apart */
#define STATUS_SWITCHING 101	/* RFC 9110, 15.2.2: it was a websocket */

_Static_assert(SLOTS > 2 * LEARN_PLACES_MAX, "half of the table stays free");

struct learn *learn_new(const struct learn_options *o)
{
	struct learn *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->o = *o;
	if (l->o.preset_count > LEARN_PRESETS_MAX)
		l->o.preset_count = LEARN_PRESETS_MAX;
	l->nodes_left = LEARN_NODES_MAX;
	l->slots = calloc(SLOTS, sizeof(*l->slots));
	l->open = calloc(OPEN_MAX, sizeof(*l->open));
	if (l->slots && l->open)
		return l;
	learn_free(l);
	return NULL;
}

static void forget_places(struct learn *l)
{
	for (size_t i = 0; i < l->count; i++)
		requests_done(&l->places[i].requests);
	l->count = 0;
}

void learn_free(struct learn *l)
{
	if (!l)
		return;
	forget_places(l);
	free(l->places);
	free(l->slots);
	free(l->open);
	free(l);
}

/* ---- places ---- */

static uint64_t hash_of(const struct learn *l, const char *host, const struct addr *addr,
			uint16_t port, bool udp)
{
	struct span key = host[0] ? span_str(host) : span_of(addr->b, sizeof(addr->b));

	return hash_span(&l->o.seed, key) + 2u * port + udp;
}

static bool grow(struct learn *l)
{
	size_t size = l->size ? 2 * l->size : 64;
	struct learnt *places;

	if (l->count < l->size)
		return true;
	places = reallocarray(l->places, size, sizeof(*places));
	if (!places)
		return false;
	l->places = places;
	l->size = size;
	return true;
}

struct learnt *learnt_get(struct learn *l, const char *host, const struct addr *addr,
			  uint16_t port, bool udp)
{
	size_t at = hash_of(l, host, addr, port, udp) % SLOTS;
	struct learnt *p;

	for (; l->slots[at]; at = (at + 1) % SLOTS) {
		p = &l->places[l->slots[at] - 1];
		if (p->port == port && p->udp == udp && !strcmp(p->host, host) &&
		    (host[0] || addr_eq(&p->addr, addr)))
			return p;
	}
	if (l->count == LEARN_PLACES_MAX || !grow(l)) {
		l->lost++;
		return NULL;
	}
	p = &l->places[l->count++];
	l->slots[at] = (uint32_t)l->count;
	*p = (struct learnt){ .port = port, .udp = udp };
	span_copy(span_str(host), p->host, sizeof(p->host));
	if (!host[0])
		p->addr = *addr;
	memset(p->presets, 0xff, sizeof(p->presets));
	requests_init(&p->requests, &l->nodes_left);
	return p;
}

/* The place that an event names.  Return: NULL, and it is counted, if no rule can name it */
static struct learnt *place_of(struct learn *l, const json_t *event, struct span host,
			       uint64_t port, bool udp)
{
	char name[HOST_MAX + 1] = "";
	struct addr addr = { 0 };
	bool literal = addr_parse(host, &addr);

	if (!literal && host_is_own(host)) {
		l->own_names++;
		return NULL;
	}
	if ((!literal && !host_normal_wire(host, name)) || port > UINT16_MAX || port == 53 ||
	    port == 853 || (!port && event)) {
		l->left_out++;
		return NULL;
	}
	return learnt_get(l, name, &addr, (uint16_t)port, udp);
}

static void count_use(struct learn *l, struct learnt *p)
{
	l->uses++;
	if (!p->uses++)
		p->first = l->uses;
	if (p->session != l->session) {
		p->session = l->session;
		p->sessions++;
	}
}

/* ---- presets that cover what was seen ---- */

static bool covers(const struct learnt *p, size_t preset)
{
	return p->presets[preset / 64] >> (preset % 64) & 1;
}

static void uncover(struct learnt *p, size_t preset)
{
	p->presets[preset / 64] &= ~((uint64_t)1 << (preset % 64));
}

static void try_conn(const struct learn *l, struct learnt *p, enum said said, bool inspected)
{
	for (size_t i = 0; i < l->o.preset_count; i++)
		if (covers(p, i) && !learnt_conn_passes(l->o.presets[i].policy, p, said, inspected))
			uncover(p, i);
}

static void try_request(const struct learn *l, struct learnt *p, bool tls, struct span method,
			struct span path, bool websocket)
{
	for (size_t i = 0; i < l->o.preset_count; i++)
		if (covers(p, i) && !learnt_request_passes(l->o.presets[i].policy, p, tls, method,
							   path, websocket))
			uncover(p, i);
}

/* ---- connections ---- */

/* A connection that ended for this was not stopped by a rule */
static bool is_no_denial(struct span reason)
{
	static const enum reason fine[] = {
		REASON_ALLOWED, REASON_ALLOWED_MONITOR, REASON_ALLOWED_APPROVED,
		REASON_UPSTREAM_FAILED, REASON_RATE, REASON_QUOTA, REASON_REQUEST_SIZE, REASON_LIMIT,
	};

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		if (span_eq(reason, span_str(reason_name(fine[i]))))
			return true;
	return !reason.len;
}

/* How it ended */
struct ended {
	bool	stopped;	/* by a denial */
	bool	sent, heard;	/* bytes from the client, from the server; both if nobody knows */
	bool	told;		/* there is a record of it */
};

/* What it was, of one that was let pass before its client had spoken */
static enum said said_late(const struct open_conn *c, uint16_t port, const struct ended *e)
{
	enum said usual = port == 443 ? SAID_TLS : SAID_HTTP;

	if (c->said != SAID_TCP || c->ssh)
		return c->said;
	if (c->asked)
		return usual;
	/* on these ports nothing else is usual, and nothing else was seen */
	return (port == 443 || port == 80) && (!e->told || (!e->sent && !e->heard)) ? usual : SAID_TCP;
}

/* It is over.  What it was is known now */
static void settle(struct learn *l, struct open_conn *c, const struct ended *e)
{
	struct learnt *p = &l->places[c->place];
	enum said said = said_late(c, p->port, e);
	bool silent = (said == SAID_TLS || said == SAID_HTTP) && !e->sent;

	c->conn = 0;
	l->open_count--;
	if (!c->passed && (e->stopped || c->asked))
		return;
	p->said |= BIT(said);
	count_use(l, p);
	if (!c->asked && !silent)
		p->blind = true;
	try_conn(l, p, said, c->asked || silent);
}

static void settle_all(struct learn *l)
{
	static const struct ended unknown = { .sent = true, .heard = true };

	for (size_t i = 0; i < OPEN_MAX && l->open_count; i++)
		if (l->open[i].conn)
			settle(l, &l->open[i], &unknown);
}

static bool is_allowed(const json_t *event)
{
	return span_eq(event_text(event, "verdict"), SPAN("allow"));
}

/* Does it lead to addresses that not everybody has?  Of several one is enough */
static void look_at_address(struct learnt *p, const struct addr *a)
{
	const struct range *r = range_of(a);
	struct addr inner[ADDR_INSIDE_MAX];
	unsigned count = addr_inside(a, inner);

	if (r->kind != RANGE_PUBLIC)
		p->special = true;
	if (r->kind > RANGE_SPECIAL)
		p->own = true;
	for (unsigned i = 0; i < count; i++) {
		r = range_of(&inner[i]);
		p->special |= r->kind != RANGE_PUBLIC;
		p->own |= r->kind > RANGE_SPECIAL;
	}
}

static void look_at_addresses(struct learnt *p, const json_t *ips)
{
	const json_t *ip;
	struct addr a;
	size_t i;

	if (!p->host[0])
		look_at_address(p, &p->addr);
	json_array_foreach(ips, i, ip)
		if (addr_parse(span_of(json_string_value(ip), json_string_length(ip)), &a))
			look_at_address(p, &a);
}

/* Return: SAID_NUM if it is none of ours */
static enum said said_by(struct span proto)
{
	static const struct {
		const char	*name;
		enum said	 said;
	} protos[] = {
		{ "tcp", SAID_TCP }, { "ssh", SAID_TCP }, { "tls", SAID_TLS }, { "http", SAID_HTTP },
		{ "udp", SAID_UDP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (span_eq(proto, span_str(protos[i].name)))
			return protos[i].said;
	return SAID_NUM;
}

static void conn_open(struct learn *l, const json_t *event)
{
	struct span proto = event_text(event, "proto");
	uint64_t conn = event_uint(event, "conn");
	struct open_conn *c = &l->open[conn % OPEN_MAX];
	enum said said = said_by(proto);
	struct learnt *p;

	if (!is_allowed(event))
		return;
	if (span_eq(proto, SPAN("unix"))) {
		l->unix_sockets++;
		return;
	}
	if (said == SAID_NUM || !conn) {
		l->left_out++;
		return;
	}
	p = place_of(l, event, event_text(event, "host"), event_uint(event, "port"),
		     said == SAID_UDP);
	if (!p)
		return;
	look_at_addresses(p, json_object_get(event, "ips"));
	/* what is so old and still open is taken for used */
	if (c->conn)
		settle(l, c, &(struct ended){ .sent = true, .heard = true });
	l->open_count++;
	*c = (struct open_conn){
		.conn = conn, .place = (uint32_t)(p - l->places), .said = said,
		.ssh = span_eq(proto, SPAN("ssh")),
	};
}

static struct open_conn *conn_of(struct learn *l, const json_t *event)
{
	uint64_t conn = event_uint(event, "conn");
	struct open_conn *c = &l->open[conn % OPEN_MAX];

	return conn && c->conn == conn ? c : NULL;
}

static void conn_close(struct learn *l, const json_t *event)
{
	struct open_conn *c = conn_of(l, event);
	enum said said = said_by(event_text(event, "proto"));
	const struct ended e = {
		.stopped = !is_no_denial(event_text(event, "reason")),
		.sent = event_uint(event, "bytes_out"), .heard = event_uint(event, "bytes_in"),
		.told = true,
	};

	if (!c)
		return;
	/* it was let pass before its client had spoken */
	if (c->said == SAID_TCP && said < SAID_UDP)
		c->said = said;
	settle(l, c, &e);
}

/* ---- requests ---- */

/* A name that the policy takes for a method, and no more than that */
static bool is_method(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.at[i];

		if (!(c >= 'A' && c <= 'Z') && (!i || (!(c >= '0' && c <= '9') && c != '-' && c != '_')))
			return false;
	}
	return s.len && s.len <= LEARN_METHOD_BYTES;
}

/* Its bit; 0: it is no method, or there are too many */
static uint32_t method_bit(struct learn *l, struct span name)
{
	size_t i = 0;

	if (!is_method(name))
		return 0;
	while (i < l->method_count && !span_eq(name, span_str(l->methods[i])))
		i++;
	if (i == LEARN_METHODS_MAX)
		return 0;
	if (i == l->method_count)
		span_copy(name, l->methods[l->method_count++], sizeof(l->methods[i]));
	return BIT(i);
}

/* A push begins with a GET that only its query tells from a fetch's: to rules it is a POST too */
static void add_push(struct learn *l, struct learnt *p, struct span path)
{
	const struct span service = SPAN("/git-receive-pack");
	struct buf text = buf_new(RECORD_TEXT_MAX + 64);

	if (span_ends(path, service)) {
		buf_add(&text, path.at, path.len - service.len);
		buf_add_str(&text, "/info/refs");
		requests_add(&p->requests, method_bit(l, SPAN("POST")), buf_span(&text));
	}
	buf_done(&text);
}

static void http(struct learn *l, const json_t *event)
{
	struct open_conn *c = conn_of(l, event);
	struct span method = event_text(event, "method"), path = event_text(event, "path");
	bool websocket = event_uint(event, "status") == STATUS_SWITCHING;
	struct learnt *p;
	uint32_t bit;

	if (c)
		c->asked = true;
	if (!is_allowed(event))
		return;
	p = c ? &l->places[c->place]
	      : place_of(l, event, event_text(event, "host"), event_uint(event, "port"), false);
	/* no gate says so of a datagram's */
	bit = p && !p->udp ? method_bit(l, method) : 0;
	if (!bit) {
		l->left_out += p != NULL;
		return;
	}
	if (c)
		c->passed = true;
	else
		p->said |= BIT(p->port == 443 ? SAID_TLS : SAID_HTTP);
	p->asked++;
	p->websocket |= websocket;
	requests_add(&p->requests, bit, path);
	add_push(l, p, path);
	try_request(l, p, c ? c->said == SAID_TLS || p->port == 443 : p->port != 80, method, path,
		    websocket);
}

/* ---- names ---- */

static void dns_query(struct learn *l, const json_t *event)
{
	struct learnt *p;
	uint16_t type;

	if (!is_allowed(event))
		return;
	p = place_of(l, NULL, event_text(event, "name"), 0, false);
	if (!p)
		return;
	count_use(l, p);
	if (dns_type_from(event_text(event, "type"), &type))
		l->dns_types |= dns_type_bit(type);
	for (size_t i = 0; i < l->o.preset_count; i++)
		if (covers(p, i) && !learnt_name_passes(l->o.presets[i].policy, p->host, 0))
			uncover(p, i);
}

/* ---- sessions ---- */

static void session_start(struct learn *l, const json_t *event)
{
	(void)event;
	settle_all(l);
	if (l->o.last) {
		forget_places(l);
		memset(l->slots, 0, SLOTS * sizeof(*l->slots));
		l->uses = l->left_out = l->lost = l->unix_sockets = l->own_names = 0;
		l->session = l->dns_types = 0;
	}
	l->session++;
}

static const struct {
	const char	*name;
	void		(*take)(struct learn *l, const json_t *event);
} kinds[] = {
	{ "session.start", session_start },
	{ "dns.query", dns_query },
	{ "conn.open", conn_open },
	{ "conn.close", conn_close },
	{ "http", http },
};

void learn_event(struct learn *l, const json_t *event)
{
	struct span name = event_text(event, "event");

	if (!event) {
		settle_all(l);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (span_eq(name, span_str(kinds[i].name)))
			kinds[i].take(l, event);
}

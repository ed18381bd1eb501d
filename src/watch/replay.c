/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/replay.h"

#include <stdlib.h>

#include "audit/reader.h"
#include "base/auto.h"
#include "base/dns_type.h"
#include "base/json.h"
#include "policy/host.h"
#include "policy/path.h"

#define SLOTS 65536		/* more than twice the rows */
#define STATUS_SWITCHING 101	/* RFC 9110, 15.2.2: it was a websocket */

_Static_assert(SLOTS > 2 * REPLAY_ROWS_MAX, "half of the table stays free");

/* One that was let pass before its client spoke: what it is comes with its end */
struct replay_open {
	uint64_t	 conn;
	json_t		*event;		/* its conn.open, held; NULL: none */
	bool		 asked;		/* a request was seen on it */
};

bool replay_init(struct replay *r, const struct policy *p, const struct seed *seed)
{
	*r = (struct replay){ .policy = p, .seed = *seed };
	r->slots = calloc(SLOTS, sizeof(*r->slots));
	r->open = calloc(REPLAY_OPEN_MAX, sizeof(*r->open));
	return r->slots && r->open;
}

void replay_done(struct replay *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->rows[i].target);
	for (size_t i = 0; r->open && i < REPLAY_OPEN_MAX; i++)
		json_decref(r->open[i].event);
	free(r->open);
	free(r->rows);
	free(r->slots);
	*r = (struct replay){ .policy = NULL };
}

/* ---- rows ---- */

static bool grow(struct replay *r)
{
	size_t size = r->size ? 2 * r->size : 64;
	struct replay_row *rows;

	if (r->count < r->size)
		return true;
	rows = reallocarray(r->rows, size, sizeof(*rows));
	if (!rows)
		return false;
	r->rows = rows;
	r->size = size;
	return true;
}

static bool is_same(const struct replay_row *a, const struct replay_row *b)
{
	return a->old == b->old && a->now == b->now && a->old_reason == b->old_reason &&
	       a->reason == b->reason && a->rule == b->rule &&
	       span_eq(span_of(a->target, a->target_len), span_of(b->target, b->target_len));
}

/* @row: borrowed, as its target is */
static void add_row(struct replay *r, const struct replay_row *row, bool changed)
{
	size_t at = hash_span(&r->seed, span_of(row->target, row->target_len)) % SLOTS;
	struct replay_row *known;

	for (; r->slots[at]; at = (at + 1) % SLOTS) {
		known = &r->rows[r->slots[at] - 1];
		if (is_same(known, row)) {
			known->count++;
			known->redacted |= row->redacted;
			return;
		}
	}
	if (r->count == REPLAY_ROWS_MAX || !grow(r)) {
		r->others += changed;
		return;
	}
	known = &r->rows[r->count];
	*known = *row;
	known->count = 1;
	known->target = malloc(row->target_len + 1);
	if (!known->target) {
		r->others += changed;
		return;
	}
	memcpy(known->target, row->target, row->target_len);
	known->target[row->target_len] = '\0';
	r->slots[at] = (uint32_t)++r->count;
}

/* ---- what the log says of a verdict ---- */

/* Reasons that a policy gives by itself, for what a record tells */
static bool is_of_policy(enum reason reason)
{
	switch (reason) {
	case REASON_ALLOWED: case REASON_ALLOWED_MONITOR: case REASON_ALLOWED_APPROVED:
	case REASON_NO_RULE: case REASON_DENY_RULE: case REASON_CATEGORY: case REASON_IP_LIST:
	case REASON_HOST_LIST: case REASON_CEILING: case REASON_MODE: case REASON_PORT:
	case REASON_PROTOCOL: case REASON_METHOD: case REASON_PATH:
	case REASON_INSPECTION_REQUIRED: case REASON_EXPIRED: case REASON_SPECIAL_ADDRESS:
	case REASON_IP_LITERAL: case REASON_DNS_TYPE: case REASON_APPROVAL_DENIED:
	case REASON_APPROVAL_TIMEOUT:
		return true;
	default:
		return false;
	}
}

/* Return: false, and it is counted, if there is nothing to ask */
static bool read_old(struct replay *r, const json_t *event, struct replay_row *row)
{
	struct span verdict = event_text(event, "verdict");

	row->old = span_eq(verdict, SPAN("allow")) ? REPLAYED_ALLOW : REPLAYED_DENY;
	row->old_reason = reason_from_name(event_text(event, "reason"));
	row->rule = RULE_NONE;
	if (row->old == REPLAYED_DENY && !span_eq(verdict, SPAN("deny"))) {
		r->unknown++;
		return false;
	}
	if (row->old_reason == REASON_NUM || !is_of_policy(row->old_reason)) {
		r->beyond++;
		return false;
	}
	return true;
}

static void put(struct replay *r, struct replay_row *row, const struct verdict *v, struct buf *target)
{
	bool changed;

	row->now = v->answer == ANSWER_ALLOW ? REPLAYED_ALLOW :
		   v->answer == ANSWER_ASK ? REPLAYED_ASK : REPLAYED_DENY;
	row->reason = v->reason;
	row->rule = v->rule;
	row->target = (char *)target->at;
	row->target_len = target->len;
	changed = replay_row_changed(row);
	r->asked++;
	r->redacted += row->redacted;
	r->changed += changed;
	r->now_denied += row->old != row->now && row->now == REPLAYED_DENY;
	r->now_asks += row->old != row->now && row->now == REPLAYED_ASK;
	r->now_allowed += row->old != row->now && row->now == REPLAYED_ALLOW;
	if (changed || r->all)
		add_row(r, row, changed);
}

/* ---- questions ---- */

/* A destination of an event, and room for what its question borrows */
struct asked {
	char		 host[HOST_MAX + 1];	/* "": @q.addr */
	char		 addr_text[ADDR_TEXT_MAX];
	struct question	 q;
};

static bool read_place(const json_t *event, struct asked *a)
{
	struct span host = event_text(event, "host");
	uint64_t port = event_uint(event, "port");

	a->q = (struct question){ .about = ABOUT_CONN };
	a->host[0] = '\0';
	if (!addr_parse(host, &a->q.addr) && !host_normal_wire(host, a->host))
		return false;
	a->q.host = span_str(a->host);
	a->q.port = (uint16_t)port;
	if (!a->host[0])
		addr_text(&a->q.addr, a->addr_text);
	return port > 0 && port <= UINT16_MAX;
}

static void say(struct asked *a, enum seen seen)
{
	a->q.seen = seen;
	if (seen == SEEN_TLS) {
		a->q.has_sni = a->host[0];
		a->q.sni = a->q.host;
	}
	if (seen == SEEN_HTTP || seen == SEEN_UPGRADE)
		a->q.http_host = a->host[0] ? a->q.host : span_str(a->addr_text);
}

static enum seen seen_by(struct span proto)
{
	return span_eq(proto, SPAN("tls")) ? SEEN_TLS : span_eq(proto, SPAN("http")) ? SEEN_HTTP :
	       SEEN_OTHER;
}

/* As the data path asks; requests are records of their own, and asked there */
static struct verdict ask_conn(const struct policy *p, struct asked *a, enum seen seen,
			       bool *ret_inside)
{
	struct verdict v;

	a->q.any_request = true;
	v = policy_decide(p, &a->q);
	if (v.answer != ANSWER_NEED && !(v.answer == ANSWER_ALLOW && v.watch))
		return v;
	say(a, seen);
	v = policy_decide(p, &a->q);
	*ret_inside = (seen == SEEN_TLS && policy_inspects(p, &a->q, &v)) || v.depends;
	return v;
}

/* Would any of the addresses that it could have gone to be left? */
static void ask_addresses(const struct policy *p, const struct asked *a, const json_t *ips,
			  struct verdict *v)
{
	static const struct place nowhere;
	enum reason reason = REASON_ALLOWED;
	const json_t *ip;
	struct addr addr;
	size_t i;

	if (!a->host[0])
		reason = policy_address(p, &a->q, v, &nowhere, &a->q.addr);
	else
		json_array_foreach(ips, i, ip) {
			if (!addr_parse(span_of(json_string_value(ip), json_string_length(ip)), &addr))
				continue;
			reason = policy_address(p, &a->q, v, &nowhere, &addr);
			if (reason == REASON_ALLOWED)
				return;
		}
	if (reason != REASON_ALLOWED)
		*v = (struct verdict){ .answer = ANSWER_DENY, .reason = reason, .rule = RULE_NONE };
}

static void put_place(struct buf *b, const struct asked *a)
{
	bool v6 = !a->host[0] && strchr(a->addr_text, ':');

	buf_printf(b, "%s%s%s", v6 ? "[" : "", a->host[0] ? a->host : a->addr_text, v6 ? "]" : "");
}

/* ---- events ---- */

static void ask_open(struct replay *r, const json_t *event, enum seen seen)
{
	struct span proto = event_text(event, "proto");
	struct buf target = buf_new(REPLAY_TARGET_MAX);
	bool udp = span_eq(proto, SPAN("udp")), inside = false;
	struct replay_row row = { .count = 1 };
	struct verdict v;
	struct asked a;

	if (!read_old(r, event, &row))
		return;
	/* its request has a record of its own */
	if (row.old == REPLAYED_DENY && span_eq(proto, SPAN("http")))
		return;
	if (span_eq(proto, SPAN("unix")) || !read_place(event, &a)) {
		r->unknown++;
		return;
	}
	a.q.transport = udp ? TRANSPORT_UDP : TRANSPORT_TCP;
	a.q.now_s = r->now_s;
	v = ask_conn(r->policy, &a, seen, &inside);
	if (v.answer == ANSWER_ALLOW)
		ask_addresses(r->policy, &a, json_object_get(event, "ips"), &v);
	r->inside += inside && v.answer == ANSWER_ALLOW;
	put_place(&target, &a);
	buf_printf(&target, ":%u%s", a.q.port, udp ? "/udp" : "");
	put(r, &row, &v, &target);
	buf_done(&target);
}

/* @close: its end, or NULL: nobody has written that */
static void settle(struct replay *r, struct replay_open *o, const json_t *close)
{
	struct span proto = event_text(close, "proto");
	uint64_t port = event_uint(o->event, "port");
	bool silent = !close || !(event_uint(close, "bytes_out") || event_uint(close, "bytes_in"));
	enum seen usual = port == 443 ? SEEN_TLS : SEEN_HTTP;

	if (proto.len)
		ask_open(r, o->event, seen_by(proto));
	else
		ask_open(r, o->event, o->asked || (silent && (port == 443 || port == 80)) ? usual
									: SEEN_OTHER);
	json_decref(o->event);
	*o = (struct replay_open){ .conn = 0 };
}

static void settle_all(struct replay *r)
{
	for (size_t i = 0; i < REPLAY_OPEN_MAX; i++)
		if (r->open[i].event)
			settle(r, &r->open[i], NULL);
}

static void session_start(struct replay *r, json_t *event)
{
	(void)event;
	settle_all(r);
}

static struct replay_open *open_of(struct replay *r, const json_t *event)
{
	uint64_t conn = event_uint(event, "conn");
	struct replay_open *o = &r->open[conn % REPLAY_OPEN_MAX];

	return o->event && o->conn == conn ? o : NULL;
}

static void conn_open(struct replay *r, json_t *event)
{
	struct replay_open *o = &r->open[event_uint(event, "conn") % REPLAY_OPEN_MAX];
	struct span proto = event_text(event, "proto");

	if (!span_eq(proto, SPAN("tcp")) || !span_eq(event_text(event, "verdict"), SPAN("allow"))) {
		ask_open(r, event, seen_by(proto));
		return;
	}
	if (o->event)
		settle(r, o, NULL);
	*o = (struct replay_open){ .conn = event_uint(event, "conn"), .event = json_incref(event) };
}

static void conn_close(struct replay *r, json_t *event)
{
	struct replay_open *o = open_of(r, event);

	if (o)
		settle(r, o, event);
}

/* A segment that the log made unreadable, or an end that it cut off */
static bool is_redacted(struct span path)
{
	for (struct span rest = path; rest.len; rest = span_skip(rest, 1))
		if (span_starts(rest, SPAN("/***")))
			return true;
	return span_ends(path, SPAN("..."));
}

/* Nobody has written whether it was inside of TLS: one of the two suits the port's rules */
static struct verdict ask_request(const struct policy *p, struct asked *a)
{
	struct verdict v;

	a->q.inspected = a->q.port == 443;
	v = policy_decide(p, &a->q);
	if (v.answer != ANSWER_DENY || v.reason != REASON_PROTOCOL)
		return v;
	a->q.inspected = !a->q.inspected;
	return policy_decide(p, &a->q);
}

static void http(struct replay *r, json_t *event)
{
	struct replay_open *o = open_of(r, event);
	struct span method = event_text(event, "method"), path = event_text(event, "path");
	struct buf target = buf_new(REPLAY_TARGET_MAX);
	struct replay_row row = { .redacted = is_redacted(path) };
	struct verdict v;
	struct asked a;

	if (o)
		o->asked = true;
	if (!read_old(r, event, &row))
		return;
	if (!read_place(event, &a)) {
		r->unknown++;
		return;
	}
	if (span_eq(path, SPAN("***"))) {
		r->pathless++;
		return;
	}
	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] == '?' || path.at[i] == '#')
			path = span_head(path, i);
	a.q.now_s = r->now_s;
	a.q.websocket = event_uint(event, "status") == STATUS_SWITCHING;
	say(&a, a.q.websocket ? SEEN_UPGRADE : SEEN_HTTP);
	a.q.method = method;
	a.q.path = path;
	a.q.any_credential = true;
	v = ask_request(r->policy, &a);
	buf_add_span(&target, span_head(method, 32));
	buf_printf(&target, " %s://", a.q.inspected ? "https" : "http");
	put_place(&target, &a);
	if (a.q.port != (a.q.inspected ? 443 : 80))
		buf_printf(&target, ":%u", a.q.port);
	buf_add_span(&target, span_head(path, REPLAY_TARGET_MAX - target.len));
	put(r, &row, &v, &target);
	buf_done(&target);
}

static void dns_query(struct replay *r, json_t *event)
{
	struct buf target = buf_new(REPLAY_TARGET_MAX);
	struct question q = { .about = ABOUT_NAME, .now_s = r->now_s };
	struct replay_row row = { .count = 1 };
	char host[HOST_MAX + 1], text[DNS_TYPE_TEXT_MAX];
	struct verdict v;

	if (!read_old(r, event, &row))
		return;
	if (!host_normal_wire(event_text(event, "name"), host) ||
	    !dns_type_from(event_text(event, "type"), &q.dns_type)) {
		r->unknown++;
		return;
	}
	q.host = span_str(host);
	v = policy_decide(r->policy, &q);
	buf_printf(&target, "dns:%s/%s", host, dns_type_text(q.dns_type, text));
	put(r, &row, &v, &target);
	buf_done(&target);
}

static void denials(struct replay *r, json_t *event)
{
	if (__builtin_add_overflow(r->folded, event_uint(event, "count"), &r->folded))
		r->folded = UINT64_MAX;
}

static const struct {
	const char	*name;
	void		(*take)(struct replay *r, json_t *event);
} kinds[] = {
	{ "session.start", session_start }, { "dns.query", dns_query }, { "conn.open", conn_open },
	{ "conn.close", conn_close }, { "http", http }, { "denials", denials },
};

void replay_event(struct replay *r, json_t *event)
{
	struct span name = event_text(event, "event");

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (span_eq(name, span_str(kinds[i].name)))
			kinds[i].take(r, event);
}

static int by_weight(const void *left, const void *right)
{
	const struct replay_row *a = left, *b = right;
	bool same_a = a->old == a->now, same_b = b->old == b->now;
	int order = same_a - same_b;

	if (!order)
		order = (int)b->now - (int)a->now;
	if (!order)
		order = memcmp(a->target, b->target,
			       a->target_len < b->target_len ? a->target_len : b->target_len);
	return order ? order : (a->target_len > b->target_len) - (a->target_len < b->target_len);
}

void replay_end(struct replay *r)
{
	settle_all(r);
	if (r->count)
		qsort(r->rows, r->count, sizeof(*r->rows), by_weight);
}

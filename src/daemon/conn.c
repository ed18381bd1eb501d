/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.c - the keeper's side of a connection
 *
 *	asked      facts came from the gate; the name is being resolved
 *	recorded   conn.open with verdict allow is appended; waits for the write
 *	dialling   the record is written; connect(2) is under way
 *	open       the gate has the socket; ends with its GATE_CLOSED
 *
 * A denied connection is recorded and answered; nothing is kept of it.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/json.h"
#include "daemon/approvals.h"
#include "daemon/clock.h"
#include "daemon/conn.h"
#include "daemon/denial.h"
#include "daemon/notice.h"
#include "jail/jail.h"
#include "policy/guest.h"
#include "policy/explain.h"

#define TAIL_MAX (2 * TALK_HOST_MAX + TALK_ALPN_MAX + TALK_METHOD_MAX + TALK_PATH_MAX + \
		  TALK_DIGESTS)

static struct span cut(struct span *tail, size_t len)
{
	struct span s = span_head(*tail, len);

	*tail = span_skip(*tail, s.len);
	return s;
}

struct socket_key conn_asker(const struct talk_ask *a)
{
	return (struct socket_key){
		.client = a->client, .client_port = a->door == DOOR_PUBLISH ? 0 : a->client_port,
		.server = a->addr, .server_port = a->port,
		.transport = (enum transport)a->transport,
	};
}

bool conn_told_read(const struct talk_ask *a, struct span tail, struct told *t)
{
	size_t len = (size_t)a->sni_len + a->alpn_len + a->host_len + a->method_len + a->path_len +
		     (a->credentials ? TALK_DIGESTS : 0);

	if (a->transport > TRANSPORT_UDP || a->seen > SEEN_MALFORMED || a->door >= DOOR_NUM ||
	    len != tail.len || a->sni_len > TALK_HOST_MAX || a->alpn_len > TALK_ALPN_MAX ||
	    a->host_len > TALK_HOST_MAX || a->method_len > TALK_METHOD_MAX)
		return false;
	if (!limited_is_valid(a))
		return false;
	/* The policy's own maps are of TCP ports */
	if ((a->door == DOOR_HOST_PORT || a->door == DOOR_PUBLISH) && a->transport != TRANSPORT_TCP)
		return false;
	t->ask = a;
	t->sni = cut(&tail, a->sni_len);
	t->alpn = cut(&tail, a->alpn_len);
	t->host = cut(&tail, a->host_len);
	t->method = cut(&tail, a->method_len);
	t->path = cut(&tail, a->path_len);
	t->digests = tail;
	t->from = conn_asker(a);
	return true;
}

static struct conn **bucket_of(struct keeper *k, uint32_t ref)
{
	return &k->bucket[(ref ^ ref >> 14) % CONN_BUCKETS];
}

struct conn *conn_find(struct keeper *k, uint32_t ref)
{
	struct conn *c = *bucket_of(k, ref);

	while (c && c->ref != ref)
		c = c->next;
	return c;
}

void conn_unlink(struct conn *c)
{
	struct conn **at = bucket_of(c->keeper, c->ref);

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->keeper->conn_held--;
	for (at = &c->keeper->to_dial; *at; at = &(*at)->next_dial) {
		if (*at != c)
			continue;
		*at = c->next_dial;
		if (c->keeper->to_dial_end == &c->next_dial)
			c->keeper->to_dial_end = at;
		break;
	}
}

void conn_free(struct conn *c)
{
	if (!c)
		return;
	if (c->resolving) {
		c->gone = true;		/* freed when the answer comes */
		return;
	}
	if (c->dial)
		dial_cancel(c->dial);
	c->keeper->notice.open -= c->near >= 0;
	DROP_FD(c->near);
	buf_done(&c->tail);
	free(c);
}

struct span conn_host(const struct conn *c)
{
	return c->host == BINDING_NONE ? (struct span){ 0 } :
	       binding_host(c->keeper->bindings, c->host);
}

/* As the log names it */
static struct span shown_host(const struct conn *c)
{
	if (c->door == DOOR_NOTICE)
		return SPAN(NOTICE_HOST);
	return c->door == DOOR_HOST_PORT || c->door == DOOR_PUBLISH ? SPAN("localhost")
								    : conn_host(c);
}

static const char *proto_of(const struct talk_ask *a)
{
	if (a->transport == TRANSPORT_UDP)
		return "udp";
	if (a->seen == SEEN_TLS)
		return "tls";
	if (a->seen == SEEN_HTTP || (a->seen == SEEN_UPGRADE && a->method_len))
		return "http";
	return a->ssh ? "ssh" : "tcp";
}

struct question conn_question_of(struct keeper *k, const struct told *t, uint32_t host)
{
	struct question q = {
		.about = ABOUT_CONN, .addr = t->ask->addr, .port = t->ask->port,
		.transport = (enum transport)t->ask->transport, .seen = (enum seen)t->ask->seen,
		.has_sni = t->ask->flags & TALK_HAS_SNI, .ech = t->ask->flags & TALK_ECH,
		.sni = t->sni, .http_host = t->host, .http_port = t->ask->host_port,
		.method = t->method, .overrides = t->ask->flags & TALK_OVERRIDES,
		.pushes = t->ask->flags & TALK_PUSHES, .path = t->path, .body_bytes = t->ask->body_bytes,
		.websocket = t->ask->flags & TALK_WEBSOCKET, .credentials = t->ask->credentials,
		.digests = (const void *)t->digests.at,
		/* what is denied anyway: its head is not told again */
		.any_credential = t->ask->limited != REASON_ALLOWED, .now_s = time(NULL),
	};

	if (host != BINDING_NONE)
		q.host = binding_host(k->bindings, host);
	else if (notice_is_at(k, &q.addr))
		q.host = SPAN(NOTICE_HOST);
	approval_standing(k, &q);
	return q;
}

/* ---- denying ---- */

void conn_tell_denied(struct keeper *k, uint32_t ref, const struct question *q,
			const struct verdict *v, bool dialled)
{
	struct talk_deny d = { .reason = (uint8_t)v->reason, .dialled = dialled,
			       .status = denial_status(v->reason),
			       .inspect = dialled && q->inspected };
	struct buf body = buf_new(TALK_BODY_MAX);

	/* a proxy's client is told so in HTTP, whatever it wanted to speak */
	if (q->seen == SEEN_HTTP || q->websocket || d.inspect || k->cooperative)
		denial_body(&body, k, q, v);
	keeper_tell(k, KEEPER_DENY, ref, &d, sizeof(d), buf_span(&body), -1);
	buf_done(&body);
}

static void record_open(struct keeper *k, const struct told *t, const struct question *q,
			const struct verdict *v, struct audit_conn *e)
{
	e->conn = ++k->conn_count;
	e->host = q->host;
	e->literal = q->addr;
	e->port = q->port;
	e->verdict = v->answer == ANSWER_ALLOW ? ANSWER_ALLOW : ANSWER_DENY;
	e->reason = v->reason;
	e->rule = keeper_rule(k, v);
	e->process = keeper_process(k, &t->from, e->verdict, e->reason);
	audit_conn_open(k->audit, e);
}

static void note_denied(struct keeper *k, const struct question *q, const struct verdict *v,
			const struct addr *refused)
{
	struct denied d = {
		.host = q->host, .addr = refused ? refused : &q->addr, .port = q->port,
		.transport = q->transport, .reason = v->reason, .times = 1,
	};

	keeper_denied(k, &d, v->rule);
}

/* A request that was refused before or on a connection; it was answered by the gate */
static void record_request(struct keeper *k, uint64_t conn, const struct told *t,
			   const struct question *q, const struct verdict *v)
{
	struct audit_http e = {
		.conn = conn, .host = t->host, .method = t->method, .path = t->path,
		.port = q->port, .status = denial_status(v->reason), .verdict = ANSWER_DENY, .reason = v->reason,
		.rule = keeper_rule(k, v),
	};

	audit_http_done(k->audit, &e);
}

void conn_deny(struct keeper *k, uint32_t ref, const struct told *t, const struct question *q,
	       const struct verdict *v, const struct addr *refused)
{
	struct audit_conn e = {
		.proto = proto_of(t->ask), .has_sni = q->has_sni, .sni = t->sni, .alpn = t->alpn,
	};

	/* what the start-up probe is refused is no event: the session has not begun */
	if (!k->probing) {
		record_open(k, t, q, v, &e);
		if (t->method.len)
			record_request(k, k->conn_count, t, q, v);
		note_denied(k, q, v, refused);
	}
	if (ref != UINT32_MAX)
		conn_tell_denied(k, ref, q, v, false);
	keeper_stir(k);
}

/* ---- allowing ---- */

size_t conn_told_max(void)
{
	return TAIL_MAX;
}

void conn_told_keep(const struct told *t, struct buf *tail)
{
	buf_add_span(tail, t->sni);
	buf_add_span(tail, t->alpn);
	buf_add_span(tail, t->host);
	buf_add_span(tail, t->method);
	buf_add_span(tail, t->path);
	buf_add_span(tail, t->digests);
}

/* What was told of it, for the day that the policy changes */
static bool conn_keep(struct conn *c, const struct told *t)
{
	buf_clear(&c->tail);
	conn_told_keep(t, &c->tail);
	return !c->tail.full;
}

struct conn *conn_new(struct keeper *k, uint32_t ref, const struct told *t, uint32_t host,
			     const struct verdict *v)
{
	struct conn *c = k->conn_held < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	*c = (struct conn){
		.next = *bucket_of(k, ref), .keeper = k, .ref = ref, .host = host,
		.literal = t->ask->addr, .verdict = *v, .since_ms = clock_ms(),
		.seen = t->ask->seen, .door = t->ask->door, .proto = proto_of(t->ask), .near = -1,
		.ask = *t->ask, .tail = buf_new(TAIL_MAX), .from = t->from,
		.permit = { .port = t->ask->port, .transport = (enum transport)t->ask->transport },
	};
	if (!conn_keep(c, t)) {
		buf_done(&c->tail);
		free(c);
		return NULL;
	}
	*bucket_of(k, ref) = c;
	k->conn_held++;
	return c;
}

struct told conn_told(const struct conn *c)
{
	struct told t;

	if (!conn_told_read(&c->ask, buf_span(&c->tail), &t))
		t = (struct told){ .ask = &c->ask };
	t.from = c->from;
	return t;
}

struct question conn_question(const struct conn *c)
{
	struct told t = conn_told(c);
	struct question q = conn_question_of(c->keeper, &t, c->host);

	q.addr = c->literal;
	q.port = c->permit.port;
	q.proxy_status = c->proxy_status;
	q.inspected = c->inspect;
	q.tls_words = c->words;
	approval_of_conn(c, &q);
	return q;
}

/* Append conn.open; dial once it is written */
void conn_record(struct conn *c)
{
	struct keeper *k = c->keeper;
	struct question q = conn_question(c);
	struct told t = conn_told(c);
	struct audit_conn e = {
		.ips = c->permit.addrs, .ip_count = c->permit.count, .proto = c->proto,
		.has_sni = q.has_sni, .sni = t.sni, .alpn = t.alpn,
	};

	q.host = shown_host(c);
	record_open(k, &t, &q, &c->verdict, &e);
	c->number = k->conn_count;
	c->next_dial = NULL;
	*k->to_dial_end = c;
	k->to_dial_end = &c->next_dial;
	keeper_stir(k);
}

void conn_refuse(struct conn *c, enum reason reason, const struct addr *refused)
{
	struct keeper *k = c->keeper;
	struct question q = conn_question(c);
	struct told t = conn_told(c);
	struct audit_conn e = {
		.proto = c->proto, .has_sni = q.has_sni, .sni = t.sni, .alpn = t.alpn,
	};

	c->verdict.answer = ANSWER_DENY;
	c->verdict.reason = reason;
	record_open(k, &t, &q, &c->verdict, &e);
	if (t.method.len)
		record_request(k, k->conn_count, &t, &q, &c->verdict);
	note_denied(k, &q, &c->verdict, refused);
	conn_tell_denied(k, c->ref, &q, &c->verdict, false);
	conn_unlink(c);
	conn_free(c);
	keeper_stir(k);
}

bool conn_resolved(struct conn *c)
{
	c->resolving = false;
	if (!c->gone && !c->keeper->closed)
		return true;
	if (!c->gone)
		conn_unlink(c);
	conn_free(c);
	return false;
}

static void on_resolved(void *arg, const struct resolution *r)
{
	struct conn *c = arg;
	struct question q;
	enum reason reason;
	struct addr refused;
	bool usable;

	if (!conn_resolved(c))
		return;
	q = conn_question(c);
	usable = keeper_usable(c->keeper, &q, &c->verdict, r, &c->permit, &reason, &refused);
	if (usable)
		conn_reach(c, &q);
	else
		conn_refuse(c, reason, reason == REASON_SPECIAL_ADDRESS ? &refused : NULL);
}

void conn_allow(struct conn *c)
{
	struct keeper *k = c->keeper;
	struct question q = conn_question(c);
	const struct place *place;
	enum reason reason;

	if (c->host != BINDING_NONE) {
		c->resolving = true;
		resolve_ask(k->resolve, q.host, on_resolved, c);
		return;
	}
	place = place_now(&k->place, clock_ms());
	reason = place ? policy_address(k->policy, &q, &c->verdict, place, &c->literal)
		       : REASON_SPECIAL_ADDRESS;
	if (reason != REASON_ALLOWED) {
		conn_refuse(c, reason, NULL);
		return;
	}
	c->permit.addrs[0] = c->literal;
	c->permit.count = 1;
	conn_reach(c, &q);
}

/* A client that went before it said a word: allowed, recorded, nothing dialled */
static void conn_empty(struct conn *c)
{
	const struct talk_pass pass = { 0 };
	struct keeper *k = c->keeper;
	struct question q = conn_question(c);
	struct told t = conn_told(c);
	struct audit_conn e = { .proto = c->proto };

	q.host = shown_host(c);
	record_open(k, &t, &q, &c->verdict, &e);
	c->number = k->conn_count;
	c->empty = true;
	keeper_tell(k, KEEPER_PASS, c->ref, &pass, sizeof(pass), (struct span){ 0 }, -1);
	keeper_stir(k);
}

/* ---- doors that lead elsewhere than to the network ---- */

static const struct port_map *map_find(const struct port_map *maps, size_t count, uint16_t inside)
{
	for (size_t i = 0; i < count; i++)
		if (maps[i].inside == inside)
			return &maps[i];
	return NULL;
}

static bool is_spared(const struct keeper *k, uint16_t port)
{
	for (size_t i = 0; i < ARRAY_SIZE(k->spared); i++)
		if (k->spared[i] == port)
			return true;
	return false;
}

/* host_ports and publish: the policy's own maps are the permission */
static bool mapped(struct keeper *k, const struct talk_ask *a, struct addr *ret_addr,
		   uint16_t *ret_port)
{
	struct policy_settings s = policy_settings(k->policy);
	const struct port_map *m;

	*ret_addr = addr_v4(INADDR_LOOPBACK);
	if (a->door == DOOR_HOST_PORT) {
		m = map_find(s.host_ports, s.host_port_count, a->port);
		*ret_port = m ? m->outside : 0;
		return m && !is_spared(k, m->outside);
	}
	*ret_port = a->port;
	if (k->guest)
		addr_parse(SPAN(GUEST_ADDRESS), ret_addr);
	return a->door == DOOR_PUBLISH && map_find(s.publish, s.publish_count, a->port);
}

/* The positive control of the start-up probe: a socket that says the token */
static void probe_answer(struct keeper *k, uint32_t ref)
{
	struct talk_allow allow = { 0 };
	int ends[2];

	if (!k->probing || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return;
	if (send(ends[0], k->probe_token, sizeof(k->probe_token), MSG_NOSIGNAL) > 0)
		keeper_tell(k, KEEPER_ALLOW, ref, &allow, sizeof(allow), (struct span){ 0 },
			    TAKE_FD(ends[1]));
	DROP_FD(ends[1]);
	close(ends[0]);
	keeper_stir(k);
}

/* ---- the gate's messages ---- */

/* Now more is known of it */
static void told_once_more(struct conn *c, const struct told *t)
{
	struct addr addr = c->ask.addr;
	uint16_t port = c->ask.port;

	/* what was let pass before its client spoke */
	if (c->ask.seen == SEEN_NOT_YET && !c->late_proto)
		c->late_proto = proto_of(t->ask);
	c->ask = *t->ask;
	c->ask.addr = addr;
	c->ask.port = port;
	if (!conn_keep(c, t))
		keeper_close(c->keeper, "out of memory");
}

static void ask_again(struct keeper *k, uint32_t ref, const struct told *t)
{
	struct conn *c = conn_find(k, ref);
	struct talk_pass pass = { 0 };
	struct question q;
	struct verdict v;

	if (!c || !c->has_ip) {
		keeper_close(k, "the gate asks again about a connection that is none");
		return;
	}
	q = conn_question_of(k, t, c->host);
	q.addr = c->literal;
	q.port = c->permit.port;
	q.inspected = c->inspect;
	approval_of_conn(c, &q);
	v = policy_decide(k->policy, &q);
	/* TLS inside of TLS is not opened */
	if (!c->inspect && k->inspects)
		pass.inspect = policy_inspects(k->policy, &q, &v);
	c->inspect |= pass.inspect;
	limited_judge(t->ask, &v);
	if (v.answer == ANSWER_ALLOW) {
		told_once_more(c, t);
		keeper_tell(k, KEEPER_PASS, ref, &pass, sizeof(pass), (struct span){ 0 }, -1);
	} else {
		if (t->method.len || c->seen == SEEN_HTTP || c->inspect)
			record_request(k, c->number, t, &q, &v);
		note_denied(k, &q, &v, NULL);
		conn_tell_denied(k, ref, &q, &v, false);
	}
	keeper_stir(k);
}

/* @a: as it was told; the door of host_ports leads to another address and port */
static struct verdict judge(struct keeper *k, struct talk_ask *a, const struct told *t,
			    const struct question *q, bool *ret_inspect)
{
	struct verdict v = { ANSWER_ALLOW, REASON_ALLOWED, RULE_NONE, 0, false };
	const struct talk_ask told = *a;

	if (a->flags & TALK_FULL) {
		v = (struct verdict){ ANSWER_DENY, REASON_LIMIT, RULE_NONE, 0, false };
	} else if (a->door == DOOR_HOST_PORT || a->door == DOOR_PUBLISH) {
		if (!mapped(k, &told, &a->addr, &a->port))
			v = (struct verdict){ ANSWER_DENY, REASON_NO_RULE, RULE_NONE, 0, false };
	} else if (a->door == DOOR_NOTICE) {
		v.reason = notice_judge(k, a, t);
		v.answer = v.reason == REASON_ALLOWED ? ANSWER_ALLOW : ANSWER_DENY;
	} else {
		v = policy_decide(k->policy, q);
		*ret_inspect = k->inspects && policy_inspects(k->policy, q, &v);
	}
	/* The gate was to look first, and the client has gone without a word */
	if (v.answer == ANSWER_NEED && a->flags & TALK_EMPTY)
		v = (struct verdict){ ANSWER_ALLOW, REASON_ALLOWED, v.rule, 0, false };
	if (v.answer == ANSWER_NEED)
		v = (struct verdict){ ANSWER_DENY, REASON_PROTOCOL, v.rule, 0, false };
	limited_judge(a, &v);
	return v;
}

void conn_ask(struct keeper *k, uint32_t ref, const struct talk_ask *ask, struct span tail,
	      bool again)
{
	struct talk_ask a = *ask;
	uint32_t host = BINDING_NONE;
	struct question q;
	struct verdict v;
	bool inspect = false;
	struct conn *c;
	struct told t;

	/* a proxy's client comes with its target, and then as one from the jail */
	if (!conn_told_read(&a, tail, &t) || a.door > DOOR_NOTICE) {
		keeper_close(k, "the gate asks what cannot be");
		return;
	}
	if (again) {
		ask_again(k, ref, &t);
		return;
	}
	if (a.door == DOOR_PROBE && k->probing) {
		probe_answer(k, ref);
		return;
	}
	if (a.door == DOOR_JAIL || a.door == DOOR_PROBE)
		host = binding_of_addr(k->bindings, &a.addr);
	q = conn_question_of(k, &t, host);
	v = judge(k, &a, &t, &q, &inspect);
	if (v.answer == ANSWER_ASK && !(a.flags & TALK_EMPTY)) {
		approval_wait(k, ref, &t, host, &q, &v);
		return;
	}
	if (v.answer != ANSWER_ALLOW) {
		conn_deny(k, a.flags & TALK_FULL ? UINT32_MAX : ref, &t, &q, &v, NULL);
		return;
	}
	if (conn_find(k, ref)) {
		keeper_close(k, "the gate uses a number twice");
		return;
	}
	c = conn_new(k, ref, &t, host, &v);
	if (!c) {
		v = (struct verdict){ ANSWER_DENY, REASON_LIMIT, RULE_NONE, 0, false };
		conn_deny(k, ref, &t, &q, &v, NULL);
		return;
	}
	c->inspect = inspect;
	approval_use(c);
	if (a.flags & TALK_EMPTY) {
		conn_empty(c);
	} else if (a.door == DOOR_JAIL || a.door == DOOR_PROBE) {
		conn_allow(c);
	} else {
		c->permit.addrs[0] = a.addr;
		c->permit.count = 1;
		conn_record(c);
	}
}

/* Append the one conn.close of a connection */
void conn_record_close(struct conn *c, const char *end, enum reason reason,
			 const struct talk_closed *t)
{
	struct audit_close e = {
		.conn = c->number, .host = shown_host(c), .ip = c->has_ip ? &c->ip : NULL,
		.port = c->permit.port, .bytes_out = t->bytes_out, .bytes_in = t->bytes_in,
		.duration_ms = (uint64_t)(clock_ms() - c->since_ms),
		.end = end, .reason = reason, .detail = c->words, .proto = c->late_proto,
	};

	audit_conn_close(c->keeper->audit, &e);
	c->number = 0;
}

void conn_closed(struct keeper *k, uint32_t ref, const struct talk_closed *t)
{
	static const char *const ends[END_NUM] = {
		[END_CLIENT] = "client", [END_SERVER] = "server", [END_IDLE] = "idle",
		[END_LIMIT] = "limit", [END_KILLED] = "killed", [END_ERROR] = "error",
	};
	static const struct talk_closed none;
	struct conn *c = conn_find(k, ref);

	if (!c || !(c->has_ip || c->empty) || t->end >= END_NUM || t->reason >= REASON_NUM) {
		keeper_close(k, "the gate closes what is not open");
		return;
	}
	conn_record_close(c, ends[t->end], (enum reason)t->reason, c->has_ip ? t : &none);
	conn_unlink(c);
	conn_free(c);
	keeper_stir(k);
}

void conn_close_all(struct keeper *k)
{
	static const struct talk_closed none;

	for (size_t b = 0; b < CONN_BUCKETS; b++) {
		for (struct conn *c = k->bucket[b]; c; c = c->next) {
			if (c->dial)
				dial_cancel(c->dial);
			c->dial = NULL;
			if (c->number)
				conn_record_close(c, "killed", REASON_ALLOWED, &none);
		}
	}
	k->to_dial = NULL;
	k->to_dial_end = &k->to_dial;
}

/* Which rule a request of an open connection is under: not always that of its first one */
static struct verdict request_verdict(const struct conn *c, const struct talk_http *h,
				      struct span method, struct span host, struct span path)
{
	struct question q = {
		.about = ABOUT_CONN, .host = conn_host(c), .addr = c->literal,
		.port = c->permit.port, .seen = h->status == 101 ? SEEN_UPGRADE : SEEN_HTTP,
		.websocket = h->status == 101, .inspected = c->inspect,
		.http_host = host, .method = method, .path = path,
		.any_credential = true, .now_s = time(NULL),
	};
	struct verdict v;

	approval_standing(c->keeper, &q);
	approval_of_conn(c, &q);
	v = policy_decide(c->keeper->policy, &q);
	return v.answer == ANSWER_ALLOW ? v : c->verdict;
}

void conn_http(struct keeper *k, uint32_t ref, const struct talk_http *h, struct span tail)
{
	struct conn *c = conn_find(k, ref);
	struct span method, host;
	struct audit_http e;
	struct verdict v;

	if (!c || !c->has_ip || (size_t)h->method_len + h->host_len + h->path_len != tail.len) {
		keeper_close(k, "the gate tells of a request on no connection");
		return;
	}
	method = cut(&tail, h->method_len);
	host = cut(&tail, h->host_len);
	v = request_verdict(c, h, method, host, tail);
	e = (struct audit_http){
		.conn = c->number, .method = method, .host = host, .path = tail,
		.port = c->permit.port, .status = h->status, .verdict = ANSWER_ALLOW,
		.reason = v.reason, .rule = keeper_rule(k, &v),
		.bytes_out = h->bytes_out, .bytes_in = h->bytes_in,
	};
	audit_http_done(k->audit, &e);
	keeper_stir(k);
}

/* ---- all of them ---- */

size_t conn_open_count(const struct keeper *k)
{
	size_t count = 0;

	for (size_t b = 0; b < CONN_BUCKETS; b++)
		for (const struct conn *c = k->bucket[b]; c; c = c->next)
			count++;
	return count;
}

void conn_done(struct keeper *k)
{
	for (size_t b = 0; b < CONN_BUCKETS; b++) {
		while (k->bucket[b]) {
			struct conn *c = k->bucket[b];

			k->bucket[b] = c->next;
			conn_free(c);
		}
	}
	k->to_dial = NULL;
	k->conn_held = 0;
}

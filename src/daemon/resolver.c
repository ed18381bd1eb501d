/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver.c - the process that meets DNS answers
 *
 *	holds		descriptor 3 (the keeper), sockets to the name servers,
 *			what resolv.conf and hosts said when it began
 *	should		answer each question once, in less than RESOLVE_LIMIT_MS
 *	mustn't		open files, listen, start programs; see confine_resolver()
 *	accepts		RESOLVE_ASK, RESOLVE_ASK_RECORDS
 *
 * Names must mean here what they mean to the host's own programs.  libc asks the
 * servers of resolv.conf in order and goes on to the next only when one does not
 * answer: with a VPN the first knows names that the others deny, and must not
 * even hear of.  libunbound takes all forwarders for equal and asks the fastest.
 * So there is one libunbound context a server, and this file walks from one to
 * the next; what hosts knows is not asked for at all.  A server of the policy that
 * speaks TLS has a connection of its own (dot.c) in the place of a context.  A list
 * of servers is of one kind (policy/schema_dns.c): no step leads from TLS to plain DNS.
 *
 * Whatever a server answers, dns_answer_read() takes it apart, and only data of the type
 * that was asked for are told to the keeper.
 *
 * A and AAAA are two lookups that walk on their own; records of another type are one.  Some servers answer A and
 * drop AAAA, so once one of them has found addresses the other has only
 * RESOLVER_GRACE_MS left; what came without it is not kept for long.
 *
 * libunbound may call back before ub_resolve_event() returns (cache).
 * Therefore lookup_heard() only notes what came, and inquiry_drive() alone
 * starts lookups and ends inquiries.
 */
#include "daemon/resolver.h"

#include <assert.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <getopt.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <unbound.h>
#include <unbound-event.h>

#include "base/dns_type.h"
#include "daemon/clock.h"
#include "daemon/dot.h"
#include "daemon/forwarder.h"
#include "daemon/hostconf.h"
#include "daemon/hostnames.h"
#include "daemon/resolve.h"
#include "jail/jail.h"
#include "net/msg.h"
#include "net/trust.h"
#include "policy/upstream.h"
#include "proto/dns_answer.h"

#define RESOLVER_LIMIT_MS 7500	/* for one inquiry, a little less than RESOLVE_LIMIT_MS */
#define RESOLVER_PATIENCE_MS 2500 /* for one server, while there is a next one */
#define RESOLVER_QUIET_MS 500	/* the same, for a server that lately said nothing at all */
#define RESOLVER_GRACE_MS 500	/* for the other family once one has addresses */
#define RESOLVER_PARTIAL_TTL_S 5 /* keep an answer that lacks a family no longer */
#define RESOLVER_NEGATIVE_TTL_S 60 /* a name that has just been made is seen within a minute */
#define RESOLVER_SOA_NONE_TTL_S 2 /* a negative answer that does not say how long */
#define RESOLVER_HOSTS_TTL_S 60
#define RESOLVER_PACKETS_A_TURN 64 /* then the answers have their turn */

static_assert(RESOLVER_LIMIT_MS < RESOLVE_LIMIT_MS, "the keeper still waits");
static_assert(HOSTCONF_SERVERS_MAX * RESOLVER_PATIENCE_MS <= RESOLVER_LIMIT_MS, "all have a turn");

static_assert(UPSTREAMS_MAX == HOSTCONF_SERVERS_MAX, "one bound for both");

/* What one lookup found */
struct found {
	enum resolved	 status;
	uint32_t	 ttl_s;
	size_t		 count;
	struct addr	 addrs[RESOLVE_ADDRS_MAX];
	uint8_t		*records;	/* of other types: a list; owned */
	size_t		 records_len;
};

struct lookup {
	struct inquiry	*inquiry;
	uint16_t	 type;
	size_t		 server;	/* that is or was asked */
	bool		 waits;		/* a callback will come */
	bool		 settled;	/* @found holds */
	int		 async_id;	/* while it waits for libunbound */
	struct dot_query *query;	/* while it waits for a server over TLS */
	uint64_t	 heard;		/* the server's, when it was asked */
	struct event	 patience;	/* runs while it waits and there is a next server */
	struct found	 found;
};

enum { LOOKUP_AAAA, LOOKUP_A, LOOKUP_NUM, LOOKUP_RECORDS = 0 };

struct inquiry {
	uint32_t	 id;		/* the keeper's */
	size_t		 lookup_count;	/* 1: of records */
	bool		 grace;		/* the clock runs for the second family */
	bool		 driving;	/* inquiry_drive() is at work on it */
	struct event	 clock;		/* the end of all */
	struct lookup	 lookups[LOOKUP_NUM];
	char		 host[HOST_MAX + 1];
};

struct server {
	struct ub_ctx	*ctx;		/* NULL: it is asked over TLS */
	struct dot	*dot;
	uint64_t	 heard;		/* how often it has said anything of use */
	bool		 quiet;		/* patience has ended without a word from it */
};

/* One a process.  It ends with the process, and so does everything in it. */
static struct resolver {
	struct event_base *loop;
	struct msg_link	 keeper;
	struct event	*readable, *writable;
	struct server	 servers[HOSTCONF_SERVERS_MAX];
	size_t		 server_count;
	struct hostnames *hosts;
	SSL_CTX		*tls;		/* if a server wants it */
	size_t		 asked;		/* questions under way */
	struct dns_found heard;		/* what libunbound has just said */
} resolver;

/* What the keeper has us begin with */
struct resolver_options {
	const char	*resolv_conf, *hosts;
	const char	*cert_file, *cert_dir;		/* NULL: OpenSSL's own */
	const char	*upstreams[UPSTREAMS_MAX];
	size_t		 upstream_count;
};

static const struct msg_type accepted[RESOLVER_MSG_NUM] = {
	[RESOLVE_ASK] = { "ask", 1, HOST_MAX, false },
	[RESOLVE_ASK_RECORDS] = { "ask for records", sizeof(struct resolver_ask) + 1,
				  sizeof(struct resolver_ask) + HOST_MAX, false },
};

/* --- What was found --- */

/* The data of A and AAAA records have the length that their layout says */
static void addrs_take(struct found *f, const struct dns_found *found, bool v4)
{
	struct span list = span_of(found->records, found->len), data;

	while (f->count < RESOLVE_ADDRS_MAX && dns_records_next(&list, &data)) {
		struct in6_addr in6;
		struct in_addr in;

		if (v4) {
			memcpy(&in, data.at, sizeof(in));
			f->addrs[f->count++] = addr_from_in(&in);
		} else {
			memcpy(&in6, data.at, sizeof(in6));
			f->addrs[f->count++] = addr_from_in6(&in6);
		}
	}
}

static void records_take(struct found *f, const struct dns_found *found)
{
	f->records = malloc(found->len);
	if (f->records) {
		memcpy(f->records, found->records, found->len);
		f->records_len = found->len;
	} else {
		f->status = RESOLVED_FAILED;
	}
}

static struct found found_of(const struct dns_found *found, uint16_t type)
{
	static const enum resolved statuses[] = {
		[DNS_FOUND] = RESOLVED_OK, [DNS_NO_NAME] = RESOLVED_NO_NAME,
		[DNS_NO_DATA] = RESOLVED_NO_DATA, [DNS_UPSTREAM_FAILED] = RESOLVED_FAILED,
	};
	struct found f = { .status = statuses[found->outcome], .ttl_s = found->ttl_s };

	if (f.status == RESOLVED_OK && (type == DNS_A || type == DNS_AAAA))
		addrs_take(&f, found, type == DNS_A);
	else if (f.status == RESOLVED_OK)
		records_take(&f, found);
	else if (!found->has_ttl)
		f.ttl_s = RESOLVER_SOA_NONE_TTL_S;
	else if (f.ttl_s > RESOLVER_NEGATIVE_TTL_S)
		f.ttl_s = RESOLVER_NEGATIVE_TTL_S;
	return f;
}

/* --- Answering the keeper --- */

/* What two lookups say together: addresses if there are any, else the most careful */
static enum resolved together(enum resolved a, enum resolved b)
{
	static const enum resolved by_weight[] = {
		RESOLVED_OK, RESOLVED_FAILED, RESOLVED_NO_DATA,
	};

	for (size_t i = 0; i < ARRAY_SIZE(by_weight); i++)
		if (a == by_weight[i] || b == by_weight[i])
			return by_weight[i];
	return RESOLVED_NO_NAME;
}

static void keeper_flush(void)
{
	int e = msg_flush(&resolver.keeper);

	if (e == 0 && msg_waits(&resolver.keeper) && event_add(resolver.writable, NULL))
		e = -ENOMEM;
	if (e < 0)
		event_base_loopbreak(resolver.loop);
}

static void keeper_tell(uint32_t id, const struct resolution *res, uint32_t ttl_s)
{
	struct resolver_answer a = {
		.ttl_s = ttl_s,
		.status = (uint8_t)res->status,
		.count = (uint8_t)res->count,
	};
	struct span addrs = span_of(res->addrs, res->count * sizeof(res->addrs[0]));

	if (msg_put(&resolver.keeper, RESOLVE_ANSWER, id, &a, sizeof(a), addrs, -1) < 0)
		event_base_loopbreak(resolver.loop);
	else
		keeper_flush();
}

/* The addresses of one family; a family without any has no say in how long those are kept */
static void addrs_join(struct resolution *res, const struct found *f, uint32_t *ttl_s)
{
	if (f->status == res->status && f->ttl_s < *ttl_s)
		*ttl_s = f->ttl_s;
	for (size_t i = 0; i < f->count && res->count < RESOLVE_ADDRS_MAX; i++)
		res->addrs[res->count++] = f->addrs[i];
}

static void records_tell(uint32_t id, const struct found *f)
{
	struct resolver_answer a = {
		.ttl_s = f->ttl_s, .status = (uint8_t)f->status, .count = f->records_len > 0,
	};

	if (msg_put(&resolver.keeper, RESOLVE_RECORDS, id, &a, sizeof(a),
		    span_of(f->records, f->records_len), -1) < 0)
		event_base_loopbreak(resolver.loop);
	else
		keeper_flush();
}

static void inquiry_answer(const struct inquiry *q)
{
	const struct found *six = &q->lookups[LOOKUP_AAAA].found;
	const struct found *four = &q->lookups[LOOKUP_A].found;
	struct resolution res = { .status = together(six->status, four->status) };
	uint32_t ttl_s = UINT32_MAX;

	if (q->lookup_count == 1) {
		records_tell(q->id, &q->lookups[LOOKUP_RECORDS].found);
		return;
	}
	addrs_join(&res, six, &ttl_s);
	addrs_join(&res, four, &ttl_s);
	if (six->status == RESOLVED_FAILED || four->status == RESOLVED_FAILED)
		ttl_s = ttl_s < RESOLVER_PARTIAL_TTL_S ? ttl_s : RESOLVER_PARTIAL_TTL_S;
	keeper_tell(q->id, &res, ttl_s);
}

/* --- Lookups and inquiries --- */

static void inquiry_drive(struct inquiry *q);

static void clock_start(struct event *clock, int64_t ms)
{
	struct timeval tv = clock_timeval(ms);

	evtimer_add(clock, &tv);
}

/* This server has nothing to say: on to the next, if there is one */
static void lookup_failed(struct lookup *l)
{
	if (++l->server == resolver.server_count)
		l->settled = true;	/* as it began: RESOLVED_FAILED */
}

/* What waits is not waited for any longer; nobody will call back */
static void lookup_drop(struct lookup *l)
{
	if (l->waits && l->query)
		dot_cancel(l->query);
	else if (l->waits)
		ub_cancel(resolver.servers[l->server].ctx, l->async_id);
	l->query = NULL;
	l->waits = false;
	evtimer_del(&l->patience);
}

static void lookup_late(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *l = arg;
	struct server *s = &resolver.servers[l->server];

	(void)fd;
	(void)what;
	if (s->heard == l->heard)
		s->quiet = true;
	lookup_drop(l);
	lookup_failed(l);
	inquiry_drive(l->inquiry);
}

/* dot_done: the server has answered, or gives up */
static void lookup_heard(void *arg, const struct dns_found *found)
{
	struct lookup *l = arg;
	struct server *s = &resolver.servers[l->server];
	struct found f = { .status = RESOLVED_FAILED };

	l->waits = false;
	l->query = NULL;
	evtimer_del(&l->patience);
	if (found)
		f = found_of(found, l->type);
	if (f.status == RESOLVED_FAILED) {
		lookup_failed(l);
	} else {
		s->heard++;
		s->quiet = false;
		l->settled = true;
		l->found = f;
	}
	inquiry_drive(l->inquiry);
}

/* ub_event_callback_type: libunbound has an answer, or gives up */
static void lookup_answered(void *arg, int rcode, void *packet, int len, int sec, char *why,
			    int limited)
{
	static const struct dns_found no_name = { .outcome = DNS_NO_NAME };
	const struct lookup *l = arg;
	const struct dns_found *found = NULL;

	(void)sec;
	(void)why;
	(void)limited;
	if (rcode == DNS_NXDOMAIN && !packet)
		found = &no_name;
	else if ((rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN) && packet && len > 0 &&
		 dns_answer_read(span_of(packet, (size_t)len), span_str(l->inquiry->host), l->type,
				 &resolver.heard) == PARSE_OK)
		found = &resolver.heard;
	lookup_heard(arg, found);
}

/* Return: false if the server cannot even be asked */
static bool lookup_send(struct lookup *l, const struct server *s)
{
	int async_id = 0;

	if (!s->ctx) {
		l->query = dot_ask(s->dot, l->inquiry->host, l->type, lookup_heard, l);
		return l->query;
	}
	if (ub_resolve_event(s->ctx, l->inquiry->host, l->type, DNS_IN, l, lookup_answered,
			     &async_id))
		return false;
	if (l->waits)
		l->async_id = async_id;
	return true;
}

static void lookup_ask(struct lookup *l)
{
	struct server *s = &resolver.servers[l->server];

	l->waits = true;
	l->heard = s->heard;
	if (l->server + 1 < resolver.server_count)
		clock_start(&l->patience, s->quiet ? RESOLVER_QUIET_MS : RESOLVER_PATIENCE_MS);
	if (lookup_send(l, s))
		return;
	l->waits = false;
	evtimer_del(&l->patience);
	lookup_failed(l);
}

static void inquiry_end(struct inquiry *q)
{
	inquiry_answer(q);
	evtimer_del(&q->clock);
	free(q->lookups[LOOKUP_RECORDS].found.records);
	free(q);
	resolver.asked--;
}

static void inquiry_drive(struct inquiry *q)
{
	bool settled = true, found = false;

	if (q->driving)
		return;
	q->driving = true;
	for (size_t i = 0; i < q->lookup_count; i++) {
		struct lookup *l = &q->lookups[i];

		while (!l->settled && !l->waits)
			lookup_ask(l);
		settled &= l->settled;
		found |= l->settled && l->found.status == RESOLVED_OK;
	}
	q->driving = false;
	if (settled) {
		inquiry_end(q);
	} else if (found && !q->grace) {
		q->grace = true;
		clock_start(&q->clock, RESOLVER_GRACE_MS);
	}
}

/* The time of the inquiry is over: what has not been found by now has failed */
static void inquiry_late(evutil_socket_t fd, short what, void *arg)
{
	struct inquiry *q = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < q->lookup_count; i++) {
		struct lookup *l = &q->lookups[i];

		lookup_drop(l);
		l->settled = true;	/* as it began: RESOLVED_FAILED */
	}
	inquiry_drive(q);
}

static void inquiry_refuse(uint32_t id, bool records)
{
	static const struct resolution failed = { .status = RESOLVED_FAILED };

	if (records)
		records_tell(id, &(struct found){ .status = RESOLVED_FAILED });
	else
		keeper_tell(id, &failed, 0);
}

/* What needs no server: hosts, and what RFC 6761 6.3 keeps on this machine */
static bool inquiry_known(uint32_t id, const char *host, uint16_t type)
{
	struct resolution res = { .status = RESOLVED_NO_NAME };
	struct span name = span_str(host);

	if (!type)
		res.count = hostnames_find(resolver.hosts, host, res.addrs, RESOLVE_ADDRS_MAX);
	if (!res.count && !span_eq(name, SPAN("localhost")) && !span_ends(name, SPAN(".localhost")))
		return false;
	if (res.count)
		res.status = RESOLVED_OK;
	if (type)
		records_tell(id, &(struct found){ .status = RESOLVED_NO_NAME });
	else
		keeper_tell(id, &res, RESOLVER_HOSTS_TTL_S);
	return true;
}

static void inquiry_begin(uint32_t id, const char host[HOST_MAX + 1], uint16_t type)
{
	const uint16_t types[LOOKUP_NUM] = {
		[LOOKUP_AAAA] = type ? type : DNS_AAAA, [LOOKUP_A] = DNS_A,
	};
	struct inquiry *q = calloc(1, sizeof(*q));

	if (!q) {
		inquiry_refuse(id, type);
		return;
	}
	memcpy(q->host, host, sizeof(q->host));
	q->id = id;
	q->lookup_count = type ? 1 : LOOKUP_NUM;
	evtimer_assign(&q->clock, resolver.loop, inquiry_late, q);
	for (size_t i = 0; i < q->lookup_count; i++) {
		struct lookup *l = &q->lookups[i];

		l->inquiry = q;
		l->type = types[i];
		l->found.status = RESOLVED_FAILED;
		evtimer_assign(&l->patience, resolver.loop, lookup_late, l);
	}
	resolver.asked++;
	clock_start(&q->clock, RESOLVER_LIMIT_MS);
	inquiry_drive(q);
}

static void inquiry_came(void *arg, const struct msg *m)
{
	struct resolver_ask ask = { .type = 0 };
	struct span name = m->payload;
	char host[HOST_MAX + 1] = "";
	bool good = true;

	(void)arg;
	if (m->type == RESOLVE_ASK_RECORDS) {
		memcpy(&ask, name.at, sizeof(ask));
		name = span_skip(name, sizeof(ask));
		good = ask.type != DNS_A && ask.type != DNS_AAAA && dns_type_bit(ask.type) &&
		       dns_answer_knows(ask.type);
	}
	if (!good || resolver.asked == RESOLVER_ASKED_MAX || !hostconf_plain(name) ||
	    !span_copy(name, host, sizeof(host)))
		inquiry_refuse(m->id, m->type == RESOLVE_ASK_RECORDS);
	else if (!inquiry_known(m->id, host, ask.type))
		inquiry_begin(m->id, host, ask.type);
}

/* --- The link --- */

static void keeper_readable(evutil_socket_t fd, short what, void *arg)
{
	int got = 1;

	(void)fd;
	(void)what;
	(void)arg;
	for (int i = 0; i < RESOLVER_PACKETS_A_TURN && got > 0; i++)
		got = msg_read(&resolver.keeper, inquiry_came, NULL);
	if (got < 0)
		event_base_loopbreak(resolver.loop);
}

static void keeper_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	keeper_flush();
}

/* --- Beginning --- */

/* At most as many as there is room for, as libc does */
static bool system_open(const char *resolv_conf, struct err *err)
{
	struct hostconf_servers s;

	if (!hostconf_servers(resolv_conf, &s, err))
		return false;
	for (size_t i = 0; i < s.count && resolver.server_count < UPSTREAMS_MAX; i++) {
		struct ub_ctx *ctx = forwarder_open(resolver.loop, s.text[i], err);

		if (!ctx)
			return false;
		resolver.servers[resolver.server_count++].ctx = ctx;
	}
	return true;
}

static bool plain_open(const struct upstream *u, struct err *err)
{
	char text[ADDR_TEXT_MAX + sizeof("@65535")], addr[ADDR_TEXT_MAX];
	struct ub_ctx *ctx;

	snprintf(text, sizeof(text), "%s@%u", addr_text(&u->addr, addr), u->port);
	ctx = forwarder_open(resolver.loop, text, err);
	if (ctx)
		resolver.servers[resolver.server_count++].ctx = ctx;
	return ctx;
}

static bool tls_open(const struct upstream *u, const struct resolver_options *o, struct err *err)
{
	struct server *s = &resolver.servers[resolver.server_count];

	if (!resolver.tls)
		resolver.tls = trust_client(o->cert_file, o->cert_dir, err);
	if (!resolver.tls)
		return false;
	s->dot = dot_new(resolver.loop, resolver.tls, u);
	if (!s->dot)
		return err_sys(err, ENOMEM, "DNS over TLS");
	resolver.server_count++;
	return true;
}

static bool upstream_open(const char *text, const struct resolver_options *o, struct err *err)
{
	struct upstream u;
	const char *why;

	if (!upstream_parse(span_str(text), &u, &why))
		return err_set(err, "%s: no name server", text);
	if (u.kind == UPSTREAM_SYSTEM)
		return system_open(o->resolv_conf, err);
	if (resolver.server_count == UPSTREAMS_MAX)
		return true;
	return u.kind == UPSTREAM_TLS ? tls_open(&u, o, err) : plain_open(&u, err);
}

static bool servers_open(const struct resolver_options *o, struct err *err)
{
	if (!o->upstream_count)
		return system_open(o->resolv_conf, err);
	for (size_t i = 0; i < o->upstream_count; i++)
		if (!upstream_open(o->upstreams[i], o, err))
			return false;
	return true;
}

static bool keeper_open(struct err *err)
{
	msg_link_init(&resolver.keeper, RESOLVER_FD, accepted, ARRAY_SIZE(accepted));
	resolver.readable = event_new(resolver.loop, RESOLVER_FD, EV_READ | EV_PERSIST,
				      keeper_readable, NULL);
	resolver.writable = event_new(resolver.loop, RESOLVER_FD, EV_WRITE, keeper_writable, NULL);
	if (!resolver.readable || !resolver.writable || event_add(resolver.readable, NULL))
		return err_sys(err, ENOMEM, "libevent or libunbound");
	return true;
}

static bool resolver_open(const struct resolver_options *o, struct err *err)
{
	resolver.loop = event_base_new();
	if (!resolver.loop)
		return err_sys(err, ENOMEM, "libevent or libunbound");
	resolver.hosts = hostnames_read(o->hosts, err);
	return resolver.hosts && servers_open(o, err) && keeper_open(err) && confine_resolver(err);
}

static bool options_read(int argc, char **argv, struct resolver_options *o)
{
	static const struct option options[] = {
		{ "resolv-conf", required_argument, NULL, 'r' },
		{ "hosts", required_argument, NULL, 'h' },
		{ "upstream", required_argument, NULL, 'u' },
		{ "cert-file", required_argument, NULL, 'f' },
		{ "cert-dir", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			o->resolv_conf = optarg;
		else if (option == 'h')
			o->hosts = optarg;
		else if (option == 'f')
			o->cert_file = optarg;
		else if (option == 'd')
			o->cert_dir = optarg;
		else if (option == 'u' && o->upstream_count < UPSTREAMS_MAX)
			o->upstreams[o->upstream_count++] = optarg;
		else
			return false;
	}
	return true;
}

int resolver_main(int argc, char **argv)
{
	struct resolver_options o = { .resolv_conf = "/etc/resolv.conf", .hosts = "/etc/hosts" };
	struct err err = { "" };

	if (!options_read(argc, argv, &o))
		return 125;
	signal(SIGPIPE, SIG_IGN);	/* a server that has gone is an error of write(2) */
	if (!resolver_open(&o, &err)) {
		fprintf(stderr, "sluice: resolver: %s\n", err.text);
		return 125;
	}
	return event_base_dispatch(resolver.loop) < 0 ? 125 : 0;
}

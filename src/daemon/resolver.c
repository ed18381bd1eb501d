/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver.c - the process that meets DNS answers
 *
 *	holds		descriptor 3 (the keeper), sockets to the name servers,
 *			what resolv.conf and hosts said when it began
 *	should		answer each question once, in less than RESOLVE_LIMIT_MS
 *	mustn't		open files, listen, start programs; see confine_resolver()
 *	accepts		RESOLVE_ASK
 *
 * Names must mean here what they mean to the host's own programs.  libc asks the
 * servers of resolv.conf in order and goes on to the next only when one does not
 * answer: with a VPN the first knows names that the others deny, and must not
 * even hear of.  libunbound takes all forwarders for equal and asks the fastest.
 * So there is one libunbound context a server, and this file walks from one to
 * the next; hosts belongs to the first.
 *
 * A and AAAA are two lookups that walk on their own.  Some servers answer A and
 * drop AAAA, so once one of them has found addresses the other has only
 * RESOLVER_GRACE_MS left; what came without it is not kept for long.
 *
 * libunbound may call back before ub_resolve_event() returns (hosts, cache).
 * Therefore lookup_answered() only notes what came, and inquiry_drive() alone
 * starts lookups and ends inquiries.
 */
#include "daemon/resolver.h"

#include <assert.h>
#include <errno.h>
#include <event2/event_struct.h>
#include <getopt.h>
#include <unbound-event.h>
#include <unbound.h>

#include "base/wire.h"
#include "daemon/clock.h"
#include "daemon/hostconf.h"
#include "daemon/resolve.h"
#include "jail/jail.h"
#include "net/msg.h"
#include "policy/policy.h"

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

enum { TYPE_A = 1, TYPE_SOA = 6, TYPE_AAAA = 28 };	/* RFC 1035, 3596 */
enum { CLASS_IN = 1 };
enum { LABEL_MAX = 63, POINTER = 0xc0 };		/* RFC 1035 4.1.4 */
enum { RCODE_NOERROR = 0, RCODE_NXDOMAIN = 3 };

/* What one lookup found */
struct found {
	enum resolved	 status;
	uint32_t	 ttl_s;
	size_t		 count;
	struct addr	 addrs[RESOLVE_ADDRS_MAX];
};

struct lookup {
	struct inquiry	*inquiry;
	int		 type;
	size_t		 server;	/* that is or was asked */
	bool		 waits;		/* a callback will come */
	bool		 settled;	/* @found holds */
	int		 async_id;	/* while it waits */
	uint64_t	 heard;		/* the server's, when it was asked */
	struct event	 patience;	/* runs while it waits and there is a next server */
	struct found	 found;
};

enum { LOOKUP_AAAA, LOOKUP_A, LOOKUP_NUM };

struct inquiry {
	uint32_t	 id;		/* the keeper's */
	bool		 grace;		/* the clock runs for the second family */
	bool		 driving;	/* inquiry_drive() is at work on it */
	struct event	 clock;		/* the end of all */
	struct lookup	 lookups[LOOKUP_NUM];
	char		 host[HOST_MAX + 1];
};

struct server {
	struct ub_ctx	*ctx;
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
	size_t		 asked;		/* questions under way */
} resolver;

static const struct msg_type accepted[RESOLVER_MSG_NUM] = {
	[RESOLVE_ASK] = { "ask", 1, HOST_MAX, false },
};

static const struct setting {
	const char	*option, *value;
} settings[] = {
	/* The forwarder is believed as libc believes it: no anchor, nothing to validate */
	{ "module-config:", "iterator" },
	{ "qname-minimisation:", "no" },
	{ "do-not-query-localhost:", "no" },	/* 127.0.0.53 and its like */
	/* Private names are for the host's server to answer, this machine's for none */
	{ "unblock-lan-zones:", "yes" },
	{ "local-zone:", "home.arpa. transparent" },
	{ "local-zone:", "test. transparent" },
	{ "local-zone:", "onion. transparent" },
	{ "local-zone:", "invalid. transparent" },
	{ "local-zone:", "localhost. static" },
	{ "harden-glue:", "yes" },
	{ "harden-short-bufsize:", "yes" },
	/* Memory, a server: under 2.7 MB, 8 MB for three */
	{ "msg-cache-size:", "1m" },
	{ "rrset-cache-size:", "1m" },
	{ "infra-cache-numhosts:", "64" },
	{ "cache-max-ttl:", "3600" },
	{ "cache-max-negative-ttl:", "60" },
	/* Sockets, a server: further questions wait inside libunbound */
	{ "outgoing-range:", "256" },
	{ "outgoing-num-tcp:", "8" },
	/* libunbound lets a server rest that did not answer, for minutes.  A laptop that
	 * wakes up must not wait for that, and a jail that asks for names whose own
	 * servers are silent must not hinder others.  So it soon forgets. */
	{ "infra-host-ttl:", "5" },
	{ "infra-keep-probing:", "yes" },
};

/* --- Reading what libunbound hands out --- */

/* Where the name points need not be followed to step over it */
static void name_skip(struct wire *w)
{
	uint8_t len;

	while ((len = wire_u8(w)) > 0) {
		if (len >= POINTER) {
			wire_take(w, 1);
			return;
		}
		if (len > LABEL_MAX)
			w->spent = true;
		wire_take(w, len);
	}
}

struct record {
	uint16_t	type, class;
	uint32_t	ttl_s;
	struct span	data;
};

static struct record record_take(struct wire *w)
{
	struct record r;

	name_skip(w);
	r.type = wire_u16(w);
	r.class = wire_u16(w);
	r.ttl_s = wire_u32(w);
	r.data = wire_take(w, wire_u16(w));
	return r;
}

static bool record_addr(const struct record *r, int type, struct addr *ret_addr)
{
	struct in6_addr in6;
	struct in_addr in;

	if (r->type != type || r->class != CLASS_IN)
		return false;
	if (type == TYPE_A && r->data.len == sizeof(in)) {
		memcpy(&in, r->data.at, sizeof(in));
		*ret_addr = addr_from_in(&in);
		return true;
	}
	if (type == TYPE_AAAA && r->data.len == sizeof(in6)) {
		memcpy(&in6, r->data.at, sizeof(in6));
		*ret_addr = addr_from_in6(&in6);
		return true;
	}
	return false;
}

/* The addresses of the answer section.  libunbound has followed the CNAMEs and
 * thrown out what they do not lead to. */
static void answers_read(struct wire *w, unsigned count, int type, struct found *f)
{
	f->ttl_s = UINT32_MAX;
	while (count-- && !w->spent) {
		struct record r = record_take(w);

		if (r.ttl_s < f->ttl_s)
			f->ttl_s = r.ttl_s;
		if (f->count < RESOLVE_ADDRS_MAX && record_addr(&r, type, &f->addrs[f->count]))
			f->count++;
	}
}

/* RFC 2308: the SOA of a negative answer says how long it holds */
static uint32_t negative_ttl(struct wire *w, unsigned count)
{
	while (count-- && !w->spent) {
		struct record r = record_take(w);

		if (r.type == TYPE_SOA)
			return r.ttl_s < RESOLVER_NEGATIVE_TTL_S ? r.ttl_s
								 : RESOLVER_NEGATIVE_TTL_S;
	}
	return RESOLVER_SOA_NONE_TTL_S;
}

/* Whatever is wrong with @packet, the lookup has failed */
static struct found packet_read(struct span packet, int type)
{
	struct wire w = wire_over(packet);
	struct found f = { .status = RESOLVED_NO_DATA }, failed = { .status = RESOLVED_FAILED };
	unsigned rcode, questions, answers, authorities;

	wire_take(&w, 2);
	rcode = wire_u16(&w) & 0xf;
	questions = wire_u16(&w);
	answers = wire_u16(&w);
	authorities = wire_u16(&w);
	wire_take(&w, 2);
	if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN)
		return failed;
	while (questions-- && !w.spent) {
		name_skip(&w);
		wire_take(&w, 4);
	}
	answers_read(&w, answers, type, &f);
	if (rcode == RCODE_NXDOMAIN) {
		f.status = RESOLVED_NO_NAME;
		f.count = 0;
	} else if (f.count) {
		f.status = RESOLVED_OK;
	}
	if (w.spent)
		return failed;
	if (!f.count)
		f.ttl_s = negative_ttl(&w, authorities);
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

static void inquiry_answer(const struct inquiry *q)
{
	const struct found *six = &q->lookups[LOOKUP_AAAA].found;
	const struct found *four = &q->lookups[LOOKUP_A].found;
	struct resolution res = { .status = together(six->status, four->status) };
	uint32_t ttl_s = UINT32_MAX;

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

/* What waits is not waited for any longer; libunbound will not call back */
static void lookup_drop(struct lookup *l)
{
	if (l->waits)
		ub_cancel(resolver.servers[l->server].ctx, l->async_id);
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

/* ub_event_callback_type: libunbound has an answer, or gives up */
static void lookup_answered(void *arg, int rcode, void *packet, int len, int sec, char *why,
			    int limited)
{
	struct lookup *l = arg;
	struct server *s = &resolver.servers[l->server];
	struct found f = { .status = RESOLVED_FAILED };

	(void)sec;
	(void)why;
	(void)limited;
	l->waits = false;
	evtimer_del(&l->patience);
	if (rcode == RCODE_NXDOMAIN && !packet)
		f = (struct found){ .status = RESOLVED_NO_NAME, .ttl_s = RESOLVER_SOA_NONE_TTL_S };
	else if ((rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN) && packet && len > 0)
		f = packet_read(span_of(packet, (size_t)len), l->type);
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

static void lookup_ask(struct lookup *l)
{
	struct server *s = &resolver.servers[l->server];
	int async_id = 0;

	l->waits = true;
	l->heard = s->heard;
	if (l->server + 1 < resolver.server_count)
		clock_start(&l->patience, s->quiet ? RESOLVER_QUIET_MS : RESOLVER_PATIENCE_MS);
	if (ub_resolve_event(s->ctx, l->inquiry->host, l->type, CLASS_IN, l, lookup_answered,
			     &async_id)) {
		l->waits = false;
		evtimer_del(&l->patience);
		lookup_failed(l);
	} else if (l->waits) {
		l->async_id = async_id;
	}
}

static void inquiry_end(struct inquiry *q)
{
	inquiry_answer(q);
	evtimer_del(&q->clock);
	free(q);
	resolver.asked--;
}

static void inquiry_drive(struct inquiry *q)
{
	bool settled = true, found = false;

	if (q->driving)
		return;
	q->driving = true;
	for (size_t i = 0; i < LOOKUP_NUM; i++) {
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
	for (size_t i = 0; i < LOOKUP_NUM; i++) {
		struct lookup *l = &q->lookups[i];

		lookup_drop(l);
		l->settled = true;	/* as it began: RESOLVED_FAILED */
	}
	inquiry_drive(q);
}

static void inquiry_came(void *arg, const struct msg *m)
{
	static const struct resolution failed = { .status = RESOLVED_FAILED };
	static const int types[LOOKUP_NUM] = { [LOOKUP_AAAA] = TYPE_AAAA, [LOOKUP_A] = TYPE_A };
	struct inquiry *q = NULL;

	(void)arg;
	if (resolver.asked < RESOLVER_ASKED_MAX && hostconf_plain(m->payload))
		q = calloc(1, sizeof(*q));
	if (!q || !span_copy(m->payload, q->host, sizeof(q->host))) {
		free(q);
		keeper_tell(m->id, &failed, 0);
		return;
	}
	q->id = m->id;
	evtimer_assign(&q->clock, resolver.loop, inquiry_late, q);
	for (size_t i = 0; i < LOOKUP_NUM; i++) {
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

static bool server_open(const char *addr, struct ub_ctx **ret_ctx, struct err *err)
{
	struct ub_ctx *ctx = ub_ctx_create_event(resolver.loop);

	if (!ctx)
		return err_sys(err, ENOMEM, "libevent or libunbound");
	ub_ctx_debugout(ctx, NULL);	/* or whoever sends odd packets writes to the terminal */
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];

		if (ub_ctx_set_option(ctx, s->option, s->value)) {
			ub_ctx_delete(ctx);
			return err_set(err, "libunbound refuses %s %s", s->option,
				       s->value);
		}
	}
	if (ub_ctx_set_fwd(ctx, addr)) {
		ub_ctx_delete(ctx);
		return err_set(err, "libunbound refuses the name server %s", addr);
	}
	*ret_ctx = ctx;
	return true;
}

static bool hosts_add(void *arg, const char *name, const struct addr *addr)
{
	char record[HOST_MAX + ADDR_TEXT_MAX + 32], text[ADDR_TEXT_MAX];

	snprintf(record, sizeof(record), "%s. %d IN %s %s", name, RESOLVER_HOSTS_TTL_S,
		 addr_is_v4(addr) ? "A" : "AAAA", addr_text(addr, text));
	return ub_ctx_set_option(arg, "local-data:", record) == 0;
}

static void warmed(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
	bool *called = arg;

	(void)rcode;
	(void)packet;
	(void)len;
	(void)sec;
	(void)why;
	(void)limited;
	*called = true;
}

/* libunbound reads its settings and makes its tables at the first question: one
 * that it answers itself, before files are out of reach */
static bool server_warm(struct ub_ctx *ctx, struct err *err)
{
	bool called = false;
	int e = ub_resolve_event(ctx, "localhost", TYPE_A, CLASS_IN, &called, warmed, NULL);

	if (e)
		return err_set(err, "libunbound: %s", ub_strerror(e));
	return called || err_set(err, "libunbound asks for localhost");
}

static bool servers_open(const char *resolv_conf, const char *hosts, struct err *err)
{
	struct hostconf_servers s;

	if (!hostconf_servers(resolv_conf, &s, err))
		return false;
	for (size_t i = 0; i < s.count; i++) {
		struct ub_ctx **ctx = &resolver.servers[resolver.server_count].ctx;

		if (!server_open(s.text[i], ctx, err))
			return false;
		resolver.server_count++;
		if (i == 0 && !hostconf_hosts(hosts, hosts_add, *ctx, err))
			return false;
		if (!server_warm(*ctx, err))
			return false;
	}
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

static bool resolver_open(const char *resolv_conf, const char *hosts, struct err *err)
{
	resolver.loop = event_base_new();
	if (!resolver.loop)
		return err_sys(err, ENOMEM, "libevent or libunbound");
	return servers_open(resolv_conf, hosts, err) && keeper_open(err) && confine_resolver(err);
}

int resolver_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "resolv-conf", required_argument, NULL, 'r' },
		{ "hosts", required_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *resolv_conf = "/etc/resolv.conf", *hosts = "/etc/hosts";
	struct err err = { "" };
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			resolv_conf = optarg;
		else if (option == 'h')
			hosts = optarg;
		else
			return 125;
	}
	if (!resolver_open(resolv_conf, hosts, &err)) {
		fprintf(stderr, "sluice: resolver: %s\n", err.text);
		return 125;
	}
	return event_base_dispatch(resolver.loop) < 0 ? 125 : 0;
}

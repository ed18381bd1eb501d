/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - the keeper's side of a DNS query
 *
 * A denied name is answered here and never asked upstream, so a query carries
 * nothing out.  An allowed one is looked up, and if it exists it is bound to
 * its synthetic addresses: the kernel's set is told before the client is.
 * Every path ends in name_reply(), which records and answers.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/approvals.h"
#include "daemon/keeper.h"
#include "jail/jail.h"
#include "policy/host.h"
#include "proto/dns_msg.h"

#define TTL_S 60		/* of a synthetic answer; the binding outlives it */
#define NEGATIVE_TTL_S 5
#define TRUE_TTL_S 5		/* of a name's own addresses: the policy may change, and they */
#define RANGES_MAX 64		/* port ranges opened in the kernel; beyond it the whole address */

/* A query that waits for the resolver */
struct asked {
	struct keeper	*keeper;
	uint32_t	 id;
	uint16_t	 type;
	struct verdict	 verdict;
	size_t		 len;
	struct socket_key from;
	uint32_t	 generation;	/* of the policy that the verdict is by */
	char		 host[];
};

struct outcome {
	enum answer	 verdict;
	enum reason	 reason;
	uint32_t	 rule;		/* RULE_NONE: none */
	enum dns_rcode	 rcode;
	enum dns_ede	 ede;
	const struct addr *addr;
	struct span	 ptr;		/* the name that a PTR answers */
	struct span	 records;	/* or what the resolver found */
	uint32_t	 ttl_s;		/* of records */
	bool		 quiet;		/* not worth a line at the end: nobody asked for it by name */
};

static void name_reply(struct keeper *k, uint32_t id, struct span name, uint16_t type,
		       const struct outcome *o)
{
	struct verdict v = { .rule = o->rule };
	struct audit_dns e = { .name = name, .type = type, .verdict = o->verdict,
			       .reason = o->reason, .rule = keeper_rule(k, &v), .answer = o->addr };
	struct talk_dns_answer a = {
		.rcode = (uint8_t)o->rcode, .has_addr = o->addr != NULL, .ede = (int16_t)o->ede,
		.ttl_s = o->addr || o->ptr.len ? TTL_S : NEGATIVE_TTL_S,
		.records = o->records.len > 0,
	};

	if (o->addr)
		a.addr = *o->addr;
	if (o->records.len)
		a.ttl_s = o->ttl_s < TTL_S ? o->ttl_s : TTL_S;
	e.process = keeper_process(k, &k->asker, e.verdict, e.reason);
	audit_dns_query(k->audit, &e);
	if (o->verdict == ANSWER_DENY && !o->quiet)
		keeper_denied(k, &(struct denied){ .host = name, .reason = o->reason, .times = 1 },
			      o->rule);
	keeper_tell(k, KEEPER_DNS, id, &a, sizeof(a), a.records ? o->records : o->ptr, -1);
	keeper_stir(k);
}

static void name_blocked(struct keeper *k, uint32_t id, struct span name, uint16_t type,
			 const struct verdict *v)
{
	struct outcome o = { .verdict = ANSWER_DENY, .reason = v->reason, .rule = v->rule,
			     .rcode = DNS_NXDOMAIN, .ede = DNS_EDE_BLOCKED };

	name_reply(k, id, name, type, &o);
}

/* An answer that the policy has no say in: empty, or one of the jail's own */
static void name_own(struct keeper *k, uint32_t id, struct span name, uint16_t type,
		     const struct addr *addr, struct span ptr)
{
	struct outcome o = { .verdict = ANSWER_ALLOW, .reason = REASON_ALLOWED, .rule = RULE_NONE,
			     .ede = DNS_EDE_NONE, .addr = addr, .ptr = ptr, .quiet = true };

	name_reply(k, id, name, type, &o);
}

/* ---- names that are the jail's own ---- */

static bool is_localhost(struct span name)
{
	return span_eq(name, SPAN("localhost")) || span_ends(name, SPAN(".localhost"));
}

static void answer_localhost(struct keeper *k, uint32_t id, struct span name, uint16_t type)
{
	struct addr loopback4 = addr_v4(INADDR_LOOPBACK);
	struct addr loopback6 = addr_from_in6(&in6addr_loopback);

	name_own(k, id, name, type, type == DNS_A ? &loopback4 :
		 type == DNS_AAAA ? &loopback6 : NULL, (struct span){ 0 });
}

/* sluice.internal, inside a jail */
static void answer_notice(struct keeper *k, uint32_t id, struct span name, uint16_t type)
{
	struct policy_settings s = policy_settings(k->policy);
	struct addr at4 = reserved_addr(&s.synthetic4, RESERVED_NOTICE);
	struct addr at6 = reserved_addr(&s.synthetic6, RESERVED_NOTICE);

	name_own(k, id, name, type, type == DNS_A ? &at4 : type == DNS_AAAA ? &at6 : NULL,
		 (struct span){ 0 });
}

static void answer_ptr(struct keeper *k, uint32_t id, struct span name, const struct addr *a)
{
	uint32_t index = binding_of_addr(k->bindings, a);
	struct outcome none = { .verdict = ANSWER_DENY, .reason = REASON_IP_LITERAL,
				.rule = RULE_NONE, .rcode = DNS_NXDOMAIN, .ede = DNS_EDE_BLOCKED,
				.quiet = true };

	if (index != BINDING_NONE)
		name_own(k, id, name, DNS_PTR, NULL, binding_host(k->bindings, index));
	else if (a->b[15] == 1 && addr_is_v4(a) && a->b[12] == 127)
		name_own(k, id, name, DNS_PTR, NULL, SPAN("localhost"));
	else
		name_reply(k, id, name, DNS_PTR, &none);
}

/* Before the command runs only the start-up probe asks; it is not recorded */
static void answer_probe(struct keeper *k, uint32_t id)
{
	struct policy_settings s = policy_settings(k->policy);
	struct talk_dns_answer a = { .has_addr = true, .ede = DNS_EDE_NONE,
				     .addr = reserved_addr(&s.synthetic4, RESERVED_PROBE) };

	keeper_tell(k, KEEPER_DNS, id, &a, sizeof(a), (struct span){ 0 }, -1);
	keeper_stir(k);
}

/* ---- names that exist outside ---- */

/* What the kernel lets through for a name */
struct opening {
	struct port_range	ranges[RANGES_MAX];
	struct link_batch	batch;
};

static void opening_of(const struct keeper *k, const struct policy *p, uint32_t index,
		       struct opening *ret)
{
	ret->batch = (struct link_batch){
		.addr4 = binding_addr4(k->bindings, index),
		.addr6 = binding_addr6(k->bindings, index), .ranges = ret->ranges,
	};
	ret->batch.range_count = policy_ports(p, binding_host(k->bindings, index), ret->ranges,
					      RANGES_MAX, &ret->batch.all_ports);
}

static bool opening_same(const struct opening *a, const struct opening *b)
{
	if (a->batch.all_ports != b->batch.all_ports ||
	    a->batch.range_count != b->batch.range_count)
		return false;
	for (size_t i = 0; i < a->batch.range_count; i++)
		if (a->ranges[i].first != b->ranges[i].first ||
		    a->ranges[i].last != b->ranges[i].last ||
		    a->ranges[i].transport != b->ranges[i].transport)
			return false;
	return true;
}

void names_change(struct keeper *k, const struct policy *before, const struct policy *after)
{
	struct opening old, new;

	if (k->cooperative)	/* no kernel's set holds them */
		return;
	for (uint32_t i = RESERVED_FIRST; i < binding_end(k->bindings); i++) {
		opening_of(k, before, i, &old);
		opening_of(k, after, i, &new);
		if (opening_same(&old, &new))
			continue;
		if (link_change(k->nft_fd, &old.batch, &new.batch) < 0) {
			keeper_close(k, "the kernel does not take a name's address");
			return;
		}
	}
}

/* Let the kernel know the address, tell the gate.  Return: false: the name cannot be used. */
static bool bind_open(struct keeper *k, struct span host, uint32_t *ret_index)
{
	uint32_t index = binding_of_host(k->bindings, host);
	struct opening opening;

	if (index != BINDING_NONE) {
		*ret_index = index;
		return true;
	}
	index = binding_learn(k->bindings, host);
	if (index == BINDING_NONE)
		return false;
	opening_of(k, k->policy, index, &opening);
	if (link_open(k->nft_fd, &opening.batch) < 0) {
		keeper_close(k, "the kernel does not take a name's address");
		return false;
	}
	keeper_tell(k, KEEPER_BIND, index, NULL, 0, host, -1);
	*ret_index = index;
	return true;
}

/* What is allowed, and empty so far */
static struct outcome allowed_answer(const struct asked *a)
{
	return (struct outcome){ .verdict = ANSWER_ALLOW, .reason = a->verdict.reason,
				 .rule = a->verdict.rule, .rcode = DNS_NOERROR,
				 .ede = DNS_EDE_NONE };
}

/* A type that is not allowed, of a name that is: empty.  Clients ask
 * for HTTPS and SVCB by themselves; that is no wish that was denied. */
static void answer_empty(struct keeper *k, uint32_t id, uint16_t type, struct span host,
			 const struct verdict *v)
{
	struct outcome o = { .verdict = ANSWER_DENY, .reason = v->reason, .rule = v->rule,
			     .rcode = DNS_NOERROR, .ede = DNS_EDE_NONE };

	/* apt asks for _http._tcp.HOST by itself, and goes on without */
	o.quiet = type == DNS_SRV && span_starts(host, SPAN("_http"));
	if (type == DNS_HTTPS || type == DNS_SVCB) {
		o.verdict = ANSWER_ALLOW;
		o.reason = REASON_ALLOWED;
	}
	name_reply(k, id, host, type, &o);
}

/*
 * The resolver has answered: is there still somebody to hear of it, and may he by the policy
 * that holds now?  If not, that is said, and @a is gone.
 */
static bool still_asked(struct asked *a)
{
	struct keeper *k = a->keeper;
	struct question q = { .about = ABOUT_NAME, .host = span_of(a->host, a->len),
			      .dns_type = a->type, .now_s = time(NULL) };

	k->asker = a->from;
	approval_standing(k, &q);
	if (!k->closed && a->generation != k->generation)
		a->verdict = policy_decide(k->policy, &q);
	if (!k->closed && a->verdict.answer == ANSWER_ALLOW)
		return true;
	if (!k->closed && a->verdict.reason == REASON_DNS_TYPE)
		answer_empty(k, a->id, a->type, q.host, &a->verdict);
	else if (!k->closed)
		name_blocked(k, a->id, q.host, a->type, &a->verdict);
	free(a);
	return false;
}

/*
 * Without a jail an answer leads straight to the server, and nothing of sluice is on the way:
 * so it has the true addresses, those that a connection would be permitted.
 */
static void answer_true(struct asked *a, const struct permit *usable)
{
	struct outcome o = allowed_answer(a);
	struct addr addrs[DIAL_ADDRS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < usable->count; i++)
		if (addr_is_v4(&usable->addrs[i]) == (a->type == DNS_A))
			addrs[count++] = usable->addrs[i];
	o.addr = count ? &addrs[0] : NULL;
	o.records = span_of(addrs, count * sizeof(*addrs));
	o.ttl_s = TRUE_TTL_S;
	name_reply(a->keeper, a->id, span_of(a->host, a->len), a->type, &o);
}

/* The address that stands for it */
static void reply_bound(struct keeper *k, uint32_t id, struct span host, uint16_t type,
			struct outcome o)
{
	struct addr addr;
	uint32_t index;

	if (!bind_open(k, host, &index)) {
		o.verdict = ANSWER_DENY;
		o.reason = REASON_LIMIT;
		o.rcode = DNS_SERVFAIL;
	} else {
		addr = type == DNS_A ? binding_addr4(k->bindings, index)
				     : binding_addr6(k->bindings, index);
		o.addr = &addr;
	}
	name_reply(k, id, host, type, &o);
}

static void answer_bound(struct asked *a)
{
	reply_bound(a->keeper, a->id, span_of(a->host, a->len), a->type, allowed_answer(a));
}

/*
 * A name that a person may be asked about: nothing of it is sent upstream before he has said yes.
 * The connection waits.  Without a jail an answer would be the true address, which is not known.
 */
static void answer_asked(struct keeper *k, uint32_t id, uint16_t type, struct span host,
			 const struct verdict *v)
{
	struct outcome o = { .verdict = ANSWER_ASK, .reason = v->reason, .rule = v->rule,
			     .rcode = DNS_NOERROR, .ede = DNS_EDE_NONE };

	if (k->cooperative)
		name_blocked(k, id, host, type, v);
	else if (type == DNS_A || type == DNS_AAAA)
		reply_bound(k, id, host, type, o);
	else
		name_reply(k, id, host, type, &o);
}

/* No address of an allowed name may be used: it could not be resolved, or all were refused */
static void refused_answer(struct outcome *o)
{
	bool blocked = o->reason != REASON_RESOLVE_FAILED;

	o->verdict = ANSWER_DENY;
	o->quiet = blocked;	/* said with the address, by the caller */
	o->rcode = blocked ? DNS_NXDOMAIN : DNS_SERVFAIL;
	o->ede = blocked ? DNS_EDE_BLOCKED : DNS_EDE_NO_REACHABLE;
}

static void on_resolved(void *arg, const struct resolution *r)
{
	struct asked *a = arg;
	struct keeper *k = a->keeper;
	struct span host = span_of(a->host, a->len);
	struct question q = { .about = ABOUT_NAME, .host = host, .now_s = time(NULL) };
	struct permit usable;
	struct outcome o;
	enum reason reason;
	struct addr refused;

	if (!still_asked(a))
		return;
	o = allowed_answer(a);
	switch (!k->cooperative && policy_proxied(k->policy, &q) ? RESOLVED_OK : r->status) {
	case RESOLVED_NO_NAME:
		o.rcode = DNS_NXDOMAIN;
		name_reply(k, a->id, host, a->type, &o);
		break;
	case RESOLVED_NO_DATA:
		name_reply(k, a->id, host, a->type, &o);
		break;
	case RESOLVED_FAILED:
	case RESOLVED_OK:
		if (keeper_usable(k, &q, &a->verdict, r, &usable, &reason, &refused) &&
		    (!k->cooperative || usable.count)) {
			if (k->cooperative)
				answer_true(a, &usable);
			else
				answer_bound(a);
			break;
		}
		o.reason = reason;
		refused_answer(&o);
		name_reply(k, a->id, host, a->type, &o);
		if (o.quiet)
			keeper_denied(k, &(struct denied){ .host = host, .addr = &refused,
							   .reason = o.reason, .times = 1 }, o.rule);
		break;
	}
	free(a);
}

/* Records of another type, as the resolver has taken them apart.  No name in them is bound. */
static void on_records(void *arg, const struct resolution *r)
{
	struct asked *a = arg;
	struct outcome o;

	if (!still_asked(a))
		return;
	o = allowed_answer(a);
	if (r->status == RESOLVED_OK) {
		o.records = r->records;
		o.ttl_s = r->ttl_s;
	} else if (r->status == RESOLVED_NO_NAME) {
		o.rcode = DNS_NXDOMAIN;
	} else if (r->status == RESOLVED_FAILED) {
		o.reason = REASON_RESOLVE_FAILED;
		refused_answer(&o);
	}
	name_reply(a->keeper, a->id, span_of(a->host, a->len), a->type, &o);
	free(a);
}

static void look_up(struct keeper *k, uint32_t id, uint16_t type, struct span host,
		    const struct verdict *v)
{
	struct verdict limit = { ANSWER_DENY, REASON_LIMIT, RULE_NONE, 0, false };
	struct asked *a = malloc(sizeof(*a) + host.len);

	if (!a) {
		name_blocked(k, id, host, type, &limit);
		return;
	}
	*a = (struct asked){ k, id, type, *v, host.len, k->asker,
			     k->generation };
	memcpy(a->host, host.at, host.len);
	if (type == DNS_A || type == DNS_AAAA)
		resolve_ask(k->resolve, host, on_resolved, a);
	else
		resolve_ask_records(k->resolve, host, type, on_records, a);
}

void name_ask(struct keeper *k, uint32_t id, const struct talk_dns_ask *ask, struct span name)
{
	struct verdict bad = { ANSWER_DENY, REASON_NO_RULE, RULE_NONE, 0, false }, v;
	struct question q = { .about = ABOUT_NAME, .now_s = time(NULL) };
	char host[HOST_MAX + 1];
	struct addr reverse;

	k->asker = (struct socket_key){
		.client = ask->client, .server = ask->server, .client_port = ask->client_port,
		.server_port = 53, .transport = (enum transport)ask->transport,
	};
	if (k->probing) {
		answer_probe(k, id);
		return;
	}
	if (is_localhost(name)) {
		answer_localhost(k, id, name, ask->type);
		return;
	}
	if (!k->cooperative && span_eq(name, SPAN(NOTICE_HOST))) {
		answer_notice(k, id, name, ask->type);
		return;
	}
	if (dns_ptr_addr(name, &reverse)) {
		answer_ptr(k, id, name, &reverse);
		return;
	}
	if (!ask->plain || !host_normal(name, host)) {
		name_blocked(k, id, name, ask->type, &bad);
		return;
	}
	q.host = span_str(host);
	q.dns_type = ask->type ? ask->type : DNS_ANY;	/* 0 is no type, and is never open either */
	approval_standing(k, &q);
	v = policy_decide(k->policy, &q);
	if (v.answer == ANSWER_ASK)
		answer_asked(k, id, ask->type, q.host, &v);
	else if (v.answer != ANSWER_ALLOW && v.reason == REASON_DNS_TYPE)
		answer_empty(k, id, ask->type, q.host, &v);
	else if (v.answer != ANSWER_ALLOW)
		name_blocked(k, id, q.host, ask->type, &v);
	else
		look_up(k, id, ask->type, q.host, &v);
}

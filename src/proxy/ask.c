/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/ask.h"

#include <assert.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "policy/git.h"
#include "proxy/credential.h"
#include "proxy/explicit.h"
#include "proxy/handshake.h"
#include "proxy/inject.h"
#include "proxy/meter.h"
#include "proxy/streams.h"

struct question ask_question(const struct flow *f)
{
	struct question q = { .about = ABOUT_CONN, .addr = f->dst, .port = f->port,
			      .transport = TRANSPORT_TCP, .seen = SEEN_NOT_YET, .inspected = f->inspect,
			      .now_s = time(NULL),
			      .standing = f->approved ? STANDING_APPROVED : STANDING_OPEN };

	if (f->host != BINDING_NONE)
		q.host = binding_host(f->proxy->bindings, f->host);
	return q;
}

/* Append a text to the tail, cut to @max; its length as told */
static size_t tell(struct buf *tail, struct span text, size_t max)
{
	text = span_head(text, max);
	buf_add_span(tail, text);
	return text.len;
}

static void fill(struct talk_ask *a, struct buf *tail, const struct facts *facts,
		 const struct policy *policy)
{
	const struct http_request *r = &facts->request;
	const struct tls_hello *h = &facts->hello;
	struct credentials c;

	if (facts->seen == SEEN_TLS) {
		a->flags |= (uint8_t)((h->has_sni ? TALK_HAS_SNI : 0) | (h->ech ? TALK_ECH : 0));
		a->sni_len = (uint16_t)tell(tail, h->sni, TALK_HOST_MAX);
		a->alpn_len = (uint16_t)tell(tail, h->alpn, TALK_ALPN_MAX);
	}
	if (facts->seen == SEEN_HTTP || (facts->seen == SEEN_UPGRADE && r->head_bytes)) {
		a->host_port = r->host_port;
		a->host_len = (uint16_t)tell(tail, r->host, TALK_HOST_MAX);
		a->method_len = (uint8_t)tell(tail, r->method, TALK_METHOD_MAX);
		a->path_len = (uint16_t)tell(tail, r->path, TALK_PATH_MAX);
		a->body_bytes = r->length;
		a->flags |= look_is_websocket(facts) ? TALK_WEBSOCKET : 0;
		a->flags |= r->overrides ? TALK_OVERRIDES : 0;
		a->flags |= git_is_push(r->target) ? TALK_PUSHES : 0;
		credentials_read(policy, facts, &c);
		a->credentials = (uint8_t)c.have;
		if (c.have)
			buf_add(tail, c.digests, sizeof(c.digests));
	}
}

/* Names longer than any host can have would be cut in the telling: they match nothing anyway */
static bool too_long(const struct facts *f)
{
	return (f->seen == SEEN_TLS && f->hello.sni.len > TALK_HOST_MAX) ||
	       ((f->seen == SEEN_HTTP || f->seen == SEEN_UPGRADE) &&
		(f->request.host.len > TALK_HOST_MAX ||
		 f->request.method.len > TALK_METHOD_MAX));
}

/* The rule that lets it pass as it stands.  Return: false if none does, and the keeper will say so.
 * What a person would have to approve counts as if he had. */
static bool passes(struct flow *f, const struct facts *facts, uint32_t *ret_rule)
{
	struct question q = ask_question(f);
	struct credentials c;
	struct verdict v;

	*ret_rule = RULE_NONE;
	if (f->door == DOOR_HOST_PORT)
		return true;
	q.standing = STANDING_APPROVED;
	look_question(facts, &q);
	credentials_read(f->proxy->policy, facts, &c);
	credentials_question(&c, &q);
	v = policy_decide(f->proxy->policy, &q);
	/* what is inside is counted, request by request */
	if (policy_inspects(f->proxy->policy, &q, &v))
		return false;
	*ret_rule = v.rule;
	return v.answer == ANSWER_ALLOW;
}

/* A connection is about to be asked for: a request, if there is one already, or all of it as one */
static enum reason count(struct flow *f, const struct facts *facts)
{
	bool http = facts->seen == SEEN_HTTP || look_is_websocket(facts);
	uint32_t rule;

	if (!meter_is_on(f->proxy) || f->door == DOOR_PROBE || f->door == DOOR_NOTICE)
		return REASON_ALLOWED;
	if (f->door == DOOR_PUBLISH) {
		meter_begin(f, RULE_NONE, true);
		return REASON_ALLOWED;
	}
	if (!passes(f, facts, &rule))
		return REASON_ALLOWED;
	meter_begin(f, rule, !http);
	f->counted = true;
	return meter_request(f, http ? facts->request.length : 0);
}

static void put(struct flow *f, enum gate_says what, const struct facts *facts, unsigned flags)
{
	struct talk_ask a = {
		.addr = f->dst, .port = f->port, .transport = TRANSPORT_TCP,
		.seen = (uint8_t)facts->seen, .door = f->door, .flags = (uint8_t)flags,
		.ssh = facts->ssh, .client = f->client, .client_port = f->client_port,
	};
	struct buf tail = buf_new(TALK_HOST_MAX * 2 + TALK_ALPN_MAX + TALK_METHOD_MAX +
				  TALK_PATH_MAX + TALK_DIGESTS);
	uint32_t rule;

	if (too_long(facts))
		a.seen = SEEN_MALFORMED;
	else
		fill(&a, &tail, facts, f->proxy->policy);
	/* a websocket begins as a request, and is refused as one */
	if (what == GATE_ASK && !(flags & TALK_EMPTY) && a.seen != SEEN_MALFORMED)
		f->limited = (uint8_t)count(f, facts);
	if (f->proxy->injects && facts->request.head_bytes && a.seen != SEEN_MALFORMED &&
	    (what != GATE_ASK || !passes(f, facts, &rule)))
		inject_look(f, span_of(facts->request.method.at, facts->request.head_bytes), NULL);
	a.limited = f->limited;
	f->limited = REASON_ALLOWED;
	proxy_tell(f->proxy, what, f->ref, &a, sizeof(a), buf_span(&tail));
	buf_done(&tail);
}

unsigned ask_send(struct flow *f, enum gate_says what, const struct facts *facts, unsigned flags)
{
	put(f, what, facts, flags);
	f->form = (uint8_t)(look_is_websocket(facts) ? SEEN_HTTP : facts->seen);
	f->again = what == GATE_ASK_AGAIN;
	f->hello_bytes = facts->seen == SEEN_TLS ? (uint32_t)facts->hello.stream_bytes : 0;
	if (facts->seen != SEEN_NOT_YET)
		f->watch = false;
	flow_become(f, FLOW_ASK);
	return 0;
}

unsigned ask_target(struct flow *f, const struct facts *facts, const struct addr *addr,
		    uint16_t port, struct span host, unsigned flags)
{
	struct talk_ask a = {
		.addr = *addr, .port = port, .transport = TRANSPORT_TCP, .door = f->door,
		.seen = (uint8_t)facts->seen, .flags = (uint8_t)flags, .client = f->client,
		.client_port = f->client_port,
	};
	struct buf tail = buf_new(TALK_HOST_MAX * 2 + TALK_ALPN_MAX + TALK_METHOD_MAX +
				  TALK_PATH_MAX + TALK_DIGESTS);

	if (too_long(facts))
		a.seen = SEEN_MALFORMED;
	else if (facts->seen == SEEN_NOT_YET)
		a.host_len = (uint16_t)tell(&tail, host, TALK_HOST_MAX);
	else
		fill(&a, &tail, facts, f->proxy->policy);
	f->form = (uint8_t)(look_is_websocket(facts) ? SEEN_HTTP : facts->seen);
	f->again = false;
	proxy_tell(f->proxy, GATE_TARGET, f->ref, &a, sizeof(a), buf_span(&tail));
	buf_done(&tail);
	flow_become(f, FLOW_ASK);
	return 0;
}

void ask_stream(struct flow *f, const struct facts *facts)
{
	put(f, GATE_ASK_AGAIN, facts, 0);
}

void ask_refused(struct proxy *x, const struct addr *dst, uint16_t port)
{
	struct talk_ask a = { .addr = *dst, .port = port, .flags = TALK_FULL };

	proxy_tell(x, GATE_ASK, UINT32_MAX, &a, sizeof(a), (struct span){ 0 });
}

/*
 * Nothing to do until the keeper answers.  While a person is asked the client may go; else it is
 * not worth a look.  One that closed its half may still read: whether it does the keeper can
 * tell, and denies it if not.
 */
unsigned ask_step(struct flow *f)
{
	struct pollfd p = { .fd = f->agent, .events = POLLRDHUP };

	if (!f->waits)
		return 0;
	if (poll(&p, 1, 0) <= 0)
		return WANT_AGENT_MORE;
	if (!f->half || p.revents & (POLLHUP | POLLERR))
		proxy_tell(f->proxy, GATE_LEFT, f->ref, NULL, 0, (struct span){ 0 });
	f->half = true;
	if (!(p.revents & (POLLHUP | POLLERR)))
		return WANT_AGENT_MORE;
	flow_ends(f, END_CLIENT, REASON_ALLOWED);
	flow_become(f, FLOW_OVER);
	return 0;
}

void ask_waits(struct flow *f)
{
	if (f->state != FLOW_ASK)
		return;
	f->waits = true;
	flow_drive(f);
}

/* TLS that goes through unopened; not by a door of the policy's own, which leads to one place
 * whatever is said there */
static bool must_watch(const struct flow *f)
{
	return f->hello_bytes && !f->handshake && !f->tls && f->door == DOOR_JAIL;
}

/* What the flow holds while it relays.  Return: false if out of memory */
static bool relay_begins(struct flow *f, bool http)
{
	if (http)
		return f->http || http_start(f);
	return !must_watch(f) || handshake_begin(f);
}

static void go_on(struct flow *f, bool http)
{
	if (!explicit_done(f)) {
		flow_ends(f, END_ERROR, REASON_ALLOWED);
		flow_become(f, FLOW_OVER);
		return;
	}
	if (f->inspect && !f->tls) {
		inspect_start(f);
		return;
	}
	if (!relay_begins(f, http)) {
		flow_ends(f, END_ERROR, REASON_LIMIT);
		flow_become(f, FLOW_OVER);
	} else {
		flow_become(f, http ? FLOW_HTTP : FLOW_RELAY);
	}
	/* What was looked at lies in the socket; what the peer said before may wait for room */
	f->ready = f->form == SEEN_NOT_YET ? 0 : WANT_AGENT_READ;
	if (f->again)
		f->ready |= WANT_PEER_READ;
	/* While a person was asked only an edge told of the client, and it may have spoken then */
	if (f->wants & WANT_AGENT_MORE)
		f->ready |= WANT_AGENT_READ;
}

void ask_connected(struct flow *f)
{
	if (!f->requests && !f->inspect)
		meter_outcome(f->proxy, false, REASON_ALLOWED);
	go_on(f, f->requests);
}

void ask_allowed(struct flow *f, const struct talk_allow *a, int peer)
{
	assert(f->state == FLOW_ASK && f->peer < 0);
	f->peer = peer;
	f->waits = false;
	f->approved = a->approved;
	f->allowed = f->door != DOOR_PROBE;	/* that one is no connection to the keeper */
	f->watch = f->watch && a->watch;
	f->looks = 0;
	if (!a->http && !a->inspect && f->allowed && !a->through)
		meter_outcome(f->proxy, false, REASON_ALLOWED);
	f->requests = a->http;
	f->inspect = a->inspect;
	if (a->through)
		connect_start(f);
	else
		go_on(f, a->http);
	flow_drive(f);
}

/* It was let pass unseen, and now it shows what must be inspected */
static void inspect_now(struct flow *f)
{
	f->inspect = true;
	if (f->in.bytes || f->in.held_len || f->out.bytes) {
		flow_ends(f, END_KILLED, REASON_INSPECTION_REQUIRED);
		flow_become(f, FLOW_OVER);
	} else {
		inspect_start(f);
	}
	flow_drive(f);
}

void ask_passed(struct flow *f, const struct talk_pass *p)
{
	if (f->streams) {
		streams_answered(f, NULL, (struct span){ 0 });
		flow_drive(f);
		return;
	}
	assert(f->state == FLOW_ASK);
	if (f->again && p->inspect && !f->inspect) {
		inspect_now(f);
		return;
	}
	if (f->again) {
		go_on(f, f->http || f->form == SEEN_HTTP);
		flow_drive(f);
		return;
	}
	/* The client had gone before it said a word */
	f->allowed = true;
	flow_ends(f, END_CLIENT, REASON_ALLOWED);
	flow_become(f, FLOW_OVER);
	flow_drive(f);
}

void ask_denied(struct flow *f, const struct talk_deny *d, struct span body)
{
	if (f->streams) {
		streams_answered(f, d, body);
		flow_drive(f);
		return;
	}
	assert(f->state == FLOW_ASK);
	f->waits = false;
	if (f->again || d->dialled)
		flow_ends(f, d->dialled ? END_ERROR :
			  meter_is_reason(d->reason) && d->reason != REASON_KILLED ? END_LIMIT :
			  END_KILLED, d->reason);
	meter_outcome(f->proxy, true, d->reason);
	f->inspect |= d->inspect;
	deny_start(f, d->reason, d->status, body);
	flow_drive(f);
}

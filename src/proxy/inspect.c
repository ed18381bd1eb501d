/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect.c - TLS ends here: the server's handshake, then the client's
 *
 * The server comes first.  If it does not prove that it is who the client asked for, the
 * client is told so in a page, with a handshake of its own: the keeper, which is told why,
 * has closed its side of the connection by then.  The ClientHello was looked at and lies in
 * the client's socket still: OpenSSL reads it from there.  Whatever name a client gives
 * in it, the certificate is for the name that the flow is for.
 *
 * Both sides speak the same: the server is offered what the client offers of HTTP/2 and
 * HTTP/1.1 (the latter if it offers nothing), the client is given what the server chose.
 * If HTTP/2 is not offered there is nothing to choose: then the client is answered while
 * the server is waited for.  What it asks for is read when both handshakes are over.
 *
 * A refusal waits until the client has asked for something: it is an answer.
 */
#include <string.h>
#include <sys/socket.h>

#include "proxy/look.h"
#include "proxy/streams.h"
#include "proxy/tls.h"

static unsigned end(struct flow *f, enum flow_end how, enum reason reason)
{
	flow_ends(f, how, reason);
	flow_become(f, FLOW_OVER);
	return 0;
}

void inspect_start(struct flow *f)
{
	if (!f->proxy->tls)
		proxy_fail("TLS is to be inspected, and there is no CA");
	f->form = SEEN_HTTP;
	flow_become(f, FLOW_INSPECT);
	if (!f->tls && !tls_begin(f))
		end(f, END_ERROR, REASON_LIMIT);
}

/* The keeper records it and words the refusal */
static unsigned untrusted(struct flow *f, const char *why)
{
	struct span words = span_head(span_str(why), TALK_WORDS_MAX);

	f->allowed = false;
	tls_forget(f);
	flow_leave_peer(f);
	proxy_tell(f->proxy, GATE_UNTRUSTED, f->ref, NULL, 0, words);
	flow_become(f, FLOW_ASK);
	return 0;
}

void inspect_late(struct flow *f)
{
	if (f->peer >= 0 && !f->tls->peer.up && !f->refusal.max)
		untrusted(f, "the server did not finish the TLS handshake in time");
	else
		end(f, END_ERROR, REASON_ALLOWED);
	flow_drive(f);
}

/* The hello lies in the client's socket, whole: it was read before */
static void look_at_offers(struct flow *f)
{
	ssize_t n = recv(f->agent, pump_scratch(), LOOK_MAX, MSG_PEEK | MSG_DONTWAIT);
	struct facts facts;

	f->tls->offers = TLS_HTTP1;
	if (n <= 0 || look_at(span_of(pump_scratch(), (size_t)n), &facts) != PARSE_OK ||
	    facts.seen != SEEN_TLS || !facts.hello.has_http2 || !streams_offered(f->proxy))
		return;
	f->tls->offers = (uint8_t)(TLS_HTTP2 | (facts.hello.has_http1 ? TLS_HTTP1 : 0));
	f->tls->http2_first = !span_eq(facts.hello.alpn, SPAN("http/1.1"));
}

/* Return: 0: done, or the state has changed; else what to wait for */
static unsigned shake_peer(struct flow *f)
{
	const char *why;

	if (!f->tls->peer.ssl)
		look_at_offers(f);
	switch (tls_shake_peer(f, &why)) {
	case SHAKE_READ:
		return WANT_PEER_READ;
	case SHAKE_WRITE:
		return WANT_PEER_WRITE;
	case SHAKE_FAILED:
		return untrusted(f, why);
	case SHAKE_DONE:
		break;
	}
	f->since_s = f->proxy->now_s;
	return 0;
}

static unsigned shake_agent(struct flow *f)
{
	switch (tls_shake_agent(f)) {
	case SHAKE_READ:
		return WANT_AGENT_READ;
	case SHAKE_WRITE:
		return WANT_AGENT_WRITE;
	case SHAKE_FAILED:
		return end(f, END_CLIENT, REASON_ALLOWED);
	case SHAKE_DONE:
		break;
	}
	f->since_s = f->proxy->now_s;
	return 0;
}

/* What it asks is of no interest any more */
static unsigned refuse(struct flow *f)
{
	if (flow_recv(f, true, pump_scratch(), PUMP_SCRATCH, 0) < 0 && !f->tls->agent.shut)
		return WANT_AGENT_READ;
	flow_become(f, FLOW_DENY);
	return WANT_AGAIN;
}

/* What an end goes on waiting for, if the loop has not reported it; 0: it can move */
static unsigned still(const struct flow *f, const struct tls_end *e, unsigned mask)
{
	return !e->ssl || f->ready & mask ? 0 : f->wants & mask;
}

/* Return: 0: both are done, or the state has changed; else what to wait for */
static unsigned shake(struct flow *f)
{
	const struct tls *t = f->tls;
	bool alone = f->refusal.max;
	unsigned peer = 0, agent = 0;

	if (!alone && !t->peer.up) {
		peer = still(f, &t->peer, WANT_PEER_READ | WANT_PEER_WRITE);
		peer = peer ? peer : shake_peer(f);
	}
	if (f->state != FLOW_INSPECT || t->agent.up || (peer && t->offers != TLS_HTTP1))
		return peer;
	agent = still(f, &t->agent, WANT_AGENT_READ | WANT_AGENT_WRITE);
	agent = agent ? agent : shake_agent(f);
	return f->state == FLOW_INSPECT ? peer | agent : 0;
}

unsigned inspect_step(struct flow *f)
{
	unsigned wants = shake(f);

	if (wants || f->state != FLOW_INSPECT)
		return wants;
	if (f->refusal.max)
		return refuse(f);
	if (f->tls->http2 ? !streams_start(f) : !http_start(f))
		return end(f, END_ERROR, REASON_LIMIT);
	flow_become(f, f->tls->http2 ? FLOW_STREAMS : FLOW_HTTP);
	f->ready = WANT_AGENT_READ | WANT_PEER_READ;
	return WANT_AGAIN;
}

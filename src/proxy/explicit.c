/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/explicit.h"

#include <errno.h>
#include <sys/socket.h>

#include "proto/http_onward.h"
#include "proto/socks.h"
#include "proxy/ask.h"

#define LOOKS_MAX 4096		/* parses of one request: bytes may come one by one */
#define ONWARD_MAX (LOOK_MAX + 512)	/* a head and the Host that it may get */

struct explicit {
	enum door	 door;
	bool		 chosen;	/* SOCKS: the method was told */
	bool		 awaited;	/* the client waits for our answer to its request */
	bool		 sends_on;	/* requests in absolute form */
	bool		 passes;	/* another flow takes over */
	uint16_t	 port;		/* of the target */
	uint16_t	 host_len;
	uint16_t	 own_port;
	struct addr	 own;		/* the listener's */
	char		 host[TALK_HOST_MAX];	/* of the target, as sent */
};

bool explicit_start(struct flow *f)
{
	f->explicit = malloc(sizeof(*f->explicit));
	if (!f->explicit)
		return false;
	*f->explicit = (struct explicit){
		.door = (enum door)f->door, .own = f->dst, .own_port = f->port,
	};
	return true;
}

void explicit_free(struct explicit *e)
{
	free(e);
}

static unsigned over(struct flow *f, enum flow_end end)
{
	flow_ends(f, end, REASON_ALLOWED);
	flow_become(f, FLOW_OVER);
	return 0;
}

/* ---- the client goes on with another flow ---- */

static unsigned pass_on(struct flow *f, enum flow_end end)
{
	f->explicit->passes = true;
	return over(f, end);
}

struct heir explicit_will(struct flow *f)
{
	const struct explicit *e = f->explicit;
	struct heir h = { .agent = -1 };

	if (!e || !e->passes)
		return h;
	h = (struct heir){
		.agent = TAKE_FD(f->agent), .client = f->client, .client_port = f->client_port,
		.own = e->own, .own_port = e->own_port,
	};
	if (f->http && http_ahead(f)->len) {
		struct buf *ahead = http_ahead(f);

		h.ahead = *ahead;
		*ahead = buf_new(ahead->max);
	}
	return h;
}

void explicit_inherit(struct proxy *x, struct heir *h)
{
	struct flow *f;

	if (h->agent < 0)
		return;
	f = flow_new(x, h->agent, DOOR_HTTP, &h->own, h->own_port);
	if (!f || (h->ahead.len && !http_start(f))) {
		buf_done(&h->ahead);
		if (!f)
			close(h->agent);
		else
			over(f, END_ERROR);
	} else if (h->ahead.len) {
		*http_ahead(f) = h->ahead;
	}
	if (!f)
		return;
	f->client = h->client;
	f->client_port = h->client_port;
	flow_drive(f);
}

/* ---- telling the client ---- */

/* Little, on a socket that nothing else was written to: what does not fit at once never will */
static bool send_all(struct flow *f, const void *bytes, size_t len)
{
	return send(f->agent, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

bool explicit_done(struct flow *f)
{
	static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	uint8_t reply[SOCKS_REPLY_BYTES];
	bool told;

	if (!f->explicit || f->explicit->sends_on)
		return true;
	socks_reply(SOCKS_DONE, reply);
	if (f->explicit->door == DOOR_SOCKS)
		told = send_all(f, reply, sizeof(reply));
	else
		told = send_all(f, established, sizeof(established) - 1);
	explicit_free(f->explicit);
	f->explicit = NULL;
	return told;
}

static enum socks_code code_of(enum reason reason)
{
	switch (reason) {
	case REASON_RESOLVE_FAILED:
	case REASON_UPSTREAM_FAILED:
		return SOCKS_HOST_UNREACHABLE;
	case REASON_UNSUPPORTED:
		return SOCKS_NO_COMMAND;
	case REASON_MALFORMED:
		return SOCKS_FAILED;
	default:
		return SOCKS_NOT_ALLOWED;
	}
}

bool explicit_refuse(struct flow *f, enum reason reason)
{
	uint8_t reply[SOCKS_REPLY_BYTES];

	if (!f->explicit || !f->explicit->awaited)
		return false;
	f->form = SEEN_HTTP;
	if (f->explicit->door == DOOR_HTTP)
		return false;
	socks_reply(code_of(reason), reply);
	f->refusal = buf_new(sizeof(reply));
	return buf_add(&f->refusal, reply, sizeof(reply));
}

/* ---- what the client says ---- */

static unsigned want_peer(const struct flow *f)
{
	return f->peer >= 0 ? WANT_PEER_READ : 0;
}

/* Have the keeper deny, and record, what names no target */
static unsigned refuse(struct flow *f, enum seen seen, unsigned flags)
{
	struct facts facts = { .seen = seen };
	struct explicit *e = f->explicit;

	e->awaited = e->door == DOOR_HTTP || e->chosen;
	return ask_target(f, &facts, &e->own, e->own_port, (struct span){ 0 }, flags);
}

/* Bytes that are too few.  The time that they have begins with the first of them. */
static unsigned wait_more(struct flow *f, unsigned wants)
{
	if (look_ended(f->agent))
		return over(f, END_CLIENT);
	if (!f->looks)
		f->since_s = f->proxy->now_s;
	if (f->looks++ > LOOKS_MAX)
		return refuse(f, SEEN_MALFORMED, 0);
	return wants | want_peer(f);
}

/* Take @len bytes that were peeked at */
static bool take(struct flow *f, size_t len)
{
	return recv(f->agent, pump_scratch(), len, MSG_DONTWAIT) == (ssize_t)len;
}

/* Return: bytes in the scratch buffer; 0: none so far; negative: it is gone */
static ssize_t peek(struct flow *f, size_t max)
{
	ssize_t n = recv(f->agent, pump_scratch(), max, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return 0;
	return n > 0 ? n : -1;
}

static struct span target_host(const struct explicit *e)
{
	return span_of(e->host, e->host_len);
}

/* Return: false if it is longer than any name */
static bool set_target(struct explicit *e, struct span host, uint16_t port)
{
	if (host.len > sizeof(e->host))
		return false;
	memcpy(e->host, host.at, host.len);
	e->host_len = (uint16_t)host.len;
	e->port = port;
	return true;
}

/* ---- SOCKS ---- */

static unsigned socks_greeted(struct flow *f, struct span bytes)
{
	uint8_t choice[SOCKS_CHOICE_BYTES];
	struct socks_greeting g;

	switch (socks_greeting_parse(bytes, &g)) {
	case PARSE_MORE:
		return wait_more(f, WANT_AGENT_MORE);
	case PARSE_BAD:
		return refuse(f, SEEN_MALFORMED, 0);
	case PARSE_OK:
		break;
	}
	socks_choice(g.open, choice);
	if (!take(f, g.bytes) || !send_all(f, choice, sizeof(choice)))
		return over(f, END_ERROR);
	if (!g.open)		/* the client closes (RFC 1928 section 3) */
		return over(f, END_SERVER);
	f->explicit->chosen = true;
	return WANT_AGAIN;
}

static unsigned socks_asked(struct flow *f, struct span bytes)
{
	const struct facts nothing = { .seen = SEEN_NOT_YET };
	struct explicit *e = f->explicit;
	struct socks_request r;

	switch (socks_request_parse(bytes, &r)) {
	case PARSE_MORE:
		return wait_more(f, WANT_AGENT_MORE);
	case PARSE_BAD:
		return refuse(f, SEEN_MALFORMED, 0);
	case PARSE_OK:
		break;
	}
	if (r.command != SOCKS_CONNECT)
		return refuse(f, SEEN_NOT_YET, TALK_UNSUPPORTED);
	set_target(e, r.host, r.port);	/* a name of SOCKS always fits */
	if (!take(f, r.bytes))
		return over(f, END_ERROR);
	e->awaited = true;
	return ask_target(f, &nothing, r.host.len ? &e->own : &r.addr, r.port, target_host(e), 0);
}

static unsigned socks_step(struct flow *f)
{
	ssize_t n = peek(f, SOCKS_REQUEST_MAX);
	struct span bytes = span_of(pump_scratch(), n > 0 ? (size_t)n : 0);

	if (n < 0)
		return over(f, END_CLIENT);
	if (n == 0)
		return WANT_AGENT_READ;
	return f->explicit->chosen ? socks_asked(f, bytes) : socks_greeted(f, bytes);
}

/* ---- HTTP ---- */

/* A request, and where it lies: in the socket, or ahead of its turn in http.c */
struct asked {
	struct http_request r;
	struct span	 bytes;
	bool		 held;
};

static uint16_t port_of(const struct http_request *r)
{
	return r->host_port ? r->host_port : 80;
}

static bool is_forward(const struct http_request *r)
{
	return r->form == HTTP_ABSOLUTE && span_eq_fold(span_head(r->target, 7), SPAN("http://"));
}

/* A server that is waiting for the next request has nothing to say, unless it goes */
static bool server_waits(const struct flow *f)
{
	uint8_t byte;

	return recv(f->peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* May it go to the server that is connected? */
static bool same_way(const struct flow *f, const struct http_request *r)
{
	const struct explicit *e = f->explicit;

	return is_forward(r) && port_of(r) == e->port && span_eq_fold(r->host, target_host(e)) &&
	       server_waits(f);
}

static unsigned connect_to(struct flow *f, const struct asked *a)
{
	const struct facts nothing = { .seen = SEEN_NOT_YET };
	struct explicit *e = f->explicit;

	/* what was sent behind it, and was read already, is in nobody's way any more */
	if ((a->held && a->bytes.len > a->r.head_bytes) ||
	    !set_target(e, a->r.host, a->r.host_port))
		return refuse(f, SEEN_MALFORMED, 0);
	if (!a->held && !take(f, a->r.head_bytes))
		return over(f, END_ERROR);
	http_free(f->http);
	f->http = NULL;
	e->awaited = true;
	return ask_target(f, &nothing, &e->own, e->port, target_host(e), 0);
}

/* The head for the server lies in http.c: that one is judged.  Return: false if it is none */
static bool onward_facts(struct flow *f, struct facts *ret_facts)
{
	struct http_request r;

	if (http_request_parse(buf_span(http_ahead(f)), &r) != PARSE_OK ||
	    (r.form != HTTP_ORIGIN && r.form != HTTP_ASTERISK))
		return false;
	look_request(&r, ret_facts);
	return true;
}

/* Return: false if it cannot be written, or read again */
static bool write_onward(struct flow *f, const struct asked *a, struct facts *ret_facts)
{
	struct buf head = buf_new(ONWARD_MAX);
	bool ok = http_onward(span_head(a->bytes, a->r.head_bytes), &a->r, &head) &&
		  (f->http || http_start(f)) &&
		  http_hand(f, a->held ? a->r.head_bytes : 0, buf_span(&head)) &&
		  onward_facts(f, ret_facts);

	buf_done(&head);
	return ok;
}

static unsigned send_on(struct flow *f, const struct asked *a)
{
	struct explicit *e = f->explicit;
	size_t len = a->r.head_bytes;
	struct facts facts;

	/* the name in @a may be gone once the head is written */
	if (!set_target(e, a->r.host, port_of(&a->r)) || !write_onward(f, a, &facts))
		return refuse(f, SEEN_MALFORMED, 0);
	if (!a->held && !take(f, len))
		return over(f, END_ERROR);
	e->sends_on = true;
	if (f->peer < 0)
		return ask_target(f, &facts, &e->own, e->port, target_host(e), 0);
	flow_become(f, FLOW_HTTP);
	f->ready = WANT_AGENT_READ;
	return WANT_AGAIN;
}

static unsigned head_whole(struct flow *f, const struct asked *a)
{
	if (f->peer >= 0 && !same_way(f, &a->r))
		return pass_on(f, END_CLIENT);
	f->looks = 0;
	if (a->r.form == HTTP_AUTHORITY)
		return connect_to(f, a);
	if (is_forward(&a->r))
		return send_on(f, a);
	return refuse(f, SEEN_NOT_YET, TALK_UNSUPPORTED);
}

/* What lies ahead is no whole head: add to it */
static unsigned read_ahead(struct flow *f)
{
	ssize_t n = recv(f->agent, pump_scratch(), LOOK_MAX, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return wait_more(f, WANT_AGENT_READ);
	if (n <= 0 || !buf_add(http_ahead(f), pump_scratch(), (size_t)n))
		return over(f, END_CLIENT);
	return WANT_AGAIN;
}

static unsigned head_step(struct flow *f)
{
	struct asked a = { .held = f->http && http_ahead(f)->len };
	enum parse p;
	ssize_t n;

	if (f->peer >= 0 && f->ready & WANT_PEER_READ && !server_waits(f))
		return pass_on(f, END_SERVER);
	n = a.held ? 1 : peek(f, LOOK_MAX);
	if (n < 0)
		return over(f, END_CLIENT);
	if (n == 0)
		return WANT_AGENT_READ | want_peer(f);
	a.bytes = a.held ? buf_span(http_ahead(f)) : span_of(pump_scratch(), (size_t)n);
	p = http_request_parse(a.bytes, &a.r);
	if (p == PARSE_OK)
		return head_whole(f, &a);
	if (p == PARSE_MORE && a.bytes.len < LOOK_MAX)
		return a.held ? read_ahead(f) : wait_more(f, WANT_AGENT_MORE);
	return f->peer < 0 ? refuse(f, SEEN_MALFORMED, 0) : pass_on(f, END_CLIENT);
}

unsigned explicit_step(struct flow *f)
{
	return f->explicit->door == DOOR_SOCKS ? socks_step(f) : head_step(f);
}

/* ---- the keeper's answer ---- */

/* What the client says first must be seen: so it must know that it may speak */
static void ask_or_look(struct flow *f)
{
	const struct facts nothing = { .seen = SEEN_NOT_YET };

	look_need(f);
	if (!f->need)
		ask_send(f, GATE_ASK, &nothing, 0);
	else if (explicit_done(f))
		flow_become(f, FLOW_LOOK);
	else
		over(f, END_ERROR);
}

void explicit_known(struct flow *f, const struct addr *addr)
{
	struct facts facts;

	f->door = DOOR_JAIL;
	f->dst = *addr;
	f->port = f->explicit->port;
	f->host = binding_of_addr(f->proxy->bindings, addr);
	f->looks = 0;
	if (!f->explicit->sends_on)
		ask_or_look(f);
	else if (onward_facts(f, &facts))
		ask_send(f, GATE_ASK, &facts, 0);
	else
		over(f, END_ERROR);
	flow_drive(f);
}

void explicit_tick(struct flow *f)
{
	uint32_t waited = f->proxy->now_s - f->since_s;

	if (f->peer >= 0 && !f->looks && waited > EXPLICIT_SERVER_S)
		pass_on(f, END_IDLE);
	else if (waited > (f->looks ? EXPLICIT_HEAD_S : EXPLICIT_IDLE_S))
		over(f, END_CLIENT);
	else
		return;
	flow_drive(f);
}

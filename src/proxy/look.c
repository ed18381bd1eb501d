/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.c - see what the client says first, without taking it
 *
 * The bytes are peeked at and stay in the socket, so that whatever is decided
 * they can be relayed by the cheapest means.  Protocols in which the server
 * speaks first must not wait: a flow is looked at before the decision only if
 * its rule needs that, or if the client has spoken already.
 *
 * On a port that may carry anything, what has the form of an HTTP/1 request
 * line counts as HTTP.  Until the first line is whole nobody can tell, and
 * bytes that have gone to the server cannot be called back: so what begins with
 * a method that servers know is held until its line is whole, or can be none.
 * Everything else must not wait for a line that may never come: a method that
 * nobody knows is seen only if its whole line is there at once.  The end of the
 * stream settles it too.
 */
#include "proxy/look.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "policy/git.h"
#include "proxy/ask.h"
#include "proxy/flow.h"
#include "proxy/wishes.h"

#define METHOD_MAX 4096		/* bytes: no server takes a longer first word for a method */
#define LOOKS_MAX 4096		/* parses of one hello or head: bytes may come one by one */

static bool is_token(uint8_t c)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr(others, c));
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Is the token a method in use (IANA's registry; M-SEARCH is UPnP's), or, if it may go on,
 * the start of one? */
static bool known_method(struct span token, bool may_go_on)
{
	static const char *const methods[] = {
		"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI",
		"ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK",
		"LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE",
		"MOVE", "M-SEARCH", "ORDERPATCH", "PROPFIND", "PROPPATCH", "PURGE", "QUERY", "REBIND",
		"REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE",
		"UPDATEREDIRECTREF", "VERSION-CONTROL",
	};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		struct span method = span_head(span_str(methods[i]), may_go_on ? token.len : SIZE_MAX);

		if (span_eq_fold(method, token))
			return true;
	}
	return false;
}

/*
 * Is this what some server takes for "METHOD TARGET HTTP/..."?  OK: it is.
 * MORE: so far, and with a method that servers know.  Servers pass over empty
 * lines and blanks before it (RFC 9112 2.2), split it at any blanks, and allow
 * them in the target: so does this.  The strict parser then refuses what is
 * not exactly right.
 */
static enum parse request_line(struct span s)
{
	static const struct span version = SPAN("HTTP/");
	size_t i = 0, method;
	bool known;

	while (i < s.len && is_blank(s.at[i]))
		i++;
	method = i;
	while (i < s.len && is_token(s.at[i]))
		i++;
	if (i - method > METHOD_MAX || (i < s.len && (i == method || !is_blank(s.at[i]))))
		return PARSE_BAD;
	known = known_method(span_of(s.at + method, i - method), i == s.len);
	for (; i < s.len && s.at[i] && s.at[i] != '\n'; i++)
		if (is_blank(s.at[i]) && span_eq_fold(span_head(span_skip(s, i + 1), version.len),
						      version))
			return PARSE_OK;
	return i < s.len || !known ? PARSE_BAD : PARSE_MORE;
}

void look_request(const struct http_request *r, struct facts *ret_facts)
{
	*ret_facts = (struct facts){ .seen = SEEN_HTTP, .request = *r };
	if (r->upgrade || r->form == HTTP_AUTHORITY)
		ret_facts->seen = SEEN_UPGRADE;
}

bool look_is_websocket(const struct facts *facts)
{
	const struct http_request *r = &facts->request;

	/* the handshake is a GET without a body (RFC 6455 4.1): a body could hide what follows */
	return facts->seen == SEEN_UPGRADE && r->head_bytes && r->websocket &&
	       r->form != HTTP_AUTHORITY && r->framing == HTTP_BODY_NONE &&
	       span_eq(r->method, SPAN("GET"));
}

static enum parse look_http(struct span bytes, struct facts *f)
{
	struct http_request request;
	enum parse p = http_preface(bytes);

	if (p == PARSE_OK)
		f->seen = SEEN_UPGRADE;
	if (p != PARSE_BAD)
		return p;
	p = request_line(bytes);
	if (p == PARSE_MORE)
		return p;
	if (p == PARSE_BAD) {
		f->seen = SEEN_OTHER;
		f->ssh = span_starts(bytes, SPAN("SSH-"));
		return PARSE_OK;
	}
	p = http_request_parse(bytes, &request);
	if (p == PARSE_OK)
		look_request(&request, f);
	if (p == PARSE_BAD)
		f->seen = SEEN_MALFORMED;
	return p == PARSE_MORE ? PARSE_MORE : PARSE_OK;
}

/*
 * Does it begin with a TLS record of any kind?  Servers pass over an empty
 * record or a warning before the hello: whoever looks for the hello alone
 * takes the stream for something else.
 */
static enum parse tls_record(struct span s)
{
	if (s.len && (s.at[0] < 20 || s.at[0] > 24))	/* RFC 8446 5.1, RFC 6520 */
		return PARSE_BAD;
	if (s.len < 2)
		return PARSE_MORE;
	return s.at[1] == 3 ? PARSE_OK : PARSE_BAD;
}

static enum parse look_tls(struct span bytes, struct facts *f)
{
	static uint8_t scratch[TLS_HELLO_MAX];
	enum parse p = tls_hello_parse(bytes, scratch, sizeof(scratch), &f->hello);

	f->seen = p == PARSE_OK ? SEEN_TLS : SEEN_MALFORMED;
	return p == PARSE_MORE ? PARSE_MORE : PARSE_OK;
}

enum parse look_at(struct span bytes, struct facts *ret_facts)
{
	*ret_facts = (struct facts){ .seen = SEEN_OTHER };
	switch (tls_record(bytes)) {
	case PARSE_OK:
		return look_tls(bytes, ret_facts);
	case PARSE_MORE:
		return PARSE_MORE;
	case PARSE_BAD:
		break;
	}
	return look_http(bytes, ret_facts);
}

void look_question(const struct facts *facts, struct question *q)
{
	q->seen = facts->seen;
	if (facts->seen == SEEN_TLS) {
		q->has_sni = facts->hello.has_sni;
		q->sni = facts->hello.sni;
		q->ech = facts->hello.ech;
	} else if (facts->seen == SEEN_HTTP || look_is_websocket(facts)) {
		q->websocket = facts->seen == SEEN_UPGRADE;
		q->body_bytes = facts->request.length;
		q->http_host = facts->request.host;
		q->http_port = facts->request.host_port;
		q->method = facts->request.method;
		q->overrides = facts->request.overrides;
		q->pushes = git_is_push(facts->request.target);
		q->path = facts->request.path;
	}
}

enum seen look_cut(struct span bytes)
{
	return tls_record(bytes) == PARSE_OK || request_line(bytes) == PARSE_OK ? SEEN_MALFORMED
									  : SEEN_OTHER;
}

bool look_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

/* Does an allow rule let nothing pass before the client has spoken (rule_carries() in
 * policy/decide.c)?  Datagrams are not asked about. */
static bool rule_looks(const struct rule_view *r)
{
	if (r->protocol != PROTOCOL_AUTO)
		return r->protocol != PROTOCOL_TCP;
	for (size_t i = 0; i < r->port_count; i++) {
		const struct port_range *p = &r->ports[i];

		if (p->transport == TRANSPORT_TCP &&
		    (p->first != p->last || (p->first != 80 && p->first != 443)))
			return false;
	}
	return true;
}

bool look_always(const struct policy *p)
{
	if (policy_mode(p) != MODE_FILTERED || policy_settings(p).asks)
		return false;
	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		struct rule_view r = policy_rule(p, i);

		if (r.allow && !rule_looks(&r))
			return false;
	}
	return true;
}

/* It ended, is too long or took too long: what is there must do */
static unsigned look_last(struct flow *f, struct span bytes, bool late, struct facts *facts)
{
	if (f->need)
		facts->seen = bytes.len ? SEEN_MALFORMED : SEEN_OTHER;
	else if (look_ended(f->agent))
		facts->seen = look_cut(bytes);
	else	/* a slow first line is held on, with the server connected */
		facts->seen = late ? SEEN_NOT_YET : SEEN_MALFORMED;
	return ask_send(f, GATE_ASK, facts, 0);
}

/* What the gate's own copy of the policy says must be seen first */
void look_need(struct flow *f)
{
	struct question q = ask_question(f);
	struct verdict v = policy_decide(f->proxy->policy, &q);

	f->need = v.answer == ANSWER_NEED ? (uint8_t)v.need : 0;
	f->watch = (v.answer == ANSWER_ALLOW || v.answer == ANSWER_ASK) && v.watch;
}

unsigned look_step(struct flow *f)
{
	struct facts facts = { .seen = SEEN_NOT_YET };
	bool late = f->looks == UINT16_MAX;
	struct span bytes;
	ssize_t n;

	if (!f->looks && f->door == DOOR_JAIL)
		look_need(f);
	else if (f->door == DOOR_NOTICE)
		f->need = NEED_HTTP;
	if (!f->need && !f->watch && !late)
		return ask_send(f, GATE_ASK, &facts, 0);
	n = recv(f->agent, pump_scratch(), LOOK_MAX, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN)
		n = 0;
	if (n == 0 && !late)
		return ask_send(f, GATE_ASK, &facts, TALK_EMPTY);
	bytes = span_of(pump_scratch(), n > 0 ? (size_t)n : 0);
	if (n < 0 && !f->need && !late)
		return ask_send(f, GATE_ASK, &facts, 0);	/* the server may speak first */
	if (n > 0 && look_at(bytes, &facts) == PARSE_OK && wish_look(f, bytes, &facts) == PARSE_OK)
		return ask_send(f, GATE_ASK, &facts, 0);
	if (late || bytes.len == LOOK_MAX || f->looks++ > LOOKS_MAX)
		return look_last(f, bytes, late, &facts);
	facts = (struct facts){ .seen = SEEN_NOT_YET };
	return n > 0 && look_ended(f->agent) ? look_last(f, bytes, false, &facts) : WANT_AGENT_MORE;
}

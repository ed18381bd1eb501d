/* SPDX-License-Identifier: Apache-2.0 */
/*
 * learn_ask.c - what a policy would say of what was seen
 *
 * The data path's own judge answers: of presets, whether they cover a place, and of the
 * policy that was written, whether it lets everything pass that it was written for.
 */
#include "base/auto.h"
#include "policy/path.h"
#include "watch/learnt.h"

/* The question that all others begin with; borrows from @p and @text */
static struct question ask(const struct learnt *p, enum seen seen, char text[ADDR_TEXT_MAX])
{
	struct question q = {
		.about = ABOUT_CONN, .host = span_str(p->host), .addr = p->addr, .port = p->port,
		.transport = p->udp ? TRANSPORT_UDP : TRANSPORT_TCP, .seen = seen,
	};

	if (seen == SEEN_TLS) {
		q.has_sni = q.host.len > 0;
		q.sni = q.host;
	}
	if (seen == SEEN_HTTP || seen == SEEN_UPGRADE)
		q.http_host = q.host.len ? q.host : span_str(addr_text(&p->addr, text));
	return q;
}

bool learnt_conn_passes(const struct policy *p, const struct learnt *place, enum said said,
			bool inspected)
{
	static const enum seen seen[SAID_NUM] = {
		[SAID_TCP] = SEEN_OTHER, [SAID_TLS] = SEEN_TLS, [SAID_HTTP] = SEEN_HTTP,
		[SAID_UDP] = SEEN_OTHER,
	};
	char text[ADDR_TEXT_MAX];
	struct question q = ask(place, SEEN_NOT_YET, text);
	struct verdict v = policy_decide(p, &q);
	bool opens;

	if (v.answer == ANSWER_DENY)
		return false;
	if (v.answer == ANSWER_ALLOW && !v.watch)
		return true;
	/* requests in clear are judged one by one, and nothing else is */
	if (said == SAID_HTTP && inspected)
		return true;
	q = ask(place, seen[said], text);
	v = policy_decide(p, &q);
	opens = said == SAID_TLS && policy_inspects(p, &q, &v);
	return v.answer == ANSWER_ALLOW && (inspected || !opens);
}

bool learnt_request_passes(const struct policy *p, const struct learnt *place, bool tls,
			   struct span method, struct span path, bool websocket)
{
	char text[ADDR_TEXT_MAX];
	struct question q = ask(place, websocket ? SEEN_UPGRADE : SEEN_HTTP, text);

	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] == '?' || path.at[i] == '#')
			path = span_head(path, i);
	q.method = method;
	q.path = path;
	q.websocket = websocket;
	q.inspected = tls;
	return policy_decide(p, &q).answer == ANSWER_ALLOW;
}

bool learnt_name_passes(const struct policy *p, const char *host, uint16_t type)
{
	const struct question q = { .about = ABOUT_NAME, .dns_type = type, .host = span_str(host) };

	return policy_decide(p, &q).answer == ANSWER_ALLOW;
}

static bool requests_pass(const struct learn *l, const struct policy *p,
			  const struct learnt *place, size_t method)
{
	bool tls = !(place->said & BIT(SAID_HTTP)), ok = true;
	struct span name = span_str(l->methods[method]), rest;
	struct buf patterns = buf_new(LEARN_PATTERNS_MAX * PATTERN_MAX);

	/* a path that all patterns say nothing of */
	if (!requests_patterns(&place->requests, (uint32_t)BIT(method), &patterns))
		ok = learnt_request_passes(p, place, tls, name, SPAN("/"), false);
	for (rest = buf_span(&patterns); rest.len && ok;) {
		struct span path = span_str((const char *)rest.at);

		ok = learnt_request_passes(p, place, tls, name, path, false);
		rest = span_skip(rest, path.len + 1);
	}
	buf_done(&patterns);
	return ok;
}

bool learnt_passes(const struct learn *l, const struct policy *p, const struct learnt *place)
{
	uint32_t methods = requests_methods(&place->requests);
	bool ok = true;

	if (!place->port)
		return learnt_name_passes(p, place->host, 0);
	for (enum said s = 0; s < SAID_NUM; s++)
		if (place->said & BIT(s))
			ok = ok && learnt_conn_passes(p, place, s, !place->blind);
	for (size_t i = 0; i < l->method_count && !place->blind; i++)
		if (methods & BIT(i))
			ok = ok && requests_pass(l, p, place, i);
	return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/target.h"

#include "base/auto.h"
#include "base/dns_type.h"
#include "policy/git.h"
#include "policy/ports.h"

static const struct {
	struct span	 prefix;
	enum target_kind kind;
	uint16_t	 port;
} schemes[] = {
	{ { (const uint8_t *)"https://", 8 }, TARGET_TLS, 443 },
	{ { (const uint8_t *)"http://", 7 }, TARGET_HTTP, 80 },
};

bool target_is_url(struct span text)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (span_eq_fold(span_head(text, schemes[i].prefix.len), schemes[i].prefix))
			return true;
	return false;
}

/* A token (RFC 9110, 5.6.2), of what methods are made of in practice */
bool target_is_method(struct span word)
{
	for (size_t i = 0; i < word.len; i++) {
		uint8_t c = ascii_lower(word.at[i]);

		if ((c < 'a' || c > 'z') && c != '-' && c != '_')
			return false;
	}
	return word.len > 0 && word.len <= METHOD_MAX;
}

static bool bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return false;
}

/*
 * HOST, HOST:PORT, ADDRESS:PORT, [ADDRESS]:PORT
 *
 * @t->port keeps its value if there is none.
 */
static bool parse_authority(struct span text, struct target *t, const char **ret_why)
{
	bool bracket = span_starts(text, SPAN("["));
	ptrdiff_t end = span_find(text, bracket ? ']' : ':');
	struct span host = end < 0 ? text : span_head(text, (size_t)end);
	struct span rest = span_skip(text, host.len + bracket);

	if (bracket && end < 0)
		return bad(ret_why, "a bracket is not closed");
	if (bracket)
		host = span_skip(host, 1);
	if (rest.len && (rest.at[0] != ':' || !port_parse(span_skip(rest, 1), &t->port)))
		return bad(ret_why, "not a port from 1 to 65535");
	if (addr_parse(host, &t->addr) && bracket == (span_find(host, ':') >= 0))
		return true;
	if (!bracket && host_normal(host, t->host))
		return true;
	return bad(ret_why, "neither a host name nor an address");
}

static bool parse_url(struct span text, struct target *t, const char **ret_why)
{
	struct span rest = { 0 }, authority;
	ptrdiff_t at;

	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] == 0x7f)
			return bad(ret_why, "blanks or control characters in a URL");
	for (size_t i = 0; i < ARRAY_SIZE(schemes) && !rest.len; i++) {
		if (!span_eq_fold(span_head(text, schemes[i].prefix.len), schemes[i].prefix))
			continue;
		rest = span_skip(text, schemes[i].prefix.len);
		t->kind = schemes[i].kind;
		t->port = schemes[i].port;
	}
	authority = rest;
	for (size_t i = 0; i < authority.len; i++)
		if (strchr("/?#\\", authority.at[i]))
			authority.len = i;
	rest = span_skip(rest, authority.len);
	t->pushes = git_is_push(rest);
	for (size_t i = 0; i < rest.len; i++)
		if (strchr("?#", rest.at[i]))
			rest.len = i;
	t->path = rest.len ? rest : SPAN("/");
	/* where the authority ends, and which of two '@' begins the host, is read in two ways */
	t->malformed = span_starts(rest, SPAN("\\"));
	while ((at = span_find(authority, '@')) >= 0) {
		t->malformed = true;
		authority = span_skip(authority, (size_t)at + 1);
	}
	return parse_authority(authority, t, ret_why);
}

static bool parse_dns(struct span text, struct target *t, const char **ret_why)
{
	ptrdiff_t slash = span_find(text, '/');
	struct span type = slash < 0 ? SPAN("A") : span_skip(text, (size_t)slash + 1);
	struct span name = slash < 0 ? text : span_head(text, (size_t)slash);

	if (!dns_type_from(type, &t->dns_type))
		return bad(ret_why, "not a type of DNS record");
	if (!host_normal(name, t->host))
		return bad(ret_why, "not a host name");
	t->kind = TARGET_DNS;
	return true;
}

static bool parse_conn(struct span text, struct target *t, const char **ret_why)
{
	t->kind = TARGET_CONN;
	if (span_ends(text, SPAN("/udp"))) {
		t->transport = TRANSPORT_UDP;
		text.len -= 4;
	} else if (span_ends(text, SPAN("/tcp"))) {
		text.len -= 4;
	}
	if (!parse_authority(text, t, ret_why))
		return false;
	return t->port || bad(ret_why, "no port (HOST:PORT, a URL, or dns:NAME)");
}

bool target_parse(struct span text, struct target *ret_target, const char **ret_why)
{
	struct target t = { .method = SPAN("GET"), .path = SPAN("/") };
	ptrdiff_t blank = span_find(text, ' ');
	struct span word = span_head(text, blank < 0 ? 0 : (size_t)blank);
	bool ok;

	if (target_is_url(text)) {
		ok = parse_url(text, &t, ret_why);
	} else if (target_is_method(word) && target_is_url(span_skip(text, word.len + 1))) {
		t.method = word;
		ok = parse_url(span_skip(text, word.len + 1), &t, ret_why);
	} else if (span_eq_fold(span_head(text, 4), SPAN("dns:"))) {
		ok = parse_dns(span_skip(text, 4), &t, ret_why);
	} else {
		ok = parse_conn(text, &t, ret_why);
	}
	if (ok)
		*ret_target = t;
	return ok;
}

struct question target_question(const struct target *t, enum seen seen, int64_t now_s)
{
	struct question q = {
		.about = t->kind == TARGET_DNS ? ABOUT_NAME : ABOUT_CONN,
		.dns_type = t->dns_type, .host = span_str(t->host), .addr = t->addr, .port = t->port,
		.transport = t->transport, .seen = seen, .now_s = now_s,
	};

	if (seen == SEEN_TLS) {
		q.has_sni = q.host.len > 0;
		q.sni = q.host;
	} else if (seen == SEEN_HTTP) {
		q.http_host = q.host;
		q.method = t->method;
		q.path = t->path;
		q.pushes = t->pushes;
	}
	return q;
}

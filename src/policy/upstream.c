/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/upstream.h"

#include "policy/ports.h"

#define PORT_DNS 53		/* RFC 1035 4.2 */
#define PORT_DNS_TLS 853	/* RFC 7858 3.1 */
#define TLS_SCHEME SPAN("tls://")

/* ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; the port keeps its value if there is none */
static bool server_parse(struct span text, struct upstream *u)
{
	bool bracket = span_starts(text, SPAN("["));
	ptrdiff_t end;
	struct span rest;

	if (addr_parse(text, &u->addr))
		return true;
	end = span_find(text, bracket ? ']' : ':');
	if (end < 0)
		return false;
	rest = span_skip(text, (size_t)end + bracket);
	text = span_skip(span_head(text, (size_t)end), bracket);
	if (!addr_parse(text, &u->addr) || bracket == addr_is_v4(&u->addr))
		return false;
	if (!rest.len)
		return true;
	return rest.at[0] == ':' && port_parse(span_skip(rest, 1), &u->port);
}

/* Nobody can answer from there */
static bool is_server(const struct upstream *u)
{
	static const struct addr any6;
	struct addr any4 = addr_v4(0);

	return !addr_eq(&u->addr, &any4) && !addr_eq(&u->addr, &any6);
}

static bool tls_parse(struct span text, struct upstream *u, const char **ret_why)
{
	ptrdiff_t hash = span_find(text, '#');

	u->kind = UPSTREAM_TLS;
	u->port = PORT_DNS_TLS;
	if (hash < 0) {
		*ret_why = "without the name that its certificate must have";
		return false;
	}
	if (!host_normal(span_skip(text, (size_t)hash + 1), u->name)) {
		*ret_why = "with what is no host name behind '#'";
		return false;
	}
	return server_parse(span_head(text, (size_t)hash), u) && is_server(u);
}

bool upstream_parse(struct span text, struct upstream *ret_upstream, const char **ret_why)
{
	struct upstream u = { .kind = UPSTREAM_PLAIN, .port = PORT_DNS };
	bool ok;

	*ret_why = NULL;
	if (span_eq(text, SPAN("system"))) {
		u.kind = UPSTREAM_SYSTEM;
		ok = true;
	} else if (span_starts(text, TLS_SCHEME)) {
		ok = tls_parse(span_skip(text, TLS_SCHEME.len), &u, ret_why);
	} else {
		ok = server_parse(text, &u) && is_server(&u);
	}
	if (ok)
		*ret_upstream = u;
	return ok;
}

const char *upstream_text(const struct upstream *u, char dst[UPSTREAM_TEXT_MAX])
{
	struct buf b = buf_new(UPSTREAM_TEXT_MAX);
	char addr[ADDR_TEXT_MAX];
	bool v4 = addr_is_v4(&u->addr);

	if (u->kind == UPSTREAM_SYSTEM)
		buf_add_str(&b, "system");
	else
		buf_printf(&b, "%s%s%s%s:%u%s%s", u->kind == UPSTREAM_TLS ? "tls://" : "",
			   v4 ? "" : "[", addr_text(&u->addr, addr), v4 ? "" : "]", u->port,
			   u->kind == UPSTREAM_TLS ? "#" : "", u->name);
	if (!span_copy(buf_span(&b), dst, UPSTREAM_TEXT_MAX))
		dst[0] = '\0';
	buf_done(&b);
	return dst;
}

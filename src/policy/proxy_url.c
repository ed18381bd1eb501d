/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/proxy_url.h"

#include "policy/ports.h"

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte from the front of @s, its escape undone; -1: none that a user's name may hold */
static int credential_byte(struct span *s)
{
	int c = s->at[0], high, low;

	*s = span_skip(*s, 1);
	if (c == '%') {
		if (s->len < 2)
			return -1;
		high = hex_digit(s->at[0]);
		low = hex_digit(s->at[1]);
		if (high < 0 || low < 0)
			return -1;
		*s = span_skip(*s, 2);
		c = high << 4 | low;
	}
	return c < ' ' || c == 0x7f ? -1 : c;
}

/* RFC 7617 2: the first colon ends the name, which therefore has none */
static bool credentials_parse(struct span text, struct proxy_url *u)
{
	ptrdiff_t colon = span_find(text, ':');
	size_t name = colon < 0 ? text.len : (size_t)colon, len = 0;
	struct span left = text;

	while (left.len) {
		bool in_name = text.len - left.len < name;
		int c = credential_byte(&left);

		if (c < 0 || (in_name && c == ':') || len + 2 >= sizeof(u->credentials))
			return false;
		u->credentials[len++] = (char)c;
	}
	if (colon < 0)
		u->credentials[len++] = ':';
	u->credentials[len] = '\0';
	u->has_credentials = true;
	return name > 0;
}

/* HOST:PORT; an IPv6 address stands in brackets */
static bool authority_parse(struct span text, struct proxy_url *u, const char **ret_why)
{
	bool bracket = span_starts(text, SPAN("["));
	ptrdiff_t end = span_find(text, bracket ? ']' : ':');
	struct span host, rest;

	*ret_why = "without a port";
	if (end < 0)
		return false;
	host = span_skip(span_head(text, (size_t)end), bracket);
	rest = span_skip(text, (size_t)end + bracket);
	if (!rest.len)
		return false;
	*ret_why = "with what is no port";
	if (rest.at[0] != ':' || !port_parse(span_skip(rest, 1), &u->port))
		return false;
	*ret_why = "with what is no host";
	if (addr_parse(host, &u->addr))
		return bracket != addr_is_v4(&u->addr);
	if (bracket || !host_normal(host, u->host))
		return false;
	if (!strcmp(u->host, "localhost")) {
		u->addr = addr_v4(INADDR_LOOPBACK);
		u->host[0] = '\0';
	}
	return true;
}

static bool has_scheme(struct span text)
{
	ptrdiff_t colon = span_find(text, ':');

	return colon >= 0 && span_starts(span_skip(text, (size_t)colon), SPAN("://"));
}

static bool url_parse(struct span text, bool scheme_optional, struct proxy_url *ret_url,
		      const char **ret_why)
{
	static const struct span scheme = SPAN("http://");
	struct proxy_url u = { .port = 0 };
	ptrdiff_t at;

	*ret_why = "of a kind that is not supported";
	if (span_eq_fold(span_head(text, scheme.len), scheme))
		text = span_skip(text, scheme.len);
	else if (!scheme_optional || has_scheme(text))
		return false;
	if (span_ends(text, SPAN("/")))
		text = span_head(text, text.len - 1);
	*ret_why = "with more than a host and a port";
	if (span_find(text, '/') >= 0 || span_find(text, '?') >= 0 || span_find(text, '#') >= 0)
		return false;
	*ret_why = "with credentials that cannot be read";
	at = span_find(text, '@');
	if (at >= 0 && !credentials_parse(span_head(text, (size_t)at), &u))
		return false;
	if (at >= 0)
		text = span_skip(text, (size_t)at + 1);
	if (!authority_parse(text, &u, ret_why))
		return false;
	*ret_url = u;
	return true;
}

bool proxy_url_parse(struct span text, struct proxy_url *ret_url, const char **ret_why)
{
	return url_parse(text, false, ret_url, ret_why);
}

bool host_proxy_parse(struct span text, struct proxy_url *ret_url, const char **ret_why)
{
	return url_parse(text, true, ret_url, ret_why);
}

const char *proxy_url_text(const struct proxy_url *u, char dst[PROXY_TEXT_MAX])
{
	char addr[ADDR_TEXT_MAX];
	bool v4 = addr_is_v4(&u->addr);

	if (u->host[0])
		snprintf(dst, PROXY_TEXT_MAX, "http://%s:%u", u->host, u->port);
	else
		snprintf(dst, PROXY_TEXT_MAX, "http://%s%s%s:%u", v4 ? "" : "[",
			 addr_text(&u->addr, addr), v4 ? "" : "]", u->port);
	return dst;
}

/* ---- no_proxy ---- */

/* Cut ":PORT" off the end of an entry that is no bare IPv6 address; false: not this port */
static bool entry_port(struct span *entry, uint16_t port)
{
	struct span rest = *entry;
	ptrdiff_t colon;
	uint16_t wanted;
	struct net n;

	if (net_parse(*entry, &n))
		return true;
	if (span_starts(*entry, SPAN("["))) {
		ptrdiff_t end = span_find(*entry, ']');

		if (end < 0)
			return false;
		rest = span_skip(*entry, (size_t)end + 1);
		*entry = span_skip(span_head(*entry, (size_t)end), 1);
		if (!rest.len)
			return true;
		colon = 0;
	} else {
		colon = span_find(*entry, ':');
		if (colon < 0)
			return true;
		*entry = span_head(*entry, (size_t)colon);
	}
	return port && rest.at[colon] == ':' &&
	       port_parse(span_skip(rest, (size_t)colon + 1), &wanted) && wanted == port;
}

/* Is @host the name or below it?  @host is in normal form. */
static bool host_in(struct span name, struct span host)
{
	char normal[HOST_MAX + 1];
	struct span below;

	if (span_starts(name, SPAN("*.")))
		name = span_skip(name, 2);
	else if (span_starts(name, SPAN(".")))
		name = span_skip(name, 1);
	if (!host_normal(name, normal))
		return false;
	name = span_str(normal);
	if (!span_ends(host, name))
		return false;
	below = span_head(host, host.len - name.len);
	return !below.len || span_ends(below, SPAN("."));
}

static bool entry_has(struct span entry, struct span host, const struct addr *addr, uint16_t port)
{
	struct net n;

	if (span_eq(entry, SPAN("*")))
		return true;
	if (!entry_port(&entry, port))
		return false;
	if (host.len)
		return host_in(entry, host);
	return net_parse(entry, &n) && net_has(&n, addr);
}

static bool is_gap(uint8_t c)
{
	return c == ',' || c == ' ' || (c >= '\t' && c <= '\r');
}

bool no_proxy_has(struct span list, struct span host, const struct addr *addr, uint16_t port)
{
	list = span_head(list, NO_PROXY_MAX);
	while (list.len) {
		size_t len = 0;

		while (len < list.len && !is_gap(list.at[len]))
			len++;
		if (len && entry_has(span_head(list, len), host, addr, port))
			return true;
		list = span_skip(list, len + 1);
	}
	return false;
}

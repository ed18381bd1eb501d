/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/through.h"

#include <sys/socket.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "daemon/clock.h"
#include "policy/proxy_url.h"
#include "policy/ranges.h"

#define BASE64_MAX (4 * ((PROXY_CREDENTIALS_MAX + 2) / 3) + 1)
#define REQUEST_MAX (2 * (HOST_MAX + 16) + BASE64_MAX + 256)

/* The text in the image was made by proxy_url_text() */
static bool proxy_of(const struct keeper *k, struct proxy_url *ret_url)
{
	const char *why;

	return proxy_url_parse(span_str(policy_settings(k->policy).upstream_proxy), ret_url, &why);
}

static bool is_own(const struct place *place, const struct addr *a)
{
	if (range_of(a)->kind > RANGE_SPECIAL)
		return true;
	for (size_t i = 0; i < place->own_count; i++)
		if (net_has(&place->own[i], a))
			return true;
	return false;
}

bool through_goes(struct keeper *k, const struct question *q, const struct addr *addrs,
		  size_t count)
{
	const struct place *place;

	if (!policy_proxied(k->policy, q))
		return false;
	place = place_now(&k->place, clock_ms());
	for (size_t i = 0; place && i < count; i++)
		if (is_own(place, &addrs[i]))
			return false;
	return true;
}

void through_resolve(struct keeper *k, resolve_done *done, void *arg)
{
	struct resolution r = { .status = RESOLVED_FAILED };
	struct proxy_url u;

	if (proxy_of(k, &u) && u.host[0]) {
		resolve_ask(k->resolve, span_str(u.host), done, arg);
		return;
	}
	if (proxy_of(k, &u)) {
		r.status = RESOLVED_OK;
		r.addrs[0] = u.addr;
		r.count = 1;
	}
	done(arg, &r);
}

uint16_t through_port(const struct keeper *k)
{
	struct proxy_url u;

	return proxy_of(k, &u) ? u.port : 0;
}

bool through_ask(const struct keeper *k, int fd, struct span host, const struct addr *literal,
		 uint16_t port)
{
	struct buf b = buf_new(REQUEST_MAX);
	const char *word = k->proxy_credentials;
	char to[HOST_MAX + 16], addr[ADDR_TEXT_MAX], coded[BASE64_MAX];
	bool v4 = addr_is_v4(literal), whole;
	ssize_t n = -1;

	if (host.len)
		snprintf(to, sizeof(to), SPAN_FMT ":%u", SPAN_ARG(host), port);
	else
		snprintf(to, sizeof(to), "%s%s%s:%u", v4 ? "" : "[", addr_text(literal, addr),
			 v4 ? "" : "]", port);
	buf_printf(&b, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
		   "Proxy-Connection: close\r\n", to, to);
	if (word && strlen(word) < PROXY_CREDENTIALS_MAX) {
		EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)word, (int)strlen(word));
		buf_printf(&b, "Proxy-Authorization: Basic %s\r\n", coded);
		OPENSSL_cleanse(coded, sizeof(coded));
	}
	buf_add_str(&b, "\r\n");
	if (!b.full)
		n = send(fd, b.at, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (b.at)
		OPENSSL_cleanse(b.at, b.len);
	whole = n >= 0 && (size_t)n == b.len;
	buf_done(&b);
	return whole;
}

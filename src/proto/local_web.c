/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/local_web.h"

#include "base/addr.h"

#define HTTP_PORT 80	/* what a Host without a port means */

static bool is_loopback(struct span host)
{
	struct addr a, ip6 = addr_from_in6(&in6addr_loopback);

	if (span_eq_fold(host, SPAN("localhost")))
		return true;
	if (!addr_parse(host, &a))
		return false;
	return addr_is_v4(&a) ? addr_v4_value(&a) >> 24 == 127 : addr_eq(&a, &ip6);
}

bool local_web_host(const struct http_request *r, uint16_t port)
{
	uint16_t said = r->host_port ? r->host_port : HTTP_PORT;

	return r->form == HTTP_ORIGIN && is_loopback(r->host) && (!port || said == port);
}

/* "http://" and what Host says */
static bool is_same(struct span origin, struct span head)
{
	struct span scheme = SPAN("http://"), host;

	return http_field(head, SPAN("Host"), &host) == 1 && span_starts(origin, scheme) &&
	       span_eq_fold(span_skip(origin, scheme.len), host);
}

bool local_web_origin(const struct http_request *r, struct span head, bool changes)
{
	struct span origin, site;
	unsigned origins = http_field(head, SPAN("Origin"), &origin);
	unsigned sites = http_field(head, SPAN("Sec-Fetch-Site"), &site);

	if (r->overrides || origins > 1 || sites > 1 || (changes && !origins))
		return false;
	if (origins && !is_same(origin, head))
		return false;
	return !sites || span_eq(site, SPAN("same-origin"));
}

bool local_web_token(struct span head, struct span token)
{
	struct span said, scheme = SPAN("Bearer ");
	volatile uint8_t differs = 0;

	if (http_field(head, SPAN("Authorization"), &said) != 1 || !span_starts(said, scheme))
		return false;
	said = span_skip(said, scheme.len);
	if (!token.len || said.len != token.len)
		return false;
	for (size_t i = 0; i < token.len; i++)
		differs |= said.at[i] ^ token.at[i];
	return !differs;
}

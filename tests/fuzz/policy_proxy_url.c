/* SPDX-License-Identifier: Apache-2.0 */
/* policy_proxy_url.c - a proxy's URL, and a list as in no_proxy */
#include <assert.h>

#include "policy/proxy_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span text = span_of(bytes, size);
	struct addr a = addr_v4(0xc0000201);
	char written[PROXY_TEXT_MAX];
	struct proxy_url u, again;
	const char *why;

	if (host_proxy_parse(text, &u, &why)) {
		assert(u.port && strlen(u.credentials) < PROXY_CREDENTIALS_MAX);
		for (const char *c = u.credentials; *c; c++)
			assert((unsigned char)*c >= ' ' && *c != 0x7f);
		/* what is read is written so that it is read again as the same, without credentials */
		assert(proxy_url_parse(span_str(proxy_url_text(&u, written)), &again, &why));
		assert(!again.has_credentials && again.port == u.port);
		assert(!strcmp(again.host, u.host) && addr_eq(&again.addr, &u.addr));
	} else {
		assert(*why);
	}
	no_proxy_has(text, SPAN("a.example"), &a, 443);
	no_proxy_has(text, (struct span){ 0 }, &a, 443);
	return 0;
}

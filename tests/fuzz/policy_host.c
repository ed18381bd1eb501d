/* SPDX-License-Identifier: Apache-2.0 */
/* policy_host.c - the normal form of a name is its own normal form, and no address */
#include <arpa/inet.h>
#include <assert.h>

#include "policy/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span text = span_of(bytes, size);
	char host[HOST_MAX + 1], again[HOST_MAX + 1];
	struct in_addr in;
	enum form form;

	if (host_normal(text, host)) {
		assert(strlen(host) <= HOST_MAX && *host);
		assert(host_normal(span_str(host), again) && !strcmp(host, again));
		assert(host_same(span_str(host), span_str(host)));
		assert(!inet_aton(host, &in));
		host_is_suffix(host);
	}
	if (host_pattern(text, &form, host))
		assert(host_normal(span_str(host), again) && !strcmp(host, again));
	return 0;
}

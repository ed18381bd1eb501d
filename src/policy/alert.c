/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/alert.h"

#include <assert.h>
#include <inttypes.h>

#include "base/auto.h"

static const struct {
	const char	*name;
	const char	*what;		/* of which there were too many */
} kinds[] = {
	[ALERT_REQUEST_RATE] = { "request_rate", "requests in the window" },
	[ALERT_HOST_DIVERSITY] = { "host_diversity", "different hosts" },
	[ALERT_LARGE_UPLOAD] = { "large_upload", "bytes in one request" },
	[ALERT_UPLOAD_TOTAL] = { "upload_total", "bytes out of the jail" },
	[ALERT_DOWNLOAD_TOTAL] = { "download_total", "bytes into the jail" },
	[ALERT_ERROR_RATE] = { "error_rate", "per cent of the last requests failed" },
	[ALERT_DENIED_RATE] = { "denied_rate", "denials in the window" },
	[ALERT_DNS_ENTROPY] = { "dns_entropy", "names that look random" },
	[ALERT_PLACEHOLDER] = { "placeholder", "requests with a placeholder where inject puts no "
				"value" },
};
_Static_assert(ARRAY_SIZE(kinds) == ALERT_NUM, "words for each kind");

const char *alert_name(enum alert a)
{
	assert(a < ALERT_NUM);
	return kinds[a].name;
}

void alert_message(struct buf *b, enum alert a, uint64_t value, uint64_t threshold,
		   struct span host, bool per_host)
{
	assert(a < ALERT_NUM);
	buf_printf(b, "%" PRIu64 " %s, %" PRIu64 " are allowed", value, kinds[a].what, threshold);
	if (host.len)
		buf_printf(b, per_host ? " for " SPAN_FMT : " (at " SPAN_FMT ")", SPAN_ARG(host));
}

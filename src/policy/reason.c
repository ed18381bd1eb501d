/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/reason.h"

#include <assert.h>

#include "base/auto.h"

static const char *const names[] = {
	[REASON_ALLOWED] = "allowed",
	[REASON_ALLOWED_MONITOR] = "allowed_monitor",
	[REASON_ALLOWED_APPROVED] = "allowed_approved",
	[REASON_NO_RULE] = "no_rule",
	[REASON_DENY_RULE] = "deny_rule",
	[REASON_CATEGORY] = "category",
	[REASON_IP_LIST] = "ip_list",
	[REASON_HOST_LIST] = "host_list",
	[REASON_CEILING] = "ceiling",
	[REASON_MODE] = "mode",
	[REASON_PORT] = "port",
	[REASON_PROTOCOL] = "protocol",
	[REASON_METHOD] = "method",
	[REASON_PATH] = "path",
	[REASON_INSPECTION_REQUIRED] = "inspection_required",
	[REASON_EXPIRED] = "expired",
	[REASON_SPECIAL_ADDRESS] = "special_address",
	[REASON_IP_LITERAL] = "ip_literal",
	[REASON_DNS_TYPE] = "dns_type",
	[REASON_RESOLVE_FAILED] = "resolve_failed",
	[REASON_UPSTREAM_FAILED] = "upstream_failed",
	[REASON_SNI_MISSING] = "sni_missing",
	[REASON_SNI_MISMATCH] = "sni_mismatch",
	[REASON_HOST_MISMATCH] = "host_mismatch",
	[REASON_MALFORMED] = "malformed",
	[REASON_UNSUPPORTED] = "unsupported",
	[REASON_CREDENTIAL] = "credential",
	[REASON_ECH] = "ech",
	[REASON_RATE] = "rate",
	[REASON_QUOTA] = "quota",
	[REASON_REQUEST_SIZE] = "request_size",
	[REASON_LIMIT] = "limit",
	[REASON_APPROVAL_DENIED] = "approval_denied",
	[REASON_APPROVAL_TIMEOUT] = "approval_timeout",
	[REASON_KILLED] = "killed",
};
_Static_assert(ARRAY_SIZE(names) == REASON_NUM, "one name per reason");

const char *reason_name(enum reason r)
{
	assert(r < REASON_NUM);
	return names[r];
}

enum reason reason_from_name(struct span name)
{
	enum reason r = 0;

	while (r < REASON_NUM && !span_eq(name, span_str(names[r])))
		r++;
	return r;
}

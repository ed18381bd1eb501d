/* SPDX-License-Identifier: Apache-2.0 */
/* reason.h - the reason codes of contract section 3, and their names */
#ifndef SLUICE_POLICY_REASON_H
#define SLUICE_POLICY_REASON_H

#include "base/span.h"

/* Of what refuses an address the lower one is told: the order of the contract, section 2 */
enum reason {
	REASON_ALLOWED, REASON_ALLOWED_MONITOR, REASON_ALLOWED_APPROVED,
	REASON_NO_RULE, REASON_DENY_RULE, REASON_CATEGORY, REASON_IP_LIST,
	REASON_HOST_LIST, REASON_CEILING, REASON_MODE,
	REASON_PORT, REASON_PROTOCOL, REASON_METHOD, REASON_PATH,
	REASON_INSPECTION_REQUIRED, REASON_EXPIRED,
	REASON_SPECIAL_ADDRESS, REASON_IP_LITERAL, REASON_DNS_TYPE,
	REASON_RESOLVE_FAILED, REASON_UPSTREAM_FAILED,
	REASON_SNI_MISSING, REASON_SNI_MISMATCH, REASON_HOST_MISMATCH,
	REASON_MALFORMED, REASON_UNSUPPORTED,
	REASON_CREDENTIAL, REASON_ECH, REASON_RATE, REASON_QUOTA,
	REASON_REQUEST_SIZE, REASON_LIMIT,
	REASON_APPROVAL_DENIED, REASON_APPROVAL_TIMEOUT, REASON_KILLED,
	REASON_NUM
};

/* The name as the contract spells it.  @r must be below REASON_NUM. */
const char *reason_name(enum reason r);

/* REASON_NUM if there is no reason of this name */
enum reason reason_from_name(struct span name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* alert.h - the kinds of alert of contract section 4, and their words */
#ifndef SLUICE_POLICY_ALERT_H
#define SLUICE_POLICY_ALERT_H

#include "policy/policy.h"

enum alert {
	ALERT_REQUEST_RATE, ALERT_HOST_DIVERSITY, ALERT_LARGE_UPLOAD, ALERT_UPLOAD_TOTAL,
	ALERT_DOWNLOAD_TOTAL, ALERT_ERROR_RATE, ALERT_DENIED_RATE, ALERT_DNS_ENTROPY,
	ALERT_PLACEHOLDER,	/* no bound of limits: what stands for an injected value was sent elsewhere */
	ALERT_NUM
};

/* The name as the contract spells it.  @a must be below ALERT_NUM. */
const char *alert_name(enum alert a);

/*
 * alert_message() - what happened, in words; appended to @b
 * @host:	of the connection; may be empty
 * @per_host:	the bound is one host's
 */
void alert_message(struct buf *b, enum alert a, uint64_t value, uint64_t threshold,
		   struct span host, bool per_host);

#endif

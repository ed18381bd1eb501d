/* SPDX-License-Identifier: Apache-2.0 */
/* credential.h - digests of the header fields in which rules want a credential */
#ifndef SLUICE_PROXY_CREDENTIAL_H
#define SLUICE_PROXY_CREDENTIAL_H

#include "proxy/look.h"

struct credentials {
	unsigned	have;		/* bit n: the field policy_credential(p, n) was there once */
	uint8_t		digests[CREDENTIALS_MAX][DIGEST_BYTES];
};

/*
 * credentials_read() - SHA-256 of the values, without blanks around them
 *
 * A field that is there twice has no value that two servers agree on: it counts
 * as not there.
 */
void credentials_read(const struct policy *p, const struct facts *facts,
		      struct credentials *ret);

/* Put them into the question; @c must outlive it */
void credentials_question(const struct credentials *c, struct question *q);

#endif

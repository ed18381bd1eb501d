/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain functions of libcrypto, which need nothing that is loaded later: the
 * gate opens no file once it serves.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "proxy/credential.h"

_Static_assert(SHA256_DIGEST_LENGTH == DIGEST_BYTES, "SHA-256");

static void digest(struct span value, uint8_t ret_digest[DIGEST_BYTES])
{
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, value.at, value.len);
	SHA256_Final(ret_digest, &ctx);
}

void credentials_read(const struct policy *p, const struct facts *facts, struct credentials *ret)
{
	const struct http_request *r = &facts->request;
	const char *name;

	*ret = (struct credentials){ .have = 0 };
	if (!r->head_bytes)
		return;
	for (unsigned n = 0; n < CREDENTIALS_MAX && (name = policy_credential(p, n)); n++) {
		struct span head = span_of(r->method.at, r->head_bytes), value;

		if (http_field(head, span_str(name), &value) != 1)
			continue;
		digest(value, ret->digests[n]);
		ret->have |= 1u << n;
	}
}

void credentials_question(const struct credentials *c, struct question *q)
{
	q->credentials = c->have;
	q->digests = c->digests;
}

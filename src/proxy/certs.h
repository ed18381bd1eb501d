/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs.h - the CA of one session, and the certificates that it signs
 *
 * A process that ends at once makes the CA before the command starts; its key goes to the
 * gate through a pipe: from then on it is in the gate's memory alone, and on no disk.  The
 * gate mints a certificate for each name that it stands in for, once, and keeps
 * it: one key pair serves all of them.
 *
 * What clients check (RFC 5280, CA/Browser Forum): version 3, a random serial, the
 * name in subjectAltName, serverAuth, both key identifiers, a validity that began
 * hours ago, for clocks that are late, and is short.
 */
#ifndef SLUICE_PROXY_CERTS_H
#define SLUICE_PROXY_CERTS_H

#include <openssl/types.h>

#include "base/buf.h"
#include "base/hash.h"

#define CERTS_SECRET_MAX 4096	/* bytes of a CA with its key: what a pipe takes at once */
#define CERTS_PEM_MAX 4096	/* bytes of its certificate */
#define CERTS_NAME_MAX 253	/* bytes of a name: HOST_MAX */
#define CERTS_KEPT 1024		/* certificates that are kept: about 1.5 KiB each */

/*
 * certs_make_ca() - a new CA, ECDSA on P-256
 * @ret_secret:	of CERTS_SECRET_MAX: key and certificate, for certs_open(); the caller wipes it
 * @ret_pem:	of CERTS_PEM_MAX: the certificate, for those who shall trust it
 *
 * Return: false if OpenSSL cannot.
 */
bool certs_make_ca(int64_t now_s, struct buf *ret_secret, struct buf *ret_pem);

struct certs;

/* Return: NULL if the secret is none or memory is out.  @secret is not kept. */
struct certs *certs_open(struct span secret, const struct seed *seed);
void certs_free(struct certs *c);

/*
 * certs_leaf() - the certificate for a name
 * @name:	a host name in normal form, or the text of an address
 *
 * Return: borrowed until the next call; its key is certs_key().  NULL: no such name can be
 *         certified, or OpenSSL fails.
 */
X509 *certs_leaf(struct certs *c, struct span name, int64_t now_s);
EVP_PKEY *certs_key(const struct certs *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.h - TLS as a client that trusts what this machine trusts
 *
 * OpenSSL looks into its folder of certificates while it verifies.  A confined role
 * opens no file then, so all are read here, before: the file that OpenSSL has by
 * default or SSL_CERT_FILE names, and the folders that SSL_CERT_DIR names.  Without
 * such a file the default folder counts, which elsewhere has the same certificates.
 *
 * Reading is quick, and to make certificates of it is not: a system's bundle takes
 * OpenSSL tens of milliseconds.  Who may never need them parses when it does.
 */
#ifndef SLUICE_NET_TRUST_H
#define SLUICE_NET_TRUST_H

#include <openssl/types.h>

#include "base/buf.h"
#include "base/err.h"

#define TRUST_BYTES_MAX (8u << 20)	/* of PEM; Debian's bundle has 220 KB */

/*
 * trust_read() - everything that is trusted, as it is written
 * @file:	SSL_CERT_FILE, or NULL
 * @folders:	SSL_CERT_DIR, folders with ':' between them, or NULL
 * @pem:	what is read is added; its maximum is the caller's
 *
 * What cannot be read is not trusted.
 */
void trust_read(const char *file, const char *folders, struct buf *pem);

/*
 * trust_parse() - the certificates in @pem are trusted from now on
 *
 * What is no certificate is passed over; one that is there twice counts once.
 * Return: how many @ctx trusts.
 */
int trust_parse(SSL_CTX *ctx, struct span pem);

/*
 * trust_nobody() - a context for connections to servers, none of which is trusted
 *
 * TLS 1.2 and later; the chain of a server must lead to what is trusted, or the
 * handshake fails.  The name is for the caller to set, for each connection.
 * Return: free with SSL_CTX_free(); NULL and @err.
 */
SSL_CTX *trust_nobody(struct err *err);

/* All of these; that there is nothing to trust is an error.  Return: as trust_nobody() */
SSL_CTX *trust_client(const char *file, const char *folders, struct err *err);

#endif

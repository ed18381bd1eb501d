/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trust.h - TLS as a client that trusts what this machine trusts
 *
 * OpenSSL looks into its folder of certificates while it verifies.  A confined role
 * opens no file then, so all are read here, before: the file and the folder that
 * OpenSSL has by default, or what SSL_CERT_FILE and SSL_CERT_DIR name instead.
 */
#ifndef SLUICE_DAEMON_TRUST_H
#define SLUICE_DAEMON_TRUST_H

#include <openssl/types.h>

#include "base/err.h"

enum trust_need { TRUST_SOMETHING, TRUST_MAYBE_NOTHING };

/*
 * trust_client() - a context for connections to servers
 * @file:	SSL_CERT_FILE, or NULL
 * @folders:	SSL_CERT_DIR, folders with ':' between them, or NULL
 * @need:	is it an error if nothing is trusted?  Else no server will be
 *
 * TLS 1.2 and later; the chain of a server must lead to what is trusted, or the
 * handshake fails.  The name is for the caller to set, for each connection.
 * Return: free with SSL_CTX_free(); NULL and @err, also as @need says.
 */
SSL_CTX *trust_client(const char *file, const char *folders, enum trust_need need,
		      struct err *err);

#endif

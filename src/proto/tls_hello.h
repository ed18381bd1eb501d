/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_hello.h - what a TLS ClientHello says, before any encryption
 *
 * RFC 8446 section 4.1.2, RFC 6066 section 3 (SNI), RFC 7301 (ALPN), RFC 9849
 * (ECH, type 0xfe0d); the handshake message may be cut into records at any
 * byte (RFC 8446 section 5.1) and the records into reads.  Called again with
 * all bytes from the start of the stream each time there are more.
 */
#ifndef SLUICE_PROTO_TLS_HELLO_H
#define SLUICE_PROTO_TLS_HELLO_H

#include "base/parse.h"
#include "base/span.h"

#define TLS_HELLO_MAX 65536	/* bytes of the stream that a hello may take, with record headers */

struct tls_hello {
	size_t		stream_bytes;	/* that it takes of the stream, with record headers */
	bool		has_sni;
	struct span	sni;		/* the host_name; into @scratch */
	bool		ech;		/* an encrypted_client_hello extension is there, of the
					 * RFC or of a draft (ESNI too) */
	struct span	alpn;		/* first protocol offered; empty if none */
	bool		has_http2;	/* "h2" is among them */
	bool		has_http1;	/* "http/1.1" is */
	uint16_t	version;	/* highest offered: supported_versions, else legacy_version;
					 * 0: nothing that is a TLS version */
};

/*
 * tls_hello_parse() - read a ClientHello
 * @stream:	the client's bytes from the first one on
 * @scratch:	the handshake message is put together here; spans of @ret_hello
 *		point into it.  TLS_HELLO_MAX bytes always suffice.
 *
 * BAD: not a TLS handshake record with a ClientHello, lengths that disagree, a
 * duplicate extension, more than one SNI name, an SNI that is not printable
 * ASCII or is empty or longer than any name, SSLv2 hello, beyond TLS_HELLO_MAX
 * or 128 extensions, bytes after the ClientHello in its handshake records.
 * What follows in other records is ignored.
 */
enum parse tls_hello_parse(struct span stream, uint8_t *scratch, size_t scratch_size,
			   struct tls_hello *ret_hello);

/* Could these first bytes (at least one) become a TLS record with a ClientHello? */
bool tls_hello_likely(struct span stream);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_server.h - name servers over TLS in processes of their own, good and bad ones
 *
 * Certificates are made when the test begins: a CA of the test, written to a file
 * that a client may trust, and one of which nobody knows.
 */
#ifndef SLUICE_TESTS_TLS_SERVER_H
#define SLUICE_TESTS_TLS_SERVER_H

#include "dns_server.h"

#define TLS_SERVER_NAME "dns.example"

enum tls_fault {
	TLS_GOOD,
	TLS_WRONG_NAME,		/* its certificate is for other.example */
	TLS_CN_ONLY,		/* has the name as its common name, and no subjectAltName */
	TLS_WILDCARD,		/* for *.dns.example */
	TLS_EXPIRED, TLS_NOT_YET,
	TLS_UNKNOWN_CA, TLS_SELF_SIGNED,
	TLS_OLD,		/* speaks TLS 1.1 at most */
	TLS_PLAIN,		/* DNS over TCP without TLS */
	TLS_GARBAGE_FIRST,	/* bytes that are no TLS */
	TLS_MUTE_FIRST,		/* accepts, and says nothing */
	TLS_HANGS_UP,		/* accepts, and closes */
	TLS_GARBAGE,		/* no DNS behind the handshake */
	TLS_MUTE,		/* no answer behind the handshake */
	TLS_ONE_EACH,		/* closes behind each answer */
	TLS_LIES_ID,		/* answers with another id */
	TLS_LIES_QUESTION,	/* answers another question, with the right id */
	TLS_CUT,		/* the answer is one octet short */
	TLS_DRIPS,		/* an octet at a time */
	TLS_BACKWARDS,		/* takes two questions and answers the second first */
	TLS_FAULT_NUM
};

/* Make keys and certificates, and the file of the CA.  The path lives until tls_server_done(). */
const char *tls_server_init(void);
void tls_server_done(void);

/* Serve on @addr, port 853.  Names are answered as by dns_server.h.  Stop with dns_server_stop(). */
struct dns_server tls_server_start(const char *addr, enum tls_fault fault);

#endif

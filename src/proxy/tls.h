/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.h - the two ends of TLS in the gate
 *
 * To the client the gate is the server, with a certificate of the session's CA; to the
 * server it is a client that verifies chain, name and time.  Both run over the flow's own
 * sockets.  What is read and written is the plain text: for http.c, the pump and deny.c a
 * flow with TLS is one whose sockets are read and written by flow_recv() and flow_send().
 *
 * The upstream end comes first, so that the client is answered with what the server speaks.
 */
#ifndef SLUICE_PROXY_TLS_H
#define SLUICE_PROXY_TLS_H

#include <openssl/types.h>

#include "proxy/certs.h"
#include "proxy/flow.h"

struct tls_ends;

/*
 * tls_ends_new() - what all flows share
 * @client:	trusts nobody yet (trust_nobody()); taken over
 * @trusted:	PEM of what servers' chains must lead to, or to the policy's tls_ca; parsed when
 *		the first flow needs it; taken over
 * @certs:	the session's CA; taken over
 */
struct tls_ends *tls_ends_new(SSL_CTX *client, struct buf *trusted, struct certs *certs,
			      const struct seed *seed);
void tls_ends_free(struct tls_ends *t);

/* The policy's tls_ca is another one: forget whom it had servers verified by, and their sessions */
bool tls_trust_changed(struct tls_ends *t);

/* One end: a session over the flow's socket of that side */
struct tls_end {
	SSL		*ssl;		/* NULL until it is begun */
	bool		 up;		/* the handshake is over */
	bool		 more;		/* bytes were left that no socket tells of */
	bool		 shut;		/* no more is said: it ended, or failed */
};

/* A flow whose TLS ends here.  @f->tls */
struct tls {
	struct tls_end	 agent, peer;
	uint8_t		 offers;	/* enum tls_speaks: what the server is offered */
	bool		 http2_first;	/* of both the client would like that more */
	bool		 http2;		/* the server has chosen it, and so does the client's end */
};

/* What is spoken inside of TLS, bits */
enum tls_speaks { TLS_HTTP1 = 1, TLS_HTTP2 = 2 };

bool tls_begin(struct flow *f);
void tls_end(struct flow *f);

enum shake { SHAKE_DONE, SHAKE_READ, SHAKE_WRITE, SHAKE_FAILED };

/* Go on with a handshake on a socket of the flow's.  FAILED: *ret_why, static text */
enum shake tls_shake_peer(struct flow *f, const char **ret_why);
enum shake tls_shake_agent(struct flow *f);

/* Resume nothing with the flow's server: a handshake with it failed, or an alert was fatal (RFC 5246
 * 7.2.2, RFC 8446 6) */
void tls_forget(struct flow *f);

/* As recv(2) and send(2) with the flow's agent or peer, in plain text; @flags: MSG_PEEK.
 * An end without close_notify is ECONNRESET from a server, and an end from a client. */
ssize_t flow_recv(struct flow *f, bool agent, void *to, size_t len, int flags);
ssize_t flow_send(struct flow *f, bool agent, const void *bytes, size_t len);

/* As shutdown(2) with SHUT_WR */
int flow_shut(struct flow *f, bool agent);

#endif

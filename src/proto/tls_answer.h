/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_answer.h - has a server taken up a ClientHello?
 *
 * A server that lacks something in a hello asks for another one (HelloRetryRequest,
 * RFC 8446 section 4.1.4), and many take the name of the second.  So a handshake has
 * shown its last name only when the ServerHello proper is there: from then on the client's
 * handshake is encrypted, or holds no hello (RFC 5246 section 7.3).
 */
#ifndef SLUICE_PROTO_TLS_ANSWER_H
#define SLUICE_PROTO_TLS_ANSWER_H

#include "base/span.h"

#define TLS_ANSWER_HEAD 38	/* bytes of a ServerHello up to the end of its random */

/* All zero at the start of the server's stream */
struct tls_answer {
	uint32_t record_left;		/* bytes of the record that is being read */
	uint32_t message_left;		/* of the message, after its head */
	uint8_t	 record[5], record_len;	/* header of the record */
	uint8_t	 head[TLS_ANSWER_HEAD], head_len;
	bool	 strange;		/* it is no TLS: there will be no ServerHello */
};

/*
 * tls_answer_read() - the server's next bytes, in order, cut anywhere
 *
 * Return: true once a ServerHello that is no HelloRetryRequest has come.  Records and
 *         messages of other kinds are passed over; what is no TLS never becomes true.
 */
bool tls_answer_read(struct tls_answer *a, struct span bytes);

#endif

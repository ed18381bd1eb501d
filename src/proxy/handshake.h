/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake.h - no second ClientHello passes unseen
 *
 * TLS that is not inspected is relayed once its ClientHello was judged.  But a server may ask
 * for another hello (proto/tls_answer.h), many servers take the name of that one, and a
 * client can make any server ask: it need only send no key share.  So a flow keeps to
 * records until the server has answered with its ServerHello: of the client's only the
 * hello that was judged passes, and what is no handshake; another hello is put to the
 * keeper like the first.  After that, bytes are bytes.
 */
#ifndef SLUICE_PROXY_HANDSHAKE_H
#define SLUICE_PROXY_HANDSHAKE_H

#include "proxy/flow.h"

/* From now on; the hello of f->hello_bytes lies in the client's socket.  Return: false if out of
 * memory */
bool handshake_begin(struct flow *f);
void handshake_end(struct flow *f);

/*
 * handshake_lets() - may the client's next bytes go?  For a flow with a handshake.
 *
 * Return: false: *ret_wants says what to wait for, or the flow is in ASK
 */
bool handshake_lets(struct flow *f, unsigned *ret_wants);

/* How many bytes of a direction may go now; UINT64_MAX: any number.  Looks at the server's,
 * and when they tell it that nothing more is to be seen the handshake is over. */
uint64_t handshake_room(struct flow *f, bool outward);

/* So many of them went */
void handshake_moved(struct flow *f, bool outward, uint64_t bytes);

#endif

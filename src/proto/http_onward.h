/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_onward.h - the head that a proxy sends on for one it was sent (RFC 9110 section 7.6)
 *
 * A client sends a proxy the absolute form and fields that are for the proxy alone.
 * The server gets the origin form, without those.  What is written is read again by
 * http_request_parse() before it is judged: what is judged is what goes on.
 */
#ifndef SLUICE_PROTO_HTTP_ONWARD_H
#define SLUICE_PROTO_HTTP_ONWARD_H

#include "base/buf.h"
#include "proto/http_head.h"

/*
 * http_onward() - write the head for the server
 * @head:	the head_bytes of a request that http_request_parse() has taken as @r, in
 *		absolute form
 *
 * Gone are: Connection and each field that it names, Keep-Alive, Proxy-Connection,
 * Proxy-Authorization, Proxy-Authenticate, TE; with `_` for `-` in a name, as some
 * servers read it, the last five go as well.  Connection is written anew: "close" if the
 * client wants no more, "upgrade" if it asks for another protocol, which is judged then.
 * A request of HTTP/1.0 without Host gets one.  Via is not added: it says of an agent where
 * it runs, and makes some servers answer without compression.
 *
 * Return: false if @out is full.
 */
bool http_onward(struct span head, const struct http_request *r, struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* wishes.h - what the agent asks for at http://sluice.internal/requests */
#ifndef SLUICE_PROXY_WISHES_H
#define SLUICE_PROXY_WISHES_H

#include "proxy/ask.h"

/*
 * wish_look() - a request has been seen: if it is for approval, read its body, and tell the keeper
 * @bytes:	what the client has sent; the request is at its front
 *
 * Return: PARSE_OK: the request can be asked about; PARSE_MORE: its body is not whole yet.
 */
enum parse wish_look(struct flow *f, struct span bytes, const struct facts *facts);

#endif

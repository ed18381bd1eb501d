/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local_web.h - whether a request to a page on loopback comes from that page
 *
 * Every page that a browser shows can make it send requests to 127.0.0.1: under a name of its own
 * that leads there (DNS rebinding; then Host tells), or from another origin (then Origin and
 * Sec-Fetch-Site do, and it cannot set Authorization).  Every program on the machine can send
 * what it likes: only who knows the token is answered.
 */
#ifndef SLUICE_PROTO_LOCAL_WEB_H
#define SLUICE_PROTO_LOCAL_WEB_H

#include "proto/http_head.h"

/*
 * local_web_host() - is it asked for as localhost, an address of 127.0.0.0/8 or ::1?
 * @port:	that must be with it; 0: any
 */
bool local_web_host(const struct http_request *r, uint16_t port);

/*
 * local_web_origin() - not from another origin, as far as its head tells
 * @head:	the head that @r was read from
 * @changes:	then Origin must be there and say so
 */
bool local_web_origin(const struct http_request *r, struct span head, bool changes);

/* Authorization: Bearer @token, once.  The time that it takes tells nothing of the token but its length */
bool local_web_token(struct span head, struct span token);

#endif

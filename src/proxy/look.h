/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.h - what a client says first, as facts for a decision
 */
#ifndef SLUICE_PROXY_LOOK_H
#define SLUICE_PROXY_LOOK_H

#include "base/parse.h"
#include "policy/policy.h"
#include "proto/http_head.h"
#include "proto/tls_hello.h"

#define LOOK_MAX 32768		/* bytes of a hello or head that are waited for; a socket's receive
				 * buffer holds that much without anybody reading */

struct facts {
	enum seen		seen;
	bool			ssh;	/* an SSH banner (SEEN_OTHER) */
	struct tls_hello	hello;	/* SEEN_TLS */
	struct http_request	request; /* SEEN_HTTP, and SEEN_UPGRADE when it was a request */
};

/*
 * look_at() - judge the first bytes of a stream
 * @bytes:	from the first byte on, not empty
 *
 * What begins with a TLS record must be a ClientHello; what has an
 * HTTP/1 request line must be a strict request; the rest is SEEN_OTHER as soon
 * as it can be neither.  A request that leaves HTTP/1 (Upgrade, CONNECT, the
 * HTTP/2 preface) is SEEN_UPGRADE.
 * Return: OK with @ret_facts (spans into @bytes and a static buffer: until the
 *         next call), or MORE.
 */
enum parse look_at(struct span bytes, struct facts *ret_facts);

/* What bytes were, of which look_at() says MORE, if no more come: a hello or request
 * that was cut short is SEEN_MALFORMED, anything else SEEN_OTHER */
enum seen look_cut(struct span bytes);

/* Has the other end said all that it will?  What it said may lie in the socket still. */
bool look_ended(int fd);

/*
 * look_always() - must each client have spoken before it can be allowed?
 *
 * Only the policy's rules are asked, with no connection in mind.  false is always
 * safe; a wrong true makes a client wait that waits for its server, but is no verdict.
 */
bool look_always(const struct policy *p);

/* The facts of a request that was parsed already */
void look_request(const struct http_request *r, struct facts *ret_facts);

/* Is it a request that would turn the connection into a websocket, and nothing else? */
bool look_is_websocket(const struct facts *facts);

/* The question that facts answer; @q's host, addr, port, transport stay */
void look_question(const struct facts *facts, struct question *q);

#endif

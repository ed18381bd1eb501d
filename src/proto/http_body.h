/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_body.h - where a message body ends (RFC 9112 sections 6 and 7)
 *
 * Resumable: bytes are shown in any cuts; the state is this small struct.
 * Chunk extensions and trailers are passed over within bounds, strictly
 * framed (CRLF only).
 */
#ifndef SLUICE_PROTO_HTTP_BODY_H
#define SLUICE_PROTO_HTTP_BODY_H

#include "base/parse.h"
#include "proto/http_head.h"

#define HTTP_CHUNK_LINE_MAX 4096	/* bytes of a chunk's size line, extensions included */
#define HTTP_TRAILERS_MAX 16384		/* bytes of all trailers */

struct http_body {
	enum http_framing framing;
	uint64_t	 left;		/* bytes of the body or chunk still to come */
	uint8_t		 step;		/* http_body.c: enum step */
	uint32_t	 line_bytes;	/* of the line or trailers read so far */
	uint64_t	 size;		/* chunk size as far as read */
	uint64_t	 data;		/* bytes of the body itself passed over so far */
};

void http_body_init(struct http_body *b, enum http_framing framing, uint64_t length);

/*
 * http_body_feed() - pass over the next bytes of the body
 * @ret_used:	how many of @bytes belong to the body (all, unless it ended)
 *
 * Return: OK: the body ended after @ret_used bytes (0 once it has ended).
 *         MORE: all used, not ended.  BAD: broken framing, the octet that broke
 *         it is the last of @ret_used; for good.
 */
enum parse http_body_feed(struct http_body *b, struct span bytes, size_t *ret_used);

/* How many of the next bytes are the body's own, and not its frames' */
uint64_t http_body_run(const struct http_body *b);

/* The stream ended: was the message whole?  (True for CLOSE; else only after OK) */
bool http_body_end_is_whole(const struct http_body *b);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_fields.h - lines and fields of HTTP/1 messages (RFC 9110 section 5, RFC 9112 section 5)
 *
 * For http_head.c and http_body.c; others use those.
 */
#ifndef SLUICE_PROTO_HTTP_FIELDS_H
#define SLUICE_PROTO_HTTP_FIELDS_H

#include "base/parse.h"
#include "base/span.h"

/* What an octet may be part of */
enum {
	HTTP_TOKEN = 1,		/* RFC 9110 5.6.2 */
	HTTP_VALUE = 2,		/* field values, reason phrases: VCHAR, SP, HTAB, obs-text */
	HTTP_TARGET = 4,	/* request targets: VCHAR but for '#' and '\' */
	HTTP_HOST_NAME = 8,	/* letters, digits, '-', '.', '_' */
};
extern const uint8_t http_octets[256];

static inline bool http_octet_is(uint8_t c, unsigned kinds)
{
	return http_octets[c] & kinds;
}

/* Are all octets of one of @kinds?  True for the empty span. */
bool http_all(struct span s, unsigned kinds);

/*
 * http_line() - take a line from the front of @left
 * @ret_line:	without its CRLF
 *
 * BAD: it ends in a bare LF.  A bare CR within it is left for the caller's
 * table to refuse: it is in none of the kinds.
 */
enum parse http_line(struct span *left, struct span *ret_line);

/* What the fields of a head say about the message */
struct http_fields {
	struct span	 host;		/* trimmed value of the Host field */
	uint64_t	 length;
	bool		 has_host, has_length, chunked;
	bool		 close, keep_alive;	/* options of Connection */
	bool		 upgrade, websocket, expect_continue;
	bool		 overrides;		/* some servers take another method, see http_head.h */
};

/* Is it the name of a field that frameworks take the method from?  @name is a token */
bool http_is_override(struct span name);

/*
 * http_fields_parse() - read field lines up to and with the blank line
 * @left:	advanced past what was read, on OK only
 *
 * BAD: see http_head.h; what a version or method makes of it is the caller's.
 */
enum parse http_fields_parse(struct span *left, struct http_fields *ret_fields);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_head.h - field sections of HTTP/2, read strictly and written (RFC 9113 section 8)
 *
 * For http2*.c; others use http2.h.  A section is filled as libnghttp2 takes it
 * apart, then read once.
 */
#ifndef SLUICE_PROXY_HTTP2_HEAD_H
#define SLUICE_PROXY_HTTP2_HEAD_H

#include <nghttp2/nghttp2.h>

#include "proxy/http2.h"

#define HTTP2_NV_MAX (HTTP_FIELDS_MAX + HTTP_EDITS_MAX + 2)	/* fields of a section as sent: pseudo fields, @set */

struct http2_section {
	struct buf	bytes;		/* names and values, one after the other */
	struct buf	fields;		/* struct piece (http2_head.c), in order */
	size_t		text;		/* bytes that it would have as HTTP/1 text */
	size_t		max;		/* of @text */
};

struct http2_section http2_section_new(size_t max);
void http2_section_done(struct http2_section *s);
void http2_section_clear(struct http2_section *s);

/* Return: false: beyond a bound, or a name or value that HTTP/1 could not carry */
bool http2_section_add(struct http2_section *s, struct span name, struct span value, bool secret);

/* How many fields have the name (lower case); @ret_value: of the first one */
unsigned http2_section_find(const struct http2_section *s, struct span name,
			    struct span *ret_value);

/*
 * http2_request_read() - what a request's section says
 * @fin:	no body follows
 * @text:	filled with the request as HTTP/1 text (http2.h); spans of @ret_head lie in it
 *
 * Return: false: malformed; @ret_head is then whatever is known, or empty
 */
bool http2_request_read(const struct http2_section *s, bool fin, struct buf *text,
			struct http_request *ret_head);

/* The status of a response, 100 to 599 but 101; 0: malformed */
unsigned http2_response_read(const struct http2_section *s);

/* May it stand after a body?  @is_guarded: NULL for responses */
bool http2_trailers_read(const struct http2_section *s,
			 bool (*is_guarded)(void *ctx, struct span name), void *ctx);

/* Overwrite in every field what must not be said */
void http2_section_scrub(struct http2_section *s, const struct scrub *scrub);

/*
 * http2_section_write() - the section as libnghttp2 sends it; pointers into @s and @set
 * @request:	Host goes, as :authority says the same; if only Host was there it becomes
 *		:authority
 * @set:	as in http2_allow(), names in lower case; or NULL
 *
 * Return: how many of @nv were filled
 */
size_t http2_section_write(const struct http2_section *s, bool request,
			   const struct http_edits *set, nghttp2_nv nv[HTTP2_NV_MAX]);

#endif

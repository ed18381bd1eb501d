/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_head.h - heads of HTTP/1.0 and 1.1 messages, read strictly (RFC 9112)
 *
 * Whatever two servers could read differently is BAD: bare LF or CR, blanks
 * before the colon, folded lines, Content-Length and Transfer-Encoding together
 * or repeated with other values, an encoding other than exactly "chunked",
 * Transfer-Encoding in HTTP/1.0, two Host fields or none in 1.1, NUL or control
 * characters, userinfo in the authority.  Also: a target with '#', '\' or an
 * octet that is not printable ASCII; a body of CONNECT; a Connection field that
 * names Host, Content-Length or Transfer-Encoding, since the next server would
 * remove what we judged by.
 */
#ifndef SLUICE_PROTO_HTTP_HEAD_H
#define SLUICE_PROTO_HTTP_HEAD_H

#include "base/parse.h"
#include "base/span.h"

#define HTTP_HEAD_MAX 65536	/* bytes of a head, blank line included */
#define HTTP_FIELDS_MAX 256	/* fields of a head */

enum http_framing {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,	/* @length bytes, at least one: "Content-Length: 0" is NONE */
	HTTP_BODY_CHUNKED,
	HTTP_BODY_CLOSE,	/* responses only: until the connection ends */
};

enum http_form { HTTP_ORIGIN, HTTP_ABSOLUTE, HTTP_AUTHORITY, HTTP_ASTERISK };

struct http_request {
	size_t		 head_bytes;	/* length of the head with its blank line */
	struct span	 method;
	struct span	 target;	/* as sent */
	enum http_form	 form;
	struct span	 path;		/* path of the target without query; "*" for asterisk form;
					 * empty for authority form; static memory for an absolute
					 * target without a path ("/", "*" for OPTIONS) */
	struct span	 host;		/* the authority's host, without port or brackets; from the
					 * target in absolute and authority form (then it must equal
					 * Host), else from Host; empty: HTTP/1.0 without Host */
	uint16_t	 host_port;	/* port in the authority, 0 if none */
	unsigned	 minor;		/* 0 or 1 */
	bool		 keep_alive;	/* the client wants to go on after this request */
	bool		 upgrade;	/* an Upgrade field is there */
	bool		 websocket;	/* ... and it is exactly "websocket" */
	bool		 expect_continue;
	bool		 overrides;	/* a field is there from which some servers take another method
				 * (X-HTTP-Method-Override and its like, `_` for `-` as in CGI) */
	enum http_framing framing;	/* NONE, LENGTH or CHUNKED */
	uint64_t	 length;
};

struct http_response {
	size_t		 head_bytes;
	unsigned	 status;	/* 100 to 599 */
	unsigned	 minor;
	bool		 keep_alive;
	enum http_framing framing;	/* by status, method and fields: RFC 9112 section 6.3 */
	uint64_t	 length;
};

/*
 * @bytes: from the first byte of the head on; what follows the head is ignored.
 * Empty lines before a request line are BAD (RFC 9112 2.2 lets us).
 */
enum parse http_request_parse(struct span bytes, struct http_request *ret_request);

/*
 * http_field() - the value of a field in a head that http_request_parse() has taken
 * @head:	the first head_bytes of the message
 * @name:	in any case
 * @ret_value:	trimmed, of the first one
 *
 * Return: how many fields have the name.
 */
unsigned http_field(struct span head, struct span name, struct span *ret_value);

/* @method: of the request that this answers (HEAD and CONNECT change the framing) */
enum parse http_response_parse(struct span bytes, struct span method,
			       struct http_response *ret_response);

/* Could these first bytes (at least one) become what some server takes for an HTTP/1
 * request line?  Any token followed by a blank and more counts, also after blanks and empty
 * lines; the HTTP/2 preface too, see http_preface(). */
bool http_likely(struct span stream);

/* OK: they are the HTTP/2 preface (RFC 9113 3.4); MORE: they may become it; BAD: no */
enum parse http_preface(struct span stream);

#endif

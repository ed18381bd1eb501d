/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_target.h - request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3.2)
 *
 * For http_head.c; others use that.
 */
#ifndef SLUICE_PROTO_HTTP_TARGET_H
#define SLUICE_PROTO_HTTP_TARGET_H

#include "proto/http_head.h"

struct http_authority {
	struct span	 host;		/* without brackets */
	uint16_t	 port;		/* 0: none was given */
};

/*
 * http_authority_parse() - host[:port], all of @text
 *
 * The host is a name of letters, digits, '-', '.', '_', or an IPv6 address in
 * brackets; the port 1 to 65535.  Everything else that RFC 3986 could allow
 * (userinfo, escapes, an empty port, IPvFuture) is read differently by
 * different programs: false, and @ret_authority is untouched.
 */
bool http_authority_parse(struct span text, struct http_authority *ret_authority);

struct http_target {
	enum http_form	 form;
	struct span	 path;		/* as in struct http_request */
	struct http_authority authority; /* of absolute and authority form */
	uint16_t	 default_port;	/* of the scheme; 0: the target has none */
};

/* Return: false if it is no target, or none that @method can have */
bool http_target_parse(struct span text, struct span method, struct http_target *ret_target);

#endif

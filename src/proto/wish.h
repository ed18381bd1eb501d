/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wish.h - the body of POST http://sluice.internal/requests: an agent asks for approval
 *
 *	{"host": "api.example.org", "port": 443, "reason": "the build needs it"}
 *
 * JSON (RFC 8259), read strictly: these keys, each at most once; host must be there. Nothing is
 * allocated.  The reason is the agent's own word: bounded, and nothing but shown.
 */
#ifndef SLUICE_PROTO_WISH_H
#define SLUICE_PROTO_WISH_H

#include "base/span.h"

#define WISH_BYTES_MAX 4096	/* of the body */
#define WISH_HOST_MAX 255
#define WISH_REASON_MAX 256	/* bytes that are kept; more is cut */
#define WISH_PORT 443		/* if none is said */

struct wish {
	struct span	host;		/* in the input, as written; 1 to WISH_HOST_MAX bytes, printable */
	uint16_t	port;
	size_t		reason_len;
	char		reason[WISH_REASON_MAX];	/* escapes undone; any bytes but NUL */
};

/* Return: false if it is not exactly that */
bool wish_parse(struct span body, struct wish *ret);

#endif

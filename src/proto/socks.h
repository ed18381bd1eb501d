/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socks.h - what a SOCKS5 client says, and what is said to it (RFC 1928)
 *
 * A client greets, is told the method, and asks once; what follows is its own.
 * Authentication (RFC 1929) is not offered: who may reach the listener is the
 * business of its address.
 */
#ifndef SLUICE_PROTO_SOCKS_H
#define SLUICE_PROTO_SOCKS_H

#include "base/addr.h"
#include "base/parse.h"

#define SOCKS_GREETING_MAX 257	/* bytes: version, count, methods */
#define SOCKS_REQUEST_MAX 262	/* with a name of 255 octets */
#define SOCKS_CHOICE_BYTES 2
#define SOCKS_REPLY_BYTES 10

enum socks_command { SOCKS_CONNECT = 1, SOCKS_BIND = 2, SOCKS_ASSOCIATE = 3 };

/* Section 6 */
enum socks_code {
	SOCKS_DONE = 0, SOCKS_FAILED = 1, SOCKS_NOT_ALLOWED = 2, SOCKS_NET_UNREACHABLE = 3,
	SOCKS_HOST_UNREACHABLE = 4, SOCKS_REFUSED = 5, SOCKS_TTL_EXPIRED = 6,
	SOCKS_NO_COMMAND = 7, SOCKS_NO_ADDRESS_TYPE = 8,
};

struct socks_greeting {
	size_t		 bytes;		/* its length */
	bool		 open;		/* "no authentication" is among the methods */
};

struct socks_request {
	size_t		 bytes;
	enum socks_command command;
	struct span	 host;		/* as sent, into the input; empty: @addr holds */
	struct addr	 addr;
	uint16_t	 port;		/* host order; 0 only for BIND and ASSOCIATE */
};

/*
 * socks_greeting_parse() - version 5 and the methods that the client knows (section 3)
 *
 * What follows is ignored.  BAD: another version, no method at all.
 */
enum parse socks_greeting_parse(struct span stream, struct socks_greeting *ret_greeting);

/*
 * socks_request_parse() - the one request (section 4)
 *
 * What follows is ignored.  BAD: another version, a reserved octet that is not 0, a
 * command or an address type that the RFC does not have, an empty name, a name with
 * an octet that is not printable ASCII, CONNECT to port 0.
 */
enum parse socks_request_parse(struct span stream, struct socks_request *ret_request);

/* The method: none needed, or @open false: none that is acceptable */
void socks_choice(bool open, uint8_t out[SOCKS_CHOICE_BYTES]);

/* A reply; of the address that it could name nothing is told */
void socks_reply(enum socks_code code, uint8_t out[SOCKS_REPLY_BYTES]);

#endif

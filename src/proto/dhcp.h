/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dhcp.h - DHCP for a network of one client (RFC 2131, RFC 2132)
 *
 * The client gets one address, always the same: there is no lease to keep, and none to run out of.
 */
#ifndef SLUICE_PROTO_DHCP_H
#define SLUICE_PROTO_DHCP_H

#include "base/addr.h"
#include "base/span.h"

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68
#define DHCP_ANSWER_MAX 320	/* bytes of an answer */

struct dhcp_net {
	struct addr	client, server;	/* IPv4; the server is router and DNS server too */
	unsigned	bits;		/* of the network */
};

/*
 * dhcp_answer() - what to say to @request, the payload of a datagram to the server's port
 * @ret_all:	the client can't be reached by its address yet: to 255.255.255.255
 *
 * Return: bytes in @out; 0: nothing is to be said (not a request, not to us, or broken).
 */
size_t dhcp_answer(struct span request, const struct dhcp_net *net, uint8_t out[DHCP_ANSWER_MAX],
		   bool *ret_all);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.c - DHCP in the gate
 *
 * The answer's way is not of the request's making: the guest's MAC is a fixed neighbour of
 * its address (jail/guest.c), so whoever asks in whatever name, the guest hears of it and
 * nobody else.  Nothing is kept, so nothing can be used up.
 */
#include "proxy/lease.h"

#include "policy/guest.h"
#include "proto/dhcp.h"
#include "proxy/udp.h"

void lease_take(struct proxy *x, struct span request)
{
	const struct addr everybody = addr_v4(UINT32_MAX);
	struct dhcp_net net = { .bits = GUEST_NET_BITS };
	uint8_t answer[DHCP_ANSWER_MAX];
	bool all = false;
	size_t len;

	if (!addr_parse(SPAN(GUEST_ADDRESS), &net.client) ||
	    !addr_parse(SPAN(GUEST_GATEWAY), &net.server))
		return;
	len = dhcp_answer(request, &net, answer, &all);
	if (!len)
		return;
	udp_answer(x, &net.server, DHCP_SERVER_PORT, all ? &everybody : &net.client, DHCP_CLIENT_PORT,
		   span_of(answer, len));
	event_active(&x->flush, EV_TIMEOUT, 0);
}

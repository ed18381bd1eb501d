/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datagram.h - DNS over UDP on a plain socket, as `sluice proxy` has it
 *
 * From the jail questions come with their destination and are answered by a raw
 * socket (proxy/udp.h); here client and server are what the socket says.
 */
#ifndef SLUICE_DNS_DATAGRAM_H
#define SLUICE_DNS_DATAGRAM_H

#include <event2/event.h>

#include "dns/query.h"

/* Take in what comes on @fd, a bound socket, until the event is freed, which comes before @d.
 * Return: NULL if it cannot be watched */
struct event *dns_datagrams(struct dns *d, int fd);

/* An answer that is not taken at once is lost, as datagrams are */
void dns_datagram_send(int fd, const struct addr *client, uint16_t client_port,
		       struct span answer);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * through.h - connections through the policy's upstream_proxy
 *
 * The keeper dials the proxy and writes the request for the one destination that was decided,
 * with the credentials that it alone knows; what the proxy says to it the gate reads
 * (proxy/connect.c).  The request asks the proxy to close the connection if it refuses, so that
 * a gate that was taken over cannot ask it for another destination on the same one.
 */
#ifndef SLUICE_DAEMON_THROUGH_H
#define SLUICE_DAEMON_THROUGH_H

#include "daemon/keeper.h"

/*
 * through_goes() - does a connection to these addresses, of the name that is asked for or the
 *	literal, go through the proxy?
 *
 * What may be dialled and is this machine's own does not: to the proxy it would be the proxy's.
 */
bool through_goes(struct keeper *k, const struct question *q, const struct addr *addrs,
		  size_t count);

/* The proxy's addresses, which nobody judges: it is the machine owner's word.  As resolve_ask(). */
void through_resolve(struct keeper *k, resolve_done *done, void *arg);

/* The proxy's port */
uint16_t through_port(const struct keeper *k);

/*
 * through_ask() - write the CONNECT request
 * @fd:		connected to the proxy, nothing written yet
 * @host:	the name that was decided; empty: @literal was
 *
 * Return: false if it was not taken whole.
 */
bool through_ask(const struct keeper *k, int fd, struct span host, const struct addr *literal,
		 uint16_t port);

#endif

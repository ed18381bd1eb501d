/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp.h - datagrams by name
 *
 * One socket per family receives every datagram that the kernel's rules let
 * through, with its original destination; one raw socket per family carries
 * the answers, whose source must be that destination.  A flow is (client,
 * destination); it has a connected socket of the keeper's making.
 */
#ifndef SLUICE_PROXY_UDP_H
#define SLUICE_PROXY_UDP_H

#include "proxy/proxy.h"

#define UDP_FLOWS_MAX 2048	/* at once, or fewer; beyond it: refused and recorded */

struct udp_table *udp_table_new(const struct seed *seed, size_t max);
void udp_table_free(struct udp_table *t);

/* Serve a receiving socket for as long as the gate lives */
void udp_start(struct proxy *x, int fd);

/* Queue one datagram to a client; udp_flush() sends what is queued */
void udp_answer(struct proxy *x, const struct addr *server, uint16_t server_port,
		const struct addr *client, uint16_t client_port, struct span payload);
void udp_flush(struct proxy *x);

/* The keeper's answers, by message id */
void udp_allowed(struct proxy *x, uint32_t ref, const struct talk_allow *a, int peer);
void udp_denied(struct proxy *x, uint32_t ref, enum reason reason);
void udp_ruled(struct proxy *x, uint32_t ref, uint32_t rule);
void udp_kill(struct proxy *x, uint32_t ref, enum reason reason);

void udp_tick(struct proxy *x);		/* once a second: ends what is idle */
void udp_finish(struct proxy *x);

#endif

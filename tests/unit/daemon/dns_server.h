/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns_server.h - a name server in a process of its own, that misbehaves on request
 *
 * The first label of a name says how it is answered; see answers[] in the .c
 */
#ifndef SLUICE_TESTS_DNS_SERVER_H
#define SLUICE_TESTS_DNS_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/span.h"

struct dns_server {
	pid_t		 pid;
	const char	*addr;
	struct dns_shared {
		atomic_uint	asked;		/* questions received */
		atomic_uint	connections, handshakes;	/* of tls_server.h */
		atomic_bool	silent;		/* answer nothing */
	} *shared;
};

/* Serve on @addr, port 53 of UDP and TCP */
struct dns_server dns_server_start(const char *addr);
void dns_server_stop(struct dns_server *s);

/* For tls_server.c: the answer to one question; a socket at @addr.  Return: bytes, 0 for silence */
size_t dns_server_answer(struct dns_shared *shared, struct span packet, bool tcp, uint8_t *out,
			 size_t size);
int dns_server_socket(const char *addr, uint16_t port, int type);

#endif

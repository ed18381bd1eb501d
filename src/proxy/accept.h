/* SPDX-License-Identifier: Apache-2.0 */
/* accept.h - take in what the jail connects to */
#ifndef SLUICE_PROXY_ACCEPT_H
#define SLUICE_PROXY_ACCEPT_H

#include "proxy/proxy.h"

/*
 * accept_start() - serve a listener for as long as the gate lives
 * @door:	DOOR_JAIL: the original destination of each connection decides;
 *		DOOR_HOST_PORT, DOOR_PUBLISH: @port names which
 */
void accept_start(struct proxy *x, int fd, enum door door, uint16_t port);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* lease.h - the guest's address, by DHCP */
#ifndef SLUICE_PROXY_LEASE_H
#define SLUICE_PROXY_LEASE_H

#include "proxy/proxy.h"

/* Answer a datagram to the DHCP server's port, if there is an answer */
void lease_take(struct proxy *x, struct span request);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest.h - addresses of a guest and of its gate
 *
 * Each guest is alone with its gate in a network of its own, so all have the same.  They lie in
 * the network that `sluice export libvirt-network` describes.
 */
#ifndef SLUICE_POLICY_GUEST_H
#define SLUICE_POLICY_GUEST_H

#define GUEST_GATEWAY "192.168.101.1"	/* the gate: router, DHCP and DNS server */
#define GUEST_ADDRESS "192.168.101.10"	/* the guest, by DHCP */
#define GUEST_NET "192.168.101.0/24"
#define GUEST_NET_BITS 24

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadman.h - dead man's switches: what passes a port while two processes live, and not a moment longer
 *
 * Theory
 *
 * A wall that stands by itself stays open when those have died who record what passes it, until somebody
 * notices.  So it lets pass only what has a mark, and the marks are set by rules that die with their owner: a
 * table with NFT_TABLE_F_OWNER (linux/netfilter/nf_tables.h, Linux 5.12) belongs to the netlink socket that made
 * it, and the kernel removes it as it closes that socket, within the owner's exit.  Each owner has a bit of
 * its own.
 *
 *	-520	the wall: no mark yet, whoever set one
 *	-510	the switches, each with its bit
 *	-500	the wall: without all bits, drop; the mark goes
 *
 * The port's ingress and egress both have them.
 */
#ifndef SLUICE_JAIL_DEADMAN_H
#define SLUICE_JAIL_DEADMAN_H

#include <stdint.h>

#define DEADMAN_BEFORE (-520)
#define DEADMAN_PRIORITY (-510)

enum deadman { DEADMAN_KEEPER = 1, DEADMAN_GATE = 2, DEADMAN_ALL = 3 };

/*
 * deadman_hold() - @who's switch at @port, of @session
 *
 * It is on for as long as the socket is open somewhere: whose it is must be alone with it.
 * Return: the socket, or negative errno (-EBUSY, -EEXIST: another holds one of that name).
 */
int deadman_hold(enum deadman who, const char *session, const char *port);

#endif

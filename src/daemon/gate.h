/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate.h - the role that meets hostile bytes
 *
 * Holds	the sockets that the keeper handed it; the policy's image
 * Should	read DNS questions, TLS hellos, HTTP heads; relay what was allowed
 * Mustn't	make a socket, open a file, start a program, enter a namespace
 * Accepts	the keeper's messages (policy/talk.h) on descriptor 3
 *
 * It ends when the keeper ends, and with it every way out of the jail.
 */
#ifndef SLUICE_DAEMON_GATE_H
#define SLUICE_DAEMON_GATE_H

int gate_main(int argc, char **argv);

#endif

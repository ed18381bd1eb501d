/* SPDX-License-Identifier: Apache-2.0 */
/* engine_network.h - what Docker on this machine knows of its networks, and where it asks for names */
#ifndef SLUICE_ATTACH_ENGINE_NETWORK_H
#define SLUICE_ATTACH_ENGINE_NETWORK_H

#include <jansson.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/span.h"

#define ENGINE_ANSWER_MAX (4u << 20)	/* bytes of its list of networks */

/*
 * engine_network_check() - is @bridge one of its networks, and an internal one?
 * @networks:	as the Engine API's GET /networks answers
 * @subnet:	must be one of that network's
 *
 * Pure.  Return: false and @err: it is not.
 */
bool engine_network_check(const json_t *networks, const char *bridge, const struct net *subnet,
			  struct err *err);

/* The same, asked of the engine itself.  Blocks for it, for 10 s at most. */
bool engine_network_is_internal(const char *bridge, const struct net *subnet, struct err *err);

/* Has this resolv.conf(5) a name server on the loopback?  *@ret_stub: it has systemd's 127.0.0.53 and no
 * other, in whose place the engine reads another file.  Pure. */
bool engine_dns_is_local(struct span resolv_conf, bool *ret_stub);

/* Would the engine forward names that it doesn't know to this machine's own loopback?  In doubt true. */
bool engine_dns_stays_here(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* forwarder.h - one libunbound context a name server, for the resolver */
#ifndef SLUICE_DAEMON_FORWARDER_H
#define SLUICE_DAEMON_FORWARDER_H

#include <event2/event.h>
#include <unbound.h>

#include "base/err.h"

/*
 * forwarder_open() - a context that asks one server, over UDP and TCP
 * @addr:	perhaps with "%eth0" or "@PORT"
 *
 * It has read all the files that it ever will.
 * Return: NULL and @err.
 */
struct ub_ctx *forwarder_open(struct event_base *loop, const char *addr, struct err *err);

#endif

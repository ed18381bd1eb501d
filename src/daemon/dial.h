/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial.h - from a permit to a connected socket (RFC 8305, Happy Eyeballs)
 *
 * A permit says which addresses may be dialled; only decision code in
 * daemon/keeper makes one.  Addresses are tried in the order of RFC 8305
 * section 4 (families interleaved, IPv6 first), the next one 250 ms after the
 * last or as soon as it failed; the first to connect wins, the rest are closed.
 */
#ifndef SLUICE_DAEMON_DIAL_H
#define SLUICE_DAEMON_DIAL_H

#include <event2/event.h>

#include "base/addr.h"
#include "policy/policy.h"

#define DIAL_LIMIT_MS 9500	/* the client must hear within 10 s */
#define DIAL_ADDRS_MAX 32

struct permit {
	struct addr	addrs[DIAL_ADDRS_MAX];
	size_t		count;
	uint16_t	port;
	enum transport	transport;
};

struct dial;
/* @fd: connected, non-blocking, CLOEXEC, TCP_NODELAY, owned by the callee; or -1
 * @addr: which one was reached, NULL when fd is -1; @error: then the errno of the
 * last attempt, ETIMEDOUT at the limit.  The dial is gone when it is called. */
typedef void dial_done(void *arg, int fd, const struct addr *addr, int error);

/*
 * dial_start() - connect to one of the permit's addresses
 *
 * A connect that completes at once (loopback, veth) is noticed without going
 * through the loop: @done may be called before this returns, and then NULL is
 * returned.  UDP: a connected UDP socket to the first address to which there is
 * a route, at once, IP_MTU_DISCOVER=IP_PMTUDISC_DO.
 */
struct dial *dial_start(struct event_base *loop, const struct permit *permit, dial_done *done,
			void *arg);
void dial_cancel(struct dial *d);	/* @done is not called; NULL is fine */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doors.h - the sockets that the gate gets before it serves
 *
 * Those of a jail were made inside it; those on the host are made here.
 */
#ifndef SLUICE_DAEMON_DOORS_H
#define SLUICE_DAEMON_DOORS_H

#include "daemon/keeper.h"
#include "jail/jail.h"

/* Where `sluice proxy` listens */
enum listen_kind { LISTEN_HTTP, LISTEN_SOCKS, LISTEN_DNS, LISTEN_NUM };
struct listen_at {
	bool		on;
	struct addr	addr;
	uint16_t	port;		/* 0: any; then the one that it became */
};

/* Where a page is served: /metrics, or the dashboard */
struct page_at {
	bool		 local;		/* for requests to a loopback address alone: see exporter.c */
	const char	*path;		/* of a Unix socket, absolute; NULL: listen */
	struct listen_at listen;
};

/*
 * doors_of_page() - the socket that who serves the page gets
 *
 * A port that was 0 is filled in; one of the jail's host ports is refused.
 * @p: NULL: a daemon's, of no one policy.
 * A Unix socket is 0600; one at which nobody listens any more is replaced.  What is in use is waited for,
 * a second at most.
 * Return: -1 and @err.
 */
int doors_of_page(struct page_at *at, const struct policy *p, struct err *err);
bool doors_is_host_port(const struct policy *p, uint16_t port);	/* do its host_ports lead there? */
void doors_say_metrics(const struct page_at *at);	/* its port, for who asked for any, on stderr */
void doors_forget_page(const struct page_at *at);	/* remove the Unix socket */

/* Hand over the sockets of @jail, and listeners for the policy's `publish`.  @jail's are gone then. */
bool doors_of_jail(struct keeper *k, struct jail *jail, struct err *err);

/*
 * doors_of_proxy() - make the listeners of `sluice proxy` and hand them over
 * @at:		[LISTEN_NUM]; ports are filled in.  DNS is on UDP and TCP.
 */
bool doors_of_proxy(struct keeper *k, struct listen_at *at, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/datagram.h"

#include <sys/socket.h>

#define MESSAGE_MAX 4096	/* bytes of a query; a question needs 300 */
#define READS_A_TURN 32		/* before other events get their turn */

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct sockaddr_in6 own, from;
	socklen_t own_len = sizeof(own);
	struct dns_origin o = { 0 };
	uint8_t bytes[MESSAGE_MAX];
	uint16_t port;

	(void)what;
	if (getsockname(fd, (struct sockaddr *)&own, &own_len) == 0)
		addr_from_sockaddr(&own, own_len, &o.server, &port);
	for (unsigned i = 0; i < READS_A_TURN; i++) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC,
				     (struct sockaddr *)&from, &len);

		if (n < 0)
			return;
		if ((size_t)n <= sizeof(bytes) &&
		    addr_from_sockaddr(&from, len, &o.client, &o.client_port))
			dns_take(arg, &o, span_of(bytes, (size_t)n));
	}
}

struct event *dns_datagrams(struct dns *d, int fd)
{
	struct event *ev = event_new(dns_host_of(d)->loop, fd, EV_READ | EV_PERSIST, on_ready, d);

	if (ev && event_add(ev, NULL) < 0) {
		event_free(ev);
		return NULL;
	}
	return ev;
}

void dns_datagram_send(int fd, const struct addr *client, uint16_t client_port,
		       struct span answer)
{
	struct sockaddr_in6 to;
	socklen_t len = addr_to_sockaddr(client, client_port, &to);

	if (sendto(fd, answer.at, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		   len) < 0)
		return;
}

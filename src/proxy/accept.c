/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection costs two wake-ups, one when it is there and one when its client
 * has spoken.  If the policy lets nobody go on without a word, the kernel is asked
 * to tell only of the second (TCP_DEFER_ACCEPT).  A client that stays silent is
 * handed over after a second or two, one that hangs up at once; one that resets
 * the connection without a word never is.
 */
#include "proxy/accept.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "proxy/ask.h"
#include "proxy/flow.h"
#include "proxy/look.h"

#define ACCEPTS_A_TURN 32	/* connections taken before other events get their turn */
#define GROW_AFTER 8		/* full bursts before more are tried at once */
#define PAUSE_MS 50		/* after accept(2) found no descriptor or memory */
#define DNS_PORT 53
#define SILENCE_S 1		/* that the kernel waits through; rounded up by it */

struct door_way {
	struct event	 ev, resume;
	struct proxy	*proxy;
	enum door	 door;
	uint16_t	 port;
	unsigned	 burst;		/* connections expected at once: spares the accept that finds none */
	unsigned	 full;		/* bursts in a row that were as large as expected */
	bool		 defer;		/* tell of clients that have spoken; not done yet */
};

/* What the client connected to: with TPROXY the accepted socket's own address */
static bool destination(const struct door_way *w, int fd, struct addr *ret_addr, uint16_t *ret_port)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
	    !addr_from_sockaddr(&sa, len, ret_addr, ret_port))
		return false;
	if (w->door != DOOR_JAIL)
		*ret_port = w->port;
	return true;
}

static bool is_reserved(const struct proxy *x, const struct addr *a, enum reserved which)
{
	struct policy_settings s = policy_settings(x->policy);
	struct addr at4 = reserved_addr(&s.synthetic4, which);
	struct addr at6 = reserved_addr(&s.synthetic6, which);

	return addr_eq(a, &at4) || addr_eq(a, &at6);
}

/* After the first connection: that may be the probe, in which the server speaks first */
static void defer(struct door_way *w)
{
	const int seconds = SILENCE_S;

	if (w->defer)
		setsockopt(event_get_fd(&w->ev), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
			   sizeof(seconds));
	w->defer = false;
}

static void take(struct door_way *w, int fd, const struct sockaddr_in6 *from, socklen_t from_len)
{
	struct proxy *x = w->proxy;
	enum door door = w->door;
	struct addr dst;
	struct flow *f;
	uint16_t port;

	if (!destination(w, fd, &dst, &port)) {
		close(fd);
		return;
	}
	if ((door == DOOR_JAIL && port == DNS_PORT) || door == DOOR_DNS) {
		x->dns.stream(x->dns.arg, fd);
		return;
	}
	if (door == DOOR_JAIL && is_reserved(x, &dst, RESERVED_PROBE))
		door = DOOR_PROBE;
	else if (door == DOOR_JAIL && is_reserved(x, &dst, RESERVED_NOTICE))
		door = DOOR_NOTICE;
	f = flow_new(x, fd, door, &dst, port);
	if (f) {
		addr_from_sockaddr(from, from_len, &f->client, &f->client_port);
		flow_drive(f);
		return;
	}
	ask_refused(x, &dst, port);
	close(fd);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct door_way *w = arg;

	(void)fd, (void)what;
	event_add(&w->ev, NULL);
}

/* A level-triggered listener without descriptors to give would spin */
static void pause_listener(struct door_way *w)
{
	struct timeval wait = { .tv_usec = PAUSE_MS * 1000 };

	event_del(&w->ev);
	event_add(&w->resume, &wait);
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct door_way *w = arg;
	unsigned taken = 0;

	(void)what;
	for (; taken < w->burst; taken++) {
		struct sockaddr_in6 from;
		socklen_t len = sizeof(from);
		int fd = accept4(listener, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			defer(w);
			take(w, fd, &from, len);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_listener(w);
		break;
	}
	if (taken < w->burst) {
		w->burst = taken ? taken : 1;
		w->full = 0;
	} else if (++w->full >= GROW_AFTER && w->burst < ACCEPTS_A_TURN) {
		w->burst *= 2;
		w->full = 0;
	}
}

void accept_start(struct proxy *x, int fd, enum door door, uint16_t port)
{
	struct door_way *w = calloc(1, sizeof(*w));

	if (!w)
		proxy_fail("out of memory");
	*w = (struct door_way){ .proxy = x, .door = door, .port = port, .burst = 1,
				 .defer = door == DOOR_JAIL && look_always(x->policy) };
	event_assign(&w->ev, x->loop, fd, EV_READ | EV_PERSIST, on_accept, w);
	event_assign(&w->resume, x->loop, -1, 0, on_resume, w);
	if (event_add(&w->ev, NULL) < 0)
		proxy_fail("cannot watch a listener");
}

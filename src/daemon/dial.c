/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt an address, each started 250 ms after the one before it or as
 * soon as that one failed.  The youngest attempt that is still open carries the
 * clock in the time limit of its own event, so a dial needs no timer beside it,
 * and the usual dial (one address, answered in a moment) arms one event.
 *
 * connect(2) is asked a second time to learn how the first one went: it says 0,
 * EALREADY or the error, which getsockopt(SO_ERROR) says only with a poll
 * before it.  On loopback and veth the peer has answered by the time the first
 * call returns, though that still says EINPROGRESS (the answer waits in the
 * socket's backlog until the call lets go of it); asking at once spares those
 * the way through the loop.
 */
#include "daemon/dial.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "daemon/clock.h"

#define DIAL_STAGGER_MS 250	/* RFC 8305, section 5: Connection Attempt Delay */

struct attempt {
	struct dial	*dial;
	int		 fd;		/* -1: not started or over */
	struct event	*event;
};

struct dial {
	struct event_base *loop;
	dial_done	*done;
	void		*arg;
	uint16_t	 port;
	size_t		 count;
	size_t		 next;		/* index of the address to be tried next */
	int64_t		 end_ms;
	int		 error;		/* of the attempt that failed last */
	struct addr	 addrs[DIAL_ADDRS_MAX];		/* in the order of trying */
	struct attempt	 attempts[DIAL_ADDRS_MAX];	/* attempts[i] is to addrs[i] */
};

/* RFC 8305, section 4: families take turns, IPv6 first; order within a family stays */
static void interleave(const struct permit *p, struct addr *ret_addrs)
{
	size_t at[2] = { 0, 0 };	/* next candidate of IPv6 and of IPv4 */
	size_t family = 0;

	for (size_t n = 0; n < p->count; family = !family) {
		size_t *i = &at[family];

		while (*i < p->count && addr_is_v4(&p->addrs[*i]) != (family == 1))
			(*i)++;
		if (*i < p->count)
			ret_addrs[n++] = p->addrs[(*i)++];
	}
}

/* Return: 0 when connected, -EALREADY while that is open, or a negative errno */
static int connect_state(int fd, const struct addr *addr, uint16_t port)
{
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(addr, port, &sa);

	if (!connect(fd, (struct sockaddr *)&sa, len) || errno == EISCONN)
		return 0;
	return errno == EINPROGRESS || errno == EINTR ? -EALREADY : -errno;
}

static int socket_for(const struct addr *addr, enum transport transport)
{
	int family = addr_is_v4(addr) ? AF_INET : AF_INET6;
	int type = transport == TRANSPORT_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static void attempt_close(struct attempt *a)
{
	if (a->event)
		event_free(a->event);
	a->event = NULL;
	DROP_FD(a->fd);
}

static void dial_free(struct dial *d)
{
	for (size_t i = 0; i < d->next; i++)
		attempt_close(&d->attempts[i]);
	free(d);
}

/* The end: @won is the attempt that connected, or NULL */
static void dial_over(struct dial *d, struct attempt *won)
{
	dial_done *done = d->done;
	void *arg = d->arg;
	int error = d->error, fd = -1;
	struct addr addr = { 0 };

	if (won) {
		addr = d->addrs[won - d->attempts];
		fd = TAKE_FD(won->fd);
		/* the event knew this descriptor; it must not outlive it */
		attempt_close(won);
		error = 0;
	}
	dial_free(d);
	done(arg, fd, won ? &addr : NULL, error);
}

static void attempt_woken(evutil_socket_t fd, short what, void *arg);

/* Return: 0 when connected, -EALREADY while that is open, or a negative errno */
static int attempt_start(struct dial *d, size_t i)
{
	struct attempt *a = &d->attempts[i];
	const int one = 1;
	int r = socket_for(&d->addrs[i], TRANSPORT_TCP);

	*a = (struct attempt){ d, r < 0 ? -1 : r, NULL };
	if (r < 0)
		return r;
	setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r = connect_state(a->fd, &d->addrs[i], d->port);
	if (r == -EALREADY)
		r = connect_state(a->fd, &d->addrs[i], d->port);
	if (r == -EALREADY) {
		a->event = event_new(d->loop, a->fd, EV_WRITE, attempt_woken, a);
		if (!a->event)
			r = -ENOMEM;
	}
	if (r < 0 && r != -EALREADY)
		attempt_close(a);
	return r;
}

static struct attempt *dial_youngest(struct dial *d)
{
	for (size_t i = d->next; i > 0; i--)
		if (d->attempts[i - 1].fd >= 0)
			return &d->attempts[i - 1];
	return NULL;
}

/* Give the youngest attempt the clock: until the next address, or until the end */
static int dial_arm(struct dial *d, struct attempt *youngest)
{
	int64_t wait_ms = d->end_ms - clock_ms();
	struct timeval tv;

	if (d->next < d->count && wait_ms > DIAL_STAGGER_MS)
		wait_ms = DIAL_STAGGER_MS;
	tv = clock_timeval(wait_ms);
	return event_add(youngest->event, &tv) ? -ENOMEM : 0;
}

/*
 * dial_next() - start addresses until one has to be waited for
 *
 * Return: false when the dial is over and gone.
 */
static bool dial_next(struct dial *d)
{
	struct attempt *youngest;
	int r = 0;

	while (d->next < d->count) {
		size_t i = d->next++;

		r = attempt_start(d, i);
		if (r == 0) {
			dial_over(d, &d->attempts[i]);
			return false;
		}
		if (r == -EALREADY)
			break;
		d->error = -r;
	}
	youngest = dial_youngest(d);
	if (youngest) {
		r = dial_arm(d, youngest);
		if (r == 0)
			return true;
		d->error = -r;	/* the loop is out of memory: no wait is possible */
	}
	dial_over(d, NULL);
	return false;
}

static void attempt_late(struct attempt *a)
{
	struct dial *d = a->dial;

	if (d->next == d->count || clock_ms() >= d->end_ms) {
		d->error = ETIMEDOUT;
		dial_over(d, NULL);
		return;
	}
	if (event_add(a->event, NULL)) {
		d->error = ENOMEM;
		attempt_close(a);
	}
	dial_next(d);
}

static void attempt_woken(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *a = arg;
	struct dial *d = a->dial;
	bool clock = a == dial_youngest(d);
	int r;

	(void)fd;
	if (!(what & EV_WRITE)) {
		attempt_late(a);
		return;
	}
	r = connect_state(a->fd, &d->addrs[a - d->attempts], d->port);
	if (r == 0) {
		dial_over(d, a);
		return;
	}
	if (r == -EALREADY)	/* woken for nothing: wait on */
		r = clock ? dial_arm(d, a) : event_add(a->event, NULL) ? -ENOMEM : 0;
	if (r == 0)
		return;
	d->error = -r;
	attempt_close(a);
	if (clock)
		dial_next(d);
}

/* A UDP "connect" sends nothing: the first address that this machine has a route to */
static void dial_udp(const struct permit *p, const struct addr *addrs, dial_done *done, void *arg)
{
	int error = 0;

	for (size_t i = 0; i < p->count; i++) {
		bool v4 = addr_is_v4(&addrs[i]);
		const int discover = v4 ? IP_PMTUDISC_DO : IPV6_PMTUDISC_DO;
		int fd = socket_for(&addrs[i], TRANSPORT_UDP);

		error = fd < 0 ? fd : connect_state(fd, &addrs[i], p->port);
		if (error == 0) {
			setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6,
				   v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
				   &discover, sizeof(discover));
			done(arg, fd, &addrs[i], 0);
			return;
		}
		DROP_FD(fd);
	}
	done(arg, -1, NULL, -error);
}

struct dial *dial_start(struct event_base *loop, const struct permit *permit, dial_done *done,
			void *arg)
{
	struct addr addrs[DIAL_ADDRS_MAX];
	struct dial *d;

	assert(permit->count > 0 && permit->count <= DIAL_ADDRS_MAX);
	interleave(permit, addrs);
	if (permit->transport == TRANSPORT_UDP) {
		dial_udp(permit, addrs, done, arg);
		return NULL;
	}
	d = calloc(1, sizeof(*d));
	if (!d) {
		done(arg, -1, NULL, ENOMEM);
		return NULL;
	}
	d->loop = loop;
	d->done = done;
	d->arg = arg;
	d->port = permit->port;
	d->count = permit->count;
	d->end_ms = clock_ms() + DIAL_LIMIT_MS;
	memcpy(d->addrs, addrs, permit->count * sizeof(*addrs));
	return dial_next(d) ? d : NULL;
}

void dial_cancel(struct dial *d)
{
	if (d)
		dial_free(d);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Real sockets in a namespace of their own; a listener with a full backlog is a peer that hangs */
#include "../unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "daemon/dial.h"
#undef DIAL_LIMIT_MS
#define DIAL_LIMIT_MS 1500	/* not ten seconds of every test run */
#include "daemon/dial.c"
#include "lonely.h"

#define PORT 4000

static struct event_base *loop;

struct outcome {
	int		count, fd, error;
	struct addr	addr;
	int64_t		began_ms, took_ms;
};

static void on_done(void *arg, int fd, const struct addr *addr, int error)
{
	struct outcome *o = arg;

	o->count++;
	o->fd = fd;
	o->error = error;
	o->took_ms = clock_ms() - o->began_ms;
	if (addr)
		o->addr = *addr;
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_true(addr_parse(span_str(text), &a));
	return a;
}

static struct permit permit_for(const char *const *addrs, enum transport transport)
{
	struct permit p = { .port = PORT, .transport = transport };

	for (; *addrs; addrs++)
		p.addrs[p.count++] = address(*addrs);
	return p;
}

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int listen_at(const char *addr, int backlog)
{
	struct addr a = address(addr);
	struct sockaddr_in6 sa;
	socklen_t len = addr_to_sockaddr(&a, PORT, &sa);
	int one = 1, fd = socket_for(&a, TRANSPORT_TCP);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

/* A listener whose backlog is full: further SYNs are dropped */
struct hanging {
	int	listener, filler;
};

static struct hanging hang_at(const char *addr)
{
	struct hanging h = { listen_at(addr, 0), -1 };
	struct addr a = address(addr);

	h.filler = socket_for(&a, TRANSPORT_TCP);
	connect_state(h.filler, &a, PORT);
	assert_int_equal(connect_state(h.filler, &a, PORT), 0);
	return h;
}

static void hang_end(struct hanging *h)
{
	DROP_FD(h->filler);
	DROP_FD(h->listener);
}

static struct dial *start(const char *const *addrs, enum transport t, struct outcome *o)
{
	struct permit p = permit_for(addrs, t);

	*o = (struct outcome){ .fd = -1, .began_ms = clock_ms() };
	return dial_start(loop, &p, on_done, o);
}

static void wait_done(struct outcome *o)
{
	for (int i = 0; i < 500 && !o->count; i++) {
		struct timeval tick = { .tv_usec = 10000 };

		event_base_loopexit(loop, &tick);
		event_base_dispatch(loop);
	}
	assert_int_equal(o->count, 1);
}

static void assert_reached(struct outcome *o, const char *addr)
{
	struct addr a = address(addr);

	assert_int_equal(o->count, 1);
	assert_true(o->fd >= 0);
	assert_int_equal(o->error, 0);
	assert_true(addr_eq(&o->addr, &a));
	DROP_FD(o->fd);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void families_take_turns(void **state)
{
	static const char *const want[] = { "2001:db8::1", "192.0.2.1", "2001:db8::2",
					    "192.0.2.2", "192.0.2.3" };
	struct permit p = permit_for(LIST("192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.3",
					  "2001:db8::2"), TRANSPORT_TCP);
	struct addr got[DIAL_ADDRS_MAX];

	(void)state;
	interleave(&p, got);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct addr a = address(want[i]);

		assert_true(addr_eq(&got[i], &a));
	}
}

static void a_peer_at_hand_is_reached_without_the_loop(void **state)
{
	int one = 0, listener = listen_at("127.0.0.1", 8);
	socklen_t len = sizeof(one);
	struct outcome o;

	(void)state;
	assert_null(start(LIST("127.0.0.1"), TRANSPORT_TCP, &o));
	assert_int_equal(o.count, 1);
	assert_true(fcntl(o.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(o.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(getsockopt(o.fd, IPPROTO_TCP, TCP_NODELAY, &one, &len), 0);
	assert_int_equal(one, 1);
	assert_int_equal(write(o.fd, "x", 1), 1);
	assert_reached(&o, "127.0.0.1");
	close(listener);
}

static void a_refusal_leads_to_the_next_at_once(void **state)
{
	int listener = listen_at("127.0.0.2", 8);
	struct outcome o;

	(void)state;
	start(LIST("127.0.0.1", "127.0.0.3", "127.0.0.2"), TRANSPORT_TCP, &o);
	wait_done(&o);
	assert_true(o.took_ms < 200);
	assert_reached(&o, "127.0.0.2");
	close(listener);
}

static void ipv6_that_fails_leads_to_ipv4(void **state)
{
	int listener = listen_at("127.0.0.1", 8);
	struct outcome o;

	(void)state;	/* ::1 refuses, 2001:db8::1 has no route */
	start(LIST("127.0.0.1", "2001:db8::1", "::1"), TRANSPORT_TCP, &o);
	wait_done(&o);
	assert_true(o.took_ms < 200);
	assert_reached(&o, "127.0.0.1");
	close(listener);
}

static void a_hanging_peer_is_overtaken(void **state)
{
	struct hanging h = hang_at("127.0.0.1"), h6 = hang_at("::1");
	int before = open_descriptors(), listener = listen_at("127.0.0.2", 8);
	struct outcome o;

	(void)state;
	assert_non_null(start(LIST("127.0.0.1", "127.0.0.2"), TRANSPORT_TCP, &o));
	wait_done(&o);
	assert_in_range(o.took_ms, DIAL_STAGGER_MS - 10, 2 * DIAL_STAGGER_MS - 10);
	assert_reached(&o, "127.0.0.2");
	assert_non_null(start(LIST("127.0.0.1", "127.0.0.2", "::1"), TRANSPORT_TCP, &o));
	wait_done(&o);
	assert_in_range(o.took_ms, 2 * DIAL_STAGGER_MS - 20, 3 * DIAL_STAGGER_MS);
	assert_reached(&o, "127.0.0.2");
	close(listener);
	assert_int_equal(open_descriptors(), before);
	hang_end(&h);
	hang_end(&h6);
}

static void a_refusal_after_a_hanging_peer_does_not_end_it(void **state)
{
	struct hanging h = hang_at("127.0.0.1");
	struct outcome o;
	int fd;

	(void)state;
	assert_non_null(start(LIST("127.0.0.1", "127.0.0.2"), TRANSPORT_TCP, &o));
	for (int i = 0; i < 40; i++) {	/* 400 ms: the second was refused in between */
		struct timeval tick = { .tv_usec = 10000 };

		event_base_loopexit(loop, &tick);
		event_base_dispatch(loop);
	}
	assert_int_equal(o.count, 0);
	fd = accept4(h.listener, NULL, NULL, SOCK_CLOEXEC);	/* room for the SYN sent again */
	assert_true(fd >= 0);
	wait_done(&o);
	assert_reached(&o, "127.0.0.1");
	close(fd);
	hang_end(&h);
}

static void all_that_fail_give_the_last_error(void **state)
{
	int before = open_descriptors();
	struct outcome o;

	(void)state;
	start(LIST("127.0.0.1", "2001:db8::1"), TRANSPORT_TCP, &o);
	wait_done(&o);
	assert_int_equal(o.fd, -1);
	assert_int_equal(o.error, ECONNREFUSED);
	start(LIST("::1", "192.0.2.1"), TRANSPORT_TCP, &o);
	wait_done(&o);
	assert_int_equal(o.fd, -1);
	assert_int_equal(o.error, ENETUNREACH);
	assert_int_equal(open_descriptors(), before);
}

static void silence_ends_at_the_limit(void **state)
{
	struct hanging a = hang_at("127.0.0.1"), b = hang_at("127.0.0.2");
	int before = open_descriptors();
	struct outcome o;

	(void)state;
	assert_non_null(start(LIST("127.0.0.1", "127.0.0.2"), TRANSPORT_TCP, &o));
	wait_done(&o);
	assert_int_equal(o.fd, -1);
	assert_int_equal(o.error, ETIMEDOUT);
	assert_in_range(o.took_ms, DIAL_LIMIT_MS - 20, DIAL_LIMIT_MS + 300);
	assert_int_equal(open_descriptors(), before);
	/* with more addresses than the limit has room for */
	assert_non_null(start(LIST("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2", "127.0.0.1",
				   "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
			      TRANSPORT_TCP, &o));
	wait_done(&o);
	assert_int_equal(o.error, ETIMEDOUT);
	assert_in_range(o.took_ms, DIAL_LIMIT_MS - 20, DIAL_LIMIT_MS + 300);
	assert_int_equal(open_descriptors(), before);
	hang_end(&a);
	hang_end(&b);
}

static void a_cancelled_dial_leaves_nothing(void **state)
{
	struct hanging h = hang_at("127.0.0.1");
	int before = open_descriptors();
	struct timeval later = { .tv_usec = 600000 };
	struct outcome o;
	struct dial *d;

	(void)state;
	dial_cancel(NULL);
	d = start(LIST("127.0.0.1"), TRANSPORT_TCP, &o);
	assert_non_null(d);
	dial_cancel(d);
	d = start(LIST("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"), TRANSPORT_TCP, &o);
	event_base_loopexit(loop, &later);
	event_base_dispatch(loop);
	assert_int_equal(open_descriptors(), before + 3);
	dial_cancel(d);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(o.count, 0);
	assert_int_equal(event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED), 0);
	hang_end(&h);
}

static void no_descriptor_is_an_error(void **state)
{
	struct rlimit none = { 0 }, was;
	struct outcome o, u;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none.rlim_max = was.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	start(LIST("127.0.0.1", "::1"), TRANSPORT_TCP, &o);
	start(LIST("127.0.0.1"), TRANSPORT_UDP, &u);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(o.count, 1);
	assert_int_equal(o.fd, -1);
	assert_int_equal(o.error, EMFILE);
	assert_int_equal(u.count, 1);
	assert_int_equal(u.fd, -1);
	assert_int_equal(u.error, EMFILE);
}

static void udp_is_connected_at_once(void **state)
{
	int discover = 0;
	socklen_t len = sizeof(discover);
	struct sockaddr_in6 sa;
	socklen_t sa_len = sizeof(sa);
	struct outcome o;
	struct addr peer;
	uint16_t port;

	(void)state;
	assert_null(start(LIST("127.0.0.1", "2001:db8::1"), TRANSPORT_UDP, &o));
	assert_int_equal(o.count, 1);
	assert_int_equal(getpeername(o.fd, (struct sockaddr *)&sa, &sa_len), 0);
	assert_true(addr_from_sockaddr(&sa, sa_len, &peer, &port));
	assert_true(addr_eq(&peer, &o.addr));
	assert_int_equal(port, PORT);
	assert_int_equal(getsockopt(o.fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, &len), 0);
	assert_int_equal(discover, IP_PMTUDISC_DO);
	assert_true(fcntl(o.fd, F_GETFL) & O_NONBLOCK);
	assert_reached(&o, "127.0.0.1");
	assert_null(start(LIST("127.0.0.1", "::1"), TRANSPORT_UDP, &o));
	assert_int_equal(getsockopt(o.fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover, &len), 0);
	assert_int_equal(discover, IPV6_PMTUDISC_DO);
	assert_reached(&o, "::1");
	assert_null(start(LIST("192.0.2.1", "2001:db8::1"), TRANSPORT_UDP, &o));
	assert_int_equal(o.fd, -1);
	assert_int_equal(o.error, ENETUNREACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_take_turns),
		cmocka_unit_test(a_peer_at_hand_is_reached_without_the_loop),
		cmocka_unit_test(a_refusal_leads_to_the_next_at_once),
		cmocka_unit_test(ipv6_that_fails_leads_to_ipv4),
		cmocka_unit_test(a_hanging_peer_is_overtaken),
		cmocka_unit_test(a_refusal_after_a_hanging_peer_does_not_end_it),
		cmocka_unit_test(all_that_fail_give_the_last_error),
		cmocka_unit_test(silence_ends_at_the_limit),
		cmocka_unit_test(a_cancelled_dial_leaves_nothing),
		cmocka_unit_test(no_descriptor_is_an_error),
		cmocka_unit_test(udp_is_connected_at_once),
	};
	int failed;

	lonely_enter();
	loop = event_base_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(loop);
	return failed;
}

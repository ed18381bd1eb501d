/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <sys/socket.h>

#include "dns/datagram.h"
#include "proto/dns_msg.h"

/* The keeper of the test */
struct desk {
	struct dns	*dns;
	int		 server;
	uint32_t	 id;
	unsigned	 asked, answered;
	struct talk_dns_ask ask;
};

static void on_tell(void *arg, uint32_t id, const struct talk_dns_ask *ask, struct span name)
{
	struct desk *d = arg;

	assert_true(span_eq(name, SPAN("a.test")));
	d->id = id;
	d->ask = *ask;
	d->asked++;
}

static void on_answer(void *arg, const struct addr *server, const struct addr *client,
		      uint16_t client_port, struct span answer)
{
	struct desk *d = arg;

	(void)server;
	d->answered++;
	dns_datagram_send(d->server, client, client_port, answer);
}

static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\4test\0\0\1\0\1";
#define QUERY_BYTES (sizeof(query) - 1)

static int bound(struct sockaddr_in *ret_sa)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(*ret_sa);

	*ret_sa = (struct sockaddr_in){ .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)ret_sa, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_sa, &len), 0);
	return fd;
}

static void a_question_is_answered_with_every_address(void **state)
{
	const struct addr addrs[] = { addr_v4(0x08080808), addr_v4(0x08080404) };
	struct talk_dns_answer a = { .has_addr = true, .records = 1, .ttl_s = 5, .ede = DNS_EDE_NONE };
	struct event_base *loop = event_base_new();
	struct desk d = { 0 };
	struct dns_host host = { .loop = loop, .tell = on_tell, .datagram = on_answer, .arg = &d };
	struct sockaddr_in server, client;
	struct event *ev;
	uint8_t got[512];
	int fd;

	(void)state;
	d.dns = dns_new(&host);
	d.server = bound(&server);
	fd = bound(&client);
	ev = dns_datagrams(d.dns, d.server);
	assert_non_null(ev);
	sendto(fd, query, 5, 0, (struct sockaddr *)&server, sizeof(server));	/* no message */
	sendto(fd, query, QUERY_BYTES, 0, (struct sockaddr *)&server, sizeof(server));
	event_base_loop(loop, EVLOOP_NONBLOCK);
	assert_int_equal(d.asked, 1);
	assert_int_equal(d.ask.client_port, ntohs(client.sin_port));
	assert_int_equal(addr_v4_value(&d.ask.client), INADDR_LOOPBACK);
	dns_answer(d.dns, d.id, &a, span_of(addrs, sizeof(addrs)));
	assert_int_equal(d.answered, 1);
	assert_int_equal(recv(fd, got, sizeof(got), 0), QUERY_BYTES + 2 * 16);
	assert_memory_equal(got, "\x12\x34\x81\x80\0\1\0\2", 8);
	assert_memory_equal(got + QUERY_BYTES + 12, "\x8\x8\x8\x8", 4);
	assert_memory_equal(got + QUERY_BYTES + 28, "\x8\x8\4\4", 4);
	event_free(ev);
	close(fd);
	close(d.server);
	dns_free(d.dns);
	event_base_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_answered_with_every_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

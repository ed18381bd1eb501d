/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/wire.h"
#include "dns/query.h"
#include "proto/dns_msg.h"

#define PIPELINED 20000

static struct {
	struct dns	*dns;
	struct event_base *loop;
	uint32_t	 ids[PIPELINED];
	size_t		 asked;
	bool		 at_once;	/* answered while it is asked */
} desk;

static void answer(size_t i)
{
	struct talk_dns_answer a = { .rcode = DNS_NXDOMAIN, .ede = DNS_EDE_NONE };

	dns_answer(desk.dns, desk.ids[i], &a, (struct span){ 0 });
}

static void tell(void *arg, uint32_t id, const struct talk_dns_ask *ask, struct span name)
{
	(void)arg, (void)ask, (void)name;
	desk.ids[desk.asked++] = id;
	if (desk.at_once)
		answer(desk.asked - 1);
}

static void begin(int ends[2])
{
	struct dns_host host = { .tell = tell };

	memset(&desk, 0, sizeof(desk));
	desk.loop = host.loop = event_base_new();
	desk.dns = dns_new(&host);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	dns_stream_open(desk.dns, ends[1]);
}

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(desk.loop, EVLOOP_NONBLOCK);
}

/* Every connection that is left is closed by its idle limit */
static void end(int ends[2])
{
	for (int i = 0; i < 40; i++)
		dns_streams_tick(desk.dns);
	close(ends[0]);
	free(*dns_streams_of(desk.dns));
	dns_free(desk.dns);
	event_base_free(desk.loop);
}

static struct span query(uint16_t id)
{
	static const uint8_t question[] = "\3api\7example\3com\0\0\1\0\1";
	static uint8_t bytes[64];
	struct wire_out w = { .at = bytes, .size = sizeof(bytes) };

	wire_put_u16(&w, 12 + sizeof(question) - 1);
	wire_put_u16(&w, id);
	wire_put_u16(&w, 0x0100);
	wire_put_u16(&w, 1);
	for (int i = 0; i < 3; i++)
		wire_put_u16(&w, 0);
	wire_put(&w, question, sizeof(question) - 1);
	return span_of(bytes, w.len);
}

static void say(int fd, struct span s)
{
	assert_int_equal(send(fd, s.at, s.len, MSG_NOSIGNAL), s.len);
	turn();
}

static void queries_may_come_in_any_cut(void **state)
{
	size_t len = query(1).len;
	uint8_t got[64];
	int ends[2];

	(void)state;
	for (size_t cut = 1; cut < len; cut++) {
		begin(ends);
		say(ends[0], span_head(query(7), cut));
		assert_int_equal(desk.asked, 0);
		say(ends[0], span_skip(query(7), cut));
		assert_int_equal(desk.asked, 1);
		answer(0);
		assert_true(recv(ends[0], got, sizeof(got), 0) > 12);
		assert_memory_equal(got + 2, "\0\7", 2);
		end(ends);
	}
}

static void answers_go_out_as_they_come(void **state)
{
	uint8_t got[256];
	int ends[2];

	(void)state;
	begin(ends);
	say(ends[0], query(1));
	say(ends[0], query(2));
	assert_int_equal(desk.asked, 2);
	answer(1);
	answer(0);
	assert_true(recv(ends[0], got, sizeof(got), 0) > 24);
	assert_int_equal(got[3], 2);
	assert_int_equal(got[2 + got[1] + 3], 1);
	end(ends);
}

static void a_client_that_does_not_read_loses_its_connection(void **state)
{
	uint8_t got[4096];
	int ends[2];
	size_t i;

	(void)state;
	begin(ends);
	desk.at_once = true;
	for (i = 0; i < PIPELINED; i++) {
		struct span q = query((uint16_t)i);

		if (send(ends[0], q.at, q.len, MSG_NOSIGNAL) < 0 && errno == EPIPE)
			break;
		turn();
	}
	assert_true(i < PIPELINED);
	while (recv(ends[0], got, sizeof(got), 0) > 0)
		;
	end(ends);
}

static void an_answer_to_one_that_is_gone_goes_nowhere(void **state)
{
	int ends[2], again[2];
	uint8_t byte;

	(void)state;
	begin(ends);
	say(ends[0], query(1));
	DROP_FD(ends[0]);
	turn();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, again), 0);
	dns_stream_open(desk.dns, again[1]);	/* in the same place */
	answer(0);
	assert_int_equal(recv(again[0], &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	end(again);
}

static void a_message_too_long_ends_the_connection(void **state)
{
	uint8_t byte;
	int ends[2];

	(void)state;
	begin(ends);
	say(ends[0], SPAN("\xff\xff" "12345"));
	assert_int_equal(recv(ends[0], &byte, 1, 0), 0);
	end(ends);
}

static void the_table_has_a_bound(void **state)
{
	static int clients[DNS_STREAMS_MAX];
	int ends[2], more[2];
	uint8_t byte;

	(void)state;
	begin(ends);
	for (int i = 1; i < DNS_STREAMS_MAX; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, more), 0);
		clients[i] = more[0];
		dns_stream_open(desk.dns, more[1]);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, more), 0);
	dns_stream_open(desk.dns, more[1]);
	assert_int_equal(recv(more[0], &byte, 1, 0), 0);
	close(more[0]);
	end(ends);
	for (int i = 1; i < DNS_STREAMS_MAX; i++) {
		assert_int_equal(recv(clients[i], &byte, 1, 0), 0);	/* idle: closed */
		close(clients[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_may_come_in_any_cut),
		cmocka_unit_test(answers_go_out_as_they_come),
		cmocka_unit_test(a_client_that_does_not_read_loses_its_connection),
		cmocka_unit_test(an_answer_to_one_that_is_gone_goes_nowhere),
		cmocka_unit_test(a_message_too_long_ends_the_connection),
		cmocka_unit_test(the_table_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* In a namespace of its own: answers leave through a raw socket, as in the jail */
#include "rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../daemon/lonely.h"

#define QUIC "\xc3\0\0\0\1\10AAAAAAAA\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define SERVER "127.0.0.5"	/* what the client believes to talk to */

struct udp {
	struct rig	 r;
	int		 client, door, server;
	struct sockaddr_in at;		/* the door */
};

static int bound(const char *ip, struct sockaddr_in *ret_at)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(*ret_at);
	struct addr a;

	*ret_at = (struct sockaddr_in){ .sin_family = AF_INET };
	assert_true(addr_parse(span_str(ip), &a));
	ret_at->sin_addr.s_addr = htonl(addr_v4_value(&a));
	assert_int_equal(bind(fd, (struct sockaddr *)ret_at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_at, &len), 0);
	return fd;
}

static int client_of(const struct udp *u)
{
	struct sockaddr_in own;
	int fd = bound("127.0.0.1", &own);

	assert_int_equal(connect(fd, (const struct sockaddr *)&u->at, sizeof(u->at)), 0);
	return fd;
}

static void begin(struct udp *u, size_t max)
{
	int on = 1;

	rig_open(&u->r, max);
	u->server = -1;
	u->door = bound(SERVER, &u->at);
	assert_int_equal(setsockopt(u->door, IPPROTO_IP, IP_RECVORIGDSTADDR, &on, sizeof(on)), 0);
	u->r.x.raw4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	assert_true(u->r.x.raw4 >= 0);
	u->client = client_of(u);
	udp_start(&u->r.x, u->door);
}

static void end(struct udp *u)
{
	rig_done(&u->r);
	close(u->r.x.raw4);
	close(u->client);
	close(u->door);
	DROP_FD(u->server);
}

/* What the gate asked about the first datagram */
static uint32_t asked(struct udp *u, enum seen seen)
{
	const struct told *t = rig_told(&u->r, GATE_ASK);

	assert_int_equal(t->ask.transport, TRANSPORT_UDP);
	assert_int_equal(t->ask.port, ntohs(u->at.sin_port));
	assert_int_equal(t->ask.seen, seen);
	assert_true(t->id & REF_UDP);
	return t->id;
}

static void allow(struct udp *u, uint32_t ref, bool watch)
{
	struct talk_allow a = { .watch = watch };
	struct sockaddr_in server, peer;
	int fd = bound("127.0.0.9", &peer);

	u->server = bound("127.0.0.8", &server);
	assert_int_equal(connect(fd, (struct sockaddr *)&server, sizeof(server)), 0);
	assert_int_equal(connect(u->server, (struct sockaddr *)&peer, sizeof(peer)), 0);
	udp_allowed(&u->r.x, ref, &a, fd);
	rig_run(&u->r);
}

static void got(int fd, const char *text)
{
	char bytes[128] = "";

	assert_int_equal(recv(fd, bytes, sizeof(bytes) - 1, 0), strlen(text));
	assert_string_equal(bytes, text);
}

static void got_nothing(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void was_refused(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNREFUSED);
}

static void datagrams_wait_for_the_verdict(void **state)
{
	struct udp u;
	uint32_t ref;

	(void)state;
	begin(&u, 4);
	for (int i = 0; i < 6; i++) {		/* more than are held: the rest is lost */
		say(u.client, i == 0 ? "0" : "n");
		rig_run(&u.r);
	}
	ref = asked(&u, SEEN_NOT_YET);
	rig_told_nothing(&u.r);			/* one flow asks once */
	allow(&u, ref, false);
	got(u.server, "0");
	for (int i = 0; i < 3; i++)
		got(u.server, "n");
	got_nothing(u.server);
	say(u.server, "answer");
	rig_run(&u.r);
	got(u.client, "answer");
	say(u.client, "more");
	rig_run(&u.r);
	got(u.server, "more");
	udp_finish(&u.r.x);
	assert_int_equal(rig_told(&u.r, GATE_CLOSED)->closed.bytes_out, 8);
	end(&u);
}

static void a_refusal_reaches_the_client(void **state)
{
	struct udp u;
	uint32_t ref;

	(void)state;
	begin(&u, 4);
	say(u.client, "a");
	ref = asked(&u, SEEN_NOT_YET);
	udp_denied(&u.r.x, ref, REASON_NO_RULE);
	was_refused(u.client);
	say(u.client, "b");			/* a flood asks once */
	rig_told_nothing(&u.r);
	was_refused(u.client);
	rig_seconds(&u.r, 4);
	say(u.client, "c");			/* and is judged anew later */
	asked(&u, SEEN_NOT_YET);
	end(&u);
}

static void quic_does_not_pass_later_either(void **state)
{
	struct udp u;
	uint32_t ref;

	(void)state;
	begin(&u, 4);
	say(u.client, "a");
	ref = asked(&u, SEEN_NOT_YET);
	allow(&u, ref, true);
	got(u.server, "a");
	say_bytes(u.client, SPAN(QUIC));
	rig_run(&u.r);
	was_refused(u.client);
	got_nothing(u.server);
	end(&u);
	begin(&u, 4);
	say_bytes(u.client, SPAN(QUIC));
	asked(&u, SEEN_QUIC);
	end(&u);
}

static void answers_of_any_size_arrive(void **state)
{
	/* the queue's buffers hold 2048 bytes, headers included */
	static const size_t sizes[] = { 0, 1, 1472, 2019, 2020, 2021, 2048, 9000, 60000 };
	static char bytes[65536], back[65536];
	struct udp u;
	uint32_t ref;

	(void)state;
	begin(&u, 4);
	say(u.client, "a");
	ref = asked(&u, SEEN_NOT_YET);
	allow(&u, ref, true);
	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(send(u.server, bytes, sizes[i], 0), sizes[i]);
		rig_run(&u.r);
		assert_int_equal(recv(u.client, back, sizeof(back), 0), sizes[i]);
		assert_memory_equal(bytes, back, sizes[i]);
	}
	end(&u);
}

static void a_full_table_refuses_and_says_so(void **state)
{
	struct udp u;
	int others[3];

	(void)state;
	begin(&u, 2);
	for (int i = 0; i < 3; i++) {
		others[i] = client_of(&u);
		say(others[i], "a");
		rig_run(&u.r);
	}
	asked(&u, SEEN_NOT_YET);
	asked(&u, SEEN_NOT_YET);
	assert_int_equal(rig_told(&u.r, GATE_ASK)->ask.flags, TALK_FULL);
	was_refused(others[2]);
	for (int i = 0; i < 3; i++)
		close(others[i]);
	end(&u);
}

static void an_idle_flow_ends(void **state)
{
	struct udp u;
	uint32_t ref;

	(void)state;
	begin(&u, 4);
	say(u.client, "a");
	ref = asked(&u, SEEN_NOT_YET);
	allow(&u, ref, true);
	rig_seconds(&u.r, 100);
	rig_told_nothing(&u.r);
	rig_seconds(&u.r, 30);
	assert_int_equal(rig_told(&u.r, GATE_CLOSED)->closed.end, END_IDLE);
	udp_denied(&u.r.x, ref, REASON_NO_RULE);		/* nobody's any more */
	end(&u);
}

static void the_servers_refusal_reaches_the_client(void **state)
{
	struct udp u;
	uint32_t ref;

	(void)state;
	begin(&u, 4);
	say(u.client, "a");
	ref = asked(&u, SEEN_NOT_YET);
	allow(&u, ref, true);
	got(u.server, "a");
	DROP_FD(u.server);
	say(u.client, "b");
	rig_run(&u.r);
	was_refused(u.client);
	end(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_wait_for_the_verdict),
		cmocka_unit_test(a_refusal_reaches_the_client),
		cmocka_unit_test(quic_does_not_pass_later_either),
		cmocka_unit_test(answers_of_any_size_arrive),
		cmocka_unit_test(a_full_table_refuses_and_says_so),
		cmocka_unit_test(an_idle_flow_ends),
		cmocka_unit_test(the_servers_refusal_reaches_the_client),
	};

	lonely_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

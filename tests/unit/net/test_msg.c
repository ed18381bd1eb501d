/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "net/msg.h"

enum { NOTE, CARRY };

static const struct msg_type types[] = {
	[NOTE] = { "note", 1, 1000, false },
	[CARRY] = { "carry", 4, 4, true },
};

struct seen {
	size_t	count;
	uint32_t ids[4096];
	int	fd;
	size_t	bytes;
};

static void see(void *arg, const struct msg *m)
{
	struct seen *s = arg;

	s->ids[s->count++ % 4096] = m->id;
	s->bytes += m->payload.len;
	if (m->fd >= 0) {
		if (s->fd >= 0)
			close(s->fd);
		s->fd = m->fd;
	}
}

static void pair(struct msg_link *a, struct msg_link *b)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	msg_link_init(a, fds[0], types, ARRAY_SIZE(types));
	msg_link_init(b, fds[1], types, ARRAY_SIZE(types));
}

static void many_messages_leave_in_one_packet_in_order(void **state)
{
	struct seen s = { .fd = -1 };
	struct msg_link a, b;

	(void)state;
	pair(&a, &b);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(msg_put(&a, NOTE, i, "x", 1, SPAN("yz"), -1), 0);
	assert_int_equal(msg_read(&b, see, &s), 0);	/* nothing leaves before the flush */
	assert_int_equal(msg_flush(&a), 0);
	assert_int_equal(msg_read(&b, see, &s), 0);	/* it was the only packet */
	assert_int_equal(s.count, 100);
	assert_int_equal(s.ids[99], 99);
	assert_int_equal(msg_read(&b, see, &s), 0);
	msg_link_done(&a);
	assert_int_equal(msg_read(&b, see, &s), -EPIPE);
	msg_link_done(&b);
}

static void descriptors_reach_their_message(void **state)
{
	struct seen s = { .fd = -1 };
	struct msg_link a, b;
	int p[2];

	(void)state;
	pair(&a, &b);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(msg_put(&a, NOTE, 1, "n", 1, (struct span){ 0 }, -1), 0);
	assert_int_equal(msg_put(&a, CARRY, 2, "four", 4, (struct span){ 0 }, p[1]), 0);
	assert_int_equal(msg_flush(&a), 0);
	assert_int_equal(fcntl(p[1], F_GETFD), -1);	/* handed over */
	assert_int_equal(msg_read(&b, see, &s), 0);
	assert_true(s.fd >= 0);
	assert_int_equal(write(s.fd, "!", 1), 1);
	close(s.fd);
	close(p[0]);
	msg_link_done(&a);
	msg_link_done(&b);
}

static void packets_are_read_a_few_at_a_time(void **state)
{
	struct seen s = { .fd = -1 };
	struct msg_link a, b;

	(void)state;
	pair(&a, &b);
	for (uint32_t i = 0; i < MSG_READ_PACKETS + 2; i++) {
		assert_int_equal(msg_put(&a, NOTE, i, "x", 1, SPAN("yz"), -1), 0);
		assert_int_equal(msg_flush(&a), 0);
	}
	assert_int_equal(msg_read(&b, see, &s), 1);
	assert_int_equal(s.count, MSG_READ_PACKETS);
	msg_link_done(&a);
	assert_int_equal(msg_read(&b, see, &s), -EPIPE);	/* the rest, and then the end */
	assert_int_equal(s.count, MSG_READ_PACKETS + 2);
	assert_int_equal(s.ids[s.count - 1], MSG_READ_PACKETS + 1);
	msg_link_done(&b);
}

/* Packets behind a bad one are not handed out, nor do their descriptors stay */
static void nothing_is_handed_out_behind_the_end(void **state)
{
	struct seen s = { .fd = -1 };
	struct msg_link a, b;
	int p[2];
	char c;

	(void)state;
	pair(&a, &b);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(msg_put(&a, CARRY, 1, "four", 4, (struct span){ 0 }, -1), 0);
	assert_int_equal(msg_flush(&a), 0);
	assert_int_equal(msg_put(&a, CARRY, 2, "four", 4, (struct span){ 0 }, p[1]), 0);
	assert_int_equal(msg_flush(&a), 0);
	assert_int_equal(msg_read(&b, see, &s), -EPROTO);
	assert_int_equal(s.count, 0);
	assert_int_equal(read(p[0], &c, 1), 0);		/* nobody holds the other end */
	close(p[0]);
	msg_link_done(&a);
	msg_link_done(&b);
}

static void what_the_table_does_not_list_ends_the_link(void **state)
{
	static const struct {
		uint16_t type;
		size_t len;
		bool fd;
	} bad[] = {
		{ 7, 1, false }, { NOTE, 0, false }, { NOTE, 1001, false },
		{ CARRY, 4, false }, { NOTE, 3, true }, { CARRY, 5, true },
	};
	static const uint8_t zeros[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct seen s = { .fd = -1 };
		struct msg_link a, b;

		pair(&a, &b);
		assert_int_equal(msg_put(&a, bad[i].type, 0, zeros, bad[i].len,
			(struct span){ 0 }, bad[i].fd ? open("/dev/null", O_RDONLY) : -1), 0);
		assert_int_equal(msg_flush(&a), 0);
		assert_int_equal(msg_read(&b, see, &s), -EPROTO);
		msg_link_done(&a);
		msg_link_done(&b);
	}
}

static void a_full_socket_parks_and_the_queue_has_a_bound(void **state)
{
	struct seen s = { .fd = -1 };
	uint8_t bytes[1000] = { 0 };
	struct msg_link a, b;
	size_t put = 0;
	int r;

	(void)state;
	pair(&a, &b);
	for (;;) {
		r = msg_put(&a, NOTE, 0, bytes, sizeof(bytes), (struct span){ 0 }, -1);
		if (r == 0)
			r = msg_flush(&a);
		if (r < 0)
			break;
		put++;
		assert_in_range(put, 0, 100000);
	}
	assert_int_equal(r, -ENOBUFS);
	assert_true(msg_waits(&a));
	while (msg_waits(&a)) {
		while (msg_read(&b, see, &s) > 0)
			;
		assert_int_equal(msg_flush(&a), 0);
	}
	while (msg_read(&b, see, &s) > 0)
		;
	assert_true(s.count >= put);
	msg_link_done(&a);
	msg_link_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_messages_leave_in_one_packet_in_order),
		cmocka_unit_test(descriptors_reach_their_message),
		cmocka_unit_test(packets_are_read_a_few_at_a_time),
		cmocka_unit_test(nothing_is_handed_out_behind_the_end),
		cmocka_unit_test(what_the_table_does_not_list_ends_the_link),
		cmocka_unit_test(a_full_socket_parks_and_the_queue_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

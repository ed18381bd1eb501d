/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include <errno.h>
#include <sys/socket.h>

#include "net/pump.h"

/* source[1] -> source[0] -> pump -> target[0] -> target[1] */
struct rig {
	int		source[2], target[2];
	struct pump	pump;
};

static void rig_up(struct rig *r)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, r->source), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, r->target), 0);
	pump_init(&r->pump);
}

static void rig_down(struct rig *r)
{
	pump_done(&r->pump);
	for (int i = 0; i < 2; i++) {
		if (r->source[i] >= 0)
			close(r->source[i]);
		if (r->target[i] >= 0)
			close(r->target[i]);
	}
}

static enum pumped turn(struct rig *r)
{
	return pump_move(&r->pump, r->source[0], r->target[0]);
}

static void small_messages_hold_nothing(void **state)
{
	char got[16];
	struct rig r;

	(void)state;
	rig_up(&r);
	assert_int_equal(write(r.source[1], "hello", 5), 5);
	assert_int_equal(turn(&r), PUMPED_READ);
	assert_int_equal(read(r.target[1], got, sizeof(got)), 5);
	assert_int_equal(r.pump.bytes, 5);
	assert_null(r.pump.held);
	assert_int_equal(r.pump.pipe[0], -1);
	rig_down(&r);
}

/* No more is taken than there is room for, copied or spliced; an end needs no room */
static void there_is_no_more_than_the_room(void **state)
{
	static uint8_t bytes[1 << 20];
	static const uint64_t rooms[] = { 1, 4096, 65536, 65537, 700001 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
		size_t got = 0, sent = 0;
		enum pumped p = PUMPED_READ;
		struct rig r;

		rig_up(&r);
		r.pump.room = rooms[i];
		while (p != PUMPED_FULL) {
			ssize_t n = write(r.source[1], bytes, sizeof(bytes) - sent);

			sent += n > 0 ? (size_t)n : 0;
			p = turn(&r);
			while ((n = read(r.target[1], bytes, sizeof(bytes))) > 0)
				got += (size_t)n;
		}
		assert_int_equal(got, rooms[i]);
		assert_int_equal(r.pump.bytes, rooms[i]);
		assert_int_equal(turn(&r), PUMPED_FULL);
		rig_down(&r);
	}
}

static void an_end_needs_no_room(void **state)
{
	struct rig r;

	(void)state;
	rig_up(&r);
	r.pump.room = 5;
	assert_int_equal(write(r.source[1], "hello", 5), 5);
	assert_int_equal(turn(&r), PUMPED_READ);
	assert_int_equal(turn(&r), PUMPED_READ);
	close(r.source[1]);
	r.source[1] = -1;
	assert_int_equal(turn(&r), PUMPED_OVER);
	rig_down(&r);
}

/* Everything arrives, in order, whatever the reader's pace, copied or spliced */
static void bulk_arrives_whole_and_in_order(void **state)
{
	enum { TOTAL = 24 << 20 };
	static uint8_t in[65536], out[100000];
	size_t sent = 0, got = 0;
	struct rig r;

	(void)state;
	rig_up(&r);
	while (got < TOTAL) {
		ssize_t n;

		for (size_t i = 0; i < sizeof(in); i++)
			in[i] = (uint8_t)((sent + i) * 31 >> 4);
		n = sent < TOTAL ? write(r.source[1], in, sizeof(in) < TOTAL - sent ?
					 sizeof(in) : TOTAL - sent) : 0;
		if (n > 0)
			sent += (size_t)n;
		if (sent == TOTAL && r.source[1] >= 0) {
			close(r.source[1]);
			r.source[1] = -1;
		}
		assert_true(turn(&r) < PUMPED_SOURCE_FAILED);
		n = read(r.target[1], out, sizeof(out));
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(out[i], (uint8_t)((got + (size_t)i) * 31 >> 4));
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(turn(&r), PUMPED_OVER);
	assert_int_equal(read(r.target[1], out, 1), 0);
	assert_int_equal(r.pump.bytes, TOTAL);
	rig_down(&r);
}

static void a_full_target_stops_the_reading(void **state)
{
	static uint8_t bytes[65536];
	enum pumped p = PUMPED_READ;
	struct rig r;

	(void)state;
	rig_up(&r);
	for (int i = 0; i < 1000 && p != PUMPED_WRITE; i++) {
		if (write(r.source[1], bytes, sizeof(bytes)) < 0)
			assert_int_equal(errno, EAGAIN);
		p = turn(&r);
	}
	assert_int_equal(p, PUMPED_WRITE);
	/* the source fills up: that is the back-pressure */
	for (int i = 0; i < 1000; i++)
		if (write(r.source[1], bytes, sizeof(bytes)) < 0)
			break;
	assert_int_equal(write(r.source[1], bytes, sizeof(bytes)), -1);
	assert_int_equal(turn(&r), PUMPED_WRITE);
	rig_down(&r);
}

static void failures_are_told_apart(void **state)
{
	struct rig r;

	(void)state;
	rig_up(&r);
	assert_int_equal(write(r.source[1], "x", 1), 1);
	close(r.target[1]);
	r.target[1] = -1;
	assert_int_equal(turn(&r), PUMPED_TARGET_FAILED);
	rig_down(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_messages_hold_nothing),
		cmocka_unit_test(there_is_no_more_than_the_room),
		cmocka_unit_test(an_end_needs_no_room),
		cmocka_unit_test(bulk_arrives_whole_and_in_order),
		cmocka_unit_test(a_full_target_stops_the_reading),
		cmocka_unit_test(failures_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <errno.h>
#include <sys/socket.h>

#include "proxy/meter.h"

#define HOST_FIELD "Host: " RIG_HOST "\r\n\r\n"

static char block[200000];

static void start(struct rig *r, const char *more)
{
	rig_rule_more = more;
	rig_open(r, 8);
	memset(block, 'x', sizeof(block));
}

static void over(struct rig *r, struct line *l)
{
	rig_hang_up(l);
	rig_done(r);
	rig_rule_more = "";
}

static struct line tunnel(struct rig *r)
{
	struct line l = rig_connect(r, 22);

	rig_drive(r, &l);
	assert_int_equal(rig_told(r, GATE_ASK)->ask.limited, REASON_ALLOWED);
	rig_allow(r, &l, false, false);
	return l;
}

/* Read what is there until the end or for so long as something comes; -errno of the end */
static size_t drain(struct rig *r, int fd, int *ret_end)
{
	static char got[65536];
	size_t count = 0;

	*ret_end = 0;
	for (int quiet = 0; quiet < 40;) {
		ssize_t n = recv(fd, got, sizeof(got), 0);

		if (n > 0) {
			count += (size_t)n;
			quiet = 0;
			continue;
		}
		if (n == 0 || errno != EAGAIN) {
			*ret_end = n == 0 ? 1 : -errno;
			return count;
		}
		rig_run(r);
		quiet++;
	}
	return count;
}

static void without_limits_nothing_is_counted(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	start(&r, "");
	assert_false(meter_is_on(&r.x));
	l = tunnel(&r);
	assert_false(flow_find(r.x.flows, l.ref)->metered);
	over(&r, &l);
}

static void an_upload_is_cut_at_the_byte(void **state)
{
	const struct told *t;
	struct rig r;
	struct line l;
	int end;

	(void)state;
	start(&r, "    quota: {up: 100001}\n");
	l = tunnel(&r);
	say_bytes(l.client, span_of(block, 100001));
	assert_int_equal(drain(&r, l.server, &end), 100001);
	rig_told_nothing(&r);		/* just all of it: nothing has been exceeded */
	say(l.client, "y");
	assert_int_equal(drain(&r, l.server, &end), 0);
	assert_int_equal(end, -ECONNRESET);
	t = rig_told(&r, GATE_CLOSED);
	assert_int_equal(t->closed.bytes_out, 100001);
	assert_int_equal(t->closed.end, END_LIMIT);
	assert_int_equal(t->closed.reason, REASON_QUOTA);
	over(&r, &l);
}

/* What may pass arrives before the reset, though the client is slow to read */
static void a_download_is_cut_at_the_byte(void **state)
{
	struct rig r;
	struct line l;
	int end;

	(void)state;
	start(&r, "    quota: {down: 150001}\n");
	l = tunnel(&r);
	say_bytes(l.server, span_of(block, sizeof(block)));
	rig_run(&r);
	assert_int_equal(drain(&r, l.client, &end), 150001);
	assert_int_equal(end, -ECONNRESET);
	assert_int_equal(rig_told(&r, GATE_CLOSED)->closed.bytes_in, 150001);
	over(&r, &l);
}

static void exactly_the_quota_ends_in_order(void **state)
{
	const struct told *t;
	struct rig r;
	struct line l;

	(void)state;
	start(&r, "    quota: {up: 5, down: 3}\n");
	l = tunnel(&r);
	say(l.client, "12345");
	shutdown(l.client, SHUT_WR);
	heard(&r, l.server, "12345");
	heard_end(&r, l.server);
	say(l.server, "123");
	shutdown(l.server, SHUT_WR);
	heard(&r, l.client, "123");
	heard_end(&r, l.client);
	t = rig_told(&r, GATE_CLOSED);
	assert_int_equal(t->closed.end, END_CLIENT);
	assert_int_equal(t->closed.reason, REASON_ALLOWED);
	over(&r, &l);
}

static void a_used_quota_denies_what_follows(void **state)
{
	struct rig r;
	struct line l, next;

	(void)state;
	start(&r, "    quota: {up: 5}\n");
	l = tunnel(&r);
	say(l.client, "12345");
	heard(&r, l.server, "12345");
	next = rig_connect(&r, 22);
	rig_drive(&r, &next);
	assert_int_equal(rig_told(&r, GATE_ASK)->ask.limited, REASON_QUOTA);
	rig_deny(&r, &next, REASON_QUOTA, "");
	heard_reset(&r, next.client);
	rig_hang_up(&next);
	over(&r, &l);
}

/* Bytes that were taken and reached nobody are given back */
static void undelivered_bytes_are_given_back(void **state)
{
	struct usage u = { .account = 0 };
	const struct told *t;
	struct rig r;
	struct line l;

	(void)state;
	start(&r, "    quota: {down: 10MB}\n");
	l = rig_connect(&r, 22);
	l.client_room = 4096;
	rig_drive(&r, &l);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &l, false, false);
	for (int i = 0; i < 20; i++) {
		(void)!send(l.server, block, sizeof(block), MSG_NOSIGNAL);
		rig_run(&r);
	}
	rig_hang_up(&l);
	t = rig_told(&r, GATE_CLOSED);
	assert_int_equal(limits_room(r.x.limits, &u, WAY_DOWN), 10000000 - t->closed.bytes_in);
	rig_done(&r);
	rig_rule_more = "";
}

static void a_session_total_alerts_once(void **state)
{
	const struct told *t;
	struct rig r;
	struct line l;
	int end;

	(void)state;
	start(&r, "limits: {upload_total: 1000, on_exceed: block}\n");
	l = tunnel(&r);
	say_bytes(l.client, span_of(block, 5000));
	assert_int_equal(drain(&r, l.server, &end), 1000);
	t = rig_told(&r, GATE_ALERT);
	assert_int_equal(t->alert.kind, ALERT_UPLOAD_TOTAL);
	assert_int_equal(t->alert.value, 1001);
	assert_true(span_eq(t->tail, SPAN(RIG_HOST)));
	t = rig_told(&r, GATE_CLOSED);
	assert_int_equal(t->closed.reason, REASON_LIMIT);
	over(&r, &l);
}

static void a_rate_refuses_a_request_of_a_kept_connection(void **state)
{
	static const char get[] = "GET / HTTP/1.1\r\n" HOST_FIELD;
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct rig r;
	struct line l;

	(void)state;
	start(&r, "    rate: 2/min\n");
	l = rig_connect(&r, 80);
	say(l.client, get);
	rig_drive(&r, &l);
	assert_int_equal(rig_told(&r, GATE_ASK)->ask.limited, REASON_ALLOWED);
	rig_allow(&r, &l, false, true);
	for (int i = 0; i < 2; i++) {
		heard(&r, l.server, get);
		say(l.server, ok);
		heard(&r, l.client, ok);
		rig_told(&r, GATE_HTTP);
		say(l.client, get);
	}
	assert_int_equal(rig_told(&r, GATE_ASK_AGAIN)->ask.limited, REASON_RATE);
	rig_deny(&r, &l, REASON_RATE, "{}\n");
	heard(&r, l.server, "");
	over(&r, &l);
}

static void a_quota_cuts_a_body_and_the_client_is_told(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nContent-Length: 1000\r\n" HOST_FIELD;
	const size_t room = sizeof(head) - 1 + 100;
	char more[80], got[4096];
	const struct told *t;
	struct rig r;
	struct line l;
	int end;

	(void)state;
	snprintf(more, sizeof(more), "    quota: {up: %zu}\n", room);
	start(&r, more);
	l = rig_connect(&r, 80);
	say(l.client, head);
	rig_drive(&r, &l);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &l, false, true);
	say_bytes(l.client, span_of(block, 500));
	rig_run(&r);
	t = rig_told(&r, GATE_ASK_AGAIN);
	assert_int_equal(t->ask.limited, REASON_QUOTA);
	rig_deny(&r, &l, REASON_QUOTA, "{}\n");
	rig_run(&r);
	assert_true(recv(l.client, got, sizeof(got), 0) > 0);
	assert_memory_equal(got, "HTTP/1.1 403", 12);
	assert_int_equal(drain(&r, l.server, &end), room);
	rig_hang_up(&l);
	rig_told(&r, GATE_HTTP);
	t = rig_told(&r, GATE_CLOSED);
	assert_int_equal(t->closed.bytes_out, room);
	assert_int_equal(t->closed.end, END_LIMIT);
	rig_done(&r);
	rig_rule_more = "";
}

/* A direction without bandwidth takes nothing, and goes on by itself */
static void bandwidth_paces(void **state)
{
	uint64_t before;
	struct rig r;
	struct line l;
	size_t count;
	int end;

	(void)state;
	start(&r, "    bandwidth: {down: 800kbit}\n");		/* 100,000 bytes a second, burst 10,000 */
	l = tunnel(&r);
	say_bytes(l.server, span_of(block, 60000));
	rig_run(&r);
	before = flow_find(r.x.flows, l.ref)->in.bytes;
	assert_in_range(before, 10000, 20000);
	assert_true(meter_waits(flow_find(r.x.flows, l.ref), false));
	count = 0;
	for (int i = 0; i < 3000 && count < 60000; i++) {
		count += drain(&r, l.client, &end);
		assert_int_equal(end, 0);
	}
	assert_int_equal(count, 60000);
	over(&r, &l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_limits_nothing_is_counted),
		cmocka_unit_test(an_upload_is_cut_at_the_byte),
		cmocka_unit_test(a_download_is_cut_at_the_byte),
		cmocka_unit_test(exactly_the_quota_ends_in_order),
		cmocka_unit_test(a_used_quota_denies_what_follows),
		cmocka_unit_test(undelivered_bytes_are_given_back),
		cmocka_unit_test(a_session_total_alerts_once),
		cmocka_unit_test(a_rate_refuses_a_request_of_a_kept_connection),
		cmocka_unit_test(a_quota_cuts_a_body_and_the_client_is_told),
		cmocka_unit_test(bandwidth_paces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

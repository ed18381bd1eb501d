/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <sys/socket.h>

#include "proxy/ask.h"

/* ---- what passes ---- */

static void a_server_that_speaks_first_is_not_kept_waiting(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = rig_connect(&r, 22);
	rig_drive(&r, &l);
	assert_int_equal(rig_told(&r, GATE_ASK)->ask.seen, SEEN_NOT_YET);
	rig_allow(&r, &l, true, false);
	say(l.server, "SSH-2.0-server\r\n");
	heard(&r, l.client, "SSH-2.0-server\r\n");
	say(l.client, "SSH-2.0-client\r\n");
	heard(&r, l.server, "SSH-2.0-client\r\n");
	rig_hang_up(&l);
	rig_done(&r);
}

static void each_half_is_closed_by_itself(void **state)
{
	const struct told *t;
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = rig_connect(&r, 22);
	rig_drive(&r, &l);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &l, false, false);
	say(l.client, "question");
	shutdown(l.client, SHUT_WR);
	heard(&r, l.server, "question");
	heard_end(&r, l.server);
	say(l.server, "answer");
	heard(&r, l.client, "answer");
	shutdown(l.server, SHUT_WR);
	heard_end(&r, l.client);
	t = rig_told(&r, GATE_CLOSED);
	assert_int_equal(t->id, l.ref);
	assert_int_equal(t->closed.bytes_out, 8);
	assert_int_equal(t->closed.bytes_in, 6);
	assert_int_equal(t->closed.end, END_CLIENT);
	assert_int_equal(flow_count(r.x.flows), 0);
	rig_hang_up(&l);
	rig_done(&r);
}

/* A flow that does not read stops its server, costs no processor, and loses nothing */
static void a_slow_reader_stops_the_server(void **state)
{
	static char block[65536], got[65536];
	size_t sent = 0, read = 0;
	struct rig r;
	struct line l;
	ssize_t n;

	(void)state;
	rig_open(&r, 8);
	l = rig_connect(&r, 22);
	l.client_room = 4096;
	rig_drive(&r, &l);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &l, false, false);
	memset(block, 'x', sizeof(block));
	for (int quiet = 0; quiet < 3 && sent < 64u << 20;) {
		n = send(l.server, block, sizeof(block), MSG_NOSIGNAL);
		quiet = n < 0 ? quiet + 1 : 0;
		sent += n > 0 ? (size_t)n : 0;
		rig_run(&r);
	}
	assert_true(sent < 64u << 20);
	shutdown(l.server, SHUT_WR);
	do {
		n = recv(l.client, got, sizeof(got), 0);
		read += n > 0 ? (size_t)n : 0;
		rig_run(&r);
	} while (n != 0);
	assert_int_equal(read, sent);
	rig_hang_up(&l);
	rig_done(&r);
}

/* A second question in the middle of an answer that the client has not taken yet */
static void a_question_does_not_strand_what_is_held(void **state)
{
	static char block[65536];
	size_t sent = 0, read = 0;
	struct rig r;
	struct line l;
	ssize_t n;

	(void)state;
	rig_open(&r, 8);
	l = rig_connect(&r, 8080);
	l.client_room = 4096;
	rig_drive(&r, &l);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &l, true, false);
	/* Until the gate holds some, and the server has no more to say */
	while (!flow_find(r.x.flows, l.ref)->in.held_len) {
		n = send(l.server, block, 1000, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		event_base_loop(r.x.loop, EVLOOP_NONBLOCK);
	}
	say(l.client, "\x16\x03\x01");		/* held, not looked at for every packet */
	rig_run(&r);
	say(l.client, "\x7f\xff");
	rig_told(&r, GATE_ASK_AGAIN);
	ask_passed(flow_find(r.x.flows, l.ref), &(struct talk_pass){ 0 });
	for (int quiet = 0; quiet < 100 && read < sent;) {
		n = recv(l.client, block, sizeof(block), 0);
		quiet = n < 0 ? quiet + 1 : 0;
		read += n > 0 ? (size_t)n : 0;
		rig_run(&r);
	}
	assert_int_equal(read, sent);
	rig_hang_up(&l);
	rig_done(&r);
}

/* ---- resets ---- */

static void reset(int *fd)
{
	struct linger l = { 1, 0 };

	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	DROP_FD(*fd);
}

static void a_reset_is_passed_on(bool by_client)
{
	const struct told *t;
	struct rig r;
	struct line l;

	rig_open(&r, 8);
	l = rig_connect(&r, 22);
	rig_drive(&r, &l);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &l, false, false);
	rig_run(&r);
	reset(by_client ? &l.client : &l.server);
	heard_reset(&r, by_client ? l.server : l.client);
	t = rig_told(&r, GATE_CLOSED);
	assert_int_equal(t->closed.end, END_ERROR);
	rig_hang_up(&l);
	rig_done(&r);
}

static void the_servers_reset_is_passed_on(void **state)
{
	(void)state;
	a_reset_is_passed_on(false);
}

static void the_clients_reset_is_passed_on(void **state)
{
	(void)state;
	a_reset_is_passed_on(true);
}

/* ---- looking at what is on its way ---- */

static const struct late {
	const char	*name;
	struct span	 bytes;
	bool		 end;		/* and then the client shuts its side */
	int		 asked;		/* enum seen of the second question; -1: none, it passes */
} lates[] = {
	{ "a line of something else", SPAN("HELO there\r\n"), false, -1 },
	{ "binary", SPAN("\x01\x02\x03"), false, -1 },
	{ "a request", SPAN("GET / HTTP/1.1\r\nHost: " RIG_HOST "\r\n\r\n"), false, SEEN_HTTP },
	{ "after an empty line", SPAN("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), false, SEEN_MALFORMED },
	{ "two blanks", SPAN("GET  / HTTP/1.1\r\nHost: x\r\n\r\n"), false, SEEN_MALFORMED },
	{ "a tab", SPAN("GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n"), false, SEEN_MALFORMED },
	{ "a blank in the target", SPAN("GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"), false, SEEN_MALFORMED },
	{ "small letters", SPAN("get / http/1.1\r\nhost: x\r\n\r\n"), false, SEEN_MALFORMED },
	{ "an empty record first", SPAN("\x16\x03\x01\x00\x00\x16\x03\x01\x00\x05\x01"), false,
	  SEEN_MALFORMED },
	{ "a warning first", SPAN("\x15\x03\x01\x00\x02\x01\x5a\x16\x03\x01\x00\x05\x01"), false,
	  SEEN_MALFORMED },
	{ "the HTTP/2 preface", SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), false, SEEN_UPGRADE },
	{ "a word and the end", SPAN("stats"), true, -1 },
	{ "half a request and the end", SPAN("GET / HTTP/1.1\r\nHost: evil\r\n"), true, SEEN_MALFORMED },
	{ "half a hello and the end", SPAN("\x16\x03\x01\x02"), true, SEEN_MALFORMED },
};

static void late_once(const struct late *c, size_t cut)
{
	struct span all = c->bytes;
	struct rig r;
	struct line l;

	rig_open(&r, 8);
	l = rig_connect(&r, 8080);
	rig_drive(&r, &l);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &l, true, false);
	rig_run(&r);
	if (cut)
		say_bytes(l.client, span_head(all, cut));
	rig_run(&r);
	say_bytes(l.client, span_skip(all, cut));
	if (c->end)
		shutdown(l.client, SHUT_WR);
	if (c->asked < 0) {
		heard(&r, l.server, (const char *)c->bytes.at);
	} else {
		assert_int_equal(rig_told(&r, GATE_ASK_AGAIN)->ask.seen, c->asked);
		heard(&r, l.server, "");
		rig_deny(&r, &l, REASON_HOST_MISMATCH, "no");
		heard_reset(&r, l.server);
	}
	rig_hang_up(&l);
	rig_done(&r);
}

static void first_bytes_on_any_port_are_looked_at(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lates); i++) {
		print_message("  %s\n", lates[i].name);
		late_once(&lates[i], 0);
		late_once(&lates[i], 1);
		late_once(&lates[i], lates[i].bytes.len / 2);
	}
}

static void a_slow_line_is_held_and_then_seen(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = rig_connect(&r, 8080);
	say(l.client, "GE");
	rig_drive(&r, &l);
	rig_told_nothing(&r);
	rig_seconds(&r, 12);
	assert_int_equal(rig_told(&r, GATE_ASK)->ask.seen, SEEN_NOT_YET);
	rig_allow(&r, &l, true, false);
	say(l.client, "T / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n");
	assert_int_equal(rig_told(&r, GATE_ASK_AGAIN)->ask.seen, SEEN_HTTP);
	heard(&r, l.server, "");
	rig_hang_up(&l);
	rig_done(&r);
}

/* ---- the table ---- */

static void a_full_table_takes_no_more(void **state)
{
	struct rig r;
	struct line l[3];
	int ends[2];
	uint32_t old;

	(void)state;
	rig_open(&r, 3);
	for (int i = 0; i < 3; i++)
		l[i] = rig_connect(&r, 22);
	rig_pair(ends);
	assert_null(flow_new(&r.x, ends[1], DOOR_JAIL, &r.host, 22));
	old = l[1].ref;
	rig_drive(&r, &l[1]);
	rig_told(&r, GATE_ASK);
	rig_deny(&r, &l[1], REASON_NO_RULE, "");
	assert_null(flow_find(r.x.flows, old));
	rig_hang_up(&l[1]);
	l[1] = rig_connect(&r, 22);
	assert_int_not_equal(l[1].ref, old);	/* a reference that outlived its flow finds nothing */
	assert_null(flow_find(r.x.flows, old));
	assert_null(flow_find(r.x.flows, UINT32_MAX));
	for (int i = 0; i < 3; i++)
		rig_hang_up(&l[i]);
	close(ends[0]);
	close(ends[1]);
	rig_done(&r);
}

static void the_end_of_the_session_reports_what_is_open(void **state)
{
	struct line open, asked, looking;
	struct rig r;

	(void)state;
	rig_open(&r, 8);
	open = rig_connect(&r, 22);
	rig_drive(&r, &open);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &open, false, false);
	asked = rig_connect(&r, 22);
	rig_drive(&r, &asked);
	rig_told(&r, GATE_ASK);
	looking = rig_connect(&r, 443);
	rig_drive(&r, &looking);
	flow_finish(&r.x);
	assert_int_equal(rig_told(&r, GATE_CLOSED)->id, open.ref);
	rig_told_nothing(&r);
	assert_int_equal(flow_count(r.x.flows), 0);
	rig_hang_up(&open);
	rig_hang_up(&asked);
	rig_hang_up(&looking);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_that_speaks_first_is_not_kept_waiting),
		cmocka_unit_test(each_half_is_closed_by_itself),
		cmocka_unit_test(a_slow_reader_stops_the_server),
		cmocka_unit_test(a_question_does_not_strand_what_is_held),
		cmocka_unit_test(the_servers_reset_is_passed_on),
		cmocka_unit_test(the_clients_reset_is_passed_on),
		cmocka_unit_test(first_bytes_on_any_port_are_looked_at),
		cmocka_unit_test(a_slow_line_is_held_and_then_seen),
		cmocka_unit_test(a_full_table_takes_no_more),
		cmocka_unit_test(the_end_of_the_session_reports_what_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

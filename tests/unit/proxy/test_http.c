/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <errno.h>
#include <sys/socket.h>

#define HOST_FIELD "Host: " RIG_HOST "\r\n"
#define GET "GET /a HTTP/1.1\r\n" HOST_FIELD "\r\n"
#define OK2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A connection to port 80 whose first head is @first, judged and allowed */
static struct line begin(struct rig *r, const char *first, int client_room)
{
	struct line l = rig_connect(r, 80);

	l.client_room = client_room;
	say(l.client, first);
	rig_drive(r, &l);
	assert_int_equal(rig_told(r, GATE_ASK)->ask.seen, SEEN_HTTP);
	rig_allow(r, &l, false, true);
	return l;
}

static void done(struct rig *r, struct line *l)
{
	rig_hang_up(l);
	rig_run(r);
	rig_done(r);
}

/* ---- requests ---- */

static const struct exchange {
	const char	*name, *request, *answer;
	unsigned	 status;
	bool		 goes_on;	/* the next request may follow */
} exchanges[] = {
	{ "get", GET, OK2, 200, true },
	{ "length", "POST / HTTP/1.1\r\n" HOST_FIELD "Content-Length: 5\r\n\r\n12345", OK2, 200, true },
	{ "chunked", "POST / HTTP/1.1\r\n" HOST_FIELD "Transfer-Encoding: chunked\r\n\r\n"
	  "5\r\n12345\r\n0\r\nA: b\r\n\r\n", OK2, 200, true },
	{ "head", "HEAD / HTTP/1.1\r\n" HOST_FIELD "\r\n",
	  "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", 200, true },
	{ "204", GET, "HTTP/1.1 204 No Content\r\n\r\n", 204, true },
	{ "304", GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, true },
	{ "1xx", GET, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" OK2,
	  200, true },
	{ "chunked answer", GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	  "2\r\nok\r\n0\r\nTrailer: x\r\n\r\n", 200, true },
	{ "close", GET, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200,
	  false },
	{ "absolute", "GET http://" RIG_HOST "/ HTTP/1.1\r\n" HOST_FIELD "\r\n", OK2, 200, true },
};

/* One exchange, the bytes of each side in two pieces */
static void exchange_once(const struct exchange *e, size_t request_cut, size_t answer_cut)
{
	struct span request = span_str(e->request), answer = span_str(e->answer);
	const struct told *t;
	struct rig r;
	struct line l;

	rig_open(&r, 4);
	l = begin(&r, GET, 0);
	heard(&r, l.server, GET);
	say(l.server, OK2);
	heard(&r, l.client, OK2);
	rig_told(&r, GATE_HTTP);
	say_bytes(l.client, span_head(request, request_cut));
	rig_run(&r);
	say_bytes(l.client, span_skip(request, request_cut));
	heard(&r, l.server, e->request);
	say_bytes(l.server, span_head(answer, answer_cut));
	rig_run(&r);
	say_bytes(l.server, span_skip(answer, answer_cut));
	heard(&r, l.client, e->answer);
	t = rig_told(&r, GATE_HTTP);
	assert_int_equal(t->http.status, e->status);
	assert_int_equal(t->http.bytes_out, request.len);
	assert_int_equal(t->http.bytes_in, answer.len);
	if (e->goes_on) {
		say(l.client, GET);
		heard(&r, l.server, GET);
	} else {
		heard_end(&r, l.client);
		heard_end(&r, l.server);
	}
	done(&r, &l);
}

static void requests_and_answers_pass_as_they_came(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(exchanges); i++) {
		print_message("  %s\n", exchanges[i].name);
		exchange_once(&exchanges[i], 0, 0);
		exchange_once(&exchanges[i], strlen(exchanges[i].request) - 1,
			      strlen(exchanges[i].answer) - 1);
	}
}

static void heads_may_come_in_any_cut(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < strlen(GET); cut++)
		exchange_once(&exchanges[0], cut, cut);
}

static void a_first_head_may_come_in_any_cut(void **state)
{
	struct span all = SPAN(GET);

	(void)state;
	for (size_t cut = 1; cut < all.len; cut++) {
		struct rig r;
		struct line l;

		rig_open(&r, 4);
		l = rig_connect(&r, 80);
		say_bytes(l.client, span_head(all, cut));
		rig_drive(&r, &l);
		rig_told_nothing(&r);
		say_bytes(l.client, span_skip(all, cut));
		assert_int_equal(rig_told(&r, GATE_ASK)->ask.seen, SEEN_HTTP);
		rig_allow(&r, &l, false, true);
		heard(&r, l.server, GET);
		done(&r, &l);
	}
}

/* ---- the second request ---- */

static const struct second {
	const char	*name, *request;
	int		 seen;
	bool		 page;		/* the refusal is one */
} seconds[] = {
	{ "another host", "GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n", SEEN_HTTP, true },
	{ "websocket", "GET / HTTP/1.1\r\n" HOST_FIELD "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	  SEEN_UPGRADE, true },
	{ "upgrade", "GET / HTTP/1.1\r\n" HOST_FIELD "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
	  SEEN_UPGRADE },
	{ "connect", "CONNECT " RIG_HOST ":443 HTTP/1.1\r\n" HOST_FIELD "\r\n", SEEN_UPGRADE },
	{ "the preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SEEN_MALFORMED },
	{ "another authority", "GET http://evil.example.com/ HTTP/1.1\r\n" HOST_FIELD "\r\n",
	  SEEN_MALFORMED },
	{ "both lengths", "POST / HTTP/1.1\r\n" HOST_FIELD "Content-Length: 1\r\n"
	  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", SEEN_MALFORMED },
	{ "an empty line first", "\r\nGET / HTTP/1.1\r\n" HOST_FIELD "\r\n", SEEN_MALFORMED },
};

static void second_once(const struct second *s, bool pipelined)
{
	const char *page = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
			   "Content-Length: 7\r\nConnection: close\r\nCache-Control: no-store\r\n"
			   "\r\n{\"a\":1}";
	struct rig r;
	struct line l;

	rig_open(&r, 4);
	l = begin(&r, GET, 0);
	if (pipelined)
		say(l.client, s->request);
	heard(&r, l.server, GET);
	rig_told_nothing(&r);		/* it waits for its turn */
	say(l.server, OK2);
	heard(&r, l.client, OK2);
	rig_told(&r, GATE_HTTP);
	if (!pipelined)
		say(l.client, s->request);
	assert_int_equal(rig_told(&r, GATE_ASK_AGAIN)->ask.seen, s->seen);
	rig_deny(&r, &l, REASON_HOST_MISMATCH, "{\"a\":1}");
	if (s->page) {
		heard(&r, l.client, page);
		heard_end(&r, l.client);
	} else {
		heard_reset(&r, l.client);
	}
	heard_reset(&r, l.server);		/* and not a byte of it came */
	shutdown(l.client, SHUT_WR);
	assert_int_equal(rig_told(&r, GATE_CLOSED)->closed.reason, REASON_HOST_MISMATCH);
	done(&r, &l);
}

static void a_second_request_is_judged_before_a_byte_of_it_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		print_message("  %s\n", seconds[i].name);
		second_once(&seconds[i], false);
		second_once(&seconds[i], true);
	}
}

/* What the gate does not let pass, the keeper's yes (about a text that was cut) does not either */
static void both_must_agree(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 4);
	l = begin(&r, GET, 0);
	say(l.server, OK2);
	heard(&r, l.client, OK2);
	rig_told(&r, GATE_HTTP);
	heard(&r, l.server, GET);
	say(l.client, seconds[0].request);
	rig_told(&r, GATE_ASK_AGAIN);
	ask_passed(flow_find(r.x.flows, l.ref), &(struct talk_pass){ 0 });
	rig_told_nothing(&r);			/* it does not ask for ever */
	heard_reset(&r, l.server);
	done(&r, &l);
}

/* ---- what the rule says of requests ---- */

#define WEBSOCKET "GET /ws HTTP/1.1\r\n" HOST_FIELD "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n" \
	"Upgrade: websocket\r\n\r\n"

/* Bytes go both ways, whatever they look like */
static void a_websocket_is_a_tunnel(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_rule_more = "    websocket: true\n";
	rig_open(&r, 4);
	l = begin(&r, GET, 0);
	heard(&r, l.server, GET);
	say(l.server, OK2);
	heard(&r, l.client, OK2);
	rig_told(&r, GATE_HTTP);
	say(l.client, WEBSOCKET);
	heard(&r, l.server, WEBSOCKET);
	say(l.server, SWITCHING "first");
	heard(&r, l.client, SWITCHING "first");
	assert_int_equal(rig_told(&r, GATE_HTTP)->http.status, 101);
	say(l.client, "GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n\x81\x05");
	heard(&r, l.server, "GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n\x81\x05");
	say(l.server, "\x88\x01");
	heard(&r, l.client, "\x88\x01");
	rig_told_nothing(&r);
	done(&r, &l);
	rig_rule_more = "";
}

/* A server that switches without being asked, or before the request is whole, is cut off */
static void nobody_switches_unasked(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_rule_more = "    websocket: true\n";
	rig_open(&r, 4);
	l = begin(&r, GET, 0);
	heard(&r, l.server, GET);
	say(l.server, SWITCHING);
	heard_reset(&r, l.client);
	done(&r, &l);
	rig_rule_more = "";
}

/* Judged by method, path, size and credential before a byte passes */
static void requests_are_narrowed(void **state)
{
	/* SHA-256 of "secret" */
	static const char rule[] = "    methods: [GET, POST]\n    paths: [/, /ok/*]\n"
		"    max_request: 5B\n    credentials: {header: X-Key, sha256: ["
		"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b]}\n";
#define KEY "X-Key:  secret \r\n"
	static const struct {
		const char *request;
		bool passes;
	} rows[] = {
		{ "GET /ok/x?y HTTP/1.1\r\n" HOST_FIELD KEY "\r\n", true },
		{ "GET /%6fk/x HTTP/1.1\r\n" HOST_FIELD "x-KEY:secret\r\n\r\n", true },
		{ "POST / HTTP/1.1\r\n" HOST_FIELD KEY "Content-Length: 5\r\n\r\n12345", true },
		{ "PUT / HTTP/1.1\r\n" HOST_FIELD KEY "\r\n", false },
		{ "GET /no HTTP/1.1\r\n" HOST_FIELD KEY "\r\n", false },
		{ "GET /ok/../no HTTP/1.1\r\n" HOST_FIELD KEY "\r\n", false },
		{ "GET /ok/%2fno HTTP/1.1\r\n" HOST_FIELD KEY "\r\n", false },
		{ "POST / HTTP/1.1\r\n" HOST_FIELD KEY "Content-Length: 6\r\n\r\n123456", false },
		{ "GET / HTTP/1.1\r\n" HOST_FIELD "\r\n", false },
		{ "GET / HTTP/1.1\r\n" HOST_FIELD "X-Key: Secret\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\n" HOST_FIELD KEY KEY "\r\n", false },
	};
#define FIRST "GET / HTTP/1.1\r\n" HOST_FIELD KEY "\r\n"

	(void)state;
	rig_rule_more = rule;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig r;
		struct line l;

		print_message("  %s\n", rows[i].request);
		rig_open(&r, 4);
		l = begin(&r, FIRST, 0);
		heard(&r, l.server, FIRST);
		say(l.server, OK2);
		heard(&r, l.client, OK2);
		rig_told(&r, GATE_HTTP);
		say(l.client, rows[i].request);
		if (rows[i].passes) {
			heard(&r, l.server, rows[i].request);
		} else {
			rig_told(&r, GATE_ASK_AGAIN);
			rig_deny(&r, &l, REASON_METHOD, "{}");
			heard_reset(&r, l.server);	/* and not a byte of it came */
		}
		done(&r, &l);
	}
	rig_rule_more = "";
}

/* A body of which nobody said how long it is ends where it is too long */
static void a_chunked_body_is_counted(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\n" HOST_FIELD
				   "Transfer-Encoding: chunked\r\n\r\n";
	const struct told *t;
	struct rig r;
	struct line l;

	(void)state;
	rig_rule_more = "    max_request: 20B\n";
	rig_open(&r, 4);
	l = begin(&r, head, 0);
	heard(&r, l.server, head);
	say(l.client, "5\r\n12345\r\n");
	heard(&r, l.server, "5\r\n12345\r\n");
	say(l.client, "c\r\n67890abcdefg\r\n5\r\nhijkl\r\n0\r\n\r\n");
	/* the framing does not count, and the 21st byte is not there */
	heard(&r, l.server, "c\r\n67890abcdefg\r\n5\r\nhij");
	t = rig_told(&r, GATE_ASK_AGAIN);
	assert_int_equal(t->ask.limited, REASON_REQUEST_SIZE);
	assert_true(span_eq(t->tail, SPAN(RIG_HOST "POST/")));
	rig_deny(&r, &l, REASON_REQUEST_SIZE, "{}\n");
	heard(&r, l.client, "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
	      "Content-Length: 3\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n{}\n");
	heard_reset(&r, l.server);
	shutdown(l.client, SHUT_WR);
	assert_int_equal(rig_told(&r, GATE_HTTP)->http.bytes_out, sizeof(head) - 1 + 10 + 23);
	t = rig_told(&r, GATE_CLOSED);
	assert_int_equal(t->closed.reason, REASON_REQUEST_SIZE);
	assert_int_equal(t->closed.end, END_LIMIT);
	done(&r, &l);
	rig_rule_more = "";
}

/* ---- answers that are none ---- */

static const struct broken {
	const char	*name, *answer;
	bool		 reset;		/* the server ends by a reset */
	const char	*heard;		/* what may reach the client before it is cut off */
} brokens[] = {
	{ "short", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", false,
	  "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok" },
	{ "short head", "HTTP/1.1 200 OK\r\nConte", false, "" },
	{ "nothing", "", false, "" },
	{ "reset in a body that the end delimits", "HTTP/1.0 200 OK\r\n\r\nok", true,
	  "HTTP/1.0 200 OK\r\n\r\nok" },
	{ "more than was asked for", OK2 "HTTP/1.1 200 OK\r\n\r\n", false, OK2 },
	{ "no HTTP", "220 mail.example.com\r\n", false, "" },
	{ "switched", "HTTP/1.1 101 Switching Protocols\r\n\r\n", false, "" },
};

static void a_broken_answer_ends_in_a_reset(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(brokens); i++) {
		struct linger now = { 1, 0 };
		struct rig r;
		struct line l;

		print_message("  %s\n", brokens[i].name);
		rig_open(&r, 4);
		l = begin(&r, GET, 0);
		heard(&r, l.server, GET);
		say(l.server, brokens[i].answer);
		heard(&r, l.client, brokens[i].heard);
		if (brokens[i].reset)
			setsockopt(l.server, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		DROP_FD(l.server);
		rig_run(&r);
		assert_int_equal(flow_count(r.x.flows), 0);
		rig_told(&r, GATE_HTTP);	/* the request went out */
		rig_told(&r, GATE_CLOSED);
		done(&r, &l);
	}
}

/* What the server has got is told of, whenever and however the client goes */
static void a_request_whose_client_goes_is_told(void **state)
{
	static const char *const requests[] = {
		GET,
		"POST / HTTP/1.1\r\n" HOST_FIELD "Content-Length: 9\r\n\r\n12345",
		"POST / HTTP/1.1\r\n" HOST_FIELD "Transfer-Encoding: chunked\r\n\r\n5\r\n12",
		"POST / HTTP/1.1\r\n" HOST_FIELD "Transfer-Encoding: chunked\r\n\r\nno",
	};
	struct linger now = { 1, 0 };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(requests); i++) {
		const char *request = requests[i / 2];
		struct rig r;
		struct line l;

		rig_open(&r, 4);
		l = begin(&r, GET, 0);
		heard(&r, l.server, GET);
		say(l.server, OK2);
		heard(&r, l.client, OK2);
		rig_told(&r, GATE_HTTP);
		say(l.client, request);
		rig_run(&r);
		if (i % 2)
			setsockopt(l.client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		DROP_FD(l.client);
		rig_run(&r);
		DROP_FD(l.server);
		rig_run(&r);
		assert_int_equal(rig_told(&r, GATE_HTTP)->http.status, 0);
		rig_told(&r, GATE_CLOSED);
		rig_told_nothing(&r);
		done(&r, &l);
	}
}

static void was_cut(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
}

static void a_cut_answer_does_not_look_whole(void **state)
{
	struct linger now = { 1, 0 };
	struct rig r;
	struct line l;

	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		rig_open(&r, 4);
		l = begin(&r, GET, 0);
		heard(&r, l.server, GET);
		say(l.server, reset ? "HTTP/1.0 200 OK\r\n\r\nok"
				    : "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
		heard(&r, l.client, reset ? "HTTP/1.0 200 OK\r\n\r\nok"
					  : "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
		if (reset)
			setsockopt(l.server, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		DROP_FD(l.server);
		rig_run(&r);
		was_cut(l.client);
		rig_told(&r, GATE_HTTP);
		assert_int_equal(rig_told(&r, GATE_CLOSED)->closed.end, END_ERROR);
		done(&r, &l);
	}
}

static void the_end_delimits_an_old_answer(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 4);
	l = begin(&r, GET, 0);
	heard(&r, l.server, GET);
	say(l.server, "HTTP/1.0 200 OK\r\n\r\nok");
	DROP_FD(l.server);
	heard(&r, l.client, "HTTP/1.0 200 OK\r\n\r\nok");
	heard_end(&r, l.client);
	assert_int_equal(rig_told(&r, GATE_HTTP)->http.status, 200);
	done(&r, &l);
}

static void an_answer_before_its_time_arrives(void **state)
{
	static char body[60000];
	const char *answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
	struct rig r;
	struct line l;

	(void)state;
	memset(body, 'x', sizeof(body));
	rig_open(&r, 4);
	l = begin(&r, "POST / HTTP/1.1\r\n" HOST_FIELD "Content-Length: 1000000\r\n\r\n", 0);
	rig_run(&r);
	say(l.server, answer);
	rig_run(&r);
	say_bytes(l.client, span_of(body, sizeof(body)));	/* it has not read the answer yet */
	heard(&r, l.client, answer);
	heard_end(&r, l.client);
	assert_int_equal(rig_told(&r, GATE_HTTP)->http.status, 413);
	done(&r, &l);
}

/* A client that has asked for the end gets it with its answer: nothing is waited for */
static void the_last_answer_ends_the_connection_at_once(void **state)
{
	static const char last[] = "GET / HTTP/1.1\r\n" HOST_FIELD "Connection: close\r\n\r\n";
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 4);
	l = begin(&r, last, 0);
	heard(&r, l.server, last);
	say(l.server, OK2);
	heard(&r, l.client, OK2);
	heard_end(&r, l.client);
	assert_int_equal(flow_count(r.x.flows), 0);
	rig_told(&r, GATE_HTTP);
	assert_int_equal(rig_told(&r, GATE_CLOSED)->closed.end, END_SERVER);
	rig_hang_up(&l);
	rig_done(&r);
}

/* The client's side is watched only once the server has been silent for a while */
static void a_client_that_goes_is_noticed_while_the_server_thinks(void **state)
{
	const struct linger now = { .l_onoff = 1 };
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 4);
	l = begin(&r, GET, 0);
	heard(&r, l.server, GET);
	setsockopt(l.client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	DROP_FD(l.client);
	rig_seconds(&r, 4);
	heard_reset(&r, l.server);
	rig_told(&r, GATE_HTTP);
	assert_int_equal(rig_told(&r, GATE_CLOSED)->closed.end, END_ERROR);
	assert_int_equal(flow_count(r.x.flows), 0);
	rig_hang_up(&l);
	rig_done(&r);
}

static void half_closed_client_gets_all_of_a_large_answer(void **state)
{
	enum { SIZE = 300000 };
	static char body[SIZE];
	size_t sent = 0, got = 0;
	struct rig r;
	struct line l;
	ssize_t n;

	(void)state;
	memset(body, 'x', SIZE);
	rig_open(&r, 4);
	l = begin(&r, GET, 4096);
	shutdown(l.client, SHUT_WR);
	heard(&r, l.server, GET);
	say(l.server, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
	for (int round = 0; round < 20000; round++) {
		n = send(l.server, body + sent, SIZE - sent, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		event_base_loop(r.x.loop, EVLOOP_NONBLOCK);
		n = recv(l.client, body, 65536, 0);
		got += n > 0 ? (size_t)n : 0;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		usleep(50);
	}
	assert_int_equal(got, SIZE + strlen("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"));
	done(&r, &l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_and_answers_pass_as_they_came),
		cmocka_unit_test(heads_may_come_in_any_cut),
		cmocka_unit_test(a_first_head_may_come_in_any_cut),
		cmocka_unit_test(a_second_request_is_judged_before_a_byte_of_it_passes),
		cmocka_unit_test(both_must_agree), cmocka_unit_test(a_websocket_is_a_tunnel),
		cmocka_unit_test(nobody_switches_unasked), cmocka_unit_test(requests_are_narrowed),
		cmocka_unit_test(a_chunked_body_is_counted),
		cmocka_unit_test(a_broken_answer_ends_in_a_reset),
		cmocka_unit_test(a_request_whose_client_goes_is_told),
		cmocka_unit_test(a_cut_answer_does_not_look_whole),
		cmocka_unit_test(the_end_delimits_an_old_answer),
		cmocka_unit_test(an_answer_before_its_time_arrives),
		cmocka_unit_test(the_last_answer_ends_the_connection_at_once),
		cmocka_unit_test(a_client_that_goes_is_noticed_while_the_server_thinks),
		cmocka_unit_test(half_closed_client_gets_all_of_a_large_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <sys/socket.h>

#include "proxy/ask.h"
#include "proxy/explicit.h"

#define CONNECT_TO(port) "CONNECT " RIG_HOST ":" port " HTTP/1.1\r\nHost: " RIG_HOST ":" port "\r\n\r\n"
#define ESTABLISHED "HTTP/1.1 200 Connection established\r\n\r\n"
#define GET(host, path) "GET http://" host path " HTTP/1.1\r\nHost: " host "\r\n\r\n"
#define ONWARD(host, path) "GET " path " HTTP/1.1\r\nHost: " host "\r\n\r\n"
#define OK_2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define OTHER "other.example.com"

static const struct span greeting = { (const uint8_t *)"\5\1\0", 3 };

static struct span socks_name(uint16_t port, uint8_t at[64])
{
	size_t len = strlen(RIG_HOST);

	memcpy(at, "\5\1\0\3", 4);
	at[4] = (uint8_t)len;
	memcpy(at + 5, RIG_HOST, len);
	at[5 + len] = (uint8_t)(port >> 8);
	at[6 + len] = (uint8_t)port;
	return span_of(at, 7 + len);
}

static void heard_bytes(struct rig *r, int fd, struct span want)
{
	uint8_t got[64];
	ssize_t n;

	rig_run(r);
	n = recv(fd, got, sizeof(got), 0);
	assert_int_equal(n, want.len);
	assert_memory_equal(got, want.at, want.len);
}

/* The keeper is asked for RIG_HOST on @port */
static void target_told(struct rig *r, const struct line *l, uint16_t port)
{
	const struct told *t = rig_told(r, GATE_TARGET);

	assert_int_equal(t->id, l->ref);
	assert_int_equal(t->ask.port, port);
	assert_true(span_eq(span_head(t->tail, t->ask.host_len), SPAN(RIG_HOST)));
}

/* ---- CONNECT ---- */

static void connect_is_answered_when_the_server_is_there(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = rig_visit(&r, DOOR_HTTP);
	say(l.client, CONNECT_TO("22"));
	target_told(&r, &l, 22);
	rig_known(&r, &l);
	assert_int_equal(rig_told(&r, GATE_ASK)->ask.seen, SEEN_NOT_YET);
	heard(&r, l.client, "");
	rig_allow(&r, &l, true, false);
	heard(&r, l.client, ESTABLISHED);
	say(l.server, "SSH-2.0-server\r\n");
	heard(&r, l.client, "SSH-2.0-server\r\n");
	say(l.client, "SSH-2.0-client\r\n");
	heard(&r, l.server, "SSH-2.0-client\r\n");
	rig_hang_up(&l);
	rig_done(&r);
}

/* What must be seen first is asked for first */
static void connect_to_tls_is_answered_before(void **state)
{
	uint8_t hello[512];
	const struct told *t;
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = rig_visit(&r, DOOR_HTTP);
	say(l.client, CONNECT_TO("443"));
	target_told(&r, &l, 443);
	rig_known(&r, &l);
	heard(&r, l.client, ESTABLISHED);
	rig_told_nothing(&r);
	say_bytes(l.client, client_hello("evil.example.com", hello));
	t = rig_told(&r, GATE_ASK);
	assert_int_equal(t->ask.seen, SEEN_TLS);
	assert_true(addr_eq(&t->ask.addr, &r.host));
	assert_true(span_eq(span_head(t->tail, t->ask.sni_len), SPAN("evil.example.com")));
	rig_deny(&r, &l, REASON_SNI_MISMATCH, "");
	heard_bytes(&r, l.client, SPAN("\x15\3\3\0\2\2\x31"));
	rig_hang_up(&l);
	rig_done(&r);
}

static void connect_is_read_byte_by_byte(void **state)
{
	const char *text = CONNECT_TO("22") "early";
	size_t head = strlen(text) - 5;
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = rig_visit(&r, DOOR_HTTP);
	for (size_t i = 0; i < head; i++) {
		rig_told_nothing(&r);
		say_bytes(l.client, span_of((const uint8_t *)text + i, 1));
	}
	target_told(&r, &l, 22);
	say(l.client, text + head);
	rig_known(&r, &l);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &l, true, false);
	heard(&r, l.client, ESTABLISHED);
	heard(&r, l.server, "early");
	rig_hang_up(&l);
	rig_done(&r);
}

static void a_refusal_of_connect_is_a_page(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	for (int late = 0; late < 2; late++) {
		rig_open(&r, 8);
		l = rig_visit(&r, DOOR_HTTP);
		say(l.client, CONNECT_TO("22"));
		target_told(&r, &l, 22);
		if (late) {
			rig_known(&r, &l);
			rig_told(&r, GATE_ASK);
		}
		rig_deny(&r, &l, REASON_NO_RULE, "{}");
		heard(&r, l.client, "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
		      "Content-Length: 2\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n{}");
		heard_end(&r, l.client);
		rig_hang_up(&l);
		rig_told_nothing(&r);
		rig_done(&r);
	}
}

/* ---- what is none of a proxy's ---- */

static const struct {
	const char *text;
	enum seen seen;
	unsigned flags;
} wrong[] = {
	{ "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", SEEN_NOT_YET, TALK_UNSUPPORTED },
	{ "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", SEEN_NOT_YET, TALK_UNSUPPORTED },
	{ "GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", SEEN_NOT_YET, TALK_UNSUPPORTED },
	{ "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "CONNECT a.test:0 HTTP/1.1\r\nHost: a.test\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "CONNECT a.test:65536 HTTP/1.1\r\nHost: a.test\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "CONNECT u@a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "CONNECT a.test:443 HTTP/1.1\r\nHost: b.test\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc",
	  SEEN_MALFORMED, 0 },
	{ "GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "GET http://u:p@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n"
	  "Transfer-Encoding: chunked\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nX: a\r\n b\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SEEN_MALFORMED, 0 },
	{ "\5\1\n", SEEN_MALFORMED, 0 },
};

static void what_names_no_target_is_denied_and_recorded(void **state)
{
	struct addr own = addr_v4(INADDR_LOOPBACK);
	const struct told *t;
	char got[32] = "";
	struct rig r;
	struct line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		rig_open(&r, 8);
		l = rig_visit(&r, DOOR_HTTP);
		say(l.client, wrong[i].text);
		t = rig_told(&r, GATE_TARGET);
		if (t->ask.seen != wrong[i].seen || t->ask.flags != wrong[i].flags)
			fail_msg("row %zu", i);
		assert_int_equal(t->ask.host_len, 0);
		assert_true(addr_eq(&t->ask.addr, &own));
		assert_int_equal(t->ask.port, 3128);
		rig_deny(&r, &l, REASON_MALFORMED, "{}");
		rig_run(&r);
		assert_true(recv(l.client, got, 12, 0) == 12);
		assert_memory_equal(got, "HTTP/1.1 403", 12);
		rig_hang_up(&l);
		rig_done(&r);
	}
}

/* ---- requests in absolute form ---- */

/* A request to RIG_HOST has gone to a server of its own */
static struct line asked_on(struct rig *r, const char *text, const char *want)
{
	struct line l = rig_visit(r, DOOR_HTTP);
	const struct told *t;

	say(l.client, text);
	target_told(r, &l, 80);
	rig_known(r, &l);
	t = rig_told(r, GATE_ASK);
	assert_int_equal(t->ask.seen, SEEN_HTTP);
	assert_int_equal(t->ask.door, DOOR_JAIL);
	rig_allow(r, &l, false, true);
	heard(r, l.server, want);
	return l;
}

static void a_request_goes_on_in_origin_form(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = asked_on(&r, "POST http://" RIG_HOST "/a?b HTTP/1.1\r\nHost: " RIG_HOST "\r\n"
		     "Proxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\n"
		     "Connection: x-hop\r\nX-Hop: 1\r\nContent-Length: 4\r\n\r\nbody",
		     "POST /a?b HTTP/1.1\r\nHost: " RIG_HOST "\r\nContent-Length: 4\r\n\r\nbody");
	say(l.server, OK_2);
	heard(&r, l.client, OK_2);
	assert_int_equal(rig_told(&r, GATE_HTTP)->http.status, 200);
	rig_hang_up(&l);
	assert_int_equal(rig_told(&r, GATE_CLOSED)->closed.end, END_CLIENT);
	rig_done(&r);
}

static void the_next_request_goes_on_where_it_belongs(void **state)
{
	struct line l, next = { .server = -1 };
	const struct told *t;
	struct rig r;

	(void)state;
	rig_open(&r, 8);
	l = asked_on(&r, GET(RIG_HOST, "/1"), ONWARD(RIG_HOST, "/1"));
	say(l.server, OK_2);
	heard(&r, l.client, OK_2);
	rig_told(&r, GATE_HTTP);
	/* the same authority: nobody is asked, the gate judges it */
	say(l.client, GET(RIG_HOST, "/2"));
	heard(&r, l.server, ONWARD(RIG_HOST, "/2"));
	rig_told_nothing(&r);
	say(l.server, OK_2);
	heard(&r, l.client, OK_2);
	rig_told(&r, GATE_HTTP);
	/* another one: that connection is over, and the client has a new one */
	say(l.client, GET(OTHER, "/3"));
	t = rig_told(&r, GATE_CLOSED);
	assert_int_equal(t->id, l.ref);
	assert_int_equal(t->closed.end, END_CLIENT);
	heard_end(&r, l.server);
	t = rig_told(&r, GATE_TARGET);
	assert_true(t->id != l.ref);
	assert_true(span_eq(span_head(t->tail, t->ask.host_len), SPAN(OTHER)));
	next.ref = t->id;
	rig_deny(&r, &next, REASON_NO_RULE, "{}");
	rig_run(&r);
	assert_int_equal(flow_count(r.x.flows), 1);
	rig_hang_up(&l);
	rig_run(&r);
	assert_int_equal(flow_count(r.x.flows), 0);
	rig_done(&r);
}

/* Sent ahead, cut anywhere: nothing of the second goes to the first one's server */
static void requests_that_come_together_go_apart(void **state)
{
	const char *both = "POST http://" RIG_HOST "/1 HTTP/1.1\r\nHost: " RIG_HOST "\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" GET(OTHER, "/2");
	const char *want = "POST /1 HTTP/1.1\r\nHost: " RIG_HOST "\r\n"
			   "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
	size_t first = (size_t)(strstr(both, "GET ") - both);
	const struct told *t;
	struct rig r;
	struct line l;

	(void)state;
	for (size_t cut = first - 13; cut <= strlen(both); cut += 3) {
		rig_open(&r, 8);
		l = rig_visit(&r, DOOR_HTTP);
		say_bytes(l.client, span_of((const uint8_t *)both, cut));
		target_told(&r, &l, 80);
		rig_known(&r, &l);
		rig_told(&r, GATE_ASK);
		rig_allow(&r, &l, false, true);
		rig_run(&r);
		say(l.client, both + cut);
		heard(&r, l.server, want);
		say(l.server, OK_2);
		heard(&r, l.client, OK_2);
		rig_told(&r, GATE_HTTP);
		rig_told(&r, GATE_CLOSED);
		t = rig_told(&r, GATE_TARGET);
		assert_true(span_eq(span_head(t->tail, t->ask.host_len), SPAN(OTHER)));
		heard_end(&r, l.server);
		rig_hang_up(&l);
		rig_deny(&r, &(struct line){ .ref = t->id }, REASON_NO_RULE, "");
		rig_done(&r);
	}
}

static void connect_may_follow_a_request(void **state)
{
	struct line l, next = { .client = -1, .server = -1 };
	struct rig r;

	(void)state;
	rig_open(&r, 8);
	l = asked_on(&r, GET(RIG_HOST, "/1"), ONWARD(RIG_HOST, "/1"));
	say(l.server, OK_2);
	heard(&r, l.client, OK_2);
	rig_told(&r, GATE_HTTP);
	say(l.client, CONNECT_TO("22"));
	rig_told(&r, GATE_CLOSED);
	next.ref = rig_told(&r, GATE_TARGET)->id;
	rig_known(&r, &next);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &next, false, false);
	heard(&r, l.client, ESTABLISHED);
	say(l.client, "tunnel");
	heard(&r, next.server, "tunnel");
	rig_hang_up(&next);
	rig_hang_up(&l);
	rig_done(&r);
}

/* A server that speaks out of turn, or goes, is left; the client may go on */
static void a_server_that_goes_is_left(void **state)
{
	const struct told *t;
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = asked_on(&r, GET(RIG_HOST, "/1"), ONWARD(RIG_HOST, "/1"));
	say(l.server, OK_2);
	heard(&r, l.client, OK_2);
	rig_told(&r, GATE_HTTP);
	say(l.server, OK_2);
	t = rig_told(&r, GATE_CLOSED);
	assert_int_equal(t->closed.end, END_SERVER);
	heard(&r, l.client, "");
	say(l.client, GET(RIG_HOST, "/2"));
	assert_true(rig_told(&r, GATE_TARGET)->id != l.ref);
	rig_hang_up(&l);
	rig_done(&r);
}

/* ---- SOCKS ---- */

static void socks_is_read_byte_by_byte(void **state)
{
	uint8_t at[64];
	struct span request = socks_name(22, at);
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = rig_visit(&r, DOOR_SOCKS);
	for (size_t i = 0; i < greeting.len; i++) {
		heard(&r, l.client, "");
		say_bytes(l.client, span_of(greeting.at + i, 1));
	}
	heard_bytes(&r, l.client, SPAN("\5\0"));
	for (size_t i = 0; i < request.len; i++) {
		rig_told_nothing(&r);
		say_bytes(l.client, span_of(request.at + i, 1));
	}
	target_told(&r, &l, 22);
	rig_known(&r, &l);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &l, false, false);
	heard_bytes(&r, l.client, SPAN("\5\0\0\1\0\0\0\0\0\0"));
	say(l.server, "hello");
	heard(&r, l.client, "hello");
	rig_hang_up(&l);
	rig_done(&r);
}

static void socks_tells_why_not(void **state)
{
	static const struct {
		enum reason reason;
		uint8_t code;
	} rows[] = {
		{ REASON_NO_RULE, 2 }, { REASON_SPECIAL_ADDRESS, 2 }, { REASON_RESOLVE_FAILED, 4 },
		{ REASON_UPSTREAM_FAILED, 4 }, { REASON_UNSUPPORTED, 7 }, { REASON_MALFORMED, 1 },
	};
	uint8_t at[64], want[10] = { 5, 0, 0, 1 };
	struct rig r;
	struct line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rig_open(&r, 8);
		l = rig_visit(&r, DOOR_SOCKS);
		say_bytes(l.client, greeting);
		say_bytes(l.client, socks_name(443, at));
		target_told(&r, &l, 443);
		heard_bytes(&r, l.client, SPAN("\5\0"));
		rig_deny(&r, &l, rows[i].reason, "{}");
		want[1] = rows[i].code;
		heard_bytes(&r, l.client, span_of(want, sizeof(want)));
		heard_end(&r, l.client);
		rig_hang_up(&l);
		rig_done(&r);
	}
}

static void socks_that_is_none_is_denied(void **state)
{
	static const struct {
		struct span greeting, request;
		unsigned flags;
	} rows[] = {
		{ SPAN("\4\1\0\120\300\0\2\1\0"), { 0 }, 0 },
		{ SPAN("GET http://a.test/ HTTP/1.1\r\n\r\n"), { 0 }, 0 },
		{ SPAN("\5\1\0"), SPAN("\5\2\0\1\300\0\2\1\0\120"), TALK_UNSUPPORTED },
		{ SPAN("\5\1\0"), SPAN("\5\3\0\1\0\0\0\0\0\0"), TALK_UNSUPPORTED },
		{ SPAN("\5\1\0"), SPAN("\5\1\0\3\2a \0\120"), 0 },
		{ SPAN("\5\1\0"), SPAN("\5\1\0\1\300\0\2\1\0\0"), 0 },
	};
	const struct told *t;
	struct rig r;
	struct line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rig_open(&r, 8);
		l = rig_visit(&r, DOOR_SOCKS);
		say_bytes(l.client, rows[i].greeting);
		if (rows[i].request.len)
			say_bytes(l.client, rows[i].request);
		t = rig_told(&r, GATE_TARGET);
		assert_int_equal(t->ask.flags, rows[i].flags);
		assert_int_equal(t->ask.seen, rows[i].flags ? SEEN_NOT_YET : SEEN_MALFORMED);
		rig_deny(&r, &l, REASON_MALFORMED, "{}");
		rig_run(&r);
		assert_null(flow_find(r.x.flows, rows[i].request.len ? UINT32_MAX : l.ref));
		rig_hang_up(&l);
		rig_done(&r);
	}
}

static void socks_without_a_method_for_us_is_closed(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = rig_visit(&r, DOOR_SOCKS);
	say_bytes(l.client, SPAN("\5\1\2"));
	heard_bytes(&r, l.client, SPAN("\5\xff"));
	heard_end(&r, l.client);
	rig_told_nothing(&r);
	rig_hang_up(&l);
	rig_done(&r);
}

/* ---- bounds ---- */

static void who_says_nothing_is_closed(void **state)
{
	static const enum door doors[] = { DOOR_HTTP, DOOR_SOCKS };
	struct rig r;
	struct line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		rig_open(&r, 8);
		l = rig_visit(&r, doors[i]);
		rig_seconds(&r, EXPLICIT_IDLE_S);
		assert_int_equal(flow_count(r.x.flows), 1);
		rig_seconds(&r, 1);
		assert_int_equal(flow_count(r.x.flows), 0);
		heard_end(&r, l.client);
		rig_told_nothing(&r);
		rig_hang_up(&l);
		rig_done(&r);
	}
}

/* The time that a head has does not begin anew with each byte */
static void who_dribbles_is_closed(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = rig_visit(&r, DOOR_HTTP);
	rig_seconds(&r, 30);
	for (int i = 0; i < EXPLICIT_HEAD_S; i++) {
		say(l.client, i ? "x" : "G");
		rig_seconds(&r, 1);
		assert_int_equal(flow_count(r.x.flows), 1);
	}
	rig_seconds(&r, 2);
	assert_int_equal(flow_count(r.x.flows), 0);
	rig_hang_up(&l);
	rig_done(&r);
}

static void a_server_waits_less_than_its_client(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = asked_on(&r, GET(RIG_HOST, "/1"), ONWARD(RIG_HOST, "/1"));
	say(l.server, OK_2);
	heard(&r, l.client, OK_2);
	rig_told(&r, GATE_HTTP);
	rig_seconds(&r, EXPLICIT_SERVER_S + 1);
	assert_int_equal(rig_told(&r, GATE_CLOSED)->closed.end, END_IDLE);
	assert_int_equal(flow_count(r.x.flows), 1);
	say(l.client, GET(RIG_HOST, "/2"));
	assert_int_equal(rig_told(&r, GATE_TARGET)->ask.port, 80);
	rig_hang_up(&l);
	rig_done(&r);
}

static void a_head_has_a_bound(void **state)
{
	static char field[4096];
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 8);
	l = rig_visit(&r, DOOR_HTTP);
	memset(field, 'x', sizeof(field) - 1);
	say(l.client, "GET http://" RIG_HOST "/ HTTP/1.1\r\nX: ");
	for (int i = 0; i < 9; i++)
		say(l.client, field);
	assert_int_equal(rig_told(&r, GATE_TARGET)->ask.seen, SEEN_MALFORMED);
	rig_hang_up(&l);
	rig_done(&r);
}

/* At the bound of the table the client that goes to another server keeps its place */
static void a_client_keeps_its_place(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 1);
	l = asked_on(&r, GET(RIG_HOST, "/1"), ONWARD(RIG_HOST, "/1"));
	say(l.server, OK_2);
	heard(&r, l.client, OK_2);
	rig_told(&r, GATE_HTTP);
	say(l.client, GET(OTHER, "/2"));
	rig_told(&r, GATE_CLOSED);
	rig_told(&r, GATE_TARGET);
	rig_hang_up(&l);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_is_answered_when_the_server_is_there),
		cmocka_unit_test(connect_to_tls_is_answered_before),
		cmocka_unit_test(connect_is_read_byte_by_byte),
		cmocka_unit_test(a_refusal_of_connect_is_a_page),
		cmocka_unit_test(what_names_no_target_is_denied_and_recorded),
		cmocka_unit_test(a_request_goes_on_in_origin_form),
		cmocka_unit_test(the_next_request_goes_on_where_it_belongs),
		cmocka_unit_test(requests_that_come_together_go_apart),
		cmocka_unit_test(connect_may_follow_a_request),
		cmocka_unit_test(a_server_that_goes_is_left),
		cmocka_unit_test(socks_is_read_byte_by_byte),
		cmocka_unit_test(socks_tells_why_not),
		cmocka_unit_test(socks_that_is_none_is_denied),
		cmocka_unit_test(socks_without_a_method_for_us_is_closed),
		cmocka_unit_test(who_says_nothing_is_closed),
		cmocka_unit_test(who_dribbles_is_closed),
		cmocka_unit_test(a_server_waits_less_than_its_client),
		cmocka_unit_test(a_head_has_a_bound),
		cmocka_unit_test(a_client_keeps_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

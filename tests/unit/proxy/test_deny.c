/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <sys/socket.h>

#define GET "GET /a HTTP/1.1\r\nHost: " RIG_HOST "\r\n\r\n"
#define PAGE "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n" \
	     "Content-Length: 7\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n{\"a\":1}"

/* Connect, say @first, be refused */
static struct line refused(struct rig *r, uint16_t port, struct span first)
{
	struct line l = rig_connect(r, port);

	say_bytes(l.client, first);
	rig_drive(r, &l);
	rig_told(r, GATE_ASK);
	rig_deny(r, &l, REASON_NO_RULE, "{\"a\":1}");
	return l;
}

static void http_gets_a_page_and_an_orderly_end(void **state)
{
	struct rig r;
	struct line l;

	(void)state;
	rig_open(&r, 4);
	l = refused(&r, 80, SPAN(GET));
	heard(&r, l.client, PAGE);
	heard_end(&r, l.client);
	say(l.client, "more of the request");
	rig_run(&r);
	heard_end(&r, l.client);		/* what comes late does not turn it into a reset */
	rig_told_nothing(&r);
	rig_seconds(&r, 4);
	assert_int_equal(flow_count(r.x.flows), 0);
	rig_hang_up(&l);
	rig_done(&r);
}

static void tls_gets_an_alert(void **state)
{
	uint8_t hello[512];
	struct rig r;
	struct line l;
	char got[16];

	(void)state;
	rig_open(&r, 4);
	l = refused(&r, 443, client_hello("evil.example.com", hello));
	rig_run(&r);
	assert_int_equal(recv(l.client, got, sizeof(got), 0), 7);
	assert_memory_equal(got, "\x15\x03\x03\x00\x02\x02\x31", 7);
	heard_end(&r, l.client);
	rig_hang_up(&l);
	rig_done(&r);
}

static void anything_else_is_reset(void **state)
{
	static const struct span firsts[] = {
		SPAN("SSH-2.0-x\r\n"), SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		SPAN("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
	};
	struct rig r;
	struct line l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		rig_open(&r, 4);
		l = refused(&r, 80, firsts[i]);
		heard_reset(&r, l.client);
		assert_int_equal(flow_count(r.x.flows), 0);
		rig_hang_up(&l);
		rig_done(&r);
	}
	rig_open(&r, 4);
	l = refused(&r, 22, (struct span){ 0 });
	heard_reset(&r, l.client);
	rig_hang_up(&l);
	rig_done(&r);
}

/* The answer before it is not read yet: the page must not get into the middle of it */
static void a_page_waits_for_the_answer_before_it(void **state)
{
	enum { SIZE = 300000 };
	static char body[SIZE], got[SIZE + 1000];
	size_t sent = 0, len = 0;
	struct rig r;
	struct line l;
	ssize_t n;

	(void)state;
	memset(body, 'x', SIZE);
	rig_open(&r, 4);
	l = rig_connect(&r, 80);
	l.client_room = 4096;
	say(l.client, GET GET);
	rig_drive(&r, &l);
	rig_told(&r, GATE_ASK);
	rig_allow(&r, &l, false, true);
	heard(&r, l.server, GET);
	/* The second becomes one that is not allowed, by the gate's own bindings */
	flow_find(r.x.flows, l.ref)->host = BINDING_NONE;
	say(l.server, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
	for (int i = 0; i < 20000 && sent < SIZE; i++) {
		n = send(l.server, body + sent, SIZE - sent, MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
		event_base_loop(r.x.loop, EVLOOP_NONBLOCK);
		if (n < 0 && (n = recv(l.client, got + len, sizeof(got) - len, 0)) > 0)
			len += (size_t)n;
	}
	assert_int_equal(sent, SIZE);
	for (int i = 0; i < 20000; i++) {
		event_base_loop(r.x.loop, EVLOOP_NONBLOCK);
		if (flow_find(r.x.flows, l.ref) && flow_find(r.x.flows, l.ref)->state == FLOW_ASK)
			rig_deny(&r, &l, REASON_NO_RULE, "{\"a\":1}");
		n = recv(l.client, got + len, sizeof(got) - len, 0);
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
		usleep(20);
	}
	assert_int_equal(len, strlen("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n") + SIZE +
			 strlen(PAGE));
	assert_memory_equal(got + len - strlen(PAGE), PAGE, strlen(PAGE));
	rig_hang_up(&l);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_gets_a_page_and_an_orderly_end),
		cmocka_unit_test(tls_gets_an_alert),
		cmocka_unit_test(anything_else_is_reset),
		cmocka_unit_test(a_page_waits_for_the_answer_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges between a client and a server of libnghttp2; hostile ones are in test_http2_bad.c */
#include "http2_rig.h"

static void test_get(void **state)
{
	struct h2_rig r;
	int32_t id;

	(void)state;
	h2_open(&r, NULL);
	id = h2_ask(&r, "GET", "/a?b=c", 0, "accept", "*/*", NULL);
	h2_run(&r);
	assert_string_equal(h2_at(&r.client, id)->status, "200");
	assert_string_equal(h2_at(&r.client, id)->text, "xxxxx");
	assert_true(h2_at(&r.client, id)->closed);
	assert_int_equal(h2_at(&r.client, id)->code, 0);
	assert_string_equal(h2_at(&r.server, 1)->fields,
			    ":method: GET\n:scheme: https\n:authority: api.example\n"
			    ":path: /a?b=c\naccept: */*\n");
	assert_int_equal(r.ended, 1);
	assert_int_equal(r.why[0], HTTP2_DONE);
	assert_int_equal(r.record.status, 200);
	assert_int_equal(r.record.bytes_out, strlen("GET /a?b=c HTTP/1.1\r\nhost: api.example\r\n"
						    "accept: */*\r\n\r\n"));
	assert_true(r.record.bytes_in > 5);
	h2_done(&r);
}

static void test_bodies(void **state)
{
	struct h2_rig r;
	int32_t id;

	(void)state;
	h2_open(&r, NULL);
	id = h2_ask(&r, "POST", "/big", 3000000, NULL);
	h2_run(&r);
	assert_int_equal(h2_at(&r.server, 1)->body, 3000000);
	assert_int_equal(h2_at(&r.client, id)->body, 1000000);
	assert_int_equal(r.bytes[HTTP2_UP][1], 3000000);
	assert_int_equal(r.bytes[HTTP2_DOWN][1], 1000000);
	h2_done(&r);
}

static void test_many_streams(void **state)
{
	struct h2_rig r;

	(void)state;
	h2_open(&r, NULL);
	for (int i = 0; i < 100; i++)
		h2_ask(&r, "POST", "/x", 10000, NULL);
	h2_run(&r);
	for (int32_t id = 1; id < 200; id += 2) {
		assert_int_equal(h2_at(&r.client, id)->body, 5);
		assert_int_equal(h2_at(&r.server, id)->body, 10000);
	}
	assert_int_equal(r.server.requests, 100);
	assert_int_equal(r.ended, 100);
	h2_done(&r);
}

/*
 * A client that does not read some streams' answers gets the others'.  What the server may
 * send of those ends with the client's window and ours.
 */
static void test_slow_streams(void **state)
{
	const size_t most = NGHTTP2_INITIAL_WINDOW_SIZE + 2 * http2_limits_default.stream_window;
	struct h2_rig r;
	int32_t other;

	(void)state;
	for (int32_t many = 1; many <= 120; many += 119) {
		h2_open(&r, NULL);
		r.client.slow = 2 * many - 1;
		for (int32_t i = 0; i < many; i++)
			h2_ask(&r, "GET", "/big", 0, NULL);
		h2_run(&r);
		for (int i = 0; i < 20; i++) {
			other = h2_ask(&r, "GET", "/big", 0, NULL);
			h2_run(&r);
			assert_int_equal(h2_at(&r.client, other)->body, 1000000);
			assert_true(h2_at(&r.client, other)->closed);
		}
		for (int32_t id = 1; id <= r.client.slow; id += 2) {
			assert_int_equal(h2_at(&r.client, id)->body, NGHTTP2_INITIAL_WINDOW_SIZE);
			assert_true(h2_at(&r.server, id)->left >= 1000000 - most);
		}
		h2_done(&r);
	}
}

/* Nothing of the bridge is read at the server: what the client may send ends at the window */
static void test_back_pressure(void **state)
{
	struct http2_limits few = http2_limits_default;
	struct h2_rig r;
	int32_t id;

	(void)state;
	few.stream_window = 100000;
	few.connection_window = 300000;
	h2_open(&r, &few);
	h2_run(&r);
	r.hold[HTTP2_PEER] = true;
	id = h2_ask(&r, "POST", "/x", 5000000, NULL);
	h2_run(&r);
	assert_true(h2_at(&r.client, id)->left >= 5000000 - 100000);
	assert_int_equal(h2_at(&r.server, 1)->body, 0);
	r.hold[HTTP2_PEER] = false;
	h2_run(&r);
	assert_int_equal(h2_at(&r.server, 1)->body, 5000000);
	/* and the other way */
	r.hold[HTTP2_AGENT] = true;
	h2_ask(&r, "GET", "/big", 0, NULL);
	h2_run(&r);
	assert_true(h2_at(&r.server, 3)->left >= 1000000 - 2 * 100000);
	r.hold[HTTP2_AGENT] = false;
	h2_run(&r);
	assert_int_equal(h2_at(&r.client, 3)->body, 1000000);
	h2_done(&r);
}

static void test_trailers(void **state)
{
	const nghttp2_nv nv[] = { h2_nv(":method", "POST"), h2_nv(":scheme", "https"),
		h2_nv(":authority", "api.example"), h2_nv(":path", "/trailers"), h2_nv("te", "trailers") };
	struct h2_rig r;
	int32_t id;

	(void)state;
	for (size_t body = 0; body < 200000; body += 199999) {
		h2_open(&r, NULL);
		id = h2_send(&r.client, nv, 5, body, true);
		h2_run(&r);
		assert_non_null(strstr(h2_at(&r.server, 1)->fields, "te: trailers\ngrpc-status: 0\n"));
		assert_non_null(strstr(h2_at(&r.client, id)->fields, "server: rig\ngrpc-status: 0\n"));
		assert_int_equal(h2_at(&r.server, 1)->body, body);
		assert_int_equal(r.why[0], HTTP2_DONE);
		h2_done(&r);
	}
}

static void test_forms(void **state)
{
	struct h2_rig r;
	int32_t head, interim, unmodified, empty, early, options;

	(void)state;
	h2_open(&r, NULL);
	head = h2_ask(&r, "HEAD", "/x", 0, NULL);
	interim = h2_ask(&r, "POST", "/interim", 10, "expect", "100-continue", NULL);
	unmodified = h2_ask(&r, "GET", "/304", 0, NULL);
	empty = h2_ask(&r, "GET", "/empty", 0, NULL);
	early = h2_ask(&r, "POST", "/early", 300000, NULL);
	options = h2_ask(&r, "OPTIONS", "*", 0, NULL);
	h2_run(&r);
	assert_string_equal(h2_at(&r.client, head)->status, "200");
	assert_int_equal(h2_at(&r.client, head)->body, 0);
	assert_int_equal(h2_at(&r.client, interim)->interim, 1);
	assert_string_equal(h2_at(&r.client, interim)->status, "200");
	assert_string_equal(h2_at(&r.client, unmodified)->status, "304");
	assert_true(h2_at(&r.client, empty)->fin);
	assert_string_equal(h2_at(&r.client, early)->status, "200");
	assert_int_equal(h2_at(&r.server, early)->body, 300000);
	assert_string_equal(h2_at(&r.client, options)->status, "200");
	assert_int_equal(r.ended, 6);
	h2_done(&r);
}

static void test_deny(void **state)
{
	struct h2_rig r;
	int32_t id, body, head, good, large, stuck;

	(void)state;
	h2_open(&r, NULL);
	id = h2_ask(&r, "GET", "/deny", 0, NULL);
	body = h2_ask(&r, "POST", "/deny", 900000, NULL);
	head = h2_ask(&r, "HEAD", "/deny", 0, NULL);
	good = h2_ask(&r, "GET", "/good", 0, NULL);
	large = h2_ask(&r, "POST", "/deny", 5000000, NULL);
	stuck = h2_ask(&r, "POST", "/deny", SIZE_MAX, NULL);
	h2_run(&r);
	assert_string_equal(h2_at(&r.client, id)->status, "403");
	assert_string_equal(h2_at(&r.client, id)->text, "{\"verdict\":\"deny\"}");
	assert_non_null(strstr(h2_at(&r.client, id)->fields, "content-type: application/json\n"));
	assert_string_equal(h2_at(&r.client, body)->status, "403");
	/* a client may finish what it says, within bounds */
	assert_true(h2_at(&r.client, body)->closed);
	assert_int_equal(h2_at(&r.client, body)->left, 0);
	assert_true(h2_at(&r.client, large)->closed);
	assert_true(h2_at(&r.client, large)->left > 3000000);
	assert_int_equal(h2_at(&r.client, large)->code, NGHTTP2_NO_ERROR);
	assert_string_equal(h2_at(&r.client, large)->status, "403");
	assert_true(h2_at(&r.client, stuck)->fin && !h2_at(&r.client, stuck)->closed);
	for (int i = 0; i < 3; i++)
		http2_tick(r.bridge);
	h2_run(&r);
	assert_true(h2_at(&r.client, stuck)->closed);
	assert_int_equal(h2_at(&r.client, stuck)->code, NGHTTP2_NO_ERROR);
	assert_int_equal(h2_at(&r.client, head)->body, 0);
	assert_string_equal(h2_at(&r.client, good)->status, "200");
	/* nothing of the others went to the server */
	assert_int_equal(r.server.requests, 1);
	assert_string_equal(h2_at(&r.server, 1)->path, "/good");
	assert_int_equal(r.why[0], HTTP2_STOPPED);
	h2_done(&r);
}

/* The verdict comes late: nothing has gone to the server before, all of it after */
static void test_late_verdict(void **state)
{
	struct h2_rig r;
	int32_t id;

	(void)state;
	h2_open(&r, NULL);
	r.later = true;
	id = h2_ask(&r, "POST", "/x", 500000, NULL);
	h2_run(&r);
	assert_int_equal(r.asked, 1);
	assert_int_equal(r.server.requests, 0);
	assert_int_equal(r.bytes[HTTP2_UP][1], 0);
	assert_true(http2_allow(r.bridge, id, NULL));
	assert_false(http2_allow(r.bridge, id, NULL));
	h2_run(&r);
	assert_int_equal(h2_at(&r.server, 1)->body, 500000);
	assert_int_equal(r.bytes[HTTP2_UP][1], 500000);
	assert_string_equal(h2_at(&r.client, id)->status, "200");
	/* the client gave up before the verdict */
	id = h2_ask(&r, "GET", "/y", 0, NULL);
	h2_run(&r);
	nghttp2_submit_rst_stream(r.client.session, 0, id, NGHTTP2_CANCEL);
	h2_run(&r);
	assert_int_equal(r.why[(id - 1) / 2], HTTP2_BY_AGENT);
	assert_false(http2_allow(r.bridge, id, NULL));
	http2_deny(r.bridge, id, 403, 0, SPAN("{}"));
	http2_stop(r.bridge, id);
	h2_run(&r);
	assert_int_equal(r.server.requests, 1);
	h2_done(&r);
}

static void test_set_field(void **state)
{
	const struct http_edits set = { { { SPAN("Authorization"), SPAN("Bearer real") } }, 1 };
	const struct http_edits bad = { { { SPAN("Authorization"), SPAN("a\r\nb: c") } }, 1 };
	struct h2_rig r;

	(void)state;
	h2_open(&r, NULL);
	r.set = &set;
	h2_ask(&r, "GET", "/x", 0, "authorization", "Bearer placeholder", "authorization", "two",
	       "a", "b", NULL);
	h2_ask(&r, "GET", "/y", 0, NULL);
	h2_run(&r);
	assert_non_null(strstr(h2_at(&r.server, 1)->fields, "a: b\nauthorization: Bearer real\n"));
	assert_null(strstr(h2_at(&r.server, 1)->fields, "placeholder"));
	assert_null(strstr(h2_at(&r.server, 1)->fields, "two"));
	assert_non_null(strstr(h2_at(&r.server, 3)->fields, "authorization: Bearer real\n"));
	r.set = &bad;
	h2_ask(&r, "GET", "/z", 0, NULL);
	h2_run(&r);
	assert_int_equal(r.server.requests, 2);
	h2_done(&r);
}

/* What must not be said is overwritten in bodies, fields and trailers, and the rest comes whole */
static void test_hidden_values(void **state)
{
	char almost[602];
	struct h2_rig r;
	int32_t id;

	(void)state;
	memset(almost, 'x', 600);
	almost[600] = 'y';
	almost[601] = '\0';
	for (size_t piece = 0; piece < 4; piece++) {
		h2_open(&r, NULL);
		r.piece = piece * 777;
		r.hides = scrub_set_new();
		/* the end of the body may be one until there is no more of it */
		assert_true(scrub_set_add(r.hides, span_str(almost), SPAN("never")));
		id = h2_ask(&r, "GET", "/big", 0, NULL);
		h2_run(&r);
		assert_int_equal(h2_at(&r.client, id)->body, 1000000);
		assert_true(h2_at(&r.client, id)->fin);
		assert_true(span_starts(span_str(h2_at(&r.client, id)->text), SPAN("xxxxxxx")));
		scrub_set_unref(r.hides);

		r.hides = scrub_set_new();
		assert_true(scrub_set_add(r.hides, SPAN("xxxxxxxx"), SPAN("hidden")));
		assert_true(scrub_set_add(r.hides, SPAN("checksum-value"), SPAN("hidden")));
		id = h2_ask(&r, "GET", "/big", 0, NULL);
		h2_run(&r);
		assert_int_equal(h2_at(&r.client, id)->body, 1000000);
		assert_true(span_starts(span_str(h2_at(&r.client, id)->text), SPAN("hhhhh")));
		id = h2_ask(&r, "GET", "/x", 0, NULL);
		h2_run(&r);
		assert_string_equal(h2_at(&r.client, id)->text, "xxxxx");
		scrub_set_unref(r.hides);
		h2_done(&r);
	}
}

static void test_too_large(void **state)
{
	struct h2_rig r;
	int32_t id, late;

	(void)state;
	h2_open(&r, NULL);
	r.body_max = 100000;
	id = h2_ask(&r, "POST", "/x", 500000, NULL);
	h2_run(&r);
	assert_string_equal(h2_at(&r.client, id)->status, "413");
	assert_true(h2_at(&r.server, 1)->closed);
	assert_int_equal(h2_at(&r.server, 1)->code, NGHTTP2_CANCEL);
	assert_true(h2_at(&r.server, 1)->body <= 100000);
	/* once the response has begun there is no page: a reset */
	r.bytes[HTTP2_UP][1] = 0;
	late = h2_ask(&r, "POST", "/early", 500000, NULL);
	h2_run(&r);
	assert_true(h2_at(&r.client, late)->closed);
	assert_int_not_equal(h2_at(&r.client, late)->code, NGHTTP2_NO_ERROR);
	assert_int_equal(r.why[(late - 1) / 2], HTTP2_STOPPED);
	h2_done(&r);
}

static void test_resets(void **state)
{
	struct h2_rig r;
	int32_t id;

	(void)state;
	h2_open(&r, NULL);
	id = h2_ask(&r, "GET", "/wait", 0, NULL);
	h2_run(&r);
	nghttp2_submit_rst_stream(r.client.session, 0, id, NGHTTP2_CANCEL);
	h2_run(&r);
	assert_int_equal(h2_at(&r.server, 1)->code, NGHTTP2_CANCEL);
	assert_int_equal(r.why[0], HTTP2_BY_AGENT);
	for (unsigned i = 0; i < 3; i++) {
		static const uint32_t codes[][2] = {
			{ NGHTTP2_REFUSED_STREAM, NGHTTP2_REFUSED_STREAM },
			{ NGHTTP2_PROTOCOL_ERROR, NGHTTP2_INTERNAL_ERROR },
			{ NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_ENHANCE_YOUR_CALM },
		};

		id = h2_ask(&r, "GET", "/wait", 0, NULL);
		h2_run(&r);
		nghttp2_submit_rst_stream(r.server.session, 0, id, codes[i][0]);
		h2_run(&r);
		assert_true(h2_at(&r.client, id)->closed);
		assert_int_equal(h2_at(&r.client, id)->code, codes[i][1]);
		assert_int_equal(r.why[(id - 1) / 2], HTTP2_BY_PEER);
	}
	assert_int_equal(r.failed, 0);
	h2_done(&r);
}

/* A whole answer, then NO_ERROR, while the client is sending still (RFC 9113 8.1) */
static void test_early_end(void **state)
{
	struct h2_rig r;
	int32_t id;

	(void)state;
	h2_open(&r, NULL);
	id = h2_ask(&r, "POST", "/early", 1, NULL);
	h2_at(&r.client, id)->left = SIZE_MAX;
	h2_run(&r);
	assert_string_equal(h2_at(&r.client, id)->status, "200");
	assert_false(h2_at(&r.client, id)->closed);
	nghttp2_submit_rst_stream(r.server.session, 0, id, NGHTTP2_NO_ERROR);
	h2_run(&r);
	/* it may finish what it says, for a moment, which goes nowhere */
	assert_true(h2_at(&r.client, id)->fin && !h2_at(&r.client, id)->closed);
	for (int i = 0; i < 3; i++)
		http2_tick(r.bridge);
	h2_run(&r);
	assert_true(h2_at(&r.client, id)->closed);
	assert_int_equal(h2_at(&r.client, id)->code, NGHTTP2_NO_ERROR);
	assert_int_equal(r.why[0], HTTP2_DONE);
	h2_done(&r);
}

static void test_goaway(void **state)
{
	struct h2_rig r;
	int32_t wait, after;

	(void)state;
	h2_open(&r, NULL);
	wait = h2_ask(&r, "GET", "/wait", 0, NULL);
	h2_run(&r);
	r.later = true;
	after = h2_ask(&r, "GET", "/x", 0, NULL);
	h2_run(&r);
	nghttp2_submit_goaway(r.server.session, 0, 1, NGHTTP2_NO_ERROR, NULL, 0);
	h2_run(&r);
	assert_int_equal(r.client.goaway, NGHTTP2_NO_ERROR);
	assert_false(http2_allow(r.bridge, after, NULL));
	h2_run(&r);
	assert_int_equal(h2_at(&r.client, after)->code, NGHTTP2_REFUSED_STREAM);
	assert_false(http2_over(r.bridge));
	h2_at(&r.server, wait)->left = 7;
	nghttp2_session_resume_data(r.server.session, wait);
	h2_run(&r);
	assert_int_equal(h2_at(&r.client, wait)->body, 7);
	assert_int_equal(r.why[0], HTTP2_DONE);
	assert_true(http2_over(r.bridge));
	h2_done(&r);
}

static void test_gone(void **state)
{
	struct h2_rig r;
	int32_t begun, waits;

	(void)state;
	h2_open(&r, NULL);
	r.page_502 = true;
	begun = h2_ask(&r, "GET", "/wait", 0, NULL);
	h2_run(&r);
	r.server.quiet = true;
	waits = h2_ask(&r, "GET", "/quiet", 0, NULL);
	h2_run(&r);
	http2_gone(r.bridge, HTTP2_PEER);
	h2_run(&r);
	assert_int_equal(h2_at(&r.client, begun)->code, NGHTTP2_INTERNAL_ERROR);
	assert_string_equal(h2_at(&r.client, waits)->status, "502");
	assert_int_equal(r.failed, 1);
	assert_int_equal(r.client.goaway, NGHTTP2_NO_ERROR);
	assert_true(http2_over(r.bridge));
	h2_done(&r);

	h2_open(&r, NULL);
	h2_ask(&r, "GET", "/wait", 0, NULL);
	h2_run(&r);
	http2_gone(r.bridge, HTTP2_AGENT);
	assert_int_equal(r.why[0], HTTP2_BY_AGENT);
	h2_run(&r);
	assert_int_equal(h2_at(&r.server, 1)->code, NGHTTP2_CANCEL);
	assert_true(http2_over(r.bridge));
	h2_done(&r);
}

/* What is still to be said to a side that is gone is of streams that are no more */
static void test_gone_unread(void **state)
{
	struct h2_rig r;

	(void)state;
	for (int side = 0; side < 2; side++) {
		h2_open(&r, NULL);
		h2_ask(&r, "POST", "/wait", 100000, NULL);
		h2_run(&r);
		r.hold[side] = true;
		h2_at(&r.server, 1)->left = 100000;
		nghttp2_session_resume_data(r.server.session, 1);
		h2_ask(&r, "GET", "/x", 0, NULL);
		h2_run(&r);
		http2_gone(r.bridge, (enum http2_side)side);
		r.hold[side] = false;
		h2_run(&r);
		assert_int_equal(r.ended, r.asked);
		assert_true(http2_over(r.bridge));
		h2_done(&r);
	}
}

/* Bodies pass as their owner has room for them, and other streams do not wait for that */
static void test_paced(void **state)
{
	struct h2_rig r;
	int32_t id;

	(void)state;
	h2_open(&r, NULL);
	r.paced = true;
	r.room[HTTP2_DOWN] = 5;
	id = h2_ask(&r, "POST", "/x", 1000, NULL);
	for (int i = 0; i < 10; i++) {
		h2_run(&r);
		assert_int_equal(h2_at(&r.server, 1)->body, 100 * i);
		assert_int_equal(r.waits[HTTP2_UP], id);
		r.room[HTTP2_UP] = 100;
		h2_run(&r);
		assert_int_equal(h2_at(&r.server, 1)->body, 100 * i);
		http2_resume(r.bridge, id, HTTP2_UP);
	}
	h2_run(&r);
	assert_int_equal(h2_at(&r.client, id)->body, 5);
	assert_int_equal(r.why[0], HTTP2_DONE);
	id = h2_ask(&r, "GET", "/big", 0, NULL);
	h2_ask(&r, "GET", "/empty", 0, NULL);
	h2_run(&r);
	assert_int_equal(r.waits[HTTP2_DOWN], id);
	assert_string_equal(h2_at(&r.client, id)->status, "200");
	assert_int_equal(h2_at(&r.client, id)->body, 0);
	assert_true(h2_at(&r.client, id + 2)->fin);
	for (int i = 0; i < 2; i++) {
		r.room[HTTP2_DOWN] = 500000;
		http2_resume(r.bridge, id, HTTP2_DOWN);
		h2_run(&r);
		assert_int_equal(h2_at(&r.client, id)->body, 500000 * (i + 1));
	}
	assert_true(h2_at(&r.client, id)->fin);
	h2_done(&r);
}

/* Beyond a bound, and what the agent is told is not known yet */
static void test_held_back(void **state)
{
	struct h2_rig r;
	int32_t id;

	(void)state;
	h2_open(&r, NULL);
	r.body_max = 100;
	r.hold_back = true;
	id = h2_ask(&r, "POST", "/x", 1000, NULL);
	h2_run(&r);
	assert_int_equal(r.last, id);
	assert_int_equal(h2_at(&r.server, 1)->body, 100);
	assert_int_equal(h2_at(&r.server, 1)->code, NGHTTP2_CANCEL);
	assert_true(h2_at(&r.server, 1)->closed);
	assert_string_equal(h2_at(&r.client, id)->status, "");
	assert_int_equal(r.ended, 0);
	assert_true(http2_hold(r.bridge, id));
	http2_deny(r.bridge, id, 429, 7, SPAN("{}"));
	http2_deny(r.bridge, id, 500, 0, SPAN("no"));
	h2_run(&r);
	assert_string_equal(h2_at(&r.client, id)->status, "429");
	assert_non_null(strstr(h2_at(&r.client, id)->fields, "retry-after: 7\n"));
	assert_string_equal(h2_at(&r.client, id)->text, "{}");
	assert_int_equal(r.ended, 1);
	/* once the response has begun it is reset */
	r.body_max = 0;
	id = h2_ask(&r, "GET", "/wait", 0, NULL);
	h2_run(&r);
	assert_false(http2_hold(r.bridge, id));
	h2_run(&r);
	assert_int_equal(h2_at(&r.client, id)->code, NGHTTP2_CANCEL);
	/* and one that is held back may be reset, or its connection end */
	for (int i = 0; i < 2; i++) {
		r.later = true;
		id = h2_ask(&r, "POST", "/x", 1000, NULL);
		h2_run(&r);
		assert_true(http2_hold(r.bridge, id));
		assert_false(http2_allow(r.bridge, id, NULL));
		if (!i)
			http2_stop(r.bridge, id);
		h2_run(&r);
		assert_int_equal(h2_at(&r.client, id)->closed, !i);
	}
	assert_int_equal(r.server.requests, 2);
	h2_done(&r);
}

static void test_ping(void **state)
{
	struct h2_rig r;

	(void)state;
	h2_open(&r, NULL);
	nghttp2_submit_ping(r.client.session, 0, NULL);
	nghttp2_submit_ping(r.server.session, 0, NULL);
	h2_run(&r);
	assert_int_equal(r.client.pongs, 1);
	assert_int_equal(r.server.pongs, 1);
	h2_done(&r);
}

static int32_t ask_websocket(struct h2_rig *r, const char *protocol)
{
	const nghttp2_nv nv[] = { h2_nv(":method", "CONNECT"), h2_nv(":protocol", protocol),
		h2_nv(":scheme", "https"), h2_nv(":authority", "api.example"),
		h2_nv(":path", "/tunnel"), h2_nv("sec-websocket-version", "13") };

	return h2_send(&r->client, nv, 6, SIZE_MAX, false);
}

static void test_websocket(void **state)
{
	struct http2_limits l = http2_limits_default;
	struct h2_rig r;
	int32_t id;

	(void)state;
	l.websocket = true;
	h2_open(&r, &l);
	h2_run(&r);
	id = ask_websocket(&r, "websocket");
	h2_run(&r);
	assert_string_equal(h2_at(&r.client, id)->status, "200");
	h2_at(&r.client, id)->left = 1000;
	nghttp2_session_resume_data(r.client.session, id);
	h2_run(&r);
	assert_int_equal(h2_at(&r.server, 1)->body, 1000);
	assert_int_equal(h2_at(&r.client, id)->body, 5);
	/* anything else that is asked for is no websocket */
	id = ask_websocket(&r, "connect-udp");
	h2_run(&r);
	assert_string_equal(h2_at(&r.client, id)->status, "403");
	assert_int_equal(r.server.requests, 1);
	h2_done(&r);

	h2_open(&r, NULL);	/* not offered */
	h2_run(&r);
	id = ask_websocket(&r, "websocket");
	h2_run(&r);
	assert_true(h2_at(&r.client, id)->closed);
	assert_int_equal(r.server.requests, 0);
	assert_int_equal(r.malformed, 1);
	h2_done(&r);
}

static void test_pieces(void **state)
{
	struct h2_rig r;

	(void)state;
	for (size_t piece = 1; piece < 40; piece++) {
		h2_open(&r, NULL);
		r.piece = piece;
		h2_ask(&r, "POST", "/interim-trailers", 3000, "a", "b", NULL);
		h2_ask(&r, "GET", "/deny", 0, NULL);
		h2_run(&r);
		assert_string_equal(h2_at(&r.client, 1)->status, "200");
		assert_string_equal(h2_at(&r.client, 3)->status, "403");
		assert_int_equal(h2_at(&r.server, 1)->body, 3000);
		h2_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_many_streams),
		cmocka_unit_test(test_slow_streams),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_deny),
		cmocka_unit_test(test_late_verdict),
		cmocka_unit_test(test_set_field),
		cmocka_unit_test(test_hidden_values),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_early_end),
		cmocka_unit_test(test_goaway),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_gone_unread),
		cmocka_unit_test(test_paced),
		cmocka_unit_test(test_held_back),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_websocket),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile bytes for a bridge, from either side; tests/cases/smuggling/http2.txt among them */
#include <stdio.h>

#include "http2_rig.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* What the bridge said to a side, frame by frame */
struct said {
	uint32_t	 reset, goaway;	/* codes; UINT32_MAX: none */
	unsigned	 resets, heads;
};

static void said_read(struct span bytes, struct said *s)
{
	*s = (struct said){ .reset = UINT32_MAX, .goaway = UINT32_MAX };
	if (span_starts(bytes, SPAN(PREFACE)))
		bytes = span_skip(bytes, sizeof(PREFACE) - 1);
	while (bytes.len >= 9) {
		size_t len = (size_t)bytes.at[0] << 16 | (size_t)bytes.at[1] << 8 | bytes.at[2];
		const uint8_t *p = bytes.at + 9;

		assert_true(bytes.len >= 9 + len);
		if (bytes.at[3] == NGHTTP2_RST_STREAM) {
			s->reset = p[3];
			s->resets++;
		}
		if (bytes.at[3] == NGHTTP2_GOAWAY)
			s->goaway = p[7];
		if (bytes.at[3] == NGHTTP2_HEADERS)
			s->heads++;
		bytes = span_skip(bytes, 9 + len);
	}
	assert_int_equal(bytes.len, 0);
}

static struct said pull_said(struct h2_rig *r, enum http2_side side)
{
	static uint8_t bytes[1 << 20];
	struct said s;

	said_read(span_of(bytes, http2_pull(r->bridge, side, bytes, sizeof(bytes))), &s);
	return s;
}

static void start(struct buf *b)
{
	buf_add_str(b, PREFACE);
	h2_raw_frame(b, NGHTTP2_SETTINGS, 0, 0, SPAN(""));
}

/* The server's side alone runs; what is said to the agent is kept for pull_said() */
static void run_server(struct h2_rig *r)
{
	r->hold[HTTP2_AGENT] = true;
	r->client.failed = 1;	/* the client of the rig has no part in this */
	h2_run(r);
}

/* ---- the data file ---- */

struct raw {
	char		 verdict[16], name[128];
	struct buf	 block, frames;
};

static size_t unescape(char *s)
{
	char *to = s;

	for (const char *from = s; *from; from++) {
		unsigned code;

		if (*from != '\\') {
			*to++ = *from;
		} else if (*++from == 'x') {
			assert_int_equal(sscanf(from + 1, "%2x", &code), 1);
			*to++ = (char)code;
			from += 2;
		} else {
			*to++ = *from == 'r' ? '\r' : *from == 'n' ? '\n' : '\t';
		}
	}
	return (size_t)(to - s);
}

static void raw_span(struct buf *block, struct span s)
{
	const uint8_t seven[2] = { 127, (uint8_t)(s.len - 127) }, one = (uint8_t)s.len;

	assert_true(s.len < 127 + 128);
	if (s.len < 127)
		buf_add(block, &one, 1);
	else
		buf_add(block, seven, 2);
	buf_add_span(block, s);
}

static void add_field(struct buf *block, char *line)
{
	char *tab = strchr(line, '\t'), *value = tab + 1;
	const uint8_t kind = 0x10;

	assert_non_null(tab);
	*tab = '\0';
	buf_add(block, &kind, 1);
	raw_span(block, span_of(line, unescape(line)));
	raw_span(block, span_of(value, unescape(value)));
}

/* One case of the file.  Return: false at its end */
static bool case_read(FILE *f, struct raw *c, char *line, size_t size)
{
	struct buf trailers = buf_new(1024);

	buf_clear(&c->block);
	buf_clear(&c->frames);
	do {
		if (!fgets(line, (int)size, f))
			return false;
	} while (strncmp(line, "== ", 3));
	assert_int_equal(sscanf(line, "== %15s %127[^\n]", c->verdict, c->name), 2);
	while (fgets(line, (int)size, f) && line[0] != '\n') {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "DATA ", 5))
			h2_raw_frame(&c->frames, NGHTTP2_DATA, 0, 1,
				     span_of(line + 5, unescape(line + 5)));
		else if (!strncmp(line, "TRAILER ", 8))
			add_field(&trailers, line + 8);
		else
			add_field(&c->block, line);
	}
	if (trailers.len)
		h2_raw_frame(&c->frames, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1,
			     buf_span(&trailers));
	buf_done(&trailers);
	return true;
}

/* END_STREAM is a flag of the last frame */
static void end_last(struct buf *b)
{
	size_t at = 0, last = 0;

	while (at < b->len) {
		last = at;
		at += 9 + ((size_t)b->at[at + 1] << 8 | b->at[at + 2]);
	}
	b->at[last + 4] |= NGHTTP2_FLAG_END_STREAM;
}

static void case_run(struct raw *c)
{
	struct buf frames = buf_new(1 << 16), all = buf_new(1 << 16);
	struct h2_rig r;
	struct said s;
	bool pass = !strcmp(c->verdict, "pass"), reset = !strcmp(c->verdict, "reset");

	h2_raw_frame(&frames, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, buf_span(&c->block));
	buf_add_span(&frames, buf_span(&c->frames));
	end_last(&frames);
	start(&all);
	buf_add_span(&all, buf_span(&frames));
	h2_open(&r, NULL);
	r.server.quiet = !pass;
	http2_feed(r.bridge, HTTP2_AGENT, buf_span(&all));
	run_server(&r);
	s = pull_said(&r, HTTP2_AGENT);
	run_server(&r);
	if (pass != (h2_at(&r.server, 1)->fin && s.heads == 1) ||
	    (!reset && !pass && r.server.requests) || (reset && h2_at(&r.server, 1)->fin) ||
	    (!strcmp(c->verdict, "malformed") && (s.resets != 1 || s.heads || !r.malformed)) ||
	    (reset && !s.resets) || (!strcmp(c->verdict, "deny") && s.heads != 1))
		fail_msg("%s: wants %s: requests %zu, whole %d, resets %u (%u), heads %u, told %u",
			 c->name, c->verdict, r.server.requests, h2_at(&r.server, 1)->fin,
			 s.resets, s.reset, s.heads, r.malformed);
	h2_done(&r);
	buf_done(&frames);
	buf_done(&all);
}

static void test_smuggling(void **state)
{
	FILE *f = fopen(SMUGGLING, "re");
	struct raw c = { .block = buf_new(1 << 14), .frames = buf_new(1 << 14) };
	char line[1024];
	unsigned cases = 0;

	(void)state;
	assert_non_null(f);
	for (; case_read(f, &c, line, sizeof(line)); cases++)
		case_run(&c);
	assert_true(cases >= 60);
	fclose(f);
	buf_done(&c.block);
	buf_done(&c.frames);
}

/* ---- floods ---- */

static void request_block(struct buf *block)
{
	h2_raw_field(block, ":method", "GET");
	h2_raw_field(block, ":scheme", "https");
	h2_raw_field(block, ":authority", "api.example");
	h2_raw_field(block, ":path", "/wait");
}

/* Feed it until the bridge has had enough.  Return: how often it was taken; at most @max */
static unsigned feed_until(struct h2_rig *r, enum http2_side side, struct span frame, unsigned max)
{
	unsigned n = 0;

	while (n < max && http2_feed(r->bridge, side, frame))
		n++;
	return n;
}

static void flood(enum http2_side side, uint8_t type, uint8_t flags, int32_t id,
		  struct span payload)
{
	struct buf b = buf_new(1 << 16), block = buf_new(1024);
	struct h2_rig r;
	struct said s;

	h2_open(&r, NULL);
	if (side == HTTP2_AGENT)
		start(&b);
	else
		h2_raw_frame(&b, NGHTTP2_SETTINGS, 0, 0, SPAN(""));
	if (id) {
		request_block(&block);
		h2_raw_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, buf_span(&block));
	}
	assert_true(http2_feed(r.bridge, side, buf_span(&b)));
	buf_clear(&b);
	h2_raw_frame(&b, type, flags, id, payload);
	/* a few are nothing */
	assert_int_equal(feed_until(&r, side, buf_span(&b), 500), 500);
	if (feed_until(&r, side, buf_span(&b), 100000) > 3000)
		fail_msg("side %d: type %u of %zu bytes for stream %d", side, type, payload.len, id);
	assert_int_not_equal(http2_why(r.bridge, side), HTTP2_DONE);
	s = pull_said(&r, side);
	assert_int_equal(s.goaway, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_false(http2_wants(r.bridge, side) & HTTP2_READ);
	h2_done(&r);
	buf_done(&b);
	buf_done(&block);
}

static void test_floods(void **state)
{
	static const uint8_t setting[] = { 0, 4, 0, 1, 0, 0 }, window[] = { 0, 0, 0, 1 };

	(void)state;
	for (int side = 0; side < 2; side++) {
		flood((enum http2_side)side, NGHTTP2_PING, 0, 0, SPAN("12345678"));
		flood((enum http2_side)side, NGHTTP2_SETTINGS, 0, 0, span_of(setting, 6));
		flood((enum http2_side)side, NGHTTP2_SETTINGS, 0, 0, SPAN(""));
		flood((enum http2_side)side, NGHTTP2_WINDOW_UPDATE, 0, 0, span_of(window, 4));
		flood((enum http2_side)side, 0x77, 0, 0, SPAN("unknown"));
	}
	flood(HTTP2_AGENT, NGHTTP2_PRIORITY, 0, 1, SPAN("\0\0\0\3\20"));
	flood(HTTP2_AGENT, NGHTTP2_DATA, 0, 1, SPAN(""));
	flood(HTTP2_AGENT, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, SPAN("\4\0\0\0\0"));
	flood(HTTP2_AGENT, NGHTTP2_WINDOW_UPDATE, 0, 1, span_of(window, 4));
}

/* CVE-2023-44487 */
static void test_rapid_reset(void **state)
{
	struct buf b = buf_new(1 << 16), block = buf_new(1024);
	struct h2_rig r;
	unsigned rounds = 0;
	struct said s;

	(void)state;
	request_block(&block);
	h2_open(&r, NULL);
	start(&b);
	assert_true(http2_feed(r.bridge, HTTP2_AGENT, buf_span(&b)));
	for (int32_t id = 1; rounds < 5000; id += 2, rounds++) {
		buf_clear(&b);
		h2_raw_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
			     id, buf_span(&block));
		h2_raw_frame(&b, NGHTTP2_RST_STREAM, 0, id, SPAN("\0\0\0\10"));
		if (!http2_feed(r.bridge, HTTP2_AGENT, buf_span(&b)))
			break;
	}
	assert_in_range(rounds, 100, 300);
	s = pull_said(&r, HTTP2_AGENT);
	assert_int_equal(s.goaway, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_int_equal(http2_why(r.bridge, HTTP2_AGENT), HTTP2_BAD_AGENT);
	h2_done(&r);
	buf_done(&b);
	buf_done(&block);
}

static void test_continuation_flood(void **state)
{
	struct buf b = buf_new(1 << 16), block = buf_new(1024);
	struct h2_rig r;
	unsigned n;

	(void)state;
	for (int empty = 0; empty < 2; empty++) {
		request_block(&block);
		h2_open(&r, NULL);
		buf_clear(&b);
		start(&b);
		h2_raw_frame(&b, NGHTTP2_HEADERS, 0, 1, buf_span(&block));
		http2_feed(r.bridge, HTTP2_AGENT, buf_span(&b));
		buf_clear(&b);
		buf_clear(&block);
		h2_raw_field(&block, "x-more", "0123456789");
		h2_raw_frame(&b, NGHTTP2_CONTINUATION, 0, 1, empty ? SPAN("") : buf_span(&block));
		n = feed_until(&r, HTTP2_AGENT, buf_span(&b), 100000);
		assert_true(n < 100);
		run_server(&r);
		assert_int_equal(r.asked, 0);
		assert_int_equal(r.server.requests, 0);
		assert_int_not_equal(pull_said(&r, HTTP2_AGENT).goaway, UINT32_MAX);
		h2_done(&r);
		buf_clear(&block);
	}
	buf_done(&b);
	buf_done(&block);
}

/* More fields, or more bytes of them, than are taken: the stream alone is reset */
static void test_large_head(void **state)
{
	char value[4000];
	struct h2_rig r;
	int32_t id, good;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	h2_open(&r, NULL);
	for (int n = 0; n < 2; n++) {
		nghttp2_nv nv[4 + 300] = { h2_nv(":method", "GET"), h2_nv(":scheme", "https"),
					   h2_nv(":authority", "api.example"), h2_nv(":path", "/") };
		size_t many = n ? 300 : 17;

		for (size_t i = 0; i < many; i++)
			nv[4 + i] = h2_nv("x-field", n ? "v" : value);
		id = h2_send(&r.client, nv, 4 + many, 0, false);
		good = h2_send(&r.client, nv, n ? 4 + 200 : 4 + 15, 0, false);
		h2_run(&r);
		assert_true(h2_at(&r.client, id)->closed);
		assert_int_equal(h2_at(&r.client, id)->code, NGHTTP2_PROTOCOL_ERROR);
		assert_string_equal(h2_at(&r.client, good)->status, "200");
	}
	assert_int_equal(r.malformed, 2);
	assert_int_equal(r.server.requests, 2);
	h2_done(&r);
}

/* A client that takes no notice of how many streams it may have */
static void test_too_many_streams(void **state)
{
	struct http2_limits few = http2_limits_default;
	struct buf b = buf_new(1 << 20), block = buf_new(1024);
	struct h2_rig r;

	(void)state;
	few.streams = 10;
	request_block(&block);
	h2_open(&r, &few);
	start(&b);
	for (int32_t id = 1; id < 5000; id += 2)
		h2_raw_frame(&b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
			     id, buf_span(&block));
	assert_false(http2_feed(r.bridge, HTTP2_AGENT, buf_span(&b)));
	assert_int_equal(r.asked, 10);
	assert_int_equal(pull_said(&r, HTTP2_AGENT).goaway, NGHTTP2_ENHANCE_YOUR_CALM);
	h2_done(&r);
	buf_done(&b);
	buf_done(&block);
}

/* ---- what the server may not say ---- */

static void answer_raw(struct h2_rig *r, const char *const fields[], const char *data, bool fin)
{
	struct buf b = buf_new(1 << 14), block = buf_new(1 << 12);

	h2_raw_frame(&b, NGHTTP2_SETTINGS, 0, 0, SPAN(""));
	for (size_t i = 0; fields[i]; i += 2)
		h2_raw_field(&block, fields[i], fields[i + 1]);
	h2_raw_frame(&b, NGHTTP2_HEADERS, (uint8_t)(NGHTTP2_FLAG_END_HEADERS | (fin && !data)), 1,
		     buf_span(&block));
	if (data)
		h2_raw_frame(&b, NGHTTP2_DATA, fin, 1, span_str(data));
	http2_feed(r->bridge, HTTP2_PEER, buf_span(&b));
	buf_done(&b);
	buf_done(&block);
}

static void test_bad_answers(void **state)
{
	static const struct {
		const char *fields[8], *data, *status;
	} cases[] = {
		{ { ":status", "200", "server", " blanks " }, "hello", "200" },
		{ { ":status", "200", "content-length", "5" }, "hello", "200" },
		{ { ":status", "204" }, NULL, "204" },
		{ { ":status", "200", "Server", "x" }, "hello", "502" },
		{ { ":status", "200", "x", "a\r\nset-cookie: b" }, "hello", "502" },
		{ { ":status", "200", "transfer-encoding", "chunked" }, "hello", "502" },
		{ { ":status", "200", "connection", "close" }, "hello", "502" },
		{ { ":status", "200", "content-length", "5", "content-length", "5" }, "hello", "502" },
		{ { ":status", "200", ":status", "200" }, "hello", "502" },
		{ { ":status", "99" }, "hello", "502" },
		{ { ":status", "600" }, "hello", "502" },
		{ { ":status", "101" }, NULL, "502" },
		{ { ":status", "2000" }, "hello", "502" },
		{ { ":status", "abc" }, "hello", "502" },
		{ { "server", "x" }, "hello", "502" },
		{ { ":status", "100" }, NULL, "502" },	/* with END_STREAM */
		{ { ":status", "200", ":path", "/" }, "hello", "502" },
		{ { ":status", "200", "", "x" }, "hello", "502" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct h2_rig r;
		uint8_t bytes[1000];

		h2_open(&r, NULL);
		r.page_502 = true;
		h2_ask(&r, "GET", "/", 0, NULL);
		r.hold[HTTP2_PEER] = true;
		h2_run(&r);
		while (http2_pull(r.bridge, HTTP2_PEER, bytes, sizeof(bytes)))
			;
		answer_raw(&r, cases[i].fields, cases[i].data, true);
		while (http2_pull(r.bridge, HTTP2_PEER, bytes, sizeof(bytes)))
			;
		r.server.failed = 1;	/* it has no part in this */
		h2_run(&r);
		if (strcmp(h2_at(&r.client, 1)->status, cases[i].status))
			fail_msg("case %zu: %s", i, h2_at(&r.client, 1)->fields);
		assert_null(strstr(h2_at(&r.client, 1)->fields, "set-cookie"));
		h2_done(&r);
	}
}

/* A body that is not as long as it says is never followed by an end */
static void test_cut_answer(void **state)
{
	static const char *const fields[] = { ":status", "200", "content-length", "9", NULL };
	uint8_t bytes[1000];
	struct h2_rig r;

	(void)state;
	h2_open(&r, NULL);
	h2_ask(&r, "GET", "/", 0, NULL);
	r.hold[HTTP2_PEER] = true;
	h2_run(&r);
	while (http2_pull(r.bridge, HTTP2_PEER, bytes, sizeof(bytes)))
		;
	answer_raw(&r, fields, "hello", true);
	while (http2_pull(r.bridge, HTTP2_PEER, bytes, sizeof(bytes)))
		;
	r.server.failed = 1;
	h2_run(&r);
	assert_false(h2_at(&r.client, 1)->fin);
	assert_true(h2_at(&r.client, 1)->closed);
	assert_int_equal(h2_at(&r.client, 1)->code, NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(r.why[0], HTTP2_BAD_PEER);
	h2_done(&r);
}

/* We say that we want none: who has heard that and pushes is broken */
static void test_push(void **state)
{
	struct buf b = buf_new(1 << 12), block = buf_new(1024);
	struct h2_rig r;

	(void)state;
	h2_open(&r, NULL);
	r.server.quiet = true;
	h2_ask(&r, "GET", "/", 0, NULL);
	h2_run(&r);
	buf_add(&block, "\0\0\0\2", 4);
	request_block(&block);
	h2_raw_frame(&b, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, buf_span(&block));
	http2_feed(r.bridge, HTTP2_PEER, buf_span(&b));
	assert_int_equal(pull_said(&r, HTTP2_PEER).goaway, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(http2_why(r.bridge, HTTP2_PEER), HTTP2_BAD_PEER);
	assert_int_equal(r.failed, 1);
	h2_done(&r);
	buf_done(&b);
	buf_done(&block);
}

/* ---- cuts ---- */

static void capture(struct buf *all)
{
	const nghttp2_nv nv[] = { h2_nv(":method", "POST"), h2_nv(":scheme", "https"),
		h2_nv(":authority", "api.example"), h2_nv(":path", "/one"), h2_nv("a", "b") };
	const uint8_t *out;
	struct h2_rig r;
	ssize_t n;

	h2_open(&r, NULL);
	h2_send(&r.client, nv, 5, 40, true);
	h2_ask(&r, "GET", "/deny", 0, NULL);
	h2_ask(&r, "GET", "/two", 0, "x", "y", NULL);
	while ((n = nghttp2_session_mem_send(r.client.session, &out)) > 0)
		buf_add(all, out, (size_t)n);
	h2_done(&r);
}

static void test_cuts(void **state)
{
	struct buf all = buf_new(1 << 14);

	(void)state;
	capture(&all);
	for (size_t cut = 0; cut <= all.len; cut++) {
		struct h2_rig r;

		h2_open(&r, NULL);
		http2_feed(r.bridge, HTTP2_AGENT, span_head(buf_span(&all), cut));
		run_server(&r);
		assert_true(r.server.requests <= 2);
		if (cut % 2) {	/* and that was all */
			http2_gone(r.bridge, HTTP2_AGENT);
			run_server(&r);
			h2_done(&r);
			continue;
		}
		http2_feed(r.bridge, HTTP2_AGENT, span_skip(buf_span(&all), cut));
		run_server(&r);
		assert_int_equal(r.server.requests, 2);
		assert_int_equal(h2_at(&r.server, 1)->body, 40);
		assert_non_null(strstr(h2_at(&r.server, 1)->fields, "a: b\ngrpc-status: 0\n"));
		assert_string_equal(h2_at(&r.server, 3)->path, "/two");
		h2_done(&r);
	}
	buf_done(&all);
}

static void test_no_preface(void **state)
{
	struct h2_rig r;

	(void)state;
	h2_open(&r, NULL);
	assert_false(http2_feed(r.bridge, HTTP2_AGENT,
				SPAN("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")));
	assert_int_equal(http2_why(r.bridge, HTTP2_AGENT), HTTP2_BAD_AGENT);
	assert_int_equal(pull_said(&r, HTTP2_AGENT).goaway, NGHTTP2_PROTOCOL_ERROR);
	h2_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_rapid_reset),
		cmocka_unit_test(test_continuation_flood),
		cmocka_unit_test(test_large_head),
		cmocka_unit_test(test_too_many_streams),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_cut_answer),
		cmocka_unit_test(test_push),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_no_preface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2.c - a bridge between two sides of raw bytes
 *
 * Each piece of the input: one octet of who speaks and what the owner does meanwhile,
 * two of length, then bytes.  Held to: what goes to the peer is frames of requests
 * that were allowed, as many as were, and each end is told once; the bridge never has
 * more to say than the bounds let it.
 */
#include "fuzz.h"

#include "proxy/http2.h"

#define PIECES_MAX 64
#define SAID_MAX (4u << 20)	/* bytes that a side may be told for an input */

struct owner {
	struct http2	*bridge;
	uint8_t		 act;
	size_t		 asked, ended, allowed, opened;
	int32_t		 waits;
	size_t		 said[2];
	size_t		 frame_left, frame_have, preface_left;	/* of what goes to the peer */
	uint8_t		 head[9];
};

enum { ACT_PEER = 1, ACT_DENY = 2, ACT_LATER = 4, ACT_STOP = 8, ACT_GONE = 16, ACT_ROOM = 32,
       ACT_HOLD = 64, ACT_SET = 128 };

static void on_request(void *ctx, int32_t id, struct http2_request *r)
{
	static const struct http_edits set = { { { { (const uint8_t *)"X-Key", 5 },
						   { (const uint8_t *)"k", 1 } } }, 1 };
	struct owner *o = ctx;
	struct http_request again;

	o->asked++;
	assert(http_request_parse(span_of(r->head.method.at, r->head.head_bytes), &again) == PARSE_OK);
	assert(again.head_bytes == r->head.head_bytes && again.host.len && !r->allowed);
	if (o->act & ACT_LATER)
		o->waits = id;
	else if (o->act & ACT_DENY)
		http2_deny(o->bridge, id, 403, 1, SPAN("{}"));
	else
		o->allowed += http2_allow(o->bridge, id, o->act & ACT_SET ? &set : NULL);
}

static void on_malformed(void *ctx, int32_t id, const struct http2_request *r)
{
	(void)ctx;
	(void)id;
	(void)r;
}

static bool on_head(void *ctx, int32_t id, struct http2_request *q, enum http2_way way, size_t bytes)
{
	struct owner *o = ctx;

	(void)id;
	(void)way;
	(void)q;
	assert(bytes);
	return !(o->act & ACT_STOP) || o->act & ACT_LATER;
}

/* Some of it, none of it, or no more of it at all: with a page now or later, or a reset */
static size_t on_body(void *ctx, int32_t id, struct http2_request *q, enum http2_way way, size_t bytes)
{
	struct owner *o = ctx;

	(void)q;
	assert(bytes);
	if (!(o->act & ACT_STOP))
		return o->act & ACT_ROOM ? bytes / 2 : bytes;
	if (o->act & ACT_DENY)
		http2_deny(o->bridge, id, 413, 0, SPAN("{}"));
	else if (o->act & ACT_LATER && http2_hold(o->bridge, id))
		o->waits = id;
	else if (way == HTTP2_UP)
		http2_stop(o->bridge, id);
	return 0;
}

static void go_on(void *ctx, int32_t id, const struct http2_request *r)
{
	struct owner *o = ctx;

	(void)r;
	http2_resume(o->bridge, id, HTTP2_UP);
	http2_resume(o->bridge, id, HTTP2_DOWN);
}

static void on_failed(void *ctx, int32_t id, enum http2_end why)
{
	struct owner *o = ctx;

	assert(why == HTTP2_BY_PEER || why == HTTP2_BAD_PEER);
	if (o->act & ACT_DENY)
		http2_deny(o->bridge, id, 502, 0, SPAN("{}"));
}

static bool is_guarded(void *ctx, struct span name)
{
	(void)ctx;
	return span_eq(name, SPAN("x-key"));
}

static void on_end(void *ctx, int32_t id, const struct http2_request *r, enum http2_end why)
{
	struct owner *o = ctx;

	(void)id;
	(void)r;
	(void)why;
	o->ended++;
	assert(o->ended <= o->asked);
}

/* Count the streams that are opened to the peer, frame by frame */
static void look(struct owner *o, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		if (o->preface_left) {
			o->preface_left--;
		} else if (o->frame_left) {
			o->frame_left--;
		} else {
			o->head[o->frame_have++] = bytes.at[i];
			if (o->frame_have < sizeof(o->head))
				continue;
			o->frame_have = 0;
			o->frame_left = (size_t)o->head[0] << 16 | (size_t)o->head[1] << 8 | o->head[2];
			/* trailers have no more than END_STREAM, heads come first: DATA tells them apart */
			if (o->head[3] == 1 && (o->head[8] | o->head[7] << 8) > (int)(2 * o->opened - 1))
				o->opened++;
		}
	}
}

static void pull(struct owner *o)
{
	static uint8_t bytes[16384];

	for (int side = 0; side < 2; side++) {
		size_t n;

		while (!(side == HTTP2_PEER && o->act & ACT_HOLD) &&
		       (n = http2_pull(o->bridge, (enum http2_side)side, bytes, sizeof(bytes)))) {
			o->said[side] += n;
			assert(o->said[side] < SAID_MAX);
			if (side == HTTP2_PEER)
				look(o, span_of(bytes, n));
		}
	}
}

static void piece(struct owner *o, struct span bytes)
{
	enum http2_side side = o->act & ACT_PEER ? HTTP2_PEER : HTTP2_AGENT;

	if (o->waits && !(o->act & ACT_LATER)) {
		bool allowed = http2_allow(o->bridge, o->waits, NULL);

		if (!allowed)
			http2_deny(o->bridge, o->waits, 429, 1, SPAN("{}"));
		o->allowed += allowed;
		o->waits = 0;
	}
	http2_feed(o->bridge, side, bytes);
	if (o->act & ACT_GONE)
		http2_gone(o->bridge, side);
	if (o->act & ACT_ROOM)
		http2_each(o->bridge, go_on);
	pull(o);
	assert(o->opened <= o->allowed);
}

static void fuzz_one(struct span in)
{
	static const struct http2_calls calls = { .on_request = on_request, .on_malformed = on_malformed,
		.on_head = on_head, .on_body = on_body, .on_failed = on_failed, .is_guarded = is_guarded, .on_end = on_end };
	struct http2_limits limits = http2_limits_default;
	struct owner o = { .preface_left = 24 };
	struct http2_memory memory = { .used = 0 };

	limits.streams = 10;
	limits.memory = in.len & 2 ? 200000 : 1 << 20;	/* less than may be asked for */
	limits.shared = &memory;
	limits.websocket = in.len & 1;
	o.bridge = http2_new(&calls, &o, &limits);
	assert(o.bridge);
	for (int i = 0; i < PIECES_MAX && in.len > 3; i++) {
		size_t len = (size_t)in.at[1] << 8 | in.at[2];

		o.act = in.at[0];
		in = span_skip(in, 3);
		piece(&o, span_head(in, len));
		assert(memory.used <= limits.memory + 4096);
		in = span_skip(in, len);
	}
	http2_tick(o.bridge);
	o.act = 0;
	pull(&o);
	http2_free(o.bridge);
	assert(o.asked == o.ended);
	assert(!memory.used && !memory.bridges);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_scrub.h"

bool http_scrub_begin(struct http_scrub *s, struct scrub_set *set)
{
	*s = (struct http_scrub){ .data_waits = 0 };
	if (scrub_begin(&s->data, set) && scrub_begin(&s->raw, set))
		return true;
	http_scrub_end(s);
	return false;
}

void http_scrub_end(struct http_scrub *s)
{
	scrub_end(&s->data);
	scrub_end(&s->raw);
	*s = (struct http_scrub){ .data_waits = 0 };
}

/* A piece of a body's data: where it lies among the others, and with its frames */
struct run {
	size_t data, raw, len;
};

struct chunks {
	struct buf data;	/* all of it, without frames */
	struct buf runs;
	bool	   over;	/* the body's end is there, or what is none */
};

static void chunks_read(struct chunks *c, const struct http_body *body, const uint8_t *at, size_t len)
{
	struct http_body walk = *body;
	enum parse p = PARSE_MORE;

	for (size_t i = 0, used; i < len && p == PARSE_MORE; i += used) {
		uint64_t data = http_body_run(&walk);
		struct span piece = span_of(at + i, data < len - i ? (size_t)data : len - i);
		struct run run = { c->data.len, i, piece.len };

		if (piece.len) {
			buf_add_span(&c->data, piece);
			buf_add(&c->runs, &run, sizeof(run));
		} else {
			piece.len = 1;
		}
		p = http_body_feed(&walk, piece, &used);
	}
	c->over = p != PARSE_MORE;
}

/* Put the data back between their frames.  Return: how many bytes lie before the @final-th of them */
static size_t chunks_write(const struct chunks *c, uint8_t *at, size_t len, size_t final)
{
	const struct run *run = (const void *)c->runs.at, *end = run + c->runs.len / sizeof(*run);
	size_t before = len;

	for (; run < end; run++) {
		memcpy(at + run->raw, c->data.at + run->data, run->len);
		if (final >= run->data && final - run->data < run->len)
			before = run->raw + (final - run->data);
	}
	return before;
}

static bool feed_chunks(struct http_scrub *s, const struct http_body *body, uint8_t *at, size_t len,
			size_t *ret_final)
{
	struct chunks c = { .data = buf_new(len), .runs = buf_new((len + 1) * sizeof(struct run)) };
	size_t final, raw;
	bool ok;

	chunks_read(&c, body, at, len);
	ok = !c.data.full && !c.runs.full;
	if (ok) {
		final = scrub_feed(&s->data, c.data.at, s->data_waits, c.data.len);
		if (c.over)
			final = c.data.len;
		*ret_final = chunks_write(&c, at, len, final);
		raw = scrub_feed(&s->raw, at, s->raw_waits, len);
		if (!c.over && raw < *ret_final)
			*ret_final = raw;
	}
	/* what waits in either way was seen in both */
	s->raw_waits = len - *ret_final;
	s->data_waits = 0;
	for (size_t i = 0; ok && i < c.runs.len / sizeof(struct run); i++) {
		const struct run *run = (const struct run *)(const void *)c.runs.at + i;

		if (run->raw + run->len > *ret_final)
			s->data_waits += run->raw < *ret_final ? run->raw + run->len - *ret_final
							       : run->len;
	}
	buf_done(&c.data);
	buf_done(&c.runs);
	return ok;
}

bool http_scrub_feed(struct http_scrub *s, const struct http_body *body, uint8_t *at, size_t len,
		     size_t *ret_final)
{
	uint64_t left = http_body_run(body);
	bool over = body->framing == HTTP_BODY_LENGTH && left <= len;
	size_t data = over ? (size_t)left : len, final;

	*ret_final = len;
	if (!s->data.set || !len)
		return true;
	if (body->framing == HTTP_BODY_CHUNKED)
		return feed_chunks(s, body, at, len, ret_final);
	final = scrub_feed(&s->data, at, s->data_waits, data);
	if (!over)
		*ret_final = final;
	s->data_waits = over ? 0 : data - final;
	return true;
}

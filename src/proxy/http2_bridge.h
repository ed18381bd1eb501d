/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_bridge.h - what the files of the HTTP/2 bridge share
 *
 * A stream joins one of each session.  It is born with the agent's head, and
 * freed when neither session knows it: libnghttp2 calls us for what it still
 * holds, finds us by the stream's user data, and nothing points here any other way.
 */
#ifndef SLUICE_PROXY_HTTP2_BRIDGE_H
#define SLUICE_PROXY_HTTP2_BRIDGE_H

#include <assert.h>
#include <sys/queue.h>

#include "proxy/http2_head.h"

#define BUDGET_FRAMES 2000	/* frames that bring nothing, in one go */
#define BUDGET_FRAMES_TICK 200	/* ... and more of them each second */
#define BUDGET_STREAMS 200	/* streams that are reset or malformed */
#define BUDGET_STREAMS_TICK 10
#define INTERIM_MAX 16		/* 1xx responses to a request */
#define LINGER_BYTES (1u << 20)	/* of an answered request's body that are thrown away, */
#define LINGER_TICKS 3		/* and seconds, before its stream is reset */
#define QUEUE_MAX 512		/* frames that wait for a side, before it is read no more */

/* Bytes that one side sent and the other has not taken */
struct held {
	uint8_t	*at;
	size_t	 from, len, size;
};

enum answer { ANSWER_NONE, ANSWER_PEER, ANSWER_OURS };

struct lane2 {
	struct held	held;
	bool		fin;		/* nothing follows what is held, but @trailers */
	bool		trailers;
	bool		sent;		/* its end is written */
};

struct stream {
	TAILQ_ENTRY(stream) link;
	struct http2	*bridge;
	int32_t		 id[2];		/* by side */
	bool		 open[2];	/* the session knows it */
	bool		 told;		/* on_request() was called */
	bool		 cut;		/* both sides are being reset */
	bool		 deaf;		/* what the peer says of it is not heard any more */
	bool		 bad;		/* a section beyond a bound; told of as malformed */
	bool		 failing;	/* within on_failed() */
	bool		 held_back;	/* the answer is ours, and follows */
	uint8_t		 interim;
	uint8_t		 linger;	/* ticks since our answer went */
	uint32_t	 thrown;	/* bytes of the body after our answer */
	enum answer	 answer;
	enum http2_end	 why;		/* DONE: not known yet */
	struct http2_section section[2]; /* by side: what is being read, or trailers that wait */
	struct http2_section head;	/* of the request */
	struct buf	 text;		/* it as HTTP/1 */
	struct http2_request request;
	struct lane2	 way[2];
	size_t		 paid;		/* bytes that are counted for it */
	struct scrub	 scrub;		/* of what the peer says */
	size_t		 scrubbed;	/* bytes held of the peer's body that it was fed */
};

struct side {
	struct http2	*bridge;
	enum http2_side	 which;
	nghttp2_session	*session;
	struct span	 pending;	/* of libnghttp2, to be pulled */
	uint32_t	 frames, streams;	/* what is left of the budgets */
	enum http2_end	 why;
	bool		 gone;		/* no more is fed */
	bool		 mute;		/* nothing more can be said either */
};

TAILQ_HEAD(stream_list, stream);

struct http2 {
	const struct http2_calls *calls;
	void			 *ctx;
	struct http2_limits	  limits;
	size_t			  used;		/* bytes that it holds */
	struct http2_memory	  *shared;	/* ... and all like it, or */
	struct http2_memory	  alone;
	struct side		  side[2];
	struct stream_list	  streams;
	size_t			  count;
	bool			  draining;	/* the agent was told to open no more streams */
	bool			  closing;	/* the peer takes no more */
	bool			  offered;	/* extended CONNECT */
};

static inline enum http2_side other_side(enum http2_side s)
{
	return s == HTTP2_AGENT ? HTTP2_PEER : HTTP2_AGENT;
}

/* The way of bytes that come from @s */
static inline enum http2_way way_from(enum http2_side s)
{
	return s == HTTP2_AGENT ? HTTP2_UP : HTTP2_DOWN;
}

static inline enum http2_side source_of(enum http2_way w)
{
	return w == HTTP2_UP ? HTTP2_AGENT : HTTP2_PEER;
}

/* http2_stream.c */
struct stream *stream_new(struct http2 *b, int32_t id);
struct stream *stream_of(const struct side *e, int32_t id);
void stream_close(struct stream *s, enum http2_side side, uint32_t code);
void stream_reset(struct stream *s, uint32_t code);
/* The peer is out of it: we answer */
void stream_take_over(struct stream *s);
/* Our answer's body.  Return: false: no memory */
bool stream_put(struct stream *s, struct span body);
/* @to may have more of its body now */
void stream_resume(struct stream *s, enum http2_side to);
void stream_malformed(struct stream *s);
void stream_failed(struct stream *s, enum http2_end why, uint32_t code);
void stream_data(struct stream *s, enum http2_side from, struct span bytes);
void stream_fin(struct stream *s, enum http2_side from);
void stream_answer(struct stream *s, unsigned status, bool fin);
void stream_sent_end(struct stream *s, enum http2_side to);
/* Once a second */
void stream_tick(struct stream *s);
void stream_lose(struct stream *s, enum http2_side side);
void stream_end(struct stream *s, enum http2_end why);
/* on_head(), and what follows from a no */
bool stream_passes(struct stream *s, enum http2_way way, size_t bytes);
/* Room in the windows of @side again */
void stream_credit(struct stream *s, enum http2_side side, size_t bytes);
uint32_t stream_code(uint32_t code);
/* Count what it holds, after that has changed.  Return: false: it has grown too much; whoever
 * made it grow undoes that, and calls this again. */
bool stream_pay(struct stream *s);
/* There is no memory for it: it is reset */
void stream_starve(struct stream *s);

/* http2_memory.c */
bool memory_for_stream(const struct http2 *b, size_t bytes);
bool memory_begin(struct http2 *b);
void memory_end(struct http2 *b);
bool memory_take(struct http2 *b, size_t bytes);
void memory_give(struct http2 *b, size_t bytes);
nghttp2_mem memory_of_library(struct http2 *b);

/* http2_frame.c */
void frame_callbacks(nghttp2_session_callbacks *c);
ssize_t frame_body(nghttp2_session *session, int32_t id, uint8_t *at, size_t size,
		   uint32_t *flags, nghttp2_data_source *source, void *arg);

/* http2.c: it is beyond a bound; its connection ends with ENHANCE_YOUR_CALM */
void side_calm(struct side *e);
/* Take one from a budget */
bool side_spend(struct side *e, uint32_t *budget);
void side_earn(uint32_t *budget, uint32_t more, uint32_t max);
/* No more streams of the agent */
void side_drain(struct http2 *b);

#endif

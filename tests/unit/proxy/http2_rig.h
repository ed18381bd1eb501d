/* SPDX-License-Identifier: Apache-2.0 */
/* http2_rig.h - a bridge between a client and a server of libnghttp2, in memory */
#ifndef SLUICE_TESTS_HTTP2_RIG_H
#define SLUICE_TESTS_HTTP2_RIG_H

#include <nghttp2/nghttp2.h>

#include "../unit.h"
#include "proxy/http2.h"

#define H2_STREAMS 512

/* What an end has seen of a stream, by (id - 1) / 2 */
struct h2_seen {
	bool		 head, fin, closed;
	uint32_t	 code;		/* with which it was closed */
	unsigned	 interim;	/* 1xx */
	char		 status[8], method[16], path[128];
	char		 fields[1024];	/* "name: value\n" of the head, then of trailers */
	size_t		 body;		/* bytes */
	char		 text[512];	/* the first of them */
	/* what this end sends */
	size_t		 left;		/* bytes of the body still to send; SIZE_MAX: waits */
	bool		 trailers;	/* ... and then these */
};

struct h2_end {
	nghttp2_session	*session;
	struct h2_rig	*rig;
	bool		 server, quiet;	/* quiet: it answers nothing by itself */
	struct h2_seen	 seen[H2_STREAMS];
	size_t		 requests, pongs;
	uint32_t	 goaway;	/* its code; UINT32_MAX: none came */
	int32_t		 slow;		/* the client reads nothing of streams up to this one */
	int		 failed;	/* result of nghttp2_session_mem_recv() < 0 */
};

struct h2_rig {
	struct http2	*bridge;
	struct h2_end	 client, server;
	size_t		 piece;		/* bytes fed at a time; 0: all */
	bool		 hold[2];	/* by side: nothing of the bridge is read there */
	unsigned	 asked, malformed, failed, ended, denied;
	int32_t		 last;
	enum http2_end	 why[H2_STREAMS];
	struct http2_request record;	/* of the last that ended; spans are void */
	size_t		 bytes[2][2];	/* by way; head, body */
	size_t		 body_max;	/* on_body() denies a request beyond it, */
	bool		 hold_back;	/* ... or holds its answer back */
	bool		 paced;		/* on_body() has room for so much, */
	size_t		 room[2];
	int32_t		 waits[2];	/* ... and this stream found none */
	bool		 later, deny, page_502;
	struct http2_memory memory;	/* of the bridge, if it shares nothing */
	const struct http_edits *set;
	struct scrub_set *hides;
};

void h2_open(struct h2_rig *r, const struct http2_limits *limits);
void h2_done(struct h2_rig *r);
void h2_run(struct h2_rig *r);		/* until nobody has anything to say */
/* All that the bridge has for @side, thrown away.  Return: bytes */
size_t h2_drop(struct h2_rig *r, enum http2_side side);

/* A request of the client; @body: bytes; fields: "name", "value", ..., NULL.  Return: its id */
int32_t h2_ask(struct h2_rig *r, const char *method, const char *path, size_t body, ...)
	__attribute__((sentinel));
int32_t h2_send(struct h2_end *e, const nghttp2_nv *nv, size_t n, size_t body, bool trailers);
nghttp2_nv h2_nv(const char *name, const char *value);

static inline struct h2_seen *h2_at(struct h2_end *e, int32_t id)
{
	return &e->seen[(id - 1) / 2 % H2_STREAMS];
}

/* Raw frames, for what libnghttp2 would not send */
void h2_raw_frame(struct buf *b, uint8_t type, uint8_t flags, int32_t id, struct span payload);
void h2_raw_field(struct buf *block, const char *name, const char *value);

#endif

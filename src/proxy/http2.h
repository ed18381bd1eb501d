/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2.h - an HTTP/2 connection between a client and a server, stream by stream (RFC 9113)
 *
 * A bridge holds two sessions of libnghttp2: to the agent we are the server, to
 * the peer the client.  It has no socket, no clock and no policy: its owner feeds
 * what it read (after TLS), pulls what is to be written, and answers for each
 * stream whether it may go on.  Nothing of a stream is sent to the peer before
 * http2_allow().  Both sides must speak HTTP/2 (ALPN h2): nothing is translated.
 *
 * A stream is named by its number on the agent's side: unique as long as the
 * bridge lives, 0 is none.  A number whose stream is over is harmless everywhere.
 *
 * Strict (RFC 9113 section 8): what two readers could take for two requests is
 * malformed, and its stream reset with PROTOCOL_ERROR: bad, uppercase or
 * repeated pseudo fields, connection-specific fields, a Host that is not
 * :authority, another scheme than https, a :path that is not in origin form, a body
 * that is not as long as its Content-Length, more than the bounds below.  A request
 * is held to proto/http_head.h too: it is written as an HTTP/1 head and parsed.
 * Plain CONNECT is always refused; extended CONNECT (RFC 8441) is not offered
 * unless the owner says so.  Responses are held to the same.
 *
 * Bounds: struct http2_limits, and for either side a budget of frames that bring
 * nothing and of streams that come to nothing; who goes beyond has its
 * connection ended with ENHANCE_YOUR_CALM.
 */
#ifndef SLUICE_PROXY_HTTP2_H
#define SLUICE_PROXY_HTTP2_H

#include "base/buf.h"
#include "proto/http_edit.h"
#include "proto/http_head.h"
#include "proxy/http2_memory.h"
#include "proto/scrub.h"

enum http2_side { HTTP2_AGENT, HTTP2_PEER };
enum http2_way { HTTP2_UP, HTTP2_DOWN };	/* to the peer, to the agent */

/* Why a stream, or a side, is over */
enum http2_end {
	HTTP2_DONE,		/* the response was written to its end */
	HTTP2_BY_AGENT,		/* reset by the agent, or its connection is gone */
	HTTP2_BY_PEER,
	HTTP2_STOPPED,		/* by the owner: denied, stopped, or the bridge freed */
	HTTP2_BAD_AGENT,	/* malformed, or beyond a bound; from the agent */
	HTTP2_BAD_PEER,
	HTTP2_NO_MEMORY,
};

struct http2_limits {
	uint32_t	streams;	/* at once; 128 */
	uint32_t	stream_window;	/* bytes held of a stream, each way; 256 KiB */
	/*
	 * What a side may send before any of it is passed on; 64 MiB.  Windows open again when
	 * half is used: from twice @streams times @stream_window on, which is the bound of what is
	 * held then, streams that are not read never stop the others.
	 */
	uint32_t	connection_window;
	uint32_t	head;		/* bytes of a head or trailers as HTTP/1 text; <= HTTP_HEAD_MAX */
	bool		websocket;	/* offer extended CONNECT when the peer offers it */
	/*
	 * Bytes that all bridges with the same @shared may hold together, libnghttp2's own
	 * among them; 256 MiB.  Beyond it streams are refused or reset (ENHANCE_YOUR_CALM,
	 * HTTP2_NO_MEMORY), of the bridges that hold most first.  @shared is all 0 again when
	 * they are freed.  NULL: the bridge has them for itself.
	 */
	size_t		memory;
	struct http2_memory *shared;
};
extern const struct http2_limits http2_limits_default;

/*
 * A request as its head says.  Spans live until on_end() of the stream has returned.
 * @head.head_bytes bytes from @head.method.at on are the request as HTTP/1 text:
 * http_field() and credentials_read() work on it, fields in their order, those of
 * :authority first as Host.  An extended CONNECT stands there as the GET with Upgrade
 * that it is (RFC 8441 section 5); @head.upgrade and @head.websocket say which.
 * A body of unknown length is HTTP_BODY_CHUNKED.
 */
struct http2_request {
	struct http_request	head;
	uint16_t		status;		/* of the response to the agent; 0: none yet */
	uint64_t		bytes_out;	/* head and body passed to the peer */
	uint64_t		bytes_in;	/* heads, body, trailers passed to the agent */
	bool			allowed;	/* the peer may have heard of it */
	void			*mine;		/* the owner's; NULL at first */
};

/* What the owner is asked.  All are called from within http2_feed(), http2_pull() and
 * http2_gone(); each may call http2_allow(), http2_deny(), http2_hold(), http2_stop(), nothing
 * else. */
struct http2_calls {
	/* May it go on?  Answer now or later by http2_allow() or http2_deny(). */
	void	(*on_request)(void *ctx, int32_t stream, struct http2_request *r);
	/*
	 * A request that has no one reading; @r->head as far as it could be told, or
	 * empty.  The stream is reset, and on_end() follows only if on_request() came before.
	 */
	void	(*on_malformed)(void *ctx, int32_t stream, const struct http2_request *r);
	/*
	 * @bytes of it are about to pass, of a head or of trailers.
	 * Return: false: they do not pass.  If the owner called http2_deny() before it
	 * returned the agent gets that page (once the response has begun: a reset).
	 */
	bool	(*on_head)(void *ctx, int32_t stream, struct http2_request *r, enum http2_way way,
			   size_t bytes);
	/*
	 * @bytes of the body, at least one, wait; that is all that is known of it.
	 * Return: how many of them pass now.  0: none do, before http2_resume(); or the owner
	 *         has ended the stream.
	 */
	size_t	(*on_body)(void *ctx, int32_t stream, struct http2_request *r, enum http2_way way,
			   size_t bytes);
	/*
	 * The peer answered badly, or is gone, before the response began.  Unless the owner
	 * calls http2_deny() (502) the stream is reset.  A reset by a living peer is passed on
	 * without asking.
	 */
	void	(*on_failed)(void *ctx, int32_t stream, enum http2_end why);
	/* Is a field of that name looked at by a rule?  Then it may not come as a trailer. */
	bool	(*is_guarded)(void *ctx, struct span name);
	/* Once for each stream that on_request() was called for */
	void	(*on_end)(void *ctx, int32_t stream, const struct http2_request *r,
			  enum http2_end why);
};

struct http2;

/* Does the memory that is in use leave room for another bridge? */
bool http2_has_room(const struct http2_limits *limits);

/* NULL: no memory, or too much of it is in use.  @calls and @ctx must outlive the bridge. */
struct http2 *http2_new(const struct http2_calls *calls, void *ctx,
			const struct http2_limits *limits);

/* Tells of the end of every stream that stands; the sockets are the owner's to reset or close */
void http2_free(struct http2 *b);

/*
 * http2_feed() - bytes that came from @side; all are taken
 *
 * Return: false once the side is over: nothing more is read from it.  What
 *         http2_pull() still has for both sides (GOAWAY, resets) should be written.
 */
bool http2_feed(struct http2 *b, enum http2_side side, struct span bytes);

/* Up to @size bytes to write to @side, in order; 0: none now */
size_t http2_pull(struct http2 *b, enum http2_side side, uint8_t *at, size_t size);

/* What to wait for on @side: bits */
enum { HTTP2_READ = 1, HTTP2_WRITE = 2 };	/* feed it; http2_pull() has bytes */
unsigned http2_wants(const struct http2 *b, enum http2_side side);

/*
 * The stream may be opened to the peer.
 * @set:	fields that replace all of their name, or are added; NULL: none.  The name in any
 *		case, the value without CR, LF, NUL; it is never entered into the compression
 *		table.  Copied.
 * Return: false if it may not: the stream is over, was answered already, or is a
 *         CONNECT (other than for a websocket that was offered).
 */
bool http2_allow(struct http2 *b, int32_t stream, const struct http_edits *set);

/* What the peer's side of the stream must not say, before http2_allow().  Return: false: no
 * memory. */
bool http2_hide(struct http2 *b, int32_t stream, struct scrub_set *hides);

/*
 * Answer it ourselves: application/json, Cache-Control: no-store, Retry-After if
 * @retry_s.  The peer's side of it, if it was allowed, is reset.  Once the response
 * has begun this is http2_stop().
 */
void http2_deny(struct http2 *b, int32_t stream, unsigned status, uint32_t retry_s,
		struct span json);

/*
 * The peer's side of it is reset, if there is one, and what the agent gets is ours and follows:
 * by http2_deny(), or by a reset.
 * Return: false: the response has begun, and the stream was reset.
 */
bool http2_hold(struct http2 *b, int32_t stream);

/* Reset it on both sides */
void http2_stop(struct http2 *b, int32_t stream);

/* on_body() may have another answer now */
void http2_resume(struct http2 *b, int32_t stream, enum http2_way way);

/* @side has sent all that it will (end of stream, or an error): its streams end */
void http2_gone(struct http2 *b, enum http2_side side);

/* Once a second, while the connection stands: budgets grow again */
void http2_tick(struct http2 *b);

/* Nothing stands and nothing will come: close both sockets.  What a side that is gone was to
 * be told may be lost by that, but why an agent was sent away. */
bool http2_over(const struct http2 *b);

/* Why @side is over, for the log; HTTP2_DONE: it is not, or ended well */
enum http2_end http2_why(const struct http2 *b, enum http2_side side);

/* Each stream that stands; @call may do what struct http2_calls may */
void http2_each(struct http2 *b, void (*call)(void *ctx, int32_t stream,
					      const struct http2_request *r));

#endif

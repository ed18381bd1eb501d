/* SPDX-License-Identifier: Apache-2.0 */
/* http_turn.h - the request that stands and its answer; for http.c and http_answer.c alone */
#ifndef SLUICE_PROXY_HTTP_TURN_H
#define SLUICE_PROXY_HTTP_TURN_H

#include "proto/http_body.h"
#include "proto/http_scrub.h"
#include "proxy/flow.h"
#include "proxy/look.h"

#define TURN_HEAD_MAX LOOK_MAX	/* bytes of a head */

enum request { REQUEST_HEAD, REQUEST_BODY, REQUEST_SENT };
enum answer_part { PART_NONE, PART_HEAD, PART_BODY };

struct http {
	enum request	 request;
	enum answer_part answer;
	struct http_body request_body, answer_body;
	struct buf	 ahead;		/* from the client, not judged yet */
	struct buf	 partial;	/* of the server's head */
	struct buf	 record;	/* method, host, path of the request that stands */
	struct talk_http told;		/* lengths of those, status */
	bool		 keep_alive;	/* as far as both sides have said */
	bool		 last_words;	/* the client has said that it says no more */
	bool		 agent_eof;
	bool		 peer_failed;	/* takes no more; what it answers still counts */
	uint64_t	 body_max;	/* bytes of the request that stands, at most */
	enum reason	 body_reason;	/* for which no more may pass */
	uint16_t	 host_port;	/* told of it again if it is stopped */
	bool		 too_large;	/* the next byte of the body is one too many */
	bool		 more;		/* the server has sent more than there is room for */
	bool		 websocket;	/* it asks for one */
	bool		 overrides;	/* it may mean another method */
	bool		 pushes;	/* ... or begin a push */
	bool		 tunnel;	/* and the server has agreed: no more requests */
	bool		 asked;		/* the keeper was asked about the head that lies in `ahead` */
	bool		 handed;	/* that head is of explicit.c's */
	size_t		 head_bytes;	/* of the request, as it was sent */
	struct buf	 edited;	/* its head as it goes to the server; empty: as it was sent */
	struct http_scrub scrub;	/* of the answer */
};

/* http.c: the connection cannot go on, and the client must see that it was cut */
void http_cut(struct flow *f, enum flow_end end, enum reason reason);

/* http.c: no more of the request that stands, or of its answer, may pass */
void http_stop(struct flow *f, enum reason reason);

/* http_answer.c.  Return: wants of this direction; the state may have changed */
unsigned http_answer_step(struct flow *f);

#endif

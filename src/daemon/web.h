/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web.h - a client of a role that serves pages: one request a connection, one answer
 *
 * What the exporter and the dashboard have alike.  They read requests, and say what the answer is.
 */
#ifndef SLUICE_DAEMON_WEB_H
#define SLUICE_DAEMON_WEB_H

#include "base/auto.h"
#include "base/buf.h"

#define WEB_REQUEST_MAX 16384	/* bytes of a head and its body, at most */

enum web_stage { WEB_HEAD, WEB_WAIT, WEB_ANSWER, WEB_END };

struct web_client {
	int		 fd;		/* -1: free */
	enum web_stage	 stage;
	uint32_t	 serial;	/* of who has the slot */
	int64_t		 end_ms;
	uint8_t		 in[WEB_REQUEST_MAX];
	size_t		 in_len;
	struct buf	 answer;
	size_t		 sent;
};

/*
 * web_slot() - a free slot, or that of who has been there longest, who is let go
 *
 * Connections that say nothing keep nobody out.  Who waits for an answer of somebody else's (WEB_WAIT) stays.
 * Return: NULL: all do
 */
struct web_client *web_slot(struct web_client *clients, size_t count);

/* @fd is taken.  It has @limit_ms.  @serial: one more than of who came before */
void web_begin(struct web_client *c, int fd, int64_t limit_ms, uint32_t serial);
void web_end(struct web_client *c);

/*
 * web_answer() - what is to be sent
 * @fields:	more of the head, each with its CRLF; ""
 * @bare:	the head alone, of @body
 */
void web_answer(struct web_client *c, const char *status, const char *type, const char *fields,
		struct span body, bool bare);

/* What has come, up to @max bytes in all.  Return: there is more of the request than before */
bool web_reads(struct web_client *c, size_t max);

/* A turn of one that has asked: its answer goes, and what it still sends is passed over */
void web_writes(struct web_client *c);
void web_drains(struct web_client *c);

#endif

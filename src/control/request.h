/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h - what a command may ask a running session, or the daemon: one JSON object a line
 *
 *	{"do":"status"}
 *	{"do":"approvals"}
 *	{"do":"approve","id":N,"scope":"once|session|timed|always","for":SECONDS}
 *	{"do":"reject","id":N,"never":true|false}
 *	{"do":"reload"}
 *	{"do":"events","from":N}	the newest records of the log, from that byte of the file on
 *	{"do":"spare","ports":[N,...]}	the daemon's own pages are there: host_ports lead there no longer
 *	{"do":"web"}			from now on this connection may only what control_request_is_web() says
 *
 * approve and reject may name what was read, "host","port","transport":"tcp|udp": if the question
 * of that number is about something else nothing is decided.
 *
 * The daemon's own:
 *	{"do":"attach","session":"NAME","pid":N,"policies":["NAME or /PATH"],"labels":["K=V"]}
 *	{"do":"attach","session":"NAME","netns":"/PATH",...}
 *	{"do":"attach",...,"mode":"MODE","guest":"LINK=MAC"}	(a virtual machine behind LINK)
 *	{"do":"attach",...,"publish":["[ADDR:]PORT[:INSIDE]"]}
 *	{"do":"attach",...,"uplink":true}	(a container that stays on an engine's network)
 *	{"do":"detach","session":"NAME"}
 *	{"do":"held"}
 *
 * The answer is one object on one line: {"ok":true,...}, or {"ok":false,"error":"..."}.
 */
#ifndef SLUICE_CONTROL_REQUEST_H
#define SLUICE_CONTROL_REQUEST_H

#include <jansson.h>

#include "policy/approval.h"

#define CONTROL_LINE_MAX 4096		/* bytes of a request */
#define CONTROL_ANSWER_MAX (1u << 20)	/* bytes of an answer */
#define CONTROL_HELD_MAX (32u << 20)	/* ... to `held`: each session has words of a request's length */
#define CONTROL_FOR_MAX_S 86400		/* a day: longer is `session` */

enum control_do { CONTROL_STATUS, CONTROL_APPROVALS, CONTROL_APPROVE, CONTROL_REJECT,
		  CONTROL_RELOAD, CONTROL_ATTACH, CONTROL_DETACH, CONTROL_HELD, CONTROL_EVENTS,
		  CONTROL_WEB, CONTROL_SPARE, CONTROL_NUM };

#define CONTROL_PORTS_MAX 2	/* pages of a daemon's */
#define CONTROL_WORDS_MAX 32	/* policies, or labels, of one request */

struct control_words {
	const char	*at[CONTROL_WORDS_MAX];
	size_t		 count;
};

/* @value: a list of texts, none empty, which must live on.  Return: false: it is none */
bool control_words_read(const json_t *value, struct control_words *ret);
void control_words_write(struct buf *b, const char *key, const struct control_words *w);

struct control_ports {
	uint16_t	at[CONTROL_PORTS_MAX];
	size_t		count;
};

struct control_request {
	enum control_do	what;
	uint32_t	id;		/* of approve and reject; from 1 */
	enum scope	scope;		/* of approve; once if nothing is said */
	int64_t		for_s;		/* SCOPE_TIMED; 0: nothing was said */
	bool		never;		/* of reject: nor later in the session */
	const char	*host;		/* of approve and reject: what was read; NULL: nothing was said */
	uint16_t	port;		/* ... with it */
	enum transport	transport;
	uint64_t	from;		/* of events */
	const char	*session;	/* of attach and detach */
	const char	*netns;		/* of attach: its path, or NULL */
	uint32_t	pid;		/* of attach without netns */
	const char	*mode, *guest;	/* of attach; NULL: nothing was said, none */
	struct control_words policies, labels, publish;	/* of attach */
	bool		uplink;		/* of attach */
	struct control_ports ports;	/* of spare */
	json_t		*object;	/* that the texts lie in; NULL: they are the caller's */
};

/*
 * control_request_parse() - one line, without its newline
 *
 * Keys that do not belong to what is asked are refused, as are duplicates.
 * Return: false and *ret_why, in words.  control_request_done() in any case.
 */
bool control_request_parse(struct span line, struct control_request *ret, const char **ret_why);

void control_request_done(struct control_request *r);

/*
 * control_request_is_web() - may it be asked over a connection that said "web"?
 *
 * Reading, and a decision about a question that is named with its host and port, for no longer
 * than the session.
 */
bool control_request_is_web(const struct control_request *r);

/* The same as text, with its newline, appended to @b */
void control_request_write(const struct control_request *r, struct buf *b);

/* Bytes that the answer to it has at most */
static inline size_t control_answer_max(const struct control_request *r)
{
	return r->what == CONTROL_HELD ? CONTROL_HELD_MAX : CONTROL_ANSWER_MAX;
}

#endif

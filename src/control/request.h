/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h - what a command may ask a running session: one JSON object a line
 *
 *	{"do":"status"}
 *	{"do":"approvals"}
 *	{"do":"approve","id":N,"scope":"once|session|timed|always","for":SECONDS}
 *	{"do":"reject","id":N,"never":true|false}
 *	{"do":"reload"}
 *
 * The answer is one object on one line: {"ok":true,...}, or {"ok":false,"error":"..."}.
 */
#ifndef SLUICE_CONTROL_REQUEST_H
#define SLUICE_CONTROL_REQUEST_H

#include "policy/approval.h"

#define CONTROL_LINE_MAX 4096		/* bytes of a request */
#define CONTROL_ANSWER_MAX (1u << 20)	/* bytes of an answer */
#define CONTROL_FOR_MAX_S 86400		/* a day: longer is `session` */

enum control_do { CONTROL_STATUS, CONTROL_APPROVALS, CONTROL_APPROVE, CONTROL_REJECT,
		  CONTROL_RELOAD, CONTROL_NUM };

struct control_request {
	enum control_do	what;
	uint32_t	id;		/* of approve and reject; from 1 */
	enum scope	scope;		/* of approve; once if nothing is said */
	int64_t		for_s;		/* SCOPE_TIMED; 0: nothing was said */
	bool		never;		/* of reject: nor later in the session */
};

/*
 * control_request_parse() - one line, without its newline
 *
 * Keys that do not belong to what is asked are refused, as are duplicates.
 * Return: false and *ret_why, in words.
 */
bool control_request_parse(struct span line, struct control_request *ret, const char **ret_why);

/* The same as text, with its newline, appended to @b */
void control_request_write(const struct control_request *r, struct buf *b);

#endif

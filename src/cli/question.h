/* SPDX-License-Identifier: Apache-2.0 */
/*
 * question.h - --ask: questions on the user's terminal, one at a time
 *
 * The agent must not be able to answer.  It writes to a pty of its own, which is held; what the
 * user's terminal still says because of what the agent wrote before (reports) is thrown away for
 * a moment; and what allows something must be followed by two letters that are drawn
 * anew for each question and shown only then.
 */
#ifndef SLUICE_CLI_QUESTION_H
#define SLUICE_CLI_QUESTION_H

#include "daemon/approvals.h"
#include "daemon/terminal.h"

#define QUESTION_LETTERS 2

struct asker {
	struct terminal	*terminal;
	struct keeper	*keeper;
	uint32_t	 number;	/* of the question that is shown; 0: none */
	char		 letters[QUESTION_LETTERS + 1];
	char		 typed[1 + QUESTION_LETTERS];
	size_t		 typed_len;
	unsigned	 wrong;		/* answers to it with other letters */
	size_t		 rows;		/* that it takes */
	bool		 shown;		/* false: the window is too small for it */
};

/* The questions have changed: show the first, or what became of the one that is shown */
void asker_changed(void *arg, struct keeper *k);

/* "90" of --ask=90, or "" of --ask.  Return: false and @err */
bool ask_time_parse(const char *text, int64_t *ret_ms, struct err *err);

#endif

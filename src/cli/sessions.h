/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.h - the sessions of this user that run, and what they answer */
#ifndef SLUICE_CLI_SESSIONS_H
#define SLUICE_CLI_SESSIONS_H

#include <limits.h>

#include "cli/naming.h"
#include "control/client.h"

#define SESSIONS_MAX 1024

struct sessions {
	char	folder[PATH_MAX];
	char	name[SESSIONS_MAX][CONTROL_NAME_MAX + 1];
	size_t	count;
};

/* What has the name of a session's socket; whether one lives shows when it is asked */
bool sessions_find(struct sessions *s, struct err *err);

/* Ask one.  NULL without @err: it is dead, and its socket is removed */
json_t *session_ask(const struct sessions *s, const char *name, const struct control_request *r,
		    struct err *err);

/* The answers of all that live, in the order of their names; what one has against it is said */
json_t *sessions_ask(struct sessions *s, const struct control_request *r);

/* Of an answer: a text, or an empty one; a number, or 0 */
struct span json_text(const json_t *object, const char *key);
unsigned long long json_number(const json_t *object, const char *key);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - ask a running session something, and wait for what it says */
#ifndef SLUICE_CONTROL_CLIENT_H
#define SLUICE_CONTROL_CLIENT_H

#include <jansson.h>

#include "base/err.h"
#include "control/request.h"

#define CONTROL_WAIT_MS 5000	/* for an answer */
#define CONTROL_START_WAIT_MS 30000	/* for one of the daemon's, about a keeper's start or end */

/*
 * control_ask() - send @r on @fd, read one line
 *
 * Return: the answer, to json_decref(); its "ok" is true.  NULL and @err: what the session said
 * against it, or why there is no answer.
 */
json_t *control_ask(int fd, const struct control_request *r, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook.h - the keeper's side of alerts.webhook: see courier.h
 *
 * The keeper writes an alert and waits for nothing.  What does not fit into the socket's buffer
 * is lost, and counted as such.
 */
#ifndef SLUICE_DAEMON_WEBHOOK_H
#define SLUICE_DAEMON_WEBHOOK_H

#include "daemon/keeper.h"

struct webhook;

/*
 * webhook_new() - begin to count, and put down what the courier must know
 * @key_path:	its key: made once, 0600, if there is none; the file's text without the newline
 * @ret_theirs:	the courier's end, to be closed once it has it
 *
 * Return: NULL and @err.
 */
struct webhook *webhook_new(struct keeper *k, const char *url, const char *key_path,
			    int *ret_theirs, struct err *err);
void webhook_send(struct webhook *w, const char *session, const struct audit_alert *e);
void webhook_lost(struct webhook *w);		/* the courier is gone */

/* Wait until all has arrived or is given up; bounded.  Then the courier ends by itself. */
void webhook_end(struct webhook *w);
void webhook_free(struct webhook *w);		/* NULL is fine */

#endif

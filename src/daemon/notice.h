/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notice.h - http://sluice.internal/: what the jail may know of itself
 *
 *	GET /		what there is
 *	GET /policy	the rules that hold, as `sluice policy show` has them
 *	GET /denials	what was denied so far, why, and what would allow it
 *	POST /requests	ask a person to approve a host and port (wishes.c)
 *
 * The gate has parsed the request and tells method and path, and of a POST what it says; the answer
 * is written here, whole, into a socket that the gate relays from.  Nothing is read from it.  To ask
 * is recorded as any other connection; it changes nothing.
 */
#ifndef SLUICE_DAEMON_NOTICE_H
#define SLUICE_DAEMON_NOTICE_H

#include "daemon/conn.h"
#include "policy/host.h"

#define NOTICE_OPEN_MAX 64	/* that are answered at once: each holds a descriptor and its page */
#define NOTICE_BYTES_MAX (96u << 10)	/* of a page; what is longer is cut, and says so */

/* wishes.c: the answer to a POST.  Return: its status */
unsigned wish_write(struct conn *c, struct buf *body);

/* Is it the address of sluice.internal? */
bool notice_is_at(const struct keeper *k, const struct addr *a);

/* May it be answered here?  REASON_ALLOWED, or why not */
enum reason notice_judge(const struct keeper *k, const struct talk_ask *a, const struct told *t);

/*
 * notice_answer() - write the answer to the request of @c, and record it
 *
 * Return: the socket for the gate, or -1.  The other end is @c's.
 */
int notice_answer(struct conn *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal.c - whose connection the kernel has refused
 *
 * A SYN that the kernel's rules refuse is told of by nfnetlink_log, and by then the
 * socket is in no table any more.  But the broker made that connect for somebody
 * who was waiting for it, and has sent a note: it comes by a shorter way, and is
 * kept until the drop comes.  Notes of one destination are taken in their order.
 */
#include <string.h>

#include "daemon/clock.h"
#include "daemon/keeper.h"
#include "jail/broker.h"

#define REFUSALS_MAX 64		/* notes kept; as many drops of one kind are recorded one by one */
#define REFUSAL_MS 2000		/* a drop that comes later is not its own */

struct refusals {
	size_t	next;			/* where the next note goes */
	struct refusal {
		struct addr	server;
		uint16_t	port;	/* 0: free */
		int64_t		since_ms;
		struct process	process;
	} at[REFUSALS_MAX];
};

void conn_unix_denied(struct keeper *k, const struct broker_note *note)
{
	struct span path = span_of(note->path, strnlen(note->path, sizeof(note->path)));
	struct audit_conn e = {
		.conn = ++k->conn_count, .host = path, .proto = "unix", .verdict = ANSWER_DENY,
		.reason = REASON_NO_RULE, .process.pid = process_of_thread(note->pid),
		.process.exe = span_of(note->exe, strnlen(note->exe, sizeof(note->exe))),
	};

	if (k->closed)
		return;
	audit_conn_open(k->audit, &e);
	keeper_denied(k, &(struct denied){ .host = path, .unix_socket = true, .times = 1 },
		      RULE_NONE);
	keeper_stir(k);
}

void refusal_note(struct keeper *k, const struct broker_note *note)
{
	struct refusal *r;

	if (!k->refusals)
		k->refusals = calloc(1, sizeof(*k->refusals));
	if (!k->refusals || audit_folds(k->audit, REASON_IP_LITERAL))
		return;
	r = &k->refusals->at[k->refusals->next++ % REFUSALS_MAX];
	*r = (struct refusal){ note->server, note->port, clock_ms(), { .pid = 0 } };
	r->process.pid = process_of_thread(note->pid);
	r->process.exe_len = strnlen(note->exe, sizeof(note->exe));
	memcpy(r->process.exe, note->exe, r->process.exe_len);
}

bool refusal_take(struct keeper *k, const struct socket_key *key, struct process *ret)
{
	if (!k->refusals || key->transport != TRANSPORT_TCP)
		return false;
	for (size_t i = 0; i < REFUSALS_MAX; i++) {
		struct refusal *r = &k->refusals->at[(k->refusals->next + i) % REFUSALS_MAX];

		if (!r->port || r->port != key->server_port ||
		    !addr_eq(&r->server, &key->server) || clock_ms() - r->since_ms > REFUSAL_MS)
			continue;
		*ret = r->process;
		r->port = 0;
		return true;
	}
	return false;
}

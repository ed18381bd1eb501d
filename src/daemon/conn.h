/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - a connection as the keeper has it; for conn.c and its neighbours alone */
#ifndef SLUICE_DAEMON_CONN_H
#define SLUICE_DAEMON_CONN_H

#include "daemon/keeper.h"

#define CONNS_MAX 32768		/* a gate has at most 16384 TCP flows and 2048 UDP flows */

struct conn {
	struct conn	*next;		/* in its bucket */
	struct conn	*next_dial;
	struct keeper	*keeper;
	uint32_t	 ref;
	uint32_t	 host;		/* binding, or BINDING_NONE */
	uint64_t	 number;	/* in the log */
	struct addr	 literal;
	struct addr	 ip;		/* dialled */
	struct permit	 permit;
	struct verdict	 verdict;
	struct dial	*dial;
	int64_t		 since_ms;
	uint64_t	 dialled_us;	/* when its server was; 0: nothing that is timed */
	uint8_t		 seen, door;
	bool		 has_ip;	/* the gate has its socket */
	bool		 resolving;
	bool		 gone;		/* forgotten while resolving */
	bool		 empty;		/* open, and nothing was dialled */
	bool		 inspect;	/* its TLS ends in the gate */
	bool		 once;		/* a person has approved this very connection */
	uint32_t	 waits;		/* for an answer to this question (policy/approval.h); 0 */
	bool		 through;	/* by upstream_proxy: the permit has its addresses */
	uint16_t	 proxy_status;	/* what that answered, if it did not connect */
	const char	*proto;
	const char	*late_proto;	/* what it turned out to be once its client spoke; or NULL */
	struct talk_ask	 ask;		/* what was told, with its texts in @tail */
	struct buf	 tail;
	struct socket_key from;
	struct span	 words;		/* why its TLS failed; only while that is told */
	int		 near;		/* our end of a socket pair that the gate has the other of; -1 */
};

/* The facts of an ask, with their texts found */
struct told {
	const struct talk_ask *ask;
	struct span	 sni, alpn, host, method, path, digests;
	struct socket_key from;		/* who asked */
};

/*
 * conn_told_read() - find the texts of an ask
 *
 * Every value is judged: the gate may have been taken over.  @ret_told borrows @a and @tail.
 */
bool conn_told_read(const struct talk_ask *a, struct span tail, struct told *ret_told);
size_t conn_told_max(void);		/* bytes of the texts, at most */
void conn_told_keep(const struct told *t, struct buf *tail);	/* add them to @tail, to be read again */

/* The question that facts make; @host: a binding, or BINDING_NONE */
struct question conn_question_of(struct keeper *k, const struct told *t, uint32_t host);

/*
 * conn_deny() - record a connection that is denied, and tell the gate
 * @ref:	UINT32_MAX: nobody is to be told
 * @refused:	the address for which it is, or NULL
 */
void conn_deny(struct keeper *k, uint32_t ref, const struct told *t, const struct question *q,
	       const struct verdict *v, const struct addr *refused);

/* One more, in the table.  NULL at the bound, or out of memory */
struct conn *conn_new(struct keeper *k, uint32_t ref, const struct told *t, uint32_t host,
		      const struct verdict *v);
void conn_allow(struct conn *c);	/* its verdict says so: resolve, record, dial */

/* The client's socket in the jail; of what comes in from the host there is none */
struct socket_key conn_asker(const struct talk_ask *a);

struct conn *conn_find(struct keeper *k, uint32_t ref);
void conn_unlink(struct conn *c);
void conn_free(struct conn *c);		/* NULL is fine; one that is resolved goes when that is done */
struct span conn_host(const struct conn *c);	/* the name; empty: a literal */

/* The facts that are kept of it */
struct told conn_told(const struct conn *c);

/* The question that its facts make, as if it was asked now */
struct question conn_question(const struct conn *c);

/* The resolver has answered.  Return: false if nobody waits for it any more; @c is gone */
bool conn_resolved(struct conn *c);

/* Append conn.open; dial once it is written */
void conn_record(struct conn *c);

/* Deny one that was not recorded yet; @c is gone */
void conn_refuse(struct conn *c, enum reason reason, const struct addr *refused);

/* Append the one conn.close of a connection */
void conn_record_close(struct conn *c, const char *end, enum reason reason,
		       const struct talk_closed *t);

void conn_tell_denied(struct keeper *k, uint32_t ref, const struct question *q,
		      const struct verdict *v, bool dialled);

/* reach.c: it is allowed: by the proxy, or straight to the permit's addresses */
void conn_reach(struct conn *c, const struct question *q);

/* rejudge.c: is every one that is open allowed still? */
void conn_rejudge_all(struct keeper *k);

/* reach.c: end one that is recorded and has no socket yet; @c is gone */
void conn_abandon(struct conn *c, const char *end, enum reason reason);

#endif

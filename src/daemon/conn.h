/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - a connection as the keeper has it; for conn.c and its neighbours alone */
#ifndef SLUICE_DAEMON_CONN_H
#define SLUICE_DAEMON_CONN_H

#include "daemon/keeper.h"

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
	uint8_t		 seen, door;
	bool		 has_ip;	/* the gate has its socket */
	bool		 resolving;
	bool		 gone;		/* forgotten while resolving */
	bool		 empty;		/* open, and nothing was dialled */
	const char	*proto;
	struct talk_ask	 ask;		/* what was told, with its texts in @tail */
	struct buf	 tail;
	struct socket_key from;
};

/* The facts of an ask, with their texts found */
struct told {
	const struct talk_ask *ask;
	struct span	 sni, alpn, host, method, path, digests;
	struct socket_key from;		/* who asked */
};

/* The question that its facts make, as if it was asked now */
struct question conn_question(const struct conn *c);

/* Deny one that was not recorded yet; @c is gone */
void conn_refuse(struct conn *c, enum reason reason, const struct addr *refused);

/* End one that is recorded and has no socket yet; @c is gone */
void conn_abandon(struct conn *c, const char *end, enum reason reason);

#endif

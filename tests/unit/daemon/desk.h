/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk.h - a keeper whose gate, resolver, network and kernel are the test
 *
 * Link it before lib_daemon: it defines resolve_ask(), dial_start(),
 * dial_cancel(), link_open(), link_change() and porter_socket(), and so they are not pulled in.
 */
#ifndef SLUICE_TESTS_DESK_H
#define SLUICE_TESTS_DESK_H

#include "daemon/keeper.h"

#define DESK_HOST "api.example.com"	/* allowed on 22, 80, 443, 8080 and 123/udp; private on 8443 */
#define DESK_LITERAL "203.0.113.7"	/* an `ip` rule, port 22 */
#define DESK_ASK_MS 30000
#define DESK_ANSWERS 64
#define DESK_PARKED 64

struct answer_seen {
	uint16_t	type;
	uint32_t	id;
	int		fd;
	struct talk_deny deny;
	struct talk_kill kill;
	struct talk_dns_answer dns;
	struct talk_target target;
};

struct desk_dial {
	dial_done	*done;
	void		*arg;
	struct permit	 permit;
};

enum desk_dials { DIALS_WORK, DIALS_FAIL, DIALS_WAIT };

struct desk {
	struct keeper	 k;
	struct msg_link	 gate;
	struct policy	*policy;
	struct summary	 summary;
	char		 dir[64], log[80], key[80];
	const char	*closed;		/* why; NULL: it is open */
	struct answer_seen answers[DESK_ANSWERS];
	size_t		 answer_count, answer_next;
	/* what stands in for the rest of the world */
	bool		 resolve_waits;
	struct resolution resolution;
	struct {
		resolve_done	*done;
		void		*arg;
	} asked[DESK_PARKED];
	size_t		 asked_count;
	enum desk_dials	 dials;
	struct desk_dial *parked[DESK_PARKED];	/* NULL: cancelled or over */
	struct permit	 last_permit;
	size_t		 dial_count, parked_count;
	int		 link_result;
	size_t		 link_changes;
};

void desk_open(struct desk *d);
void desk_open_asking(struct desk *d);	/* `default: ask`, and somebody to ask */
/* Ends the session as daemon/session does.  Of each connection that was allowed the
 * log must then have one end. */
void desk_done(struct desk *d);

void desk_run(struct desk *d);		/* until nothing happens any more; takes in the answers */
void desk_say(struct desk *d, enum gate_says what, uint32_t id, const void *head, size_t len,
	      struct span tail);
/* Bind a name as a DNS query does.  Return: its address */
struct addr desk_bind_name(struct desk *d, const char *host);
struct addr desk_bind(struct desk *d);	/* DESK_HOST */
void desk_resolved(struct desk *d, size_t at);	/* answer a question that waits */
void desk_dialled(struct desk *d, size_t at, bool well);

/* The next answer to the gate, or NULL */
const struct answer_seen *desk_answer(struct desk *d);

/* Lines of the log, as far as it is written, of @event with @text in them */
size_t desk_count(const struct desk *d, const char *event, const char *text);

#endif

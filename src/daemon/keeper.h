/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.h - the role that decides, records and dials; one per session
 *
 * Holds	the policy, the bindings, the audit log and its key, the resolver
 * Should	answer the gate: every verdict is in the log before it takes effect
 * Mustn't	parse a byte of the agent's or the network's
 * Accepts	the gate's facts (policy/talk.h), the resolver's answers; judges both
 *
 * One turn of the loop: messages of the gate are handled, which appends
 * records, collects answers for the gate and a list of connections to dial.
 * keeper_settle() then writes the records with one write(2), and only after
 * that dials and sends.  If the log cannot be written the gate's link is closed
 * with everything that was collected: the jail has no network from then on.
 */
#ifndef SLUICE_DAEMON_KEEPER_H
#define SLUICE_DAEMON_KEEPER_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "audit/audit.h"
#include "audit/summary.h"
#include "daemon/dial.h"
#include "daemon/place.h"
#include "daemon/resolve.h"
#include "daemon/share.h"
#include "jail/process.h"
#include "net/msg.h"
#include "policy/binding.h"
#include "policy/talk.h"

#define CONN_BUCKETS 4096
#define WANTED_MAX 16384	/* targets that are looked up; a gate has at most as many flows */
#define WISHES_MAX 64		/* as many as pages are answered at once */
#define GATE_LIMIT_MS 5000	/* for the gate to take a new policy */

struct approvals;
struct approval_question;
struct conn;
struct broker_note;
struct refusals;
struct watched;

/* The policy as the jail may read it: see notice.h */
struct notice {
	struct buf	 policy;
	uint32_t	 generation;	/* of the policy that it is of */
	unsigned	 open;		/* pages that were not read to their end yet */
	struct wish_answer {
		uint32_t ref;		/* of the flow that asked; 0: nobody */
		uint16_t status;
		const char *state;	/* "waiting" ... */
		enum reason reason;	/* of a denial */
	}		 wishes[WISHES_MAX];	/* answers to wishes whose page is not written yet */
	unsigned	 last_wish;
};

struct keeper {
	struct event_base	*loop;
	struct msg_link		 gate;
	struct event		 gate_ev, settle_ev, tick_ev;
	bool			 writing;	/* gate_ev waits for room as well */
	bool			 gate_ready;
	bool			 inspects;	/* the gate has a CA */
	bool			 closed;	/* the jail has no network any more */
	bool			 cooperative;	/* `sluice proxy`: there is no jail */
	const char		*guest;		/* its interface, if the jail is a virtual machine's; NULL */
	int			 stats_fd;	/* what that counts; -1 */
	bool			 kernel_alone;	/* it lets pass or refuses, and tells; nobody asks */
	struct {
		int		 fd;		/* JAIL_ALIVE_KEEPER; -1 */
		const char	*session;	/* whose it is; NULL: there is no such wall */
		uint64_t	 forged;	/* frames that the log tells of */
	} port;
	const struct policy	*policy;
	uint16_t		 spared[2];	/* host_ports lead there no longer: a daemon's pages; 0: none */
	uint32_t		 generation;	/* of the policy: how often it was changed */
	uint32_t		 gate_generation;	/* that the gate judges by */
	int64_t			 changed_ms;	/* when it was changed last */
	const char		*proxy_credentials;	/* "USER:PASSWORD" for upstream_proxy; NULL */
	struct bindings		*bindings;
	struct resolve		*resolve;
	struct audit		*audit;
	struct summary		*summary;
	struct place_store	 place;
	int			 nft_fd;	/* the jail's sets of open addresses */
	int			 porter_fd;	/* makes sockets in the jail; -1 */
	struct processes	*processes;	/* who holds a socket of the jail's; NULL: unknown */
	struct process		 process;	/* the last one found */
	struct approvals	*approvals;	/* what waits for a person, and what he said */
	/* A question has come, or one has gone; or NULL */
	void			(*on_questions)(void *arg);
	/* Keep for good what was approved.  Return: false and @err if it cannot be */
	bool			(*keep_always)(void *arg, const struct approval_question *q,
					       struct err *err);
	void			(*say)(void *arg, const char *words);	/* to the user; or NULL */
	struct refusals		*refusals;	/* who the kernel refused a moment ago; or NULL */
	void			(*hear)(void *arg);	/* take in what the broker has to say; or NULL */
	struct socket_key	 asker;		/* of the DNS query that is being handled */
	uint8_t			 probe_token[16];
	bool			 probing;	/* before the command runs */
	size_t			 wanted_count;	/* of target.c */
	struct notice		 notice;
	struct watched		*watched;	/* what is counted: watched.h; NULL: nothing */
	uint64_t		 conn_count;	/* conn.open records */
	uint64_t		 denied_count;
	struct conn		*bucket[CONN_BUCKETS];
	size_t			 conn_held;	/* in the buckets */
	struct conn		*to_dial, **to_dial_end;
	void			(*on_closed)(void *arg, const char *why);
	void			(*on_alert)(void *arg, const struct audit_alert *e);	/* or NULL */
	void			(*on_kill)(void *arg, const char *why);	/* end the command; or NULL */
	void			*arg;
};

/* Fills in the loop's events; everything above `loop` must be set by the caller */
bool keeper_start(struct keeper *k, int gate_fd, struct err *err);

/* Write, then dial and answer.  Handlers call keeper_stir(), which runs it once
 * after the events that are active now. */
void keeper_settle(struct keeper *k);
void keeper_stir(struct keeper *k);

/* Take the network away: the gate's link is closed and the gate ends, and with it
 * every connection, as the log then says.  Nothing is freed here. */
void keeper_close(struct keeper *k, const char *why);

/* Put a message for the gate; sent when the records are written */
void keeper_tell(struct keeper *k, enum keeper_says what, uint32_t id, const void *head,
		 size_t len, struct span tail, int fd);

/* Count a denial for the lines at the end; see summary_add().  @rule: the one that denied, or
 * RULE_NONE; if it is quiet no line tells of it. */
void keeper_denied(struct keeper *k, const struct denied *d, uint32_t rule);

/*
 * keeper_usable() - may a name be reached, as far as its addresses tell?
 * @permit:	gets the addresses that may be dialled
 *
 * Through upstream_proxy it may without any, since the proxy looks it up; but not if an address
 * is known that may not be dialled, for nobody could keep the proxy from it.
 * Return: false: *ret_reason and *ret_refused as for keeper_addresses()
 */
bool keeper_usable(struct keeper *k, const struct question *q, const struct verdict *v,
		   const struct resolution *r, struct permit *permit, enum reason *ret_reason,
		   struct addr *ret_refused);

void keeper_done(struct keeper *k);

/* The rule that a verdict names, for the record */
struct audit_rule keeper_rule(const struct keeper *k, const struct verdict *v);

/*
 * keeper_process() - whose socket it is, for the record of a verdict
 *
 * Asked for each denial that gets a record of its own, and with log.process for what is
 * allowed.  It informs: nothing is decided by it.
 * Return: its text lives until the next call.
 */
struct audit_process keeper_process(struct keeper *k, const struct socket_key *from,
				    enum answer verdict, enum reason reason);

/* refusal.c: the broker tells who it was whose SYN the kernel has refused */
void conn_unix_denied(struct keeper *k, const struct broker_note *note);	/* refused by itself */
void refusal_note(struct keeper *k, const struct broker_note *note);
/* Once for each note.  Return: false: none is known */
bool refusal_take(struct keeper *k, const struct socket_key *key, struct process *ret);

/* conn.c: connections */
void conn_ask(struct keeper *k, uint32_t ref, const struct talk_ask *ask, struct span tail,
	      bool again);
void conn_closed(struct keeper *k, uint32_t ref, const struct talk_closed *c);
void conn_http(struct keeper *k, uint32_t ref, const struct talk_http *h, struct span tail);
void conn_dial_all(struct keeper *k);	/* after the records are written */
void conn_unreached(struct keeper *k, uint32_t ref, const struct talk_unreached *u);
void conn_untrusted(struct keeper *k, uint32_t ref, struct span words);	/* inspected.c */
void conn_drop(struct keeper *k, const struct talk_drop *d);
void conn_forged(struct keeper *k);	/* record what the wall around the container's port dropped since */
void conn_close_all(struct keeper *k);	/* record the end of every one; dial no more */
void conn_done(struct keeper *k);	/* forget every connection */
size_t conn_open_count(const struct keeper *k);

/* wishes.c: what the agent asks for in words */
void wish_take(struct keeper *k, uint32_t ref, const struct talk_wish *w, struct span tail);

/* target.c: where a proxy's client wants to go */
void target_ask(struct keeper *k, uint32_t ref, const struct talk_ask *ask, struct span tail);

/* limited.c: what the gate counts */
bool limited_is_valid(const struct talk_ask *a);
void limited_judge(const struct talk_ask *a, struct verdict *v);
/* Record an alert and tell of it; @host: empty, a name in normal form or an address' text */
void keeper_alert(struct keeper *k, const struct talk_alert *a, struct span host);
void limited_alert(struct keeper *k, const struct talk_alert *a, struct span host);

/*
 * rejudge.c: judge by another policy from now on
 *
 * What is open and no longer allowed is reset.  @new lives until the next change; the old one
 * may go when this returns.
 */
void keeper_change_policy(struct keeper *k, const struct shared_policy *new);
/* The values that go with the gate's next policy; @fd stays the caller's; -1: there are none.
 * Return: false: errno. */
bool keeper_tell_secrets(struct keeper *k, int fd);
void keeper_gate_changed(struct keeper *k, uint32_t generation);	/* the gate says so */
void keeper_check_gate(struct keeper *k);	/* once a second: has it? */

/* names.c: DNS queries */
void name_ask(struct keeper *k, uint32_t id, const struct talk_dns_ask *ask, struct span name);
/* The kernel lets through what the bound names may be reached on by @after; it has what @before says */
void names_change(struct keeper *k, const struct policy *before, const struct policy *after);

/*
 * keeper_addresses() - which of a name's addresses may be dialled
 *
 * Return: the count.  0: *ret_reason says why (resolve_failed, special_address),
 *         *ret_refused is one that was dropped.
 */
size_t keeper_addresses(struct keeper *k, const struct question *q, const struct verdict *v,
			const struct resolution *r, struct addr *ret_addrs,
			enum reason *ret_reason, struct addr *ret_refused);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h - the record: JSON Lines in a chain (contract section 4)
 *
 * Writing is two steps.  audit_*() append an event to a buffer in memory, with
 * its seq, time and the hash of the line before.  audit_flush() hands all of
 * them to the kernel with one write(2): only after it has returned 0 may the
 * verdicts take effect.  After any failure (disk full, log.max) the audit is
 * broken for good: audit_flush() keeps returning the error and the caller
 * denies everything.  What failed to be written is withdrawn whole, the file
 * cut back to the flush before; events that follow count in the totals only.
 * The last 4 KiB below log.max are kept for session.end and its checkpoint,
 * which audit_close() also tries after a failure: such a log is complete.
 *
 * The chain: prev is the hex SHA-256 of the previous line without its newline,
 * 64 zeros at seq 0.  checkpoint lines sign prev with Ed25519: the message is
 * the 64 ASCII characters of the line's own prev.  A checkpoint's ts is that of
 * the line before it, so that it has no byte that could be changed unseen.
 * A continued file goes on in seq and prev with a session.start; a line that a
 * crash tore off at its end is cut away first.
 */
#ifndef SLUICE_AUDIT_AUDIT_H
#define SLUICE_AUDIT_AUDIT_H

#include "audit/copy.h"
#include "base/addr.h"
#include "base/err.h"
#include "policy/policy.h"

struct audit;

struct audit_options {
	const char	*path;		/* made 0600 with its directory 0700; an existing file is
					 * continued if it verifies with this key, else refused;
					 * symlinks refused; character devices taken as they are */
	const char	*key_path;	/* keys/audit.key: made once, 0600; FILE.pub beside it */
	const char	*session;
	uint64_t	 max_bytes;	/* log.max, of all pieces together; 0: 1 GB */
	uint64_t	 rotate_bytes;	/* log.rotate: see pieces.h; 0: never */
	bool		 sync;		/* log.sync: fdatasync in every flush */
	bool		 copies[COPY_NUM];	/* also to these (copy.h); one that is not there is an error */
};

/* Return: NULL and @err.  The file is locked (flock) against a second writer. */
struct audit *audit_open(const struct audit_options *o, struct err *err);

/*
 * audit_keep() - what of events is kept from now on: @log's dns and paths
 *
 * Until it is called names are, and paths are redacted.  Without dns the names that
 * are allowed are counted and have no line; what is denied has.
 */
void audit_keep(struct audit *a, const struct policy_log *log);

/*
 * audit_flush() - hand everything appended to the kernel
 *
 * Also writes a checkpoint when one is due (1,000 events).  A short write is
 * completed, or the audit is broken.
 * Return: 0, or negative errno; then nothing that was appended may take effect.
 */
int audit_flush(struct audit *a) MUST_CHECK;

/*
 * audit_tick() - call once a second, at least every 10 s
 *
 * Records denials that were folded in a second that is over, and a checkpoint if
 * an event would be unsigned for more than 10 s at the next tick.  Flushes.
 * Return: as audit_flush().
 */
int audit_tick(struct audit *a) MUST_CHECK;

/* Would a denial of this reason be folded now?  Then what it cost to learn about it is lost. */
bool audit_folds(const struct audit *a, enum reason reason);

/* Lines that a copy was not taken of */
uint64_t audit_lost(const struct audit *a, enum copy_to to);

/* Is there something to flush? */
bool audit_pending(const struct audit *a);

/* The descriptor of the log (for masks: fstat), still owned by the audit */
int audit_fd(const struct audit *a);

/* Final checkpoint, flush, close, free.  audit_session_end() comes before.
 * Return: 0, or the error that broke it, now or before. */
int audit_close(struct audit *a);

/* Running totals, for session.end, the report and metrics.  connections counts
 * every conn.open, denied every denial of name, connection or request; folded
 * ones and those that a broken audit could not record are in both. */
struct audit_totals {
	uint64_t connections, denied, dns, bytes_out, bytes_in, alerts;
};
const struct audit_totals *audit_totals(const struct audit *a);

/*
 * What is told of an event to who counts (src/watch).  Every event that the functions below
 * append comes by here, and just once: also denials that fold into one record, names that
 * log.dns leaves out, and what a broken audit could not record, as in the totals.
 */
enum audit_kind { AUDIT_NAME, AUDIT_OPEN, AUDIT_CLOSE, AUDIT_REQUEST, AUDIT_DROP, AUDIT_ALERT,
		  AUDIT_RELOAD };
struct audit_seen {
	enum audit_kind	 kind;
	enum answer	 verdict;	/* of NAME, OPEN, REQUEST */
	enum reason	 reason;
	struct span	 text;		/* NAME: the name; REQUEST: the method; ALERT: its kind */
	uint64_t	 bytes_out, bytes_in;	/* CLOSE */
	uint64_t	 count;		/* DROP */
};

/* @see must not append to the audit.  NULL: nobody. */
void audit_watch(struct audit *a, void (*see)(void *arg, const struct audit_seen *e), void *arg);

/* What is in the file: lines of this session, bytes in all, and the bound on those */
struct audit_size {
	uint64_t lines, bytes, max_bytes;
};
struct audit_size audit_size(const struct audit *a);

struct audit_label {
	const char *key, *value;
};

struct audit_start {
	enum mode	 mode;
	const char	*command;	/* as log.command wants it */
	const struct audit_label *labels;
	size_t		 label_count;
	const char	*policy_sha256;
	const char	*version;
};

/* The rule of a verdict, for the record; all NULL when no rule is named */
struct audit_rule {
	const char *id;			/* NULL: null */
	const char *layer;
};

/* Which process it was, as far as could be told; a pid as the jail counts */
struct audit_process {
	int32_t		 pid;		/* 0: unknown, and not written */
	struct span	 exe;		/* the same, if empty.  As it came: the agent may have chosen it */
};

struct audit_dns {
	struct span	 name;
	uint16_t	 type;		/* written as A, AAAA, TXT ... or TYPE123 (RFC 3597) */
	enum answer	 verdict;	/* written "allow" | "deny" */
	enum reason	 reason;
	struct audit_rule rule;
	const struct addr *answer;	/* synthetic address given, or NULL */
	struct audit_process process;
};

struct audit_conn {
	uint64_t	 conn;		/* number, from 1 */
	struct span	 host;		/* empty: the address literal's text stands in */
	struct addr	 literal;
	const struct addr *ips;		/* what may be dialled */
	size_t		 ip_count;
	uint16_t	 port;
	const char	*proto;		/* tcp | tls | http | ssh | udp; unix: @host is a path */
	enum answer	 verdict;
	enum reason	 reason;
	struct audit_rule rule;
	bool		 has_sni;	/* write sni */
	struct span	 sni;
	struct span	 alpn;		/* empty: not written */
	struct audit_process process;
};

struct audit_close {
	uint64_t	 conn;
	struct span	 host;
	const struct addr *ip;		/* dialled; NULL: none was */
	uint16_t	 port;
	uint64_t	 bytes_out, bytes_in;
	uint64_t	 duration_ms;
	const char	*end;		/* client|server|idle|limit|killed|error */
	enum reason	 reason;	/* REASON_ALLOWED: not written */
	struct span	 detail;	/* of the reason, in words of a library; empty: not written */
	const char	*proto;		/* as it turned out after conn.open was written; NULL: as that says */
};

struct audit_http {
	uint64_t	 conn;
	struct span	 host, method, path;	/* the path as it came: see audit/redact.h */
	uint16_t	 port;
	unsigned	 status;	/* 0: none was seen */
	enum answer	 verdict;
	enum reason	 reason;
	struct audit_rule rule;
	uint64_t	 bytes_out, bytes_in;
};

struct audit_drop {
	const char	*proto;
	struct addr	 ip;
	uint16_t	 port;
	uint64_t	 count;
};

struct audit_alert {
	const char	*kind;		/* contract section 4 */
	uint64_t	 value, threshold;
	struct span	 message;
};

struct audit_approval {
	struct span	 host;
	uint16_t	 port;
	const char	*decision;	/* approved | denied | timeout | left */
	const char	*by;		/* terminal | control | web | agent; NULL: nobody */
	const char	*scope;		/* once | session | timed | always */
	uint64_t	 waited_ms;
};

/*
 * Denials (dns, conn, http with verdict deny) beyond 50 a second of one reason
 * are folded: one "denials" record a second tells reason, count, distinct
 * hosts and a sample.  Folding is done here; callers append all of them.
 * distinct is exact below 512 and means "or more" there.
 *
 * What comes before session.start or after session.end is not recorded, and
 * audit_flush() returns -ESHUTDOWN from then on: it may not take effect.
 */
void audit_session_start(struct audit *a, const struct audit_start *e);
void audit_dns_query(struct audit *a, const struct audit_dns *e);
void audit_conn_open(struct audit *a, const struct audit_conn *e);
void audit_conn_close(struct audit *a, const struct audit_close *e);
void audit_http_done(struct audit *a, const struct audit_http *e);
void audit_packet_drop(struct audit *a, const struct audit_drop *e);
void audit_alert(struct audit *a, const struct audit_alert *e);
void audit_approval(struct audit *a, const struct audit_approval *e);
void audit_session_end(struct audit *a, int exit_code);

/* A reload: @sha256 of the policy that holds now; @why: it was refused, and this is the old one */
void audit_policy_reload(struct audit *a, const char *sha256, bool changed, const char *why);

#endif

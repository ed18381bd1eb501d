/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - one event becomes one line of the chain
 *
 * Pure but for memory: time comes in, bytes go to a buffer.  This is the hot
 * path of every connection, so nothing here formats with printf, one digest
 * context serves all lines, and the text of a second is made once.
 *
 * Text from the wire is cut to RECORD_TEXT_MAX bytes and then ends in "...";
 * no text can make a line longer than RECORD_LINE_MAX.
 */
#ifndef SLUICE_AUDIT_RECORD_H
#define SLUICE_AUDIT_RECORD_H

#include <openssl/evp.h>

#include "audit/audit.h"

#define HASH_HEX 64		/* characters of a hex SHA-256 or a raw Ed25519 public key */
#define SIG_HEX 128		/* of a hex Ed25519 signature */
#define KEY_ID_HEX 16		/* of a key_id: the first of the SHA-256 of the raw public key */
#define TIME_TEXT 27		/* of 2026-01-31T12:00:00.000000Z */
#define RECORD_TEXT_MAX 1024	/* bytes of one text from the wire; a host has 253 */
#define RECORD_LINE_MAX 65536	/* bytes of a line with its newline; the longest that the wire can
				 * cause has about 20 kB, the rest is for labels */
#define RECORD_PATH_MAX (256 << 10)	/* bytes of a path before it is cut: four request heads */
#define RECORD_BATCH_MAX (4 << 20)	/* bytes between two flushes; 8,000 usual events */

/* Where in the chain the next line goes; a copy is enough to go back to it */
struct chain {
	uint64_t seq;			/* of the next line */
	char	 prev[HASH_HEX];	/* hash of the last line; no NUL */
	char	 ts[TIME_TEXT];		/* time of the last line; no NUL */
};

struct record {
	struct buf	 out;		/* whole lines; full: one was lost, the chain broken */
	struct chain	 chain;
	size_t		 line;		/* offset in @out of the line being written */
	int64_t		 second;	/* the one that chain.ts tells */
	struct buf	 session;	/* the text between ts and the event's name */
	enum detail	 paths;
	struct buf	 path;		/* scratch: a redacted path, uncut */
	EVP_MD		*sha256;
	EVP_MD_CTX	*digest;
};

/* Events that the sink makes itself */
struct record_start {
	const struct audit_start *start;
	const char	*key_id, *key;	/* hex */
};
struct record_denials {
	enum reason	 reason;
	uint64_t	 count;
	uint32_t	 distinct;
	const struct span *sample;
	size_t		 sample_count;
};

/* A chain with no line yet */
struct chain chain_start(void);

/* Return: false when out of memory.  Starts at chain_start(). */
bool record_init(struct record *r, const char *session);
void record_done(struct record *r);

/* Go on from @c, the end of an existing log or an earlier place; @out is emptied */
void record_resume(struct record *r, const struct chain *c);

/* One line each, appended to r->out; @now_us: microseconds since 1970 */
void record_session_start(struct record *r, int64_t now_us, const struct record_start *e);
void record_dns_query(struct record *r, int64_t now_us, const struct audit_dns *e);
void record_conn_open(struct record *r, int64_t now_us, const struct audit_conn *e);
void record_conn_close(struct record *r, int64_t now_us, const struct audit_close *e);
void record_http(struct record *r, int64_t now_us, const struct audit_http *e);
void record_packet_drop(struct record *r, int64_t now_us, const struct audit_drop *e);
void record_approval(struct record *r, int64_t now_us, const struct audit_approval *e);
void record_alert(struct record *r, int64_t now_us, const struct audit_alert *e);
void record_denials(struct record *r, int64_t now_us, const struct record_denials *e);
void record_policy_reload(struct record *r, int64_t now_us, const char *sha256, bool changed,
			  const char *why);
void record_session_end(struct record *r, int64_t now_us, int exit_code,
			const struct audit_totals *totals);

/*
 * record_checkpoint() - the line that signs the chain so far
 *
 * Its ts is that of the line before it.  So a checkpoint has no byte that the
 * lines before it, the key and its signature do not determine, and the last
 * line of a log, whose hash nobody holds, cannot be changed unseen either.
 */
void record_checkpoint(struct record *r, const char key_id[KEY_ID_HEX], const char sig[SIG_HEX]);

/* Lower-case hex of @len bytes, no NUL */
void hex_encode(const uint8_t *bytes, size_t len, char *dst);
/* Return: false unless @hex is exactly 2 * @len lower-case digits */
bool hex_decode(struct span hex, uint8_t *ret_bytes, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.h - what a session has used of what its policy grants
 *
 * One struct per session, in the gate, which is the one place that sees every
 * byte and every request: there is one window for each rate and one counter for
 * each quota, whichever connection uses it.  Pure: time and bytes are arguments.
 *
 * A rule with rate, quota or bandwidth has an account, found again by the
 * rule's id when the policy is replaced: what was used stays used.  The
 * session's own limits (`limits:`) act as on_exceed says: alert lets pass, block
 * answers REASON_LIMIT, kill answers REASON_KILLED.  Rules always act.
 *
 * What is a request: an HTTP/1 request that is seen, and a connection (or a flow of
 * datagrams) in which none is seen.  A request that is refused uses nothing.
 *
 * Alerts wait here until limits_alert() takes them: one for each crossing of a
 * bound, and of a bound that is crossed again and again one a minute at most.
 */
#ifndef SLUICE_POLICY_LIMITS_H
#define SLUICE_POLICY_LIMITS_H

#include "base/hash.h"
#include "policy/alert.h"
#include "policy/bucket.h"
#include "policy/policy.h"

#define ACCOUNT_NONE UINT32_MAX
#define ERRORS_OF 20		/* requests that error_rate looks back at */
#define ERRORS_LEAST 6		/* below that many it says nothing */
#define BLOCK_US 60000000	/* error_rate with block: for so long; then it starts anew */
#define ALERT_QUIET_US 60000000	/* between two alerts of one bound */

enum way { WAY_UP, WAY_DOWN };	/* out of the jail; into it */

struct limits;

/* Return: NULL if memory is out */
struct limits *limits_new(const struct seed *seed);
void limits_free(struct limits *l);

/* Take a policy, the first or another.  Return: false if memory is out or rules are too many. */
bool limits_policy(struct limits *l, const struct policy *p, uint64_t now_us);

/* What one connection uses; all zero but for the account.  Without one that rule has none. */
struct usage {
	uint32_t	account;
	bool		whole;		/* no request is seen in it: it is one */
	uint64_t	upload;		/* bytes out of the jail */
};

/* The account of a rule, or ACCOUNT_NONE; @rule may be RULE_NONE */
uint32_t limits_account(const struct limits *l, uint32_t rule);

/* Does anything count the bytes of a connection with that account? */
bool limits_meters(const struct limits *l, uint32_t account);

/* Does anything count requests under that account? */
bool limits_counts(const struct limits *l, uint32_t account);

struct limits_request {
	uint32_t	account;
	struct span	host;		/* name, or text of an address */
	uint64_t	body_bytes;	/* as far as they are known */
	uint64_t	now_us;
};

/*
 * limits_request() - may this request pass?  If so it is counted.
 * @ret_retry_s:	seconds after which it may, for rates; else 0
 *
 * Return: REASON_ALLOWED, REASON_RATE, REASON_QUOTA, REASON_LIMIT or REASON_KILLED.
 */
enum reason limits_request(struct limits *l, const struct limits_request *r, uint32_t *ret_retry_s);

/* How a request ended: @error if it was refused, failed, or answered with 4xx or 5xx.
 * Not to be told of what limits_request() answered with REASON_LIMIT or REASON_KILLED. */
void limits_outcome(struct limits *l, bool error, uint64_t now_us);

/* Bytes that may pass before a quota or total is used up; not bandwidth */
uint64_t limits_room(const struct limits *l, const struct usage *u, enum way way);

/* @bytes pass */
void limits_moved(struct limits *l, struct usage *u, enum way way, uint64_t bytes, uint64_t now_us);

/* ... and after all did not arrive */
void limits_returned(struct limits *l, struct usage *u, enum way way, uint64_t bytes);

/*
 * limits_exceeded() - @bytes want to pass, more than limits_room() has
 *
 * Return: why it must not: REASON_QUOTA, REASON_LIMIT or REASON_KILLED.
 */
enum reason limits_exceeded(struct limits *l, const struct usage *u, enum way way, uint64_t bytes,
			    uint64_t now_us);

/* Bytes of one request's body that may pass (limits.upload_per_request) */
uint64_t limits_body_room(const struct limits *l);

/* A body has grown from @before to @after bytes, or would.  Return: as limits_request(). */
enum reason limits_body(struct limits *l, uint64_t before, uint64_t after, uint64_t now_us);

/* The bandwidth of an account, or NULL */
struct bucket *limits_bucket(struct limits *l, uint32_t account, enum way way);

struct limits_alert {
	enum alert	kind;
	bool		per_host;
	uint64_t	value, threshold;
};

/* The next alert, if there is one.  To be taken after each call above: few find room. */
bool limits_alert(struct limits *l, struct limits_alert *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h - a compiled policy, and the one function that judges
 *
 * A compiled policy is one position-independent block of memory (an image):
 * offsets instead of pointers, so that the keeper can hand it to the gate as a
 * sealed memfd and both judge with the same bytes and the same code.  Nothing
 * here does I/O, reads a clock or allocates while judging.
 */
#ifndef SLUICE_POLICY_POLICY_H
#define SLUICE_POLICY_POLICY_H

#include "base/addr.h"
#include "base/buf.h"
#include "policy/reason.h"

#define HOST_MAX 253		/* octets of a host name's text, RFC 1035 2.3.4 */
#define RULE_NONE UINT32_MAX
#define AMOUNT_NONE UINT64_MAX	/* no bound was set, of bytes and the like */
#define DIGEST_BYTES 32		/* SHA-256 */
#define CREDENTIALS_MAX 8	/* names of header fields with credentials in one policy */

struct policy;			/* the image; see policy_attach() */

enum layer { LAYER_SYSTEM, LAYER_USER, LAYER_PROJECT, LAYER_POLICY, LAYER_FLAG, LAYER_NUM };
enum mode { MODE_ISOLATED, MODE_INTERNAL, MODE_FILTERED, MODE_MONITOR, MODE_NUM };
enum transport { TRANSPORT_TCP, TRANSPORT_UDP };

const char *layer_name(enum layer l);	/* "system" ... "flag" */
const char *mode_name(enum mode m);

/* What was seen of the client's first bytes */
enum seen {
	SEEN_NOT_YET,		/* nobody looked */
	SEEN_OTHER,		/* looked: neither TLS nor HTTP/1 */
	SEEN_TLS,		/* a whole ClientHello; sni, has_sni, ech are set */
	SEEN_HTTP,		/* a whole HTTP/1 request head; http_host, method, path */
	SEEN_UPGRADE,		/* leaves HTTP/1: the HTTP/2 preface in clear, Upgrade, CONNECT; for
				 * a websocket http_host, method and path are set too */
	SEEN_QUIC,		/* a QUIC long header in the first datagram */
	SEEN_MALFORMED,		/* TLS or HTTP that has no single reading */
};

enum about {
	ABOUT_NAME,		/* may this name be looked up?  Uses host and dns_type only */
	ABOUT_CONN,		/* may this connection be made? */
};

/* What a person said to a host and port that no rule matches (contract section 2, approvals) */
enum standing {
	STANDING_OPEN,		/* nothing yet */
	STANDING_APPROVED,
	STANDING_REJECTED,	/* ... for as long as the session lasts */
};

struct question {
	enum about	 about;
	uint16_t	 dns_type;	/* ABOUT_NAME: of the records; 0: not told, any */
	struct span	 host;		/* normal form (host_normal()); empty: @addr is a literal */
	struct addr	 addr;		/* the literal destination, if host is empty */
	uint16_t	 port;		/* host order */
	enum transport	 transport;
	enum seen	 seen;
	bool		 has_sni;
	bool		 ech;
	struct span	 sni;		/* as sent, not normalised */
	struct span	 http_host;	/* authority of Host, without port, as sent */
	uint16_t	 http_port;	/* port of that authority; 0: none */
	struct span	 method;
	bool		 overrides;	/* a field says that another method is meant: it suits no
					 * rule for some methods, and every such deny rule */
	bool		 pushes;	/* git_is_push(): to rules it is a POST too */
	struct span	 path;		/* as sent, without query; normalised where it is compared */
	bool		 websocket;	/* the request would leave HTTP for a websocket */
	bool		 inspected;	/* SEEN_HTTP: the request was inside of TLS, whose SNI agreed */
	bool		 any_request;	/* nobody knows the request yet (check HOST:PORT): pass if one
					 * could; what it hangs on is in verdict.depends.  Of the data
					 * path only policy_inspects() says so. */
	bool		 any_credential;	/* the same for the credential alone (check URL) */
	uint64_t	 body_bytes;	/* of the request, as far as they are known; 0: none yet */
	unsigned	 credentials;	/* bit n: the field policy_credential(p, n) was there once */
	const uint8_t	(*digests)[DIGEST_BYTES];	/* [CREDENTIALS_MAX], of those values; or NULL */
	struct span	 tls_words;	/* only for words: why the TLS of the server failed; or empty */
	uint16_t	 proxy_status;	/* only for words: what upstream_proxy answered; 0: nothing */
	int64_t		 now_s;		/* seconds since 1970; for expires.  0: unknown, and then what
					 * expires allows nothing and denies still */
	enum standing	 standing;	/* of the host, and the port if it is about a connection; counts
					 * only where the answer would be to ask */
};

enum answer { ANSWER_DENY, ANSWER_ALLOW, ANSWER_ASK, ANSWER_NEED };

enum need { NEED_TLS = 1, NEED_HTTP = 2 };

/* What the answer to a question without a request hangs on */
enum depends {
	DEPENDS_METHOD = 1, DEPENDS_PATH = 2,
	DEPENDS_CREDENTIAL = 4,
	DEPENDS_INSPECTION = 8,		/* set by check: on what is inside of TLS */
};

struct verdict {
	enum answer	 answer;
	enum reason	 reason;	/* REASON_ALLOWED for ALLOW; undefined for NEED */
	uint32_t	 rule;		/* the rule named in the log, or RULE_NONE */
	unsigned	 need;		/* for NEED: bits of enum need that must be looked at first */
	bool		 watch;		/* for ALLOW: look at the client's first bytes on the way; if they
					 * are TLS or HTTP ask again with what was seen */
	unsigned	 depends;	/* for ALLOW: bits of enum depends; 0 on the data path */
	enum reason	 why;		/* for REASON_ALLOWED_APPROVED: what the rules alone say, and */
	uint32_t	 why_rule;	/* the rule that came furthest */
};

/*
 * policy_decide() - judge one question
 *
 * Pure.  The order of reasons is that of contract section 2: malformed, mode,
 * deny_rule, ..., then of the allow rule that came furthest what stopped it.
 * Binding of SNI and Host to the name is judged here too (sni_missing,
 * sni_mismatch, host_mismatch, ech, protocol).
 *
 * ANSWER_ASK, with `default: ask`, is for a host by name that no rule matches as far as host,
 * port and time go; its reason is what the rules say.  Everything else has been judged as it is
 * for a rule that allows the host and port: what is denied then is never asked about.
 */
struct verdict policy_decide(const struct policy *p, const struct question *q);

/*
 * policy_inspects() - must what is inside of a TLS connection be seen, and may it be?
 * @q:		with SEEN_TLS
 * @v:		what policy_decide() said of it
 *
 * Then *@v becomes the verdict for the connection, which lets it pass; each request inside
 * is judged by itself, with question.inspected.  For a caller that does not ask the answer
 * stays no.  Where it would have to be asked for first, *@v says so and the answer is no.
 */
bool policy_inspects(const struct policy *p, const struct question *q, struct verdict *v);

/*
 * policy_rule_passes() - would this allow rule let @q pass if it were the only one?
 *
 * Deny rules do not count: policy_decide() has let it pass.
 */
bool policy_rule_passes(const struct policy *p, uint32_t rule, const struct question *q);

/* Is there a connection that policy_inspects() could be true for? */
bool policy_may_inspect(const struct policy *p);

/* What the machine itself is, for judging addresses: filled by the caller */
struct place {
	const struct net	*own;		/* the host's own addresses, as /128s */
	size_t			 own_count;
	const struct net	*connected;	/* networks of its interfaces */
	size_t			 connected_count;
};

/*
 * policy_address() - may a connection that @q's verdict allowed go to @a?
 * @q:		the question; host set: @a is one of its resolved addresses.
 *		host empty: @a is the literal itself
 *
 * Special-purpose addresses, embedded IPv4 (mapped, NAT64, 6to4 ...), the
 * host's own and connected networks, cloud metadata, multicast: contract
 * section 2, "An address literal needs an ip rule ...".  An ip deny rule holds
 * for resolved addresses too.
 *
 * An ip_list holds for resolved addresses too, unless an allow rule that names
 * the host exactly counts more.
 *
 * Return: REASON_ALLOWED, REASON_SPECIAL_ADDRESS, REASON_DENY_RULE or REASON_IP_LIST.
 */
enum reason policy_address(const struct policy *p, const struct question *q,
			   const struct verdict *v, const struct place *place,
			   const struct addr *a);

enum protocol { PROTOCOL_AUTO, PROTOCOL_TLS, PROTOCOL_HTTP, PROTOCOL_TCP, PROTOCOL_UDP };

struct port_range {
	uint16_t	first, last;	/* inclusive, host order */
	enum transport	transport;
};

/* At most @count in each @per_s seconds; count 0: no rate was set */
struct rate {
	uint32_t	count;
	uint32_t	per_s;		/* 1, 60 or 3600 */
};

/* Rates that all hold, at most one a window: 1 s, 60 s, 3600 s in this order */
#define RATE_WINDOWS 3
struct rates {
	struct rate	at[RATE_WINDOWS];	/* count 0: none in that window */
};

static inline bool rates_any(const struct rates *r)
{
	return r->at[0].count || r->at[1].count || r->at[2].count;
}

/* Where a rule was written; @line 0: @file is a flag's name, or "configured" */
struct origin {
	const char	*file;
	unsigned	 line;
};

/* Texts of the image, one after the other */
struct texts {
	const struct policy *policy;
	uint32_t	 at;
	uint32_t	 count;
};
/* @i must be below t->count */
const char *texts_at(const struct texts *t, uint32_t i);

enum inspect { INSPECT_AUTO, INSPECT_ALWAYS, INSPECT_NEVER };

/* A rule as a person or a log wants to see it; borrowed from the image */
struct rule_view {
	const char	*id;		/* "FILE:allow[N]", the user's id, "flag:allow[0]", "preset:npm[2]" */
	const char	*host;		/* the pattern as written, or network text */
	const char	*note;		/* the rule's reason:, or "" */
	enum layer	 layer;
	bool		 allow;		/* false: a deny rule */
	const char	*list;		/* "category", "host_list", "ip_list": @host is its name
					 * or the file's path as written; NULL: no such rule */
	bool		 is_net;	/* an ip rule: @net holds */
	struct net	 net;
	enum protocol	 protocol;
	const struct port_range *ports;	/* in the image */
	size_t		 port_count;	/* 0 for a deny rule: every port */
	bool		 private;
	bool		 ceiling;	/* of the ceiling: @allow is false */
	bool		 unsafe_wildcard;
	bool		 quiet;		/* a deny rule that is not told of at the end */
	struct origin	 origin;
	struct texts	 methods;	/* none: every method */
	struct texts	 paths;		/* patterns in normal form; none: every path */
	int64_t		 expires_s;	/* seconds since 1970, the first second that is over; 0: never */
	struct rate	 rate;
	uint64_t	 down_bps, up_bps;	/* bytes a second, or AMOUNT_NONE */
	uint64_t	 burst_bytes;		/* or AMOUNT_NONE */
	uint64_t	 quota_down, quota_up;	/* bytes in the session, or AMOUNT_NONE */
	uint64_t	 max_request;		/* bytes of a body, or AMOUNT_NONE */
	bool		 websocket;
	bool		 ech;			/* ech: allow */
	enum inspect	 inspect;
	const char	*inject_header;		/* "": nothing is injected; the value is not here */
	const char	*credential_header;	/* "": no credential is asked for */
	const uint8_t	(*credentials)[DIGEST_BYTES];	/* digests of the values that do */
	size_t		 credential_count;
};

size_t policy_rule_count(const struct policy *p);
struct rule_view policy_rule(const struct policy *p, uint32_t rule);

/*
 * policy_ports() - every port on which some allow rule lets @host be reached
 *
 * For the kernel's set of (address, port) that is not refused at the SYN.  May
 * hold more than policy_decide() allows, never less.
 * Return: the count, at most @max; more than @max ranges: *ret_more is true.
 */
size_t policy_ports(const struct policy *p, struct span host,
		    struct port_range *ret_ranges, size_t max, bool *ret_more);

enum mode policy_mode(const struct policy *p);

/*
 * policy_credential() - the @n-th name of a header field that some rule wants a credential in
 *
 * Lower case.  NULL: there are no more; @n is below CREDENTIALS_MAX for all that are.
 */
const char *policy_credential(const struct policy *p, unsigned n);

enum on_exceed { EXCEED_ALERT, EXCEED_BLOCK, EXCEED_KILL };	/* from weak to strict */

/* limits: of the session; the lowest number of all layers, of rates for each window */
struct policy_limits {
	struct rates	requests;
	struct rates	requests_per_host;
	uint64_t	unique_hosts;		/* or AMOUNT_NONE, and so below */
	uint64_t	upload_per_request;	/* bytes */
	uint64_t	upload_total, download_total;
	uint32_t	error_rate_percent;	/* 1 to 100; 0: none */
	uint32_t	on_exceed;		/* enum on_exceed */
};

enum detail { DETAIL_REDACT, DETAIL_FULL, DETAIL_NONE };

/* log: what of an event is kept; never changes totals */
struct policy_log {
	uint64_t	max_bytes;	/* AMOUNT_NONE: the default */
	uint64_t	rotate_bytes;	/* AMOUNT_NONE: never */
	uint8_t		dns, sync, process;	/* booleans */
	uint8_t		paths, command;	/* enum detail */
	uint8_t		pad[3];
};

/* Settings that are not rules.  Arrays are borrowed from the image. */
struct port_map {
	struct addr	addr;		/* publish: host side address; host_ports: unused */
	uint16_t	outside;	/* port on the host */
	uint16_t	inside;		/* port in the jail */
};
struct policy_settings {
	struct net		synthetic4;	/* dns.synthetic; a /8 to /16 */
	struct net		synthetic6;	/* a /64 to /96 */
	const struct port_map	*host_ports;
	size_t			 host_port_count;
	const struct port_map	*publish;
	size_t			 publish_count;
	struct policy_limits	 limits;
	struct policy_log	 log;
	const struct net	*peers;		/* mode internal: other agents */
	size_t			 peer_count;
	size_t			 peer_sure;	/* the first so many are bounded by no ceiling */
	uint32_t		 dns_types;	/* dns.types: bits of base/dns_type.h */
	size_t			 upstream_count;	/* dns.upstream; see policy_upstream() */
	size_t			 ca_count;	/* tls_ca; see policy_ca() */
	bool			 asks;		/* default: ask */
	const char		*upstream_proxy;	/* http://HOST:PORT, without credentials; "" */
	const char		*no_proxy;	/* of the variables that named it; "" */
};
struct policy_settings policy_settings(const struct policy *p);

/*
 * policy_proxied() - would what @q asks for go through upstream_proxy?
 *
 * For ABOUT_NAME: some port of the name.  Never peers, nor literals of this machine's loopback,
 * metadata services and multicast, which to the proxy would be its own.
 */
bool policy_proxied(const struct policy *p, const struct question *q);

/* Entry @index of dns.upstream, in the order in which they are asked: see policy/upstream.h */
const char *policy_upstream(const struct policy *p, size_t index);

/* A file of tls_ca: certificates that servers may be verified by, besides the machine's own */
struct ca_file {
	const char	*path, *pem;
};
struct ca_file policy_ca(const struct policy *p, size_t index);

/* Do both have the same certificates there? */
bool policy_same_ca(const struct policy *a, const struct policy *b);

/* SHA-256 of the canonical policy, hex; the same rules give the same hash */
const char *policy_sha256(const struct policy *p);

/* The image's bytes; they live as long as @p */
struct span policy_image(const struct policy *p);

/* Use an image made by this very program.  Borrowed.  NULL if it is no image of this version. */
const struct policy *policy_attach(struct span image);

/*
 * host_normal() - the one form in which names are compared
 * @text:	a name as a person or a client wrote it: U-labels or A-labels,
 *		any case, at most one trailing dot
 * @ret_host:	A-labels, lower case, no trailing dot, NUL-terminated
 *
 * UTS 46 (non-transitional) through libidn2.  Names of plain ASCII take a fast
 * path without it.  Labels may hold letters, digits, '-' and '_'.
 * Return: false if it is no host name (empty label, too long, an address
 *         literal in any notation, forbidden characters).
 */
bool host_normal(struct span text, char ret_host[HOST_MAX + 1]);

#endif

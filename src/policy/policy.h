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
	SEEN_UPGRADE,		/* leaves HTTP/1: the HTTP/2 preface in clear, Upgrade, CONNECT */
	SEEN_QUIC,		/* a QUIC long header in the first datagram */
	SEEN_MALFORMED,		/* TLS or HTTP that has no single reading */
};

enum about {
	ABOUT_NAME,		/* may this name be looked up?  Uses host only */
	ABOUT_CONN,		/* may this connection be made? */
};

struct question {
	enum about	 about;
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
	struct span	 path;		/* normalised (issue: policy language) */
	int64_t		 now_s;		/* seconds since 1970; for expires */
};

enum answer { ANSWER_DENY, ANSWER_ALLOW, ANSWER_ASK, ANSWER_NEED };

enum need { NEED_TLS = 1, NEED_HTTP = 2 };

struct verdict {
	enum answer	 answer;
	enum reason	 reason;	/* REASON_ALLOWED for ALLOW; undefined for NEED */
	uint32_t	 rule;		/* the rule named in the log, or RULE_NONE */
	unsigned	 need;		/* for NEED: bits of enum need that must be looked at first */
	bool		 watch;		/* for ALLOW: look at the client's first bytes on the way; if they
					 * are TLS or HTTP ask again with what was seen */
};

/*
 * policy_decide() - judge one question
 *
 * Pure.  The order of reasons is that of contract section 2: malformed, mode,
 * deny_rule, ..., then of the allow rule that came furthest what stopped it.
 * Binding of SNI and Host to the name is judged here too (sni_missing,
 * sni_mismatch, host_mismatch, ech, protocol).
 */
struct verdict policy_decide(const struct policy *p, const struct question *q);

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
 * Return: REASON_ALLOWED, REASON_SPECIAL_ADDRESS or REASON_DENY_RULE.
 */
enum reason policy_address(const struct policy *p, const struct question *q,
			   const struct verdict *v, const struct place *place,
			   const struct addr *a);

enum protocol { PROTOCOL_AUTO, PROTOCOL_TLS, PROTOCOL_HTTP, PROTOCOL_TCP, PROTOCOL_UDP };

struct port_range {
	uint16_t	first, last;	/* inclusive, host order */
	enum transport	transport;
};

/* A rule as a person or a log wants to see it; borrowed from the image */
struct rule_view {
	const char	*id;		/* "FILE:allow[N]", the user's id, "flag:allow[0]", "preset:npm[2]" */
	const char	*host;		/* the pattern as written, or network text */
	const char	*note;		/* the rule's reason:, or "" */
	enum layer	 layer;
	bool		 allow;		/* false: a deny rule */
	bool		 is_net;	/* an ip rule: @net holds */
	struct net	 net;
	enum protocol	 protocol;
	const struct port_range *ports;	/* in the image */
	size_t		 port_count;	/* 0 for a deny rule: every port */
	bool		 private;
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
};
struct policy_settings policy_settings(const struct policy *p);

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

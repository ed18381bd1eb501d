/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talk.h - what the gate and the keeper say to each other (net/msg carries it)
 *
 * The gate reports facts about bytes it has seen; the keeper decides, records
 * and dials.  A message is a fixed head and a tail of texts whose lengths the
 * head gives, in the order of the head's fields.  The keeper takes none of it
 * for granted: the gate may have been taken over.
 *
 * Message ids: of a TCP or UDP flow its reference (TALK_FLOW...), of a DNS
 * query its slot.  The gate chooses them; the answer carries the same one.
 */
#ifndef SLUICE_POLICY_TALK_H
#define SLUICE_POLICY_TALK_H

#include "base/addr.h"
#include "policy/policy.h"

#define TALK_HOST_MAX 255	/* bytes of an SNI or Host that are told; longer is malformed */
#define TALK_ALPN_MAX 32
#define TALK_METHOD_MAX 32
#define TALK_PATH_MAX 2048	/* longer paths are cut in the record */
#define TALK_RECORDS_MAX 16384	/* bytes of DNS_RECORDS_MAX (proto/dns_answer.h) */
#define TALK_NAME_MAX 1008	/* a DNS name in presentation form */
#define TALK_DIGESTS (CREDENTIALS_MAX * DIGEST_BYTES)	/* bytes of all digests */
#define TALK_WORDS_MAX 200	/* OpenSSL's, why a server is not trusted */
#define TALK_BODY_MAX 4096	/* the JSON of a denied request */

/* Gate to keeper */
enum gate_says {
	GATE_READY,		/* confined and serving */
	GATE_ASK,		/* a connection: struct talk_ask */
	GATE_ASK_AGAIN,		/* the same, after more was seen of one that is allowed */
	GATE_CLOSED,		/* struct talk_closed */
	GATE_HTTP,		/* a request is over: struct talk_http */
	GATE_DNS,		/* struct talk_dns_ask */
	GATE_DROP,		/* packets that the kernel refused, or let pass alone: struct talk_drop */
	GATE_ALERT,		/* a limit of the session was crossed: struct talk_alert */
	GATE_POLICY,		/* it judges by the policy of generation @id now */
	GATE_UNREACHED,		/* upstream_proxy does not connect: struct talk_unreached */
	GATE_UNTRUSTED,		/* the server's TLS failed: tail: why, in words */
	GATE_TARGET,		/* where a proxy's client wants to go: struct talk_ask; the name in
				 * `host`, or, if that is empty, the address in `addr` */
	GATE_LEFT,		/* the client of a flow that waits for an approval has gone, or will
				 * say no more */
	GATE_WISH,		/* what the agent asks for at sluice.internal: struct talk_wish; the ask of
				 * the same flow follows */
	GATE_SAYS_NUM
};

/* Keeper to gate */
enum keeper_says {
	KEEPER_POLICY,		/* + sealed memfd of the image; struct talk_policy; id: its generation.
				 * The first is 0; later ones replace it and are acknowledged */
	KEEPER_CA,		/* + a pipe with the session's CA and its key (proxy/certs.h); before
				 * the first policy, if anything may be inspected */
	KEEPER_SECRETS,		/* + sealed memfd of what inject puts there (policy/secret.h); struct
				 * talk_policy; before the policy that it goes with, if there is
				 * anything */
	KEEPER_SOCKET,		/* + a socket; struct talk_socket */
	KEEPER_START,		/* confine yourself and serve */
	KEEPER_BIND,		/* a new name: tail; id is its index in the bindings */
	KEEPER_ALLOW,		/* + the connected socket; struct talk_allow */
	KEEPER_PASS,		/* answer to ASK_AGAIN, and to an ASK that was `empty`; struct talk_pass */
	KEEPER_DENY,		/* struct talk_deny */
	KEEPER_DNS,		/* struct talk_dns_answer */
	KEEPER_WAIT,		/* a person is asked; KEEPER_ALLOW or KEEPER_DENY follows */
	KEEPER_KILL,		/* reset a flow that is open; struct talk_kill */
	KEEPER_RULE,		/* by the new policy it is allowed by this rule; struct talk_rule */
	KEEPER_TARGET,		/* answer to GATE_TARGET, if it may be asked for: struct talk_target */
	KEEPER_FINISH,		/* close every flow, report, exit */
	KEEPER_SAYS_NUM
};

/* How a connection came in */
enum door {
	DOOR_JAIL,		/* from the jail, any destination */
	DOOR_HOST_PORT,		/* from the jail to one of the policy's host_ports; port tells */
	DOOR_PUBLISH,		/* from the host to a server in the jail; port is the one inside */
	DOOR_PROBE,		/* the start-up probe */
	DOOR_NOTICE,		/* from the jail to sluice.internal */
	DOOR_HTTP,		/* `sluice proxy`: from a program that was told to use it; once the
				 * target is known it is as one from the jail */
	DOOR_SOCKS,
	DOOR_DNS,		/* no flow's: a listener for DNS over TCP */
	DOOR_NUM
};

enum talk_flag {
	TALK_HAS_SNI = 1,
	TALK_ECH = 2,
	TALK_EMPTY = 4,		/* the client closed before it said anything: dial nothing */
	TALK_FULL = 8,		/* the gate is at its bound: deny with `limit` */
	TALK_WEBSOCKET = 16,	/* SEEN_UPGRADE: to a websocket, and nothing else */
	TALK_OVERRIDES = 32,	/* the head has a field that may change the method */
	TALK_UNSUPPORTED = 64,	/* GATE_TARGET: nothing that a proxy here does: deny it as that */
	TALK_PUSHES = 128,	/* the request may begin a push (policy/git.h) */
};

struct talk_ask {
	struct addr	addr;		/* the destination the client asked for */
	uint16_t	port;
	uint8_t		transport;	/* enum transport */
	uint8_t		seen;		/* enum seen */
	uint8_t		door;		/* enum door */
	uint8_t		flags;		/* enum talk_flag */
	uint8_t		ssh;		/* the first bytes are an SSH banner */
	uint8_t		method_len;
	uint16_t	sni_len, alpn_len, host_len, path_len;
	uint16_t	host_port;	/* port of the Host field; 0: none */
	uint8_t		credentials;	/* question.credentials; if not 0, all digests end the tail */
	uint8_t		limited;	/* enum reason: what the rule allows is beyond a limit (policy/
					 * limits.h), and to be denied for it; REASON_ALLOWED: it is not */
	uint8_t		pad[2];
	uint16_t	client_port;	/* who asked, for the record: no verdict hangs on it */
	uint64_t	body_bytes;	/* question.body_bytes */
	struct addr	client;
};

enum flow_end { END_CLIENT, END_SERVER, END_IDLE, END_LIMIT, END_KILLED, END_ERROR, END_NUM };

struct talk_closed {
	uint64_t	bytes_out;	/* from the jail */
	uint64_t	bytes_in;
	uint8_t		end;		/* enum flow_end */
	uint8_t		reason;		/* enum reason; REASON_ALLOWED: none */
	uint8_t		pad[6];
};

struct talk_target {
	struct addr	addr;		/* that stands for the name; or the literal */
};

struct talk_wish {
	uint16_t	port;
	uint16_t	host_len;	/* 0: what was sent is no request for approval */
	uint16_t	reason_len;
	uint16_t	pad;
};					/* tail: host and reason, as the agent wrote them */
#define TALK_REASON_MAX 256

struct talk_http {
	uint64_t	bytes_out, bytes_in;
	uint16_t	status;
	uint8_t		method_len;
	uint8_t		pad;
	uint16_t	host_len, path_len;
};

struct talk_dns_ask {
	uint16_t	type;
	uint8_t		plain;		/* dns_query.plain */
	uint8_t		transport;	/* enum transport */
	uint16_t	client_port;	/* as in talk_ask */
	struct addr	client, server;
};

struct talk_unreached {
	uint16_t	status;		/* that it answered; 0: nothing that can be read, or not in time */
	uint8_t		pad[6];
};

#define TALK_PASSED "passed"	/* the rules' prefix of what they log and let pass */

struct talk_drop {
	struct addr	addr;
	uint16_t	port;		/* 0: the protocol has none */
	uint8_t		protocol;	/* IP protocol number */
	uint8_t		passed;		/* boolean: the first of what the kernel let pass */
	uint32_t	count;
	struct addr	client;		/* as in talk_ask: of one of them */
	uint16_t	client_port;
	uint16_t	pad2;
};

struct talk_alert {
	uint64_t	value, threshold;
	uint8_t		kind;		/* enum alert */
	uint8_t		per_host;
	uint8_t		pad[6];
};					/* tail: the host, or the text of an address */

enum talk_socket_kind {
	SOCKET_TCP4, SOCKET_TCP6, SOCKET_UDP4, SOCKET_UDP6, SOCKET_RAW4, SOCKET_RAW6,
	SOCKET_NFLOG,
	SOCKET_ALIVE,		/* is open while the gate lives, and that is all (jail/deadman.h) */
	SOCKET_HOST_PORT,	/* a listener inside; port is the one inside */
	SOCKET_PUBLISH,		/* a listener on the host; port is the one inside */
	SOCKET_HTTP,		/* listeners of `sluice proxy` */
	SOCKET_SOCKS,
	SOCKET_DNS_TCP,
	SOCKET_DNS_UDP,		/* at most one */
	SOCKET_NUM
};

struct talk_socket {
	uint16_t	kind;
	uint16_t	port;		/* of UDP4: DHCP's, if what comes to it is for the gate; or 0 */
};

struct talk_policy {
	uint64_t	bytes;		/* of the image, or of what inject puts there */
};

struct talk_rule {
	uint32_t	rule;		/* or RULE_NONE */
	uint32_t	pad;
};

struct talk_kill {
	uint8_t		reason;		/* enum reason */
	uint8_t		pad[7];
};

struct talk_allow {
	uint8_t		watch;		/* verdict.watch */
	uint8_t		http;		/* judge and record each request */
	uint8_t		through;	/* the socket is a proxy's, which was asked to connect */
	uint8_t		inspect;	/* verdict of policy_inspects() */
	uint8_t		approved;	/* a person has: question.standing of its requests */
	uint8_t		pad[3];
};

struct talk_pass {
	uint8_t		inspect;	/* as in talk_allow */
	uint8_t		pad[7];
};

struct talk_deny {
	uint8_t		reason;		/* enum reason */
	uint8_t		dialled;	/* it was allowed and could not be reached */
	uint16_t	status;		/* HTTP status for a denied request */
	uint8_t		inspect;	/* TLS that was to be inspected: the body goes inside */
	uint8_t		pad[3];
};					/* tail: JSON body, for HTTP */

struct talk_dns_answer {
	uint8_t		rcode;
	uint8_t		has_addr;
	int16_t		ede;		/* enum dns_ede */
	uint32_t	ttl_s;
	struct addr	addr;
	uint32_t	records;	/* not 0: the tail is a list of records (proto/dns_answer.h), of a
				 * question for A or AAAA one of struct addr */
};					/* tail: that list, or the name a PTR answers */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig.h - a proxy between TCP sockets of ours, with a keeper that is the test
 *
 * The test is the client, the server and the keeper.  Sockets are real TCP on
 * loopback, so that resets, half-closes and full buffers are the kernel's own.
 */
#ifndef SLUICE_TESTS_RIG_H
#define SLUICE_TESTS_RIG_H

#include "../unit.h"

#include "proxy/flow.h"
#include "proxy/udp.h"

#define RIG_HOST "api.example.com"	/* what the rig's policy allows, and binds */
#define RIG_MESSAGES 64

/* What the gate told the keeper */
struct told {
	uint16_t	type;
	uint32_t	id;
	struct span	tail;		/* into @bytes, behind the head */
	union {
		struct talk_ask		ask;
		struct talk_closed	closed;
		struct talk_http	http;
		struct talk_alert	alert;
	};
	uint8_t		bytes[8192];
};

struct rig {
	struct proxy	 x;
	struct msg_link	 gate, keeper;
	struct policy	*policy;
	struct addr	 host;		/* the synthetic address of RIG_HOST */
	struct told	*told;		/* RIG_MESSAGES of them */
	size_t		 told_count, told_next;
	struct event	 flush;
};

/* One connection through the proxy */
struct line {
	int		client, server;	/* our ends; -1 */
	uint32_t	ref;
	int		client_room, server_room;	/* bytes of SO_SNDBUF of the gate's ends; 0: as it is */
};

/* The policy allows RIG_HOST on 22, 80, 443 and 8080 (tcp), and 123 and 4433 (udp) */
/* Keys that the one rule has besides, as lines of YAML; "" unless a test says otherwise */
extern const char *rig_rule_more;

void rig_open(struct rig *r, size_t flows_max);
void rig_done(struct rig *r);

void rig_hear(struct rig *r);		/* take in what the keeper was told so far */
void rig_run(struct rig *r);		/* until nothing happens any more */
void rig_seconds(struct rig *r, uint32_t count);

/* The next thing that the keeper was told, which is @type; NULL-safe: it fails the test */
const struct told *rig_told(struct rig *r, enum gate_says type);
void rig_told_nothing(struct rig *r);

/* A connected TCP pair on loopback, both ends non-blocking */
void rig_pair(int ends[2]);

/* The client connects, to RIG_HOST */
struct line rig_connect(struct rig *r, uint16_t port);
void rig_drive(struct rig *r, struct line *l);	/* the gate has accepted it */
/* A proxy's client comes in by DOOR_HTTP or DOOR_SOCKS */
struct line rig_visit(struct rig *r, enum door door);
/* The keeper says that its target is RIG_HOST */
void rig_known(struct rig *r, const struct line *l);
/* The keeper allows it: the server's end is there */
void rig_allow(struct rig *r, struct line *l, bool watch, bool http);
void rig_deny(struct rig *r, struct line *l, enum reason reason, const char *body);
void rig_hang_up(struct line *l);

void say(int fd, const char *text);
void say_bytes(int fd, struct span bytes);
/* Exactly this is read from @fd, no more */
void heard(struct rig *r, int fd, const char *text);
void heard_end(struct rig *r, int fd);
void heard_reset(struct rig *r, int fd);

/* A ClientHello for @sni.  Return: its bytes, at most 512 */
struct span client_hello(const char *sni, uint8_t at[512]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* reach.c - from an allowed connection to its socket: straight, or by upstream_proxy */
#include <string.h>

#include "daemon/conn.h"
#include "daemon/notice.h"
#include "daemon/through.h"
#include "daemon/watched.h"
#include "jail/jail.h"

static void on_proxy_resolved(void *arg, const struct resolution *r)
{
	struct conn *c = arg;

	if (!conn_resolved(c))
		return;
	c->permit.count = r->status == RESOLVED_OK ? r->count : 0;
	memcpy(c->permit.addrs, r->addrs, c->permit.count * sizeof(*r->addrs));
	if (c->permit.count)
		conn_record(c);
	else
		conn_refuse(c, REASON_UPSTREAM_FAILED, NULL);
}

/* It is allowed: by the proxy, or straight to the permit's addresses */
void conn_reach(struct conn *c, const struct question *q)
{
	c->through = through_goes(c->keeper, q, c->permit.addrs, c->permit.count);
	if (!c->through) {
		conn_record(c);
		return;
	}
	c->resolving = true;
	through_resolve(c->keeper, on_proxy_resolved, c);
}

void conn_abandon(struct conn *c, const char *end, enum reason reason)
{
	static const struct talk_closed none;
	struct keeper *k = c->keeper;
	struct question q = conn_question(c);

	c->verdict.answer = ANSWER_DENY;
	c->verdict.reason = reason;
	conn_record_close(c, end, reason, &none);
	conn_tell_denied(k, c->ref, &q, &c->verdict, true);
	conn_unlink(c);
	conn_free(c);
	keeper_stir(k);
}

static void on_dialled(void *arg, int fd, const struct addr *addr, int error)
{
	struct conn *c = arg;
	struct talk_allow allow = {
		.watch = c->verdict.watch,
		.http = c->door != DOOR_NOTICE &&
			(c->seen == SEEN_HTTP || c->ask.flags & TALK_WEBSOCKET),
		.through = c->through, .inspect = c->inspect,
		.approved = c->verdict.reason == REASON_ALLOWED_APPROVED,
	};

	(void)error;
	c->dial = NULL;
	if (c->keeper->closed) {
		DROP_FD(fd);
		return;
	}
	if (fd >= 0 && c->through &&
	    !through_ask(c->keeper, fd, conn_host(c), &c->literal, c->permit.port))
		DROP_FD(fd);
	if (fd < 0) {
		conn_abandon(c, "error", REASON_UPSTREAM_FAILED);
		return;
	}
	if (c->dialled_us)
		watched_connected(c->keeper, c->dialled_us);
	c->ip = *addr;
	c->has_ip = true;
	keeper_tell(c->keeper, KEEPER_ALLOW, c->ref, &allow, sizeof(allow), (struct span){ 0 }, fd);
	keeper_stir(c->keeper);
}

void conn_unreached(struct keeper *k, uint32_t ref, const struct talk_unreached *u)
{
	struct conn *c = conn_find(k, ref);

	if (!c || !c->has_ip || !c->through) {
		keeper_close(k, "the gate tells of a proxy on no connection of one");
		return;
	}
	c->proxy_status = u->status;
	conn_abandon(c, "error", REASON_UPSTREAM_FAILED);
}

static void conn_dial(struct conn *c)
{
	struct keeper *k = c->keeper;
	struct permit permit = c->permit;
	struct dial *dial;
	int fd;

	if (c->through)
		permit.port = through_port(k);
	if (c->door != DOOR_PUBLISH && c->door != DOOR_NOTICE) {
		/* a UDP "connect" sends nothing that anybody could answer */
		c->dialled_us = permit.transport == TRANSPORT_TCP ? watched_now_us() : 0;
		dial = dial_start(k->loop, &permit, on_dialled, c);
		if (dial)
			c->dial = dial;	/* else it is over, and @c may be gone */
		return;
	}
	fd = c->door == DOOR_NOTICE ? notice_answer(c) : porter_socket(k->porter_fd, permit.port);
	on_dialled(c, fd < 0 ? -1 : fd, &c->permit.addrs[0], fd < 0 ? -fd : 0);
}

void conn_dial_all(struct keeper *k)
{
	struct conn *c = k->to_dial, *next;

	k->to_dial = NULL;
	k->to_dial_end = &k->to_dial;
	for (; c && !k->closed; c = next) {
		next = c->next_dial;
		c->next_dial = NULL;
		conn_dial(c);
	}
}

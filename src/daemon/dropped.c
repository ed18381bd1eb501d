/* SPDX-License-Identifier: Apache-2.0 */
/* dropped.c - packets that the kernel refused: as the gate tells of them, or as it counts */
#include <errno.h>

#include "base/auto.h"
#include "daemon/conn.h"
#include "jail/jail.h"

#define DROPS_RECORDED_MAX 64	/* of one kind in one message; the rest is a count */

static const char *protocol_name(uint8_t protocol)
{
	static const struct {
		uint8_t number;
		const char *name;
	} names[] = { { 1, "icmp" }, { 6, "tcp" }, { 17, "udp" }, { 58, "icmpv6" },
		      { 132, "sctp" }, { 136, "udplite" }, { 0, "lost" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].number == protocol)
			return names[i].name;
	return "other";
}

/* Where the kernel alone lets pass, it tells of the first packet: of what comes then nothing is known */
static void record_passed(struct keeper *k, const struct question *q, const struct verdict *v)
{
	struct audit_conn e = {
		.conn = ++k->conn_count, .literal = q->addr, .ips = &q->addr, .ip_count = 1, .port = q->port,
		.proto = q->transport == TRANSPORT_UDP ? "udp" : "tcp", .verdict = ANSWER_ALLOW,
		.reason = v->reason, .rule = keeper_rule(k, v),
	};

	audit_conn_open(k->audit, &e);
}

/* The kernel's rules are narrower: a peers' network has the machine's own address in it */
static struct verdict verdict_of(const struct keeper *k, const struct talk_drop *d, const struct question *q)
{
	struct verdict v = policy_decide(k->policy, q);

	if (k->kernel_alone && !d->passed && v.answer == ANSWER_ALLOW)
		return (struct verdict){ .answer = ANSWER_DENY, .reason = REASON_MODE, .rule = RULE_NONE };
	return v;
}

void conn_forged(struct keeper *k)
{
	struct audit_drop drop = { .proto = "frame" };
	uint64_t all;
	int r;

	if (!k->port.session || k->closed)
		return;
	r = link_count_forged(k->port.fd, k->port.session, &all);
	/* Somebody has flushed the machine's rules: who holds it next puts it up again */
	if (r == -ENOENT)
		keeper_close(k, "the wall around the container's port is gone");
	if (r < 0)
		return;
	if (all < k->port.forged)	/* the wall is a new one */
		k->port.forged = 0;
	drop.count = all - k->port.forged;
	k->port.forged = all;
	if (!drop.count)
		return;
	audit_packet_drop(k->audit, &drop);
	k->denied_count++;
	keeper_stir(k);
}

void conn_drop(struct keeper *k, const struct talk_drop *d)
{
	struct talk_ask a = {
		.addr = d->addr, .port = d->port,
		.transport = d->protocol == IPPROTO_UDP ? TRANSPORT_UDP : TRANSPORT_TCP,
		.client = d->client, .client_port = d->client_port,
	};
	struct told t = { .ask = &a, .from = conn_asker(&a) };
	struct question q = conn_question_of(k, &t, binding_of_addr(k->bindings, &d->addr));
	struct verdict v = verdict_of(k, d, &q);
	struct audit_drop drop = { protocol_name(d->protocol), d->addr, d->port, d->count };
	bool known = d->protocol == IPPROTO_TCP || d->protocol == IPPROTO_UDP;
	bool judged = v.answer == ANSWER_DENY && known;

	if (k->probing || !d->count)
		return;
	if (k->hear)
		k->hear(k->arg);
	if (k->kernel_alone && d->passed) {
		for (uint32_t i = 0; known && i < DROPS_RECORDED_MAX && i < d->count; i++)
			record_passed(k, &q, &v);
		keeper_stir(k);
		return;
	}
	for (uint32_t i = 0; judged && i < DROPS_RECORDED_MAX && drop.count; i++, drop.count--)
		conn_deny(k, UINT32_MAX, &t, &q, &v, NULL);
	if (drop.count)
		audit_packet_drop(k->audit, &drop);
	if (!judged)
		k->denied_count++;
	keeper_stir(k);
}

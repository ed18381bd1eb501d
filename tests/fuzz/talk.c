/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talk.c - a gate that was taken over, against the keeper
 *
 * Each message: a type, an id and a length, then that many bytes; what is
 * missing of the fixed head is taken from one that makes sense, so that few
 * changed bytes go deep.  An odd last byte: what no rule matches is asked about, and
 * refused.  Held to: nothing but what the policy names is dialled, nothing after the end,
 * and the log balances (desk_done()).
 */
#include <assert.h>

#include "../unit/daemon/desk.h"
#include "daemon/approvals.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define MESSAGES_MAX 48

static const struct net *allowed_net(void)
{
	static struct net n;

	if (!n.bits)
		assert(net_parse(SPAN(DESK_LITERAL), &n));
	return &n;
}

/* Only a name's own address on its ports, the literal, and the doors' ports of this host */
static void check_dial(const struct permit *p)
{
	assert(p->count == 1);
	if (addr_v4_value(&p->addrs[0]) == 0x08080808)
		assert(p->transport == TRANSPORT_UDP ? p->port == 123 :
		       p->port == 22 || p->port == 80 || p->port == 443 || p->port == 8080);
	else if (net_has(allowed_net(), &p->addrs[0]))
		assert(p->transport == TRANSPORT_TCP && p->port == 22);
	else
		assert(addr_v4_value(&p->addrs[0]) == INADDR_LOOPBACK &&
		       p->transport == TRANSPORT_TCP && p->port == 5432);
}

/* A head that makes sense, changed by @with */
static void say(struct desk *d, uint16_t type, uint32_t id, struct span with, const struct addr *host)
{
	struct talk_ask ask = { .addr = *host, .port = 22 };
	uint8_t payload[sizeof(ask) + 64] = { 0 };
	size_t len = with.len < sizeof(payload) ? with.len : sizeof(payload);

	if (type == GATE_ASK || type == GATE_ASK_AGAIN || type == GATE_TARGET) {
		memcpy(payload, &ask, sizeof(ask));
		for (size_t i = 0; i < len; i++)
			payload[i] ^= with.at[i];
		len = len > sizeof(ask) ? len : sizeof(ask);
	} else if (len) {
		memcpy(payload, with.at, len);
	}
	if (msg_put(&d->gate, type, id, payload, len, (struct span){ 0 }, -1) == 0)
		desk_run(d);
	while (d->answer_next < d->answer_count)
		DROP_FD(d->answers[d->answer_next++].fd);
	if (d->last_permit.count)
		check_dial(&d->last_permit);
	d->last_permit.count = 0;
}

/* Nobody approves anything here: what waits must not be dialled */
static void refuse_something(struct desk *d, uint8_t how)
{
	const struct approval_question *q = approvals_at(d->k.approvals, how / 8 % approvals_count(d->k.approvals));
	struct approval_answer no = { DECISION_DENIED, how & 1 ? SCOPE_SESSION : SCOPE_ONCE, 0, "terminal" };
	struct err err = { "" };

	if (how & 2)
		approvals_find(d->k.approvals, q->number)->until_ms = 0;
	else
		assert(approval_decide(&d->k, q->number, &no, &err));
	approvals_tick(&d->k);
}

static void settle_something(struct desk *d, uint8_t how)
{
	if (how & 1 && d->asked_count)
		desk_resolved(d, how / 8 % d->asked_count);
	if (how & 2 && d->parked_count)
		desk_dialled(d, how / 8 % d->parked_count, how & 4);
	if (how & 4 && approvals_count(d->k.approvals))
		refuse_something(d, how);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span in = span_of(bytes, size);
	struct desk d;
	struct addr host;

	if (size && bytes[size - 1] & 1)
		desk_open_asking(&d);
	else
		desk_open(&d);
	host = desk_bind(&d);
	for (int i = 0; i < MESSAGES_MAX && in.len >= 4 && !d.closed; i++) {
		size_t len = in.at[3];

		d.resolve_waits = in.at[2] & 1;
		d.dials = (enum desk_dials)(in.at[2] / 2 % 3);
		d.k.probing = in.at[2] == 255;
		d.k.cooperative = in.at[0] / (GATE_SAYS_NUM + 1) & 1;
		say(&d, in.at[0] % (GATE_SAYS_NUM + 1), in.at[1], span_head(span_skip(in, 4), len),
		    &host);
		settle_something(&d, in.at[2] / 8);
		in = span_skip(in, 4 + len);
	}
	d.k.probing = false;
	desk_done(&d);
	return 0;
}

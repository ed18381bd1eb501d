/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/keeper.h"

#include <errno.h>
#include <string.h>

#include "daemon/approvals.h"
#include "daemon/clock.h"
#include "daemon/watched.h"
#include "policy/explain.h"

#define GATE_READS_A_TURN 8	/* msg_read() before the records are written */

static const size_t ask_max = sizeof(struct talk_ask) + 2 * TALK_HOST_MAX + TALK_ALPN_MAX +
			      TALK_METHOD_MAX + TALK_PATH_MAX + TALK_DIGESTS;

static struct msg_type accepts[GATE_SAYS_NUM] = {
	[GATE_READY]	 = { "ready", 0, 0, false },
	[GATE_ASK]	 = { "ask", sizeof(struct talk_ask), 0, false },
	[GATE_TARGET]	 = { "target", sizeof(struct talk_ask), 0, false },
	[GATE_ASK_AGAIN] = { "ask again", sizeof(struct talk_ask), 0, false },
	[GATE_CLOSED]	 = { "closed", sizeof(struct talk_closed), sizeof(struct talk_closed), false },
	[GATE_HTTP]	 = { "http", sizeof(struct talk_http), sizeof(struct talk_http) +
			     TALK_HOST_MAX + TALK_METHOD_MAX + TALK_PATH_MAX, false },
	[GATE_DNS]	 = { "dns", sizeof(struct talk_dns_ask) + 1,
			     sizeof(struct talk_dns_ask) + TALK_NAME_MAX, false },
	[GATE_POLICY]	 = { "policy", 0, 0, false },
	[GATE_LEFT]	 = { "left", 0, 0, false },
	[GATE_WISH]	 = { "wish", sizeof(struct talk_wish), sizeof(struct talk_wish) +
			     TALK_HOST_MAX + TALK_REASON_MAX, false },
	[GATE_DROP]	 = { "drop", sizeof(struct talk_drop), sizeof(struct talk_drop), false },
	[GATE_ALERT]	 = { "alert", sizeof(struct talk_alert),
			     sizeof(struct talk_alert) + TALK_HOST_MAX, false },
	[GATE_UNREACHED] = { "unreached", sizeof(struct talk_unreached),
			     sizeof(struct talk_unreached), false },
	[GATE_UNTRUSTED] = { "untrusted", 0, TALK_WORDS_MAX, false },
};

struct audit_rule keeper_rule(const struct keeper *k, const struct verdict *v)
{
	struct rule_view r;

	if (v->rule == RULE_NONE)
		return (struct audit_rule){ NULL, NULL };
	r = policy_rule(k->policy, v->rule);
	return (struct audit_rule){ r.id, layer_name(r.layer) };
}

size_t keeper_addresses(struct keeper *k, const struct question *q, const struct verdict *v,
			const struct resolution *r, struct addr *ret_addrs,
			enum reason *ret_reason, struct addr *ret_refused)
{
	const struct place *place = place_now(&k->place, clock_ms());
	size_t count = 0;

	*ret_reason = REASON_RESOLVE_FAILED;
	if (r->status != RESOLVED_OK || !place)
		return 0;
	for (size_t i = 0; i < r->count && count < DIAL_ADDRS_MAX; i++) {
		enum reason reason = policy_address(k->policy, q, v, place, &r->addrs[i]);

		if (reason == REASON_ALLOWED) {
			ret_addrs[count++] = r->addrs[i];
		} else if (reason < *ret_reason) {	/* in the contract's order, as check has it */
			*ret_reason = reason;
			*ret_refused = r->addrs[i];
		}
	}
	return count;
}

struct audit_process keeper_process(struct keeper *k, const struct socket_key *from,
				    enum answer verdict, enum reason reason)
{
	bool wanted = verdict == ANSWER_ALLOW ? policy_settings(k->policy).log.process
					      : !audit_folds(k->audit, reason);

	if (!wanted || (!process_of_socket(k->processes, from, &k->process) &&
			!(verdict == ANSWER_DENY && refusal_take(k, from, &k->process))))
		return (struct audit_process){ 0 };
	return (struct audit_process){ k->process.pid,
				       span_of(k->process.exe, k->process.exe_len) };
}

bool keeper_usable(struct keeper *k, const struct question *q, const struct verdict *v,
		   const struct resolution *r, struct permit *permit, enum reason *ret_reason,
		   struct addr *ret_refused)
{
	permit->count = keeper_addresses(k, q, v, r, permit->addrs, ret_reason, ret_refused);
	if (!policy_proxied(k->policy, q))
		return permit->count;
	if (r->status != RESOLVED_OK)
		return true;
	return permit->count && *ret_reason == REASON_RESOLVE_FAILED;
}

void keeper_close(struct keeper *k, const char *why)
{
	if (k->closed)
		return;
	k->closed = true;
	event_del(&k->gate_ev);
	msg_link_done(&k->gate);
	conn_close_all(k);
	k->on_closed(k->arg, why);
}

void keeper_tell(struct keeper *k, enum keeper_says what, uint32_t id, const void *head,
		 size_t len, struct span tail, int fd)
{
	if (k->closed) {
		DROP_FD(fd);
		return;
	}
	if (msg_put(&k->gate, (uint16_t)what, id, head, len, tail, fd) < 0)
		keeper_close(k, "the gate does not take messages");
}

void keeper_denied(struct keeper *k, const struct denied *d, uint32_t rule)
{
	struct denied told = *d;

	k->denied_count++;
	if (rule != RULE_NONE && policy_rule(k->policy, rule).quiet)
		return;
	if (rule != RULE_NONE)
		told.preset = explain_preset(span_str(policy_rule(k->policy, rule).id));
	summary_add(k->summary, &told);
}

/* Those that are no struct.  Return: it was one of them */
static bool on_plain(struct keeper *k, const struct msg *m)
{
	switch ((enum gate_says)m->type) {
	case GATE_READY:
		k->gate_ready = true;
		return true;
	case GATE_LEFT:
		approval_left(k, m->id);
		return true;
	case GATE_POLICY:
		keeper_gate_changed(k, m->id);
		return true;
	case GATE_UNTRUSTED:
		conn_untrusted(k, m->id, m->payload);
		return true;
	default:
		return false;
	}
}

static void take(struct keeper *k, const struct msg *m)
{
	union {
		struct talk_ask		ask;
		struct talk_closed	closed;
		struct talk_http	http;
		struct talk_dns_ask	dns;
		struct talk_drop	drop;
		struct talk_alert	alert;
		struct talk_unreached	unreached;
		struct talk_wish	wish;
	} u;
	size_t head = m->type == GATE_DNS ? sizeof(u.dns) : accepts[m->type].min;
	struct span tail;

	if (head)
		memcpy(&u, m->payload.at, head);
	tail = span_skip(m->payload, head);
	if (on_plain(k, m))
		return;
	switch ((enum gate_says)m->type) {
	case GATE_ASK:
	case GATE_ASK_AGAIN:
		conn_ask(k, m->id, &u.ask, tail, m->type == GATE_ASK_AGAIN);
		break;
	case GATE_TARGET:
		target_ask(k, m->id, &u.ask, tail);
		break;
	case GATE_CLOSED:
		conn_closed(k, m->id, &u.closed);
		break;
	case GATE_HTTP:
		conn_http(k, m->id, &u.http, tail);
		break;
	case GATE_DNS:
		name_ask(k, m->id, &u.dns, tail);
		break;
	case GATE_WISH:
		wish_take(k, m->id, &u.wish, tail);
		break;
	case GATE_DROP:
		conn_drop(k, &u.drop);
		break;
	case GATE_ALERT:
		limited_alert(k, &u.alert, tail);
		break;
	case GATE_UNREACHED:
		conn_unreached(k, m->id, &u.unreached);
		break;
	default:
		break;
	}
}

static bool is_question(uint16_t type)
{
	return type == GATE_ASK || type == GATE_ASK_AGAIN || type == GATE_TARGET ||
	       type == GATE_DNS;
}

static void on_message(void *arg, const struct msg *m)
{
	struct keeper *k = arg;
	uint64_t since_us = is_question(m->type) ? watched_now_us() : 0;

	take(k, m);
	if (since_us && !k->probing)
		watched_decided(k, since_us);
}

static void on_gate(evutil_socket_t fd, short what, void *arg);

static void gate_arm(struct keeper *k, bool writing)
{
	if (event_initialized(&k->gate_ev)) {
		if (writing == k->writing)
			return;
		event_del(&k->gate_ev);
	}
	k->writing = writing;
	event_assign(&k->gate_ev, k->loop, k->gate.fd,
		     (short)(EV_READ | EV_PERSIST | (writing ? EV_WRITE : 0)), on_gate, k);
	event_add(&k->gate_ev, NULL);
}

void keeper_settle(struct keeper *k)
{
	int r;

	if (k->closed)
		return;
	watched_raise(k);
	r = audit_flush(k->audit);
	if (r < 0) {
		char why[ERR_TEXT_MAX];

		snprintf(why, sizeof(why), "the audit log cannot be written: %s; "
			 "everything is denied from now on", strerror(-r));
		keeper_close(k, why);
		return;
	}
	watched_publish(k);
	conn_dial_all(k);
	if (k->closed)
		return;
	if (msg_flush(&k->gate) < 0)
		keeper_close(k, "the gate is gone");
	else
		gate_arm(k, msg_waits(&k->gate));
}

static void on_gate(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;
	int r = 1;

	(void)fd;
	for (int i = 0; what & EV_READ && r > 0 && !k->closed && i < GATE_READS_A_TURN; i++)
		r = msg_read(&k->gate, on_message, k);
	if (r == -EPROTO)
		keeper_close(k, "the gate does not keep to its messages");
	else if (r < 0)
		keeper_close(k, "the gate is gone");
	keeper_settle(k);
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	keeper_settle(arg);
}

void keeper_stir(struct keeper *k)
{
	event_active(&k->settle_ev, EV_TIMEOUT, 0);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;

	(void)fd, (void)what;
	if (!k->closed && audit_tick(k->audit) < 0)
		keeper_close(k, "the audit log cannot be written; everything is denied from now on");
	if (!k->closed)
		keeper_check_gate(k);
	conn_forged(k);
	watched_tick(k);
	if (!k->closed)
		approvals_tick(k);
}

bool keeper_start(struct keeper *k, int gate_fd, struct err *err)
{
	struct timeval second = { .tv_sec = 1 };

	if (!place_read(&k->place, err)) {
		close(gate_fd);
		return false;
	}
	accepts[GATE_ASK].max = accepts[GATE_ASK_AGAIN].max = accepts[GATE_TARGET].max = (uint16_t)ask_max;
	msg_link_init(&k->gate, gate_fd, accepts, ARRAY_SIZE(accepts));
	k->to_dial_end = &k->to_dial;
	event_assign(&k->settle_ev, k->loop, -1, 0, on_settle, k);
	event_assign(&k->tick_ev, k->loop, -1, EV_PERSIST, on_tick, k);
	event_add(&k->tick_ev, &second);
	gate_arm(k, false);
	return true;
}

void keeper_done(struct keeper *k)
{
	conn_done(k);
	if (event_initialized(&k->tick_ev)) {
		event_del(&k->tick_ev);
		event_del(&k->settle_ev);
	}
	if (!k->closed && event_initialized(&k->gate_ev)) {
		event_del(&k->gate_ev);
		msg_link_done(&k->gate);
	}
	k->closed = true;
	approvals_free(k->approvals);
	k->approvals = NULL;
	free(k->refusals);
	k->refusals = NULL;
	buf_done(&k->notice.policy);
	place_done(&k->place);
}

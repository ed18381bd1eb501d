/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limited.c - the keeper's side of limits
 *
 * The gate counts (policy/limits.h), for it alone sees every byte.  The keeper
 * denies what the gate says is beyond a limit, records it and the alerts, and
 * ends the command where the policy says so.  A gate that was taken over can count
 * wrongly: then limits do not hold, and nothing else is opened.
 */
#include "base/err.h"
#include "daemon/keeper.h"
#include "policy/alert.h"

/* As a reason for what a rule allows, is it one of limits? */
bool limited_is_valid(const struct talk_ask *a)
{
	switch ((enum reason)a->limited) {
	case REASON_ALLOWED:
	case REASON_RATE:
	case REASON_QUOTA:
	case REASON_REQUEST_SIZE:
	case REASON_LIMIT:
	case REASON_KILLED:
		return true;
	default:
		return false;
	}
}

void limited_judge(const struct talk_ask *a, struct verdict *v)
{
	if ((v->answer != ANSWER_ALLOW && v->answer != ANSWER_ASK) || a->limited == REASON_ALLOWED)
		return;
	v->answer = ANSWER_DENY;
	v->reason = (enum reason)a->limited;
	v->watch = false;
}

/* limits: on_exceed: kill */
static void kill_command(struct keeper *k, struct span message)
{
	char why[ERR_TEXT_MAX];

	snprintf(why, sizeof(why), "limit reached: " SPAN_FMT ": the command is ended "
		 "(on_exceed: kill)", SPAN_ARG(span_head(message, ERR_TEXT_MAX / 2)));
	if (k->on_kill)
		k->on_kill(k->arg, why);
}

/* Those that the keeper itself raises are of no limit of the policy's */
static bool is_limit(enum alert a)
{
	return a != ALERT_PLACEHOLDER && a != ALERT_DENIED_RATE && a != ALERT_DNS_ENTROPY;
}

void keeper_alert(struct keeper *k, const struct talk_alert *a, struct span host)
{
	struct policy_settings s = policy_settings(k->policy);
	struct buf message = buf_new(1024);
	struct audit_alert e;

	alert_message(&message, (enum alert)a->kind, a->value, a->threshold, host, a->per_host);
	e = (struct audit_alert){ .kind = alert_name((enum alert)a->kind), .value = a->value,
				  .threshold = a->threshold, .message = buf_span(&message) };
	audit_alert(k->audit, &e);
	if (k->on_alert)
		k->on_alert(k->arg, &e);
	if (s.limits.on_exceed == EXCEED_KILL && is_limit((enum alert)a->kind))
		kill_command(k, buf_span(&message));
	buf_done(&message);
	keeper_stir(k);
}

void limited_alert(struct keeper *k, const struct talk_alert *a, struct span host)
{
	char name[HOST_MAX + 1];

	/* it goes to a terminal: a name in normal form, or the text of an address */
	if (a->kind >= ALERT_NUM || (host.len && !addr_parse(host, &(struct addr){ 0 }) &&
				     !host_normal(host, name))) {
		keeper_close(k, "the gate alerts to what cannot be");
		return;
	}
	keeper_alert(k, a, host);
}
